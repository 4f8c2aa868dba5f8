r"""Answers with known verdicts: what shows in a moment whether a verifier works here.

    self_test("math")   -> nothing, or UserError: verifier 'math' does not work here: ...

To be called before answers are paid for or graded. math-verify on a version of sympy that it cannot
use says "incorrect" of everything and raises nothing; a sandbox may be missing; so each verifier is
asked about a few answers: right, wrong, none, and hostile. A name is tested once per process.
`judge` is not tested, since that would cost money; neither are verifiers of other packages.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

from skythought import verifiers
from skythought.core.errors import UserError
from skythought.core.records import Outcome, Problem


class Broken(UserError):
    """A verifier gives a verdict that is known to be wrong."""


class Case(NamedTuple):
    """An answer text and what has to be said of it."""

    reference: str
    answer: str
    outcome: Outcome
    extra: dict[str, Any] = {}  # noqa: RUF012 - a default of a NamedTuple, never changed


NOTHING = "This is harder than it seems, and there was no time left to come to a result."
SUM = {"gym": {"dataset": "chain_sum", "answer": "12", "metadata": {}}}
TESTS = {"test_list": ["assert add(5, 7) == 12", "assert add(-1, 1) == 0"]}
NO_COMMA = {"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}
OAK = {"choices": ["oak", "fir", "elm", "ash"]}
FORGED = "```python\nimport os\nprint('passed')\nos._exit(0)\n```"
ADD = "```python\ndef add(a, b):\n    return a {} b\n```"

CASES: dict[str, tuple[Case, ...]] = {
    "number": (
        Case("12", "So it is \\boxed{12}.", "correct"),
        Case("12", "So it is \\boxed{13}.", "incorrect"),
        Case("12", NOTHING, "no_answer"),
        Case("12", "\\boxed{9**9**9**9}", "incorrect"),
    ),
    "math": (
        Case("12", "So it is $\\boxed{12}$.", "correct"),
        Case("p - q", "So it is $\\boxed{-q + p}$.", "correct"),
        Case("\\frac{\\sqrt{3}}{2}", "So it is $\\boxed{\\frac{3}{2\\sqrt{3}}}$.", "correct"),
        Case("\\sin(2x)", "So it is $\\boxed{2\\sin(x)\\cos(x)}$.", "correct"),
        Case("\\sin(2x)", "So it is $\\boxed{2\\sin(x)}$.", "incorrect"),
        Case("p - q", "So it is $\\boxed{q - p}$.", "incorrect"),
        Case("1-\\frac{1}{e}", "So it is $\\boxed{1+\\frac{1}{e}}$.", "incorrect"),
        Case("12", NOTHING, "no_answer"),
        Case("p - q", "\\boxed{9^{9^{9^{9}}}}", "incorrect"),
    ),
    "choice": (
        Case("B", "So the answer is (B).", "correct", OAK),
        Case("B", "It is $\\boxed{\\text{fir}}$.", "correct", OAK),
        Case("B", "The answer is not B. It is \\boxed{C}.", "incorrect", OAK),
        Case("B", "The answer is A or B.", "incorrect", OAK),
        Case("B", NOTHING, "no_answer", OAK),
    ),
    "code": (
        Case("tests", ADD.format("+"), "correct", TESTS),
        Case("tests", ADD.format("-"), "incorrect", TESTS),
        Case("tests", FORGED, "incorrect", TESTS),
        Case("tests", NOTHING, "no_answer", TESTS),
    ),
    "ifeval": (
        Case("follows", "no commas here", "correct", NO_COMMA),
        Case("follows", "one, two", "incorrect", NO_COMMA),
        Case("follows", "", "no_answer", NO_COMMA),
    ),
    "reasoning_gym": (
        Case("12", "<answer>12</answer>", "correct", SUM),
        Case("12", "<answer>13</answer>", "incorrect", SUM),
        Case("12", "<answer></answer>", "no_answer", SUM),
    ),
}
PACKAGES = {
    "math": ("math-verify", "latex2sympy2-extended", "sympy"),
    "reasoning_gym": ("reasoning-gym", "sympy"),
}
_tested: set[tuple[str, bool]] = set()


def self_test(name: str, *, unsafe: bool = False) -> None:
    """Ask a verifier about answers with known verdicts, once per process.

    `math_strict` and `math_lenient` have to know those of `math`.

    Raises:
        Broken: one of its verdicts is wrong.
        UserError: something that it needs is missing here.
    """
    if (name, unsafe) in _tested:
        return
    verifier = verifiers.get(name, unsafe=unsafe)
    base = name.removesuffix("_strict").removesuffix("_lenient")
    for case in CASES.get(base, ()):
        problem = Problem(id="-", task="-", question="?", answer=case.reference, extra=case.extra)
        found = verifier.check(problem, case.answer)
        if found.outcome != case.outcome:
            raise Broken(
                f"verifier {name!r} does not work here: of the answer {case.answer!r} to "
                f"{case.reference!r} it says {found.outcome} ({found.reason}), not {case.outcome}"
                f"{_versions(base)}; install the versions that constraints.txt names"
            )
    _tested.add((name, unsafe))


def _versions(base: str) -> str:
    found = []
    for package in PACKAGES.get(base, ()):
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"no {package}")
    return f"; here are {', '.join(found)}" if found else ""
