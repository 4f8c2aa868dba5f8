"""Grade answers with named verifiers: here, in workers, or by a judge that is asked.

    grade(answers, Path("verdicts.jsonl"), How(verifier="math", workers=8))  -> {id: outcome}
    grade_jobs(jobs, n=1_000_000, workers=8)                                 -> verdicts, one by one

Grading starts in this process; where it would take longer than starting workers does, it goes on in
workers (`verifiers.pool`), each of which does what `verifiers.grade` does. Verdicts are on disk as
they come. Before the first, every verifier is tried on answers with known verdicts.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Protocol

import msgspec

from skythought import backends, tasks, verifiers
from skythought.core import cluster, jsonl, options, progress, store
from skythought.core.crew import Crew
from skythought.core.errors import UserError
from skythought.core.records import Outcome, Problem, Request, Sampling, Trace, Verdict
from skythought.verifiers import Finding, Job, Verifier, known
from skythought.verifiers.grader import Grader
from skythought.verifiers.pool import CHUNK, Pool

Kind = tuple[str, bool, bool, bool]

JUDGE_ARGS = "SKYTHOUGHT_JUDGE_ARGS"
ALONE_S = 2.0  # of grading in this process, before workers are worth their start
ASKED = 1_024  # answers put to a judge before the next are read
MIN_FAILED = 20  # of a judge's answers, before it can be called hopeless


@dataclass(frozen=True, kw_only=True)
class How:
    """How to grade, apart from what."""

    verifier: str | None = None  # in place of the tasks' own
    mode: str = ""  # strict or lenient
    unsafe: bool = False
    workers: int = 1  # with a cluster, 0 is one for each of its CPUs
    ray: str = ""  # address of a cluster to grade on
    judge_args: str = ""

    def name_of(self, problem: Problem) -> str:
        """Name the verifier of a problem.

        Raises:
            UserError: there is none, or none of this mode.
        """
        name = self.verifier or tasks.verifier_of(problem)
        return verifiers.in_mode(name, self.mode) if self.mode else name


class Given(Protocol):
    """What is to be graded; it can be read more than once."""

    kinds: dict[Kind, Problem]  # one problem of each kind
    ids: dict[str, tuple[Kind, int]]  # by the trace's id: kind, hash of the reference
    faults: dict[str, str]  # by the row's id: why it cannot be graded

    def __iter__(self) -> Iterator[tuple[Problem, Trace]]:
        """Yield each problem with its trace."""
        ...


def kind(problem: Problem) -> Kind:
    """Tell problems apart that different verifiers may grade."""
    tests = problem.answer.startswith(tasks.TESTS)
    return problem.task, tests, "gym" in problem.extra, bool(problem.extra.get("choices"))


def cores() -> int:
    """Count the processors that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def grade(given: Given, output: Path, how: How) -> dict[str, Outcome]:
    """Append the verdicts that are missing; returns the outcome of each trace by its id.

    Raises:
        UserError: an unknown verifier, one that does not work here, or a file of something else.
    """
    names = {kind: how.name_of(problem) for kind, problem in given.kinds.items()}
    labels = {name: _find(name, how).label for name in names.values()}
    _refuse_foreign(output)
    found: dict[str, Outcome] = {}
    with store.Appender(output) as file:  # opened first: it cuts off a line that was not finished
        by: dict[str, int] = {}  # what each was graded by and against
        failed: dict[str, int] = {}  # the last verdict of each that is an error
        for verdict in _read(output):
            found[verdict.id] = verdict.outcome
            by[verdict.id] = hash((verdict.verifier, hash(verdict.expected)))
            if verdict.outcome == "error":
                failed[verdict.id] = hash(verdict)
            else:
                failed.pop(verdict.id, None)
        todo = {
            key
            for key, (kind, reference) in given.ids.items()
            if found.get(key, "error") == "error"
            or by[key] != hash((labels[names[kind]], reference))
        }
        by.clear()
        needed = {names[given.ids[key][0]] for key in todo}
        with progress.bar("score", len(todo) + len(given.faults)) as bar:
            for verdict in _verdicts(given, todo, needed, how):
                if failed.get(verdict.id) != hash(verdict):  # the same error is written once
                    file.add(verdict)
                found[verdict.id] = verdict.outcome
                bar.advance()
    return {key: found[key] for key in (*given.ids, *given.faults)}


def _verdicts(given: Given, todo: set[str], needed: set[str], how: How) -> Iterator[Verdict]:
    """Grade the rows that are to be graded, in no fixed order."""
    label = _find(how.verifier or tasks.FILE_VERIFIER, how).label
    for key, fault in given.faults.items():
        yield Verdict(verifier=label, id=key, outcome="error", rule="row not usable", detail=fault)
    jobs = (
        verifiers.job(problem, trace, how.name_of(problem), unsafe=how.unsafe)
        for problem, trace in given
        if trace.id in todo
    )
    if todo:
        yield from verdicts(jobs, len(todo), needed, how)


def verdicts(jobs: Iterator[Job], n: int, names: set[str], how: How) -> Iterator[Verdict]:
    """Grade `n` jobs with the verifiers of these names, each of which is tried first.

    Raises:
        UserError: a verifier does not work here, or as `grade_jobs` or `grade_afar`.
    """
    if names == {"judge"}:
        yield from _judged(jobs, how)
        return
    for name in sorted(names):
        known.self_test(name, unsafe=how.unsafe)
    if how.ray:
        yield from grade_afar(jobs, n, how.ray, how.workers)
    else:
        yield from grade_jobs(jobs, n, how.workers)


def grade_jobs(jobs: Iterator[Job], n: int, workers: int = 1) -> Iterator[Verdict]:
    """Grade `n` jobs: here, and in workers once that is quicker.

    Raises:
        UserError: as `verifiers.grade` and `Pool.grade`.
    """
    began = time.monotonic()
    for done, verdict in enumerate(verifiers.grade(jobs), 1):
        yield verdict
        spent = time.monotonic() - began
        if workers > 1 and spent > ALONE_S and spent * (n - done) / done > ALONE_S:
            break
    else:
        return
    with Pool(min(workers, n - done)) as pool:
        yield from pool.grade(jobs)


def grade_afar(jobs: Iterator[Job], n: int, address: str, workers: int = 0) -> Iterator[Verdict]:
    """Grade `n` jobs on the nodes of a Ray cluster, in as many workers as it has CPUs.

    Raises:
        UserError: no cluster answers, or as `Crew` and `verifiers.grade`.
    """
    ray = cluster.connect(address)
    size = workers or int(ray.cluster_resources().get("CPU", 1))
    crew = Crew(ray, "score --ray", Grader, (), size=max(1, min(size, -(-n // CHUNK))))
    try:
        yield from crew.work(jobs, n, _id_of)
    finally:
        crew.close()


def _id_of(job: Job) -> str:
    return job.trace.id


def _judged(jobs: Iterator[Job], how: How) -> Iterator[Verdict]:
    """Ask a judge, many answers at once; what the trace alone decides is not asked."""
    judge, backend = _judge(how.judge_args)
    asking = judge.asking
    assert asking is not None
    sampling = Sampling(temperature=0.0, max_tokens=asking.max_tokens)
    done = failed = 0
    while some := list(islice(jobs, ASKED)):
        asked: dict[str, Job] = {}
        requests = []
        for job in some:
            decided = verifiers.decided(job.problem, job.trace)
            if decided is not None:
                yield verifiers.verdict(job.problem, job.trace, judge, decided)
                continue
            asked[job.trace.id] = job
            messages = asking.prompt(job.problem, job.trace.answer)
            requests.append(Request(id=job.trace.id, messages=messages))
        for completion in backend.complete(requests, sampling) if requests else ():
            job = asked[completion.id]
            if completion.finish == "stop":
                finding = asking.read(job.problem, job.trace.answer, completion.text)
            else:
                why = completion.error or f"cut off after {asking.max_tokens:,} tokens"
                finding = Finding("error", rule="judge; no answer", detail=why)
            yield verifiers.verdict(job.problem, job.trace, judge, finding)
            done, failed = done + 1, failed + (finding.outcome == "error")
            if failed >= MIN_FAILED and failed > done / 2:
                raise UserError(
                    f"{failed} of {done} verdicts could not be had of {judge.name}, the last: "
                    f"{finding.reason}; mend it and run the same command again"
                )


def _judge(judge_args: str) -> tuple[Verifier, backends.Backend]:
    """Give the judge, whose name holds its model's, and the backend that asks it."""
    given = options.read(judge_args)
    model = given.pop("model", "")
    if not model:
        raise UserError(
            "verifier 'judge': which model? give --judge-args model=NAME,base_url=URL, or put "
            f"that into the environment variable {JUDGE_ARGS}"
        )
    named = replace(verifiers.get("judge"), name=f"judge:{model}")
    return named, backends.make("openai", model, given)


def _find(name: str, how: How) -> Verifier:
    if name == "judge":
        return _judge(how.judge_args)[0]
    return verifiers.get(name, unsafe=how.unsafe)


def _read(path: Path) -> Iterator[Verdict]:
    """Yield the verdicts of a file."""
    for number, row in jsonl.read_rows(path):
        try:
            yield msgspec.convert(row, Verdict)
        except msgspec.ValidationError as error:
            raise UserError(f"{path}:{number}: not a Verdict record: {error}") from error


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
