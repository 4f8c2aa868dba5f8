r"""Mathematical answers: exact rules first, then math-verify in a process that can be killed.

    expected "p - q", answer "... \boxed{-q + p}"  -> correct, detail "boxed; math-verify"
    expected "18", answer "So 18 dollars a day."    -> correct, detail "last number; number"

An answer that cannot be compared within the limits is wrong, with the limit named in the detail: a
model gains nothing by writing `9^{9^{9}}`. A reference that cannot is an error. Units are not
compared. Model text is never evaluated as Python.
"""

from __future__ import annotations

import re

from skythought.records import Problem
from skythought.verifiers import Finding, Verifier, exact, extraction
from skythought.verifiers.math_process import MathProcess

MAX_CHARS = 2_000
MAX_DEPTH = 30  # of nested brackets
MAX_EXPONENT = 5_000
MAX_DIGITS = 1_000  # of one number inside an expression

POWER = r"(?:\^|\*\*)"
TOWER = re.compile(rf"{POWER}[\s{{(]*-?[\d.]+[\s}})]*(?:{POWER}|!)")
EXPONENT = re.compile(rf"{POWER}[\s{{(]*-?(\d+)")
FACTORIAL = re.compile(r"\d{5,}[\s})]*!|![\s})\]]*!")

PROCESS = MathProcess()


def check(problem: Problem, answer: str) -> Finding:
    """Compare the answer a text states with the reference.

    Raises:
        UserError: math-verify is needed and not installed.
    """
    found = extraction.extract(answer.encode("utf-8", "replace").decode())  # half a surrogate pair
    if found is None:
        return Finding("no_answer", rule="no marker and no number")
    if not exact.unify(found.text[:MAX_CHARS]):
        return Finding("no_answer", rule=f"{found.rule}; empty")
    if len(found.text) > MAX_CHARS:
        rule, detail = f"{found.rule}; refused", f"{len(found.text)} characters"
        return Finding("incorrect", found.text[:80], rule, detail)
    equal, rule = compare(problem.answer, found.text)
    if equal is None:
        return Finding("error", found.text, f"{found.rule}; reference {rule}")
    return Finding("correct" if equal else "incorrect", found.text, f"{found.rule}; {rule}")


def compare(expected: str, said: str) -> tuple[bool | None, str]:
    """Say whether two answers are equal, and the rule; None where the reference cannot be used."""
    if len(expected) > MAX_CHARS:
        return None, f"refused: {len(expected)} characters"
    decided = exact.decide(expected, said)
    if decided is not None:
        return decided
    expected, said = exact.unify(expected), exact.unify(said)
    if reason := refuse(expected):
        return None, f"refused: {reason}"
    if reason := refuse(said):
        return False, f"refused: {reason}"
    reply = PROCESS.compare(expected, said, exact.places(expected, said))
    if isinstance(reply, str):
        return False, reply
    if not all(reply.read):
        unread = "answer" if reply.read[0] else "reference"
        return reply.equal, f"math-verify, {unread} not parsed"
    return reply.equal, "math-verify"


def refuse(text: str) -> str:
    """Name why an expression is too large to be computed with, "" where it is not."""
    depth = deepest = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    if deepest > MAX_DEPTH:
        return f"brackets {deepest} deep"
    if re.search(rf"\d{{{MAX_DIGITS + 1}}}", text):
        return f"a number of more than {MAX_DIGITS} digits"
    if TOWER.search(text):
        return "a tower of powers"
    if any(len(e) > 9 or int(e) > MAX_EXPONENT for e in EXPONENT.findall(text)):
        return f"an exponent above {MAX_EXPONENT}"
    if FACTORIAL.search(text):
        return "a large or repeated factorial"
    return ""


MATH = Verifier(name="math", version=3, check=check)
