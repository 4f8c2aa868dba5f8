r"""Answers in, verdicts out: grade what a run folder or a file of responses holds.

    skythought score --run-dir runs/teacher
    skythought score --input r1-traces.jsonl --output verdicts.jsonl
    skythought score --input r1-traces.jsonl --verifier math,judge --judge-args model=NAME

Appends to verdicts.jsonl; a trace that has a verdict of the same verifier and reference is not
graded again, one whose verdict was an error is. Of several verdicts of one trace the last holds. Of
two verifiers the first writes verdicts.jsonl, the second `verdicts.NAME.jsonl`, and `audit` says
where they differ. A file of responses may have any known shape of trace, or a bare response, with
the reference in one of `benchmarks.ANSWERS`, or its tests where a program is the answer; a row that
cannot be graded gets the verdict `error`. Changes no trace.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from skythought import grading, tasks
from skythought.core import audit, jsonl, progress, shapes, store
from skythought.core.errors import UserError
from skythought.core.records import Problem, Trace, digest
from skythought.grading import How, Kind
from skythought.tasks import benchmarks
from skythought.verifiers import code

Pair = tuple[Problem, Trace]
NO_QUESTION = (*shapes.QUESTIONS, "messages", "conversations", "completion", "thought")


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
    """Verifier to use in place of the task's own; of two, as math,judge, the second audits."""
    strict: bool = False
    """Use the stricter rules of the verifier."""
    lenient: bool = False
    """Use the more lenient rules of the verifier."""
    workers: int | None = None
    """Processes that grade; as many as there are cores where not given."""
    ray: str = ""
    """Grade on the nodes of a Ray cluster: auto, HOST:PORT or local; a judge is asked from here."""
    judge_args: str = ""
    """Model of the verifier judge: model=NAME,base_url=URL, and options of the backend openai."""
    stop_at_damage: bool = False
    """Stop at a line that is no JSON object or no trace, in place of leaving it out."""
    allow_unsafe_execution: bool = False
    """Run the programs of answers without a sandbox. They can do whatever you can."""


def run(config: Config) -> dict[str, int]:
    """Grade what is not graded yet; returns how many traces have each outcome.

    Of two verifiers, the outcomes are those of the first.

    Raises:
        UserError: no run and no input, nothing to grade, a trace without its problem, an unknown
            verifier, or one that does not work here.
    """
    if (config.run_dir is None) == (config.input is None):
        raise UserError("what to grade? give --run-dir FOLDER or --input FILE")
    if config.output and (
        config.input is None or config.output.resolve() == config.input.resolve()
    ):
        raise UserError("--output names a new file for the verdicts of --input; give both, or none")
    names = _names(config)
    where = config.run_dir or config.input
    assert where is not None
    if config.run_dir is not None:
        given = read_run(config.run_dir, stop=config.stop_at_damage)
        output = config.run_dir / "verdicts.jsonl"
    else:
        given = read_file(where, stop=config.stop_at_damage)
        output = config.output or shapes.verdicts_beside(where)
    if not len(given):
        raise UserError(f"{where}: holds no traces to grade")
    found = []
    for number, name in enumerate(names):
        how = How(
            verifier=name,
            mode="strict" if config.strict else "lenient" if config.lenient else "",
            unsafe=config.allow_unsafe_execution,
            workers=config.workers or (0 if config.ray else grading.cores()),
            ray=config.ray,
            judge_args=config.judge_args or os.environ.get(grading.JUDGE_ARGS, ""),
        )
        path = output if number == 0 else audit.second(output, _short(name))
        found.append((path, grading.grade(given, path, how)))
        counts = Counter(found[-1][1].values())
        told = ", ".join(f"{counts[o]:,} {o}" for o in sorted(counts))
        progress.say(f"{where}{f', {name}' if len(names) > 1 else ''}: {told}")
    if len(found) == 2:
        audit.write(output, [path for path, _ in found], [of for _, of in found], given)
    return dict(sorted(Counter(found[0][1].values()).items()))


class Answers:
    """The answers of a run folder or a file, each with its problem, read anew for every pass.

    The first pass, when it is made, looks at every row; no text is kept. A row that a later one of
    the same id replaces is passed over.
    """

    def __init__(self, read: Callable[[], Iterator[Pair]]) -> None:
        self._read = read
        self._replaced: set[int] = set()
        self.kinds: dict[Kind, Problem] = {}  # one problem of each kind
        # By the trace's id: the kind of its problem, and a hash of the reference.
        self.ids: dict[str, tuple[Kind, int]] = {}
        self.faults: dict[str, str] = {}  # by the row's id: why it cannot be graded
        self.unanswered = 0
        numbers: dict[str, int] = {}
        kinds: dict[Kind, Kind] = {}  # so that equal ones are one object
        for number, (problem, trace) in enumerate(read()):
            kind = grading.kind(problem)
            kind = kinds.setdefault(kind, kind)
            self.kinds.setdefault(kind, problem)
            if trace.id in numbers:
                self._replaced.add(numbers[trace.id])
            numbers[trace.id] = number
            self.ids[trace.id] = kind, hash(problem.answer)
            self.unanswered += not problem.answer

    def __iter__(self) -> Iterator[Pair]:
        return (pair for number, pair in enumerate(self._read()) if number not in self._replaced)

    def __len__(self) -> int:
        return len(self.ids) + len(self.faults)


def read_run(folder: Path, *, stop: bool = False) -> Answers:
    """Pair the traces of a run folder with their problems.

    A line that is no trace is among the `faults`.

    Raises:
        UserError: no traces, a trace whose problem is missing, or with `stop` a line that is no
            trace.
    """
    problems = {p.id: p for p in store.read(folder / "problems.jsonl", Problem)}
    path = folder / "traces.jsonl"

    faults: dict[str, str] = {}

    def damaged(number: int, why: str) -> None:
        if stop:
            raise UserError(f"{path}:{number}: {why}")
        faults[digest("damaged", path.name, number)] = f"{path}:{number}: {why}"

    def read() -> Iterator[Pair]:
        faults.clear()
        for number, row in jsonl.read_rows(path, damaged):
            try:
                trace = msgspec.convert(row, Trace)
            except msgspec.ValidationError as error:
                damaged(number, f"not a Trace record: {error}")
                continue
            if trace.problem_id not in problems:
                raise UserError(
                    f"{folder}: trace {trace.id} answers problem {trace.problem_id!r}, which "
                    "problems.jsonl does not hold"
                )
            yield problems[trace.problem_id], trace

    found = Answers(read) if path.exists() else None
    if found is not None and not found.ids and faults:
        raise UserError(next(iter(faults.values())))
    if found is None or not found.ids:
        raise UserError(
            f"{folder}: no traces; make some with: skythought generate --result-dir {folder}"
        )
    found.faults = dict(faults)
    _tell(path, found.faults)
    return found


def read_file(path: Path, *, stop: bool = False) -> Answers:
    """Pair every response of a file with the reference answer of its row, "" where it has none.

    A row that cannot be used is among the `faults`, with file:line and the reason.

    Raises:
        UserError: no such file, no row that can be used, or none with a reference, or with `stop` a
            line that is no JSON object (file:line).
    """
    faults: dict[str, str] = {}

    def damaged(file: Path, number: int, why: str) -> None:
        if stop:
            raise UserError(f"{file}:{number}: {why}")
        faults[digest("damaged", file.name, number)] = f"{file}:{number}: {why}"

    def read() -> Iterator[Pair]:
        faults.clear()
        seen: dict[str, str] = {}
        for file, number, row in shapes.rows(path, damaged):
            try:
                problem, trace = _pair(row)
            except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
                key = str(row.get("id") or digest(row))
                faults[key if key not in faults else digest(key, number)] = (
                    f"{file}:{number}: {error}"
                )
                continue
            if trace.id in seen:
                own = shapes.own_id(trace.id, shapes.lesson(trace), seen)
                trace = msgspec.structs.replace(trace, id=own)
            seen[trace.id] = trace.finish
            yield problem, trace
        for key in [key for key in faults if key in seen]:
            faults[digest(key, "fault")] = faults.pop(key)

    found = Answers(read)
    found.faults = dict(faults)
    if not found.ids and found.faults:
        raise UserError(next(iter(found.faults.values())))
    if found.unanswered and found.unanswered == len(found.ids):
        expected = ", ".join(benchmarks.ANSWERS)
        raise UserError(f"{path}: no row has a reference answer; expected one of {expected}")
    if found.unanswered:
        progress.say(
            f"{path}: {found.unanswered:,} of {len(found):,} rows have no reference answer"
        )
    _tell(path, found.faults)
    return found


def _tell(path: Path, faults: Mapping[str, str]) -> None:
    if faults:
        first = next(iter(faults.values()))
        progress.say(f"{path}: rows that cannot be used: {len(faults):,}; the first: {first}")


def _pair(row: dict[str, Any]) -> Pair:
    answered = any(key in row for key in shapes.RESPONSES)
    if answered and not any(key in row for key in NO_QUESTION):  # a reference is enough
        row = {"problem": "", **row}
    for key in shapes.RESPONSES:
        if isinstance(row.get(key), int | float) and not isinstance(row[key], bool):
            row = {**row, key: str(row[key])}
    if any(key in row and row[key] is None for key in (*shapes.RESPONSES, "completion")):
        raise ValueError("the row has no response")
    trace = shapes.trace(row)
    asked = next((m.content for m in reversed(trace.messages) if m.role == "user"), "")
    wanted = (*benchmarks.ANSWERS, benchmarks.SOLUTION, *benchmarks.TEST_FIELDS, "choices", "gym")
    reference = {k: row[k] for k in wanted if k in row}
    if benchmarks.tests_of(reference) is not None and _programs(reference, trace.answer):
        for key in (*benchmarks.ANSWERS, benchmarks.SOLUTION):
            reference.pop(key, None)
    if "thought" in row:  # our own Trace: `answer` is what the model said
        reference.pop("answer", None)
    if benchmarks.reference_field(reference) is None and benchmarks.tests_of(reference) is None:
        return Problem(id=trace.problem_id, task=tasks.FILE, question=asked, answer=""), trace
    asking = {"id": trace.problem_id, "problem": asked if asked.strip() else "-", **reference}
    problem = benchmarks.problem(asking, tasks.FILE)
    return (problem if asked.strip() else msgspec.structs.replace(problem, question="")), trace


def _programs(reference: Mapping[str, Any], answer: str) -> bool:
    """Say whether the tests of a row grade it, though it has a reference answer besides."""
    field = benchmarks.reference_field(reference)
    wanted = reference[field] if field else ""
    texts = [answer, *(wanted if isinstance(wanted, list) else [wanted])]
    return any(isinstance(text, str) and code.extract(text) is not None for text in texts)


def _names(config: Config) -> list[str | None]:
    """Give the verifiers asked for; None stands for the tasks' own."""
    if config.strict and config.lenient:
        raise UserError("--strict and --lenient: give one of them")
    if config.workers is not None and config.workers < 1:
        raise UserError(f"--workers {config.workers}: give 1 or more")
    if config.verifier is None:
        return [None]
    names = [name.strip() for name in config.verifier.split(",") if name.strip()]
    if not 1 <= len(names) <= 2 or len(set(names)) < len(names):
        raise UserError(f"--verifier {config.verifier!r}: give one name, or two different ones")
    return list(names)


def _short(name: str | None) -> str:
    """Give a verifier's name as a part of a file's name."""
    return "".join(c if c.isalnum() or c in "_-" else "_" for c in name or "")
