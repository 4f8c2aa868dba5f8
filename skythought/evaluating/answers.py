"""The graded answers of a run folder, without their texts.

    read(Path("runs/eval/tuned"))  ->  [Answer(problem_id="aime24-1", sample=0, outcome="correct",
                                               said="204", tokens=7121, ...), ...]

Traces are read one by one, so memory grows with their number and not with their length.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from skythought.core import jsonl, shapes, store
from skythought.core.errors import UserError
from skythought.core.records import Outcome, Problem, Trace, Verdict


class Answer(NamedTuple):
    """One answer, and what was found of it."""

    trace_id: str
    problem_id: str
    sample: int
    outcome: Outcome
    said: str  # what was taken as the answer
    why: str  # rule and detail of the verdict
    tokens: int
    truncated: bool
    loop: bool  # ends in saying the same again and again
    verifier: str = ""  # name of what graded it

    @property
    def right(self) -> bool:
        """Say whether it is correct."""
        return self.outcome == "correct"


def read(
    folder: Path,
    loop: Callable[[str], object] = lambda text: False,
    look: Callable[[Trace], None] = lambda trace: None,
) -> list[Answer]:
    """Read the answers that have a verdict; the last verdict of a trace holds.

    Args:
        folder: a run folder that was graded.
        loop: finds the block that a text repeats up to its end.
        look: sees each graded trace as it passes.

    Raises:
        UserError: a line is no record of its kind (named as file:line).
    """
    verdicts = {
        v.id: (v.outcome, v.extracted, v.reason, sys.intern(v.verifier.partition("@")[0]))
        for v in _verdicts(folder)
    }
    found: dict[str, Answer] = {}
    path = folder / "traces.jsonl"
    for trace in shapes.read_traces(path) if path.exists() else ():
        if trace.id not in verdicts:
            found.pop(trace.id, None)
            continue
        outcome, said, why, verifier = verdicts[trace.id]
        if outcome != "error" and not trace.error:  # of a request that failed once, the other row
            look(trace)
        found[trace.id] = Answer(
            trace.id,
            trace.problem_id,
            trace.sample,
            outcome,
            said,
            why,
            trace.completion_tokens,
            trace.finish == "length",
            bool(loop(f"{trace.thought}\n\n{trace.answer}")),
            verifier,
        )
    return [*found.values()]


def _verdicts(folder: Path) -> Iterator[Verdict]:
    import msgspec

    path = folder / "verdicts.jsonl"
    for number, row in jsonl.read_rows(path) if path.exists() else ():
        try:
            yield msgspec.convert(row, Verdict)
        except msgspec.ValidationError as error:
            raise UserError(f"{path}:{number}: not a Verdict record: {error}") from error


def ungraded(folder: Path) -> int:
    """Count the answers without a verdict, and the problems without an answer."""
    verdicts = {v.id for v in _verdicts(folder)}
    path = folder / "traces.jsonl"
    rows = [(t.id, t.problem_id) for t in shapes.read_traces(path)] if path.exists() else []
    open_answers = {key for key, _ in rows} - verdicts
    return len(open_answers) + len(problems(folder).keys() - {name for _, name in rows})


def problems(folder: Path) -> dict[str, Problem]:
    """Read the problems of a run folder by their ids."""
    return {p.id: p for p in store.read(folder / "problems.jsonl", Problem)}


def by_problem(answers: Sequence[Answer]) -> dict[str, list[Answer]]:
    """Group the answers that are right or wrong by problem, samples in order."""
    found: dict[str, list[Answer]] = {}
    for answer in sorted(answers, key=lambda a: a.sample):
        if answer.outcome != "error":
            found.setdefault(answer.problem_id, []).append(answer)
    return found
