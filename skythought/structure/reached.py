r"""The step in which a thought first reaches its final answer.

    final("So the total is \\boxed{1,200}.")                               -> "1200"
    first(["He has 5 bags of 240.", "5 * 240 = 1200", "So 1200."], "1200", question) -> 1

The final answer is what the last \boxed{} of the solution holds, else its last number. A step
reaches it where it stands as a result: "= 12", "is 12", "gives 12", "**12**", \boxed{12}. A number
of the question is a result only behind a sign of equality with something before it, behind "answer
is", or in a box: "Tom is 12" tells what was given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from skythought.core import formats
from skythought.structure.symbols import number_form

LONGEST = 200  # characters of an answer; longer ones are texts
SHORT = 2  # characters of an answer that is a choice or a name
LOOK_BACK = 48  # characters before an answer that tell whether it is a result
NUMBER = re.compile(
    r"(?<![\d.])(?:\d{1,3}(?:(?:,|,\\!|\\,|\{,\})\d{3})+(?!\d)|\d+)(?:\.\d+)?(?![\d^])"
)
SEPARATOR = re.compile(r",\\!|\\,|\{,\}|,")
BETWEEN = (
    r"(?:[\s$(*+-]|\\[$(,!]|\\text\{|\\boxed\{"
    r"|(?:about|approximately|only|just|exactly|still|also|indeed|again) )*$"
)
RESULT = re.compile(
    r"(?:[=≈→:]|\\(?:approx|to|implies)\b|\*\*|\\boxed\{|'s|\b(?:is|are|be|was|equals?|equal to"
    r"|gives?|get|gets|makes?|leaves|leaving|totals?|totaling|total of|becomes|results? in))"
    + BETWEEN
)
SURE = re.compile(
    r"(?:[\w)}\]%²³!]\s*(?:=|≈|\\approx)|\\boxed\{|\banswer\b[^.\n]{0,24}?(?:is|be|:))" + BETWEEN
)
NAME = re.compile(r"(?<![\w)}\]])[A-Za-z]\s*(?:=|≈|\\approx)[\s$(]*$")  # n = 12 may be given
CHOICE = (
    r"(?:\b(?:answer|option|choice)\b(?: is| must be| should be)?|\\boxed\{)"
    r"[\s:($*{]*(?:\\text\{)?[\s(]*"
)
FRACTION = re.compile(r"\\[dt]?frac\s*(?:\{([^{}]{1,60})\}\s*\{([^{}]{1,60})\}|(\d)\s*(\d))")
OVER = re.compile(r"(?<![\d./,])(\d{1,20})/(\d{1,20})(?![\d/,]|\.\d)")
ROOT = re.compile(r"\\?sqrt")
NOISE = re.compile(
    r"\\(?:left|right|displaystyle|!|,|;|:|quad|text(?:bf)?|mathrm|mathbf|operatorname)(?![a-zA-Z])"
    r"|[\s{}$*()]|\\(?=[%$ ])"
)


def final(solution: str) -> str:
    """Give the final answer of a solution in a plain form; "" where there is none to look for."""
    boxed = formats.last_boxed(solution)
    if boxed is None:
        number = formats.final_number(solution)
        over = OVER.findall(solution)
        if number and over and over[-1][1] == number:
            return "/".join(over[-1])
        return number_form(number.lstrip("-")) if number and len(number) <= LONGEST else ""
    found = NUMBER.findall(boxed)
    if len(found) == 1 and re.fullmatch(r"[^\d]*", NUMBER.sub("", boxed)) and not _formula(boxed):
        return _value(found[0])
    return _plain(boxed) if len(boxed) <= LONGEST else ""


def first(steps: Sequence[str], answer: str, question: str) -> int | None:
    """Give the first step (from 0) that holds the answer as a result; None where none does."""
    return next(arrivals(steps, answer, question), None)


def arrivals(steps: Sequence[str], answer: str, question: str) -> Iterator[int]:
    """Give each step (from 0) that holds the answer as a result."""
    if not answer:
        return
    if not re.fullmatch(r"[\d.]+", answer):
        choice = re.compile(CHOICE + re.escape(answer) + r"\b", re.IGNORECASE)
        states = choice.search if len(answer) <= SHORT else lambda step: _states(step, answer)
        yield from (i for i, step in enumerate(steps) if states(step))
        return
    given = answer in {_value(number) for number in NUMBER.findall(question)}
    for i, step in enumerate(steps):
        if any(
            _value(found[0]) == answer and _is_result(step, found.start(), given)
            for found in NUMBER.finditer(step)
        ):
            yield i


def _is_result(step: str, at: int, given: bool) -> bool:
    before = step[max(0, at - LOOK_BACK) : at]
    if not given:
        return RESULT.search(before) is not None
    return SURE.search(before) is not None and not NAME.search(before)


def _states(step: str, answer: str) -> bool:
    """Say whether a step holds a formula or a word as a result."""
    at = -1
    plain = _plain(step)
    while (at := plain.find(answer, at + 1)) >= 0:
        before, behind = plain[max(0, at - 12) : at], plain[at + len(answer) : at + len(answer) + 1]
        if len(answer) > 1 and answer[-1].isalnum() and behind.isalnum():
            continue
        if re.search(r"(?:[=≈:]|\\boxed|is|be|answer)$", before):
            return True
    return False


def _formula(boxed: str) -> bool:
    """Say whether a box holds more than a number and its unit."""
    return bool(
        re.search(r"[\^_/+=<>√πi]|\\(?:frac|sqrt|pi|dfrac|times|cdot)", _plain_units(boxed))
    )


def _plain_units(boxed: str) -> str:
    return re.sub(r"\\(?:text|mathrm|textbf)\s*\{[^{}]*\}|[A-Za-z]{2,}(?![({])", "", boxed)


def _value(number: str) -> str:
    return number_form(SEPARATOR.sub("", number))


def _plain(text: str) -> str:
    """Write a formula without what may be written in several ways or left out."""
    text = FRACTION.sub(lambda m: f"{m[1] or m[3]}/{m[2] or m[4]}", text)
    return NOISE.sub("", ROOT.sub("√", text).replace("\\pi", "π").replace("\\cdot", "")).lower()
