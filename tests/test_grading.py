"""skythought/grading.py: where answers are graded, and that no verdict depends on it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from skythought import grading, verifiers
from skythought.core import store
from skythought.core.errors import UserError
from skythought.core.records import Problem, Trace, Verdict
from skythought.grading import How
from skythought.score import Answers
from skythought.verifiers import Job, known
from skythought.verifiers.pool import Pool

PROBLEM = Problem(id="p", task="toll_roads", question="?", answer="7")


def jobs(n: int) -> list[Job]:
    return [
        verifiers.job(
            PROBLEM,
            Trace(id=f"{i}", problem_id="p", model="m", messages=(), thought="", answer=f"{i % 9}"),
            "number",
        )
        for i in range(n)
    ]


def test_few_answers_start_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(workers: int) -> None:
        raise AssertionError("a worker was started")

    monkeypatch.setattr(grading, "Pool", refuse)
    found = list(grading.grade_jobs(iter(jobs(500)), 500, workers=8))
    assert len(found) == 500


def test_many_go_on_in_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []

    class Noted(Pool):
        def __init__(self, workers: int) -> None:
            sizes.append(workers)
            super().__init__(workers)

    monkeypatch.setattr(grading, "Pool", Noted)
    monkeypatch.setattr(grading, "ALONE_S", 0.0)
    found = list(grading.grade_jobs(iter(jobs(100)), 100, workers=2))
    assert sizes == [2]
    assert {v.id: v for v in found} == {v.id: v for v in verifiers.grade(jobs(100))}
    assert len(found) == 100
    sizes.clear()
    assert len(list(grading.grade_jobs(iter(jobs(100)), 100, workers=1))) == 100
    assert sizes == []


def given(n: int) -> Answers:
    def read() -> Iterator[tuple[Problem, Trace]]:
        return ((job.problem, job.trace) for job in jobs(n))

    return Answers(read)


def test_a_run_that_is_stopped_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was graded before is on disk, whole, and is not graded again."""
    monkeypatch.setattr(grading, "ALONE_S", 0.0)
    path = tmp_path / "verdicts.jsonl"
    real = store.Appender.add

    def add(self: store.Appender, record: object) -> None:
        real(self, record)
        if len(store.read(path, Verdict)) == 30:
            raise KeyboardInterrupt

    monkeypatch.setattr(store.Appender, "add", add)
    with pytest.raises(KeyboardInterrupt):
        grading.grade(given(80), path, How(workers=2))
    before = store.read(path, Verdict)
    assert len(before) == 30
    monkeypatch.setattr(store.Appender, "add", real)
    found = grading.grade(given(80), path, How(workers=2))
    assert len(found) == 80
    after = store.read(path, Verdict)
    assert after[:30] == before
    assert len({v.id for v in after}) == len(after) == 80


def test_a_verifier_that_does_not_work_is_found_before_anything_is_graded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known, "_tested", set())
    monkeypatch.setitem(known.CASES, "number", (known.Case("7", "8", "correct"),))
    path = tmp_path / "verdicts.jsonl"
    with pytest.raises(UserError, match="verifier 'number' does not work here: of the answer '8'"):
        grading.grade(given(3), path, How())
    assert path.read_bytes() == b""


def test_nothing_to_do_tests_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "verdicts.jsonl"
    grading.grade(given(3), path, How())

    def refuse(name: str, **_: Any) -> None:
        raise AssertionError("tested")

    monkeypatch.setattr(known, "self_test", refuse)
    assert len(grading.grade(given(3), path, How())) == 3


def test_modes() -> None:
    with pytest.raises(UserError, match=r"verifier 'number' has no strict rules .*leave out --str"):
        How(mode="strict").name_of(PROBLEM)
    assert How().name_of(PROBLEM) == "number"
    assert How(verifier="math").name_of(PROBLEM) == "math"


def test_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    assert grading.cores() >= 1
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert grading.cores() == os.cpu_count()
