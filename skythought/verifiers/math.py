r"""Mathematical answers: exact rules first, then math-verify in processes that can be killed.

    expected "18", answer "So 18 dollars a day."       -> correct, rule "last number; text"
    expected "p - q", answer "... \boxed{-q + p}"      -> correct, rule "boxed; algebra"
    expected "\sec^2 x", answer "\boxed{\tan^2 x + 1}"  -> correct, rule "boxed; math-verify"

Three rule sets, where published graders disagree: `math`, `math_strict` and `math_lenient` (see
`rules.py`). An answer that cannot be compared within the limits is wrong, with the limit named in
the rule: a model gains nothing by writing `9^{9^{9}}`. A reference that cannot is an error. Model
text is never evaluated as Python.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache, partial

from skythought.core import extraction
from skythought.core.records import Problem
from skythought.verifiers import Finding, Verifier, exact, notation, structure, units
from skythought.verifiers.math_process import MathPool
from skythought.verifiers.rules import DEFAULT, LENIENT, STRICT, Rules

MAX_CHARS = 2_000
MAX_DEPTH = 30  # of nested brackets
MAX_EXPONENT = 5_000
MAX_DIGITS = 1_000  # of one number inside an expression

POWER = r"(?:\^|\*\*)"
TOWER = re.compile(rf"{POWER}[\s{{(]*-?[\d.]+[\s}})]*(?:{POWER}|!)")
EXPONENT = re.compile(rf"{POWER}[\s{{(]*-?(\d+)")
FACTORIAL = re.compile(r"\d{5,}[\s})]*!|![\s})\]]*!")
# Choices in a question: "\nA. text", "(A) text", "\textbf{(A)}\ text".
OPTION = re.compile(r"(?:^|(?<=[\s{~]))\(?([A-J])[).:](?=[\s}\\~$])(?:\}|\\[ ,;]|[\s~])*")
BEHIND = re.compile(r"(?:\\q?quad|\\textbf\s?\{?|\\text\s?\{?|[\s,;($])+$")
MAX_OPTION_CHARS = 200

PROCESSES = MathPool()


def check(problem: Problem, answer: str, rules: Rules = DEFAULT) -> Finding:
    """Compare the answer a text states with the reference.

    Raises:
        UserError: math-verify is needed and not installed.
    """
    found = extraction.extract(answer.encode("utf-8", "replace").decode())  # half a surrogate pair
    if found is None:
        return Finding("no_answer", rule="no marker and no number")
    if found.rule == extraction.LAST_NUMBER and not rules.last_number:
        return Finding("no_answer", found.text, rule="no marker")
    if not notation.unify(found.text[:MAX_CHARS]):
        return Finding("no_answer", rule=f"{found.rule}; empty")
    if len(found.text) > MAX_CHARS:
        rule, detail = f"{found.rule}; refused", f"{len(found.text)} characters"
        return Finding("incorrect", found.text[:80], rule, detail)
    options = choices(problem.question) if exact.CHOICE.fullmatch(problem.answer.strip()) else {}
    equal, rule = compare(problem.answer, found.text, rules, options)
    if equal is None:
        return Finding("error", found.text, f"{found.rule}; reference {rule}")
    return Finding("correct" if equal else "incorrect", found.text, f"{found.rule}; {rule}")


def compare(
    expected: str, said: str, rules: Rules = DEFAULT, options: Mapping[str, str] | None = None
) -> tuple[bool | None, str]:
    """Say whether two answers are equal, and the rule; None where the reference cannot be used."""
    if len(expected) > MAX_CHARS:
        return None, f"refused: {len(expected)} characters"
    decided = exact.decide(expected, said, rules, options)
    if decided is not None:
        return decided
    found: tuple[bool | None, str] = (False, "unit")
    pairs = units.readings(expected, said)
    for pair in pairs:
        found = _compute(pair.expected, pair.said, rules, ask=pair is pairs[-1])
        found = (found[0], "unit") if pair.converted and found[0] else found
        if found[0] is not False:
            break
    return found


def _compute(expected: str, said: str, rules: Rules, *, ask: bool) -> tuple[bool | None, str]:
    """Compare what has to be computed with; math-verify is only asked where `ask` says so."""
    expected, said = notation.without_names(notation.unify(expected), notation.unify(said))
    if reason := refuse(expected):
        return None, f"refused: {reason}"
    if reason := refuse(said):
        return False, f"refused: {reason}"
    equal, rule = structure.compare(expected, said, rules)
    if equal is not None or not ask:
        return bool(equal), rule
    reply = PROCESSES.compare(expected, said, notation.places(expected, said, rules))
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


@lru_cache(maxsize=256)
def choices(question: str) -> dict[str, str]:
    """Read the choices of a question, A and B at least; {} where it has none."""
    found = list(OPTION.finditer(question))
    letters = [m[1] for m in found]
    start = next((i for i in range(len(letters)) if letters[i : i + 2] == ["A", "B"]), None)
    if start is None:
        return {}
    texts: dict[str, str] = {}
    for i, match in enumerate(found[start:], start):
        if ord(match[1]) != ord("A") + len(texts):
            break
        end = found[i + 1].start() if i + 1 < len(found) else len(question)
        text = question[match.end() : end].partition("\n")[0][:MAX_OPTION_CHARS]
        texts[match[1]] = BEHIND.sub("", text)
    return texts


MATH = Verifier(name="math", version=6, check=check)
MATH_STRICT = Verifier(name="math_strict", version=3, check=partial(check, rules=STRICT))
MATH_LENIENT = Verifier(name="math_lenient", version=3, check=partial(check, rules=LENIENT))
