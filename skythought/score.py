r"""Answers in, verdicts out: grade what a run folder or a file of responses holds.

    skythought score --run-dir runs/teacher
    skythought score --input r1-traces.jsonl --output verdicts.jsonl

Appends to verdicts.jsonl; a trace that has a verdict of the same verifier and reference is not
graded again, one whose verdict was an error is. Of several verdicts of one trace the last holds. A
file of responses may have any known shape of trace, with the reference in `answer`,
`reference_answer` or `final_answer`, or its tests where a program is the answer; a row without one
gets the verdict `error`. Changes no trace.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from skythought import progress, shapes, store, tasks, verifiers
from skythought.errors import UserError
from skythought.records import Problem, Trace, Verdict, digest
from skythought.tasks import benchmarks
from skythought.verifiers import Verifier


@dataclass(frozen=True, kw_only=True)
class Config:
    """Grade the answers of a run folder or of a file."""

    run_dir: Path | None = None
    """Run folder with problems.jsonl and traces.jsonl."""
    input: Path | None = None
    """In place of a run folder: a JSONL file of responses with their reference answers."""
    output: Path | None = None
    """Where the verdicts of --input go; <input>.verdicts.jsonl where not given."""
    verifier: str | None = None
    """Verifier to use in place of the task's own."""
    allow_unsafe_execution: bool = False
    """Run the programs of answers without a sandbox. They can do whatever you can."""


def run(config: Config) -> dict[str, int]:
    """Grade what is not graded yet; returns how many traces have each outcome.

    Raises:
        UserError: no run and no input, nothing to grade, a trace without its problem, or an unknown
            verifier.
    """
    if (config.run_dir is None) == (config.input is None):
        raise UserError("what to grade? give --run-dir FOLDER or --input FILE")
    if config.output and (
        config.input is None or config.output.resolve() == config.input.resolve()
    ):
        raise UserError("--output names a new file for the verdicts of --input; give both, or none")
    if config.run_dir is not None:
        pairs = read_run(config.run_dir)
        output = config.run_dir / "verdicts.jsonl"
        where = config.run_dir
    else:
        assert config.input is not None
        pairs = read_file(config.input)
        output = config.output or shapes.verdicts_beside(config.input)
        where = config.input
    found = grade(pairs, output, config.verifier, unsafe=config.allow_unsafe_execution)
    if not found:
        raise UserError(f"{where}: holds no traces to grade")
    counts: dict[str, int] = dict(sorted(Counter(v.outcome for v in found.values()).items()))
    progress.say(f"{where}: " + ", ".join(f"{n:,} {outcome}" for outcome, n in counts.items()))
    return counts


def grade(
    pairs: list[tuple[Problem, Trace]],
    output: Path,
    verifier: str | None,
    *,
    unsafe: bool = False,
) -> dict[str, Verdict]:
    """Append the verdicts that are missing; returns the last verdict of each trace by its id."""
    kinds = {_kind(p): p for p, _ in pairs}
    known = {kind: _verifier(p, verifier, unsafe) for kind, p in kinds.items()}
    _refuse_foreign(output)
    with store.Appender(output) as file:  # opened first: it cuts off a line that was not finished
        found = {v.id: v for v in store.read(output, Verdict)}
        todo = [
            (problem, trace)
            for problem, trace in pairs
            if (old := found.get(trace.id)) is None
            or old.outcome == "error"
            or (old.verifier, old.expected) != (known[_kind(problem)].label, problem.answer)
        ]
        with progress.bar("score", len(todo)) as bar:
            for problem, trace in todo:
                verdict = verifiers.verify(problem, trace, known[_kind(problem)])
                file.add(verdict)
                found[trace.id] = verdict
                bar.advance()
    wanted = {trace.id for _, trace in pairs}
    return {key: verdict for key, verdict in found.items() if key in wanted}


def read_run(folder: Path) -> list[tuple[Problem, Trace]]:
    """Pair the traces of a run folder with their problems.

    Raises:
        UserError: no traces, or a trace whose problem is missing.
    """
    problems = {p.id: p for p in store.read(folder / "problems.jsonl", Problem)}
    latest = {t.id: t for t in store.read(folder / "traces.jsonl", Trace)}
    if not latest:
        raise UserError(
            f"{folder}: no traces; make some with: skythought generate --result-dir {folder}"
        )
    for trace in latest.values():
        if trace.problem_id not in problems:
            raise UserError(
                f"{folder}: trace {trace.id} answers problem {trace.problem_id!r}, which "
                "problems.jsonl does not hold"
            )
    return [(problems[t.problem_id], t) for t in latest.values()]


def read_file(path: Path) -> list[tuple[Problem, Trace]]:
    """Pair every response of a file with the reference answer of its row, "" where it has none.

    Raises:
        UserError: no such file, a row of no known shape (file:line), or no row has a reference.
    """
    problems: dict[str, Problem] = {}
    traces: dict[str, Trace] = {}
    for file, number, row in shapes.rows(path):
        try:
            problem, trace = _pair(row)
        except ValueError as error:  # msgspec's errors are ValueErrors
            raise UserError(f"{file}:{number}: {error}") from error
        trace = with_own_id(trace, traces)
        problems[trace.id], traces[trace.id] = problem, trace
    unanswered = sum(not problem.answer for problem in problems.values())
    if unanswered and unanswered == len(problems):
        expected = ", ".join(benchmarks.ANSWERS)
        raise UserError(f"{path}: no row has a reference answer; expected one of {expected}")
    if unanswered:
        progress.say(f"{path}: {unanswered:,} of {len(problems):,} rows have no reference answer")
    return [(problems[key], trace) for key, trace in traces.items()]


def with_own_id(trace: Trace, seen: Mapping[str, Trace]) -> Trace:
    """Give a row another id where an earlier row has its id, also one that says the same.

    Files often name all samples of a problem with the problem's id, and samples may be alike: each
    row counts. The new id holds what the row says and how often that was said before. A failed
    request is no sample: what came later takes its place.
    """
    key, before = trace.id, 0
    while key in seen and seen[key].finish != "error":
        before += 1
        key = digest(trace.id, trace.messages, trace.thought, trace.answer, before)
    return trace if key == trace.id else msgspec.structs.replace(trace, id=key)


def _pair(row: dict[str, Any]) -> tuple[Problem, Trace]:
    trace = shapes.trace(row)
    asked = next((m.content for m in reversed(trace.messages) if m.role == "user"), "")
    reference = {k: row[k] for k in (*benchmarks.ANSWERS, *benchmarks.TEST_FIELDS) if k in row}
    if "thought" in row:  # our own Trace: `answer` is what the model said
        reference.pop("answer", None)
    if benchmarks.reference_field(reference) is None and benchmarks.tests_of(reference) is None:
        return Problem(id=trace.problem_id, task=tasks.FILE, question=asked, answer=""), trace
    asking = {"id": trace.problem_id, "problem": asked, **reference}
    return benchmarks.problem(asking, tasks.FILE), trace


def _kind(problem: Problem) -> tuple[str, bool]:
    """Tell problems apart that different verifiers may grade."""
    return problem.task, problem.answer.startswith(tasks.TESTS)


def _verifier(problem: Problem, name: str | None, unsafe: bool) -> Verifier:
    found = verifiers.get(name or tasks.verifier_of(problem.task, problem.answer))
    return replace(found, check=found.unsafe) if unsafe and found.unsafe else found


def _refuse_foreign(output: Path) -> None:
    """Refuse to append to a file that does not begin with a verdict; a torn first line may."""
    if not output.is_file():
        return
    with output.open("rb") as file:
        first = file.readline()
    torn = not first.endswith(b"\n") and b'{"verifier":"'.startswith(first[:13])
    if first and not torn:
        try:
            msgspec.json.decode(first, type=Verdict)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UserError(f"{output}: holds no verdicts; choose another --output") from error
