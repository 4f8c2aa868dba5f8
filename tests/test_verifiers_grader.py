"""skythought/verifiers/grader.py: what is graded on a node is what is graded here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from skythought import score, verifiers
from skythought.core import store
from skythought.core.errors import UserError
from skythought.core.records import Message, Problem, Trace, Verdict
from skythought.verifiers import Job
from skythought.verifiers.grader import Grader

HERE = Path(__file__).parent


def job(number: int, answer: str, verifier: str = "number") -> Job:
    problem = Problem(id=f"p{number}", task="file", question="?", answer=str(number))
    trace = Trace(
        id=f"t{number}",
        problem_id=problem.id,
        model="m",
        messages=(Message("user", "?"),),
        thought="",
        answer=answer,
    )
    return verifiers.job(problem, trace, verifier)


def test_a_turn_grades_as_here() -> None:
    jobs = [job(1, "It is 1."), job(2, "3"), job(3, "")]
    grader = Grader()
    assert grader.start().room >= 3
    try:
        turn = grader.turn(jobs)
        again = grader.turn(jobs[:1])
    finally:
        grader.pool.close()
    assert not turn.failure
    expected = {v.id: v for v in verifiers.grade(jobs)}
    assert {v.id: v for v in turn.finished} == expected
    assert again.finished == [expected["t1"]]
    assert {v.outcome for v in turn.finished} == {"correct", "incorrect", "no_answer"}


def test_what_is_wrong_comes_back_as_text() -> None:
    grader = Grader()
    try:
        turn = grader.turn([job(1, "1", "no_such_verifier")])
    finally:
        grader.pool.close()
    assert "unknown verifier 'no_such_verifier'" in turn.failure


def write_rows(path: Path, n: int) -> Path:
    rows = (
        {"id": f"a{i}", "problem": f"What is {i} plus {i}?", "answer": str(2 * i)}
        | {"response": f"It is \\boxed{{{2 * i + i % 3 % 2}}}."}
        for i in range(n)
    )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def two() -> Iterator[Any]:
    """Give a cluster of a head that works on nothing and two nodes with one CPU each."""
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
    pytest.importorskip("ray", reason="needs ray, in an environment of its own: make engines")
    from ray.cluster_utils import Cluster

    before = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE.parent), before])
    each = {"node_ip_address": "127.0.0.1", "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **each})
    for _ in range(2):
        made.add_node(num_cpus=1, **each)
    try:
        yield made
    finally:
        import ray

        ray.shutdown()
        made.shutdown()
        os.environ["PYTHONPATH"] = before


@pytest.mark.engines
def test_a_node_that_is_lost_loses_no_verdict(two: Any, tmp_path: Path) -> None:
    """The verdicts are those that this process gives, each once, with a node killed meanwhile."""
    rows = write_rows(tmp_path / "rows.jsonl", 15_000)
    here = tmp_path / "here.jsonl"
    there = tmp_path / "there.jsonl"
    expected = score.run(score.Config(input=rows, output=here, verifier="number"))
    words = (
        f"-m skythought score --input {rows} --output {there} --verifier math --ray {two.address}"
    )
    with subprocess.Popen([sys.executable, *words.split()], stderr=subprocess.PIPE) as process:
        while process.poll() is None and not (there.exists() and there.stat().st_size > 20_000):
            time.sleep(0.01)
        assert process.poll() is None
        two.remove_node(next(iter(two.worker_nodes)), allow_graceful=False)
        _, told = process.communicate()
    assert process.returncode == 0, told.decode()
    assert "a worker on node" in told.decode()
    found = store.read(there, Verdict)
    assert len(found) == len({v.id for v in found}) == 15_000
    outcomes = {v.id: v.outcome for v in store.read(here, Verdict)}
    assert {v.id: v.outcome for v in found} == outcomes
    assert expected == {"correct": 10_000, "incorrect": 5_000}


def test_an_address_where_nobody_is(tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", 3)
    with pytest.raises(UserError, match=r"Ray at ray://x:1: give HOST:PORT|pip install .*\[ray\]"):
        score.run(score.Config(input=rows, ray="ray://x:1"))
