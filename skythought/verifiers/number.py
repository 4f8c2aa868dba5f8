r"""One exact number: for tasks whose answer is a plain number, such as toll_roads.

    "The toll from oak to fir is \boxed{17}."  -> 17, by the rule "boxed"
    "3 plus 14 is 17."                          -> 17, by the rule "last number"

A box is binding: if it does not hold exactly one number, the answer is wrong, whatever else the
text says. 17, 17.0 and "17 dollars" are the same; 17.01 and 17 are not. Needs no other package.
"""

from __future__ import annotations

import re
from fractions import Fraction

from skythought.core import formats
from skythought.core.records import Problem
from skythought.verifiers import Finding, Verifier

MAX_CHARS = 2_000  # of an extracted answer; longer ones are refused
TAIL_CHARS = 20_000  # of an answer text that are read


def check(problem: Problem, answer: str) -> Finding:
    """Compare the number an answer states with the reference number."""
    expected = value(problem.answer)
    if expected is None:
        return Finding("error", rule="the reference answer is not one number")
    tail = _plain(answer[-TAIL_CHARS:])
    boxed = formats.last_boxed(tail)
    if boxed is not None:
        said, rule = boxed.strip(), "boxed"
    else:
        last = formats.final_number(tail)
        if last is None:
            return Finding("no_answer", rule="no box and no number")
        said, rule = last, "last number"
    if not said:
        return Finding("no_answer", rule="empty box")
    if len(said) > MAX_CHARS:
        return Finding("incorrect", said[:80], f"{rule}; refused", f"{len(said)} characters")
    found = value(said)
    if found is None:
        return Finding("incorrect", said, f"{rule}; not one number")
    return Finding("correct" if found == expected else "incorrect", said, rule)


def value(text: str) -> Fraction | None:
    """Read a text that holds exactly one number, units and currency around it allowed."""
    if len(text) > MAX_CHARS:
        return None
    text = _plain(text)
    number = formats.final_number(text)
    if number is None:
        return None
    around = text.replace(",", "").replace(number, "", 1)
    return None if any(c.isdigit() for c in around) else Fraction(number)


def _plain(text: str) -> str:
    """Write a text so that `formats.final_number` reads its minus signs, commas and dots right.

    "10−7" holds 10 and 7, "1,2" holds 1 and 2, ".5" is a half.
    """
    text = re.sub(r"(?<=[\w)}])-(?=\d)", " - ", text.replace("−", "-"))
    text = re.sub(r"(?<=\d),(?=\d)(?!\d{3}(?!\d))", ", ", text)
    return re.sub(r"(?<!\d)\.(?=\d)", "0.", text)


NUMBER = Verifier(name="number", version=2, check=check)
