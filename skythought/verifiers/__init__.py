r"""Verifiers: what decides whether an answer is right.

    VERIFIERS["math"] -> Verifier(name="math", version=3, check=check)
    check(problem, "... so \boxed{18}") -> Finding("correct", "18", "boxed; number")

`verify(problem, trace, verifier)` is the one path from a trace to a `Verdict`, for filtering data
and for grading a benchmark alike. A check sees the answer text only, never the thought, so a right
number met on the way to a wrong answer does not count. `grade(jobs)` is the same for plain records
that can be sent to another process (`pool`) or another machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import msgspec

from skythought.core import registry
from skythought.core.errors import UserError
from skythought.core.records import Message, Outcome, Problem, Trace, Verdict

VERIFIERS = {
    "number": "skythought.verifiers.number:NUMBER",  # one exact number
    "math": "skythought.verifiers.math:MATH",  # numbers, expressions, sets, intervals, short texts
    "math_strict": "skythought.verifiers.math:MATH_STRICT",  # only as the reference states it
    "math_lenient": "skythought.verifiers.math:MATH_LENIENT",  # whatever a published grader takes
    "choice": "skythought.verifiers.choice:CHOICE",  # one of the choices of a question
    "code": "skythought.verifiers.code:CODE",  # programs, run on tests in a sandbox
    "reasoning_gym": "skythought.verifiers.gym:GYM",  # puzzles, by the scorers of reasoning-gym
    "ifeval": "skythought.verifiers.ifeval:IFEVAL",  # instructions that a program can check
    "judge": "skythought.verifiers.judge:JUDGE",  # whatever a language model can compare
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
class Asking:
    """How a verifier that asks a model does so; the verb that grades has the model."""

    prompt: Callable[[Problem, str], tuple[Message, ...]]  # (problem, answer text)
    read: Callable[[Problem, str, str], Finding]  # (problem, answer text, what the model said)
    max_tokens: int


@dataclass(frozen=True, kw_only=True)
class Verifier:
    """A named and versioned check; raise the version whenever a verdict can change."""

    name: str
    version: int
    check: Callable[[Problem, str], Finding]
    # The same check without its sandbox, where it has one and the user allows that.
    unsafe: Callable[[Problem, str], Finding] | None = None
    asking: Asking | None = None  # where a model is asked in place of `check`

    @property
    def label(self) -> str:
        """Name and version, as written into verdicts."""
        return f"{self.name}@{self.version}"


class Job(msgspec.Struct, frozen=True):
    """One answer to grade, as a plain record: it can be pickled, and written as JSON."""

    verifier: str  # by name
    problem: Problem
    trace: Trace
    unsafe: bool = False  # without the sandbox, where the verifier has one


def get(name: str, *, unsafe: bool = False) -> Verifier:
    """Find a verifier by name, `unsafe` without its sandbox where it has one.

    Raises:
        UserError: no such verifier, or what the name leads to is none.
    """
    found = registry.resolve("verifier", name, VERIFIERS)
    if not isinstance(found, Verifier):
        kind = type(found).__name__
        raise UserError(f"verifier {name!r}: expected a Verifier, found {kind}")
    return replace(found, check=found.unsafe) if unsafe and found.unsafe else found


def in_mode(name: str, mode: str) -> str:
    """Name the `strict` or `lenient` rules of a verifier.

    Raises:
        UserError: it has none.
    """
    found = f"{name}_{mode}"
    if found not in VERIFIERS:
        having = [known.removesuffix(f"_{mode}") for known in VERIFIERS if known.endswith(mode)]
        those = f"those that have: {', '.join(having)}" if having else "no verifier has"
        raise UserError(f"verifier {name!r} has no {mode} rules ({those}); leave out --{mode}")
    return found


def job(problem: Problem, trace: Trace, verifier: str, *, unsafe: bool = False) -> Job:
    """Make the record of one answer to grade; the thought and the prompt are not in it."""
    bare = msgspec.structs.replace(trace, thought="", messages=())
    return Job(verifier, problem, bare, unsafe)


def grade(jobs: Iterable[Job]) -> Iterator[Verdict]:
    """Grade in this process: what score, its workers and a cluster all call.

    Raises:
        UserError: as `get`, or something that a verifier needs is missing here.
    """
    for one in jobs:
        yield verify(one.problem, one.trace, get(one.verifier, unsafe=one.unsafe))


def verify(problem: Problem, trace: Trace, verifier: Verifier) -> Verdict:
    """Grade one trace.

    A failed request, and one without a reference, is an error, and so is one at which the check
    fails; a truncated one has no answer.

    Raises:
        UserError: something that the verifier needs is missing here.
    """
    finding = decided(problem, trace) or checked(problem, trace.answer, verifier)
    return verdict(problem, trace, verifier, finding)


def checked(problem: Problem, answer: str, verifier: Verifier) -> Finding:
    """Check; a check that fails at a row, with whatever, costs that row and not the run.

    Raises:
        UserError: as `verify`.
    """
    try:
        return verifier.check(problem, answer)
    except UserError:
        raise
    except Exception as error:  # noqa: BLE001 - RecursionError and MemoryError are among them
        return Finding("error", rule="verifier failed", detail=type(error).__name__)


def decided(problem: Problem, trace: Trace) -> Finding | None:
    """Say what a trace alone decides, before any check; None where it decides nothing."""
    if trace.error or trace.finish == "error":
        why = trace.error or "no reason given"
        return Finding("error", rule="generation failed", detail=why)
    if not problem.answer.strip():
        return Finding("error", rule="the row has no reference answer")
    if trace.finish == "length":
        return Finding("no_answer", rule="truncated")
    if not trace.answer.strip():
        return Finding("no_answer", rule="empty answer")
    return None


def verdict(problem: Problem, trace: Trace, verifier: Verifier, finding: Finding) -> Verdict:
    """Write down what was found of a trace."""
    return Verdict(
        verifier=verifier.label,
        id=trace.id,
        outcome=finding.outcome,
        extracted=finding.extracted,
        expected=problem.answer,
        rule=finding.rule,
        detail=finding.detail,
    )
