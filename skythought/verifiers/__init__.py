r"""Verifiers: what decides whether an answer is right.

    VERIFIERS["math"] -> Verifier(name="math", version=3, check=check)
    check(problem, "... so \boxed{18}") -> Finding("correct", "18", "boxed; number")

`verify(problem, trace, verifier)` is the one path from a trace to a `Verdict`, for filtering data
and for grading a benchmark alike. A check sees the answer text only, never the thought, so a right
number met on the way to a wrong answer does not count.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from skythought import registry
from skythought.errors import UserError
from skythought.records import Outcome, Problem, Trace, Verdict

VERIFIERS = {
    "number": "skythought.verifiers.number:NUMBER",  # one exact number
    "math": "skythought.verifiers.math:MATH",  # numbers, expressions, sets, intervals, short texts
    "math_strict": "skythought.verifiers.math:MATH_STRICT",  # only as the reference states it
    "math_lenient": "skythought.verifiers.math:MATH_LENIENT",  # whatever a published grader takes
    "code": "skythought.verifiers.code:CODE",  # programs, run on tests in a sandbox
}


class Finding(NamedTuple):
    """What a check says of one answer text."""

    outcome: Outcome
    extracted: str = ""  # the part of the text that was taken as the answer
    rule: str = ""  # what decided: how it was extracted; how it was compared
    detail: str = ""  # why, where the rule does not say it

    @property
    def reason(self) -> str:
        """Rule and detail on one line."""
        return ": ".join(filter(None, (self.rule, self.detail)))


@dataclass(frozen=True, kw_only=True)
class Verifier:
    """A named and versioned check; raise the version whenever a verdict can change."""

    name: str
    version: int
    check: Callable[[Problem, str], Finding]
    # The same check without its sandbox, where it has one and the user allows that.
    unsafe: Callable[[Problem, str], Finding] | None = None

    @property
    def label(self) -> str:
        """Name and version, as written into verdicts."""
        return f"{self.name}@{self.version}"


def get(name: str) -> Verifier:
    """Find a verifier by name.

    Raises:
        UserError: no such verifier, or what the name leads to is none.
    """
    found = registry.resolve("verifier", name, VERIFIERS)
    if not isinstance(found, Verifier):
        kind = type(found).__name__
        raise UserError(f"verifier {name!r}: expected a Verifier, found {kind}")
    return found


def verify(problem: Problem, trace: Trace, verifier: Verifier) -> Verdict:
    """Grade one trace.

    A failed request, and one without a reference, is an error; a truncated one has no answer.
    """
    if trace.error or trace.finish == "error":
        why = trace.error or "no reason given"
        finding = Finding("error", rule="generation failed", detail=why)
    elif not problem.answer.strip():
        finding = Finding("error", rule="the row has no reference answer")
    elif trace.finish == "length":
        finding = Finding("no_answer", rule="truncated")
    elif not trace.answer.strip():
        finding = Finding("no_answer", rule="empty answer")
    else:
        finding = verifier.check(problem, trace.answer)
    return Verdict(
        verifier=verifier.label,
        id=trace.id,
        outcome=finding.outcome,
        extracted=finding.extracted,
        expected=problem.answer,
        rule=finding.rule,
        detail=finding.detail,
    )
