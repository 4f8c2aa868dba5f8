"""skythought/verifiers/pool*.py, child.py: workers that die, hang and refuse cost one verdict."""

from __future__ import annotations

import os
import pickle
import resource
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from skythought import score, verifiers
from skythought.core.errors import UserError
from skythought.core.records import Problem, Trace, Verdict
from skythought.verifiers import Job, pool
from skythought.verifiers.child import Child
from skythought.verifiers.code_sandbox import Limits, Sandbox
from skythought.verifiers.math_process import MathProcess
from skythought.verifiers.math_worker import Reply
from skythought.verifiers.pool import Pool

OWN = '''
"""A verifier made for a test: it does what the answer says."""

import os
import time

from skythought.core.errors import UserError
from skythought.verifiers import Finding, Verifier


def check(problem, answer):
    if answer == "exit":
        os._exit(3)
    if answer == "kill":
        os.kill(os.getpid(), 9)
    if answer == "raise":
        raise ZeroDivisionError("nothing by nothing")
    if answer == "hang":
        time.sleep(600)
    if answer == "close":
        os.closerange(3, 64)
        time.sleep(600)
    if answer == "refuse":
        raise UserError("no such engine; install it")
    if answer == "print":
        print("{}")
    return Finding("correct" if answer == problem.answer else "incorrect", answer, "own")


OWN = Verifier(name="own", version=1, check=check)
'''
PROBLEM = Problem(id="p", task="t", question="?", answer="7")


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "own_verifier.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    return "own_verifier:OWN"


def jobs(name: str, *answers: str) -> list[Job]:
    return [
        verifiers.job(
            PROBLEM,
            Trace(id=f"{i}", problem_id="p", model="m", messages=(), thought="", answer=answer),
            name,
        )
        for i, answer in enumerate(answers)
    ]


def grade(some: list[Job], workers: int = 2) -> dict[str, Verdict]:
    with Pool(workers) as made:
        found = list(made.grade(some))
    assert len(found) == len(some)
    return {verdict.id: verdict for verdict in found}


def test_workers_say_what_this_process_says(own: str) -> None:
    some = jobs(own, *("7", "8", "print", "7") * 10)
    here = {verdict.id: verdict for verdict in verifiers.grade(some)}
    assert grade(some, workers=3) == here
    assert {v.verifier for v in here.values()} == {"own@1"}


def test_a_worker_that_dies_costs_its_row(own: str) -> None:
    found = grade(jobs(own, "7", "exit", "7", "kill", "7", "raise", "7", "7", "7", "7", "7", "7"))
    assert [key for key, v in found.items() if v.outcome == "correct"].__len__() == 9
    assert found["1"].reason == "worker lost: it ended with exit code 3"
    assert found["3"].reason == "worker lost: it was killed by SIGKILL"
    assert found["5"].reason == "verifier failed: ZeroDivisionError"
    assert {found[key].outcome for key in "135"} == {"error"}
    assert {found[key].verifier for key in "135"} == {"own@1"}


def test_a_row_that_hangs_is_given_up(own: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "ROW_S", 1.0)
    found = grade(jobs(own, "7", "hang", "7"), workers=1)
    assert [found[key].outcome for key in "012"] == ["correct", "error", "correct"]
    assert found["1"].reason == "worker lost: it took more than 1 s"


def test_a_worker_killed_from_outside_is_replaced(own: str) -> None:
    some = jobs(own, *["7"] * 60)
    found = []
    with Pool(1) as made:
        for count, verdict in enumerate(made.grade(some)):
            if count == 10:
                os.kill(made.pids[0], signal.SIGKILL)
            found.append(verdict)
    assert len(found) == 60
    assert sum(v.outcome == "error" for v in found) <= 1


def test_most_workers_lost_is_the_end(own: str) -> None:
    with pytest.raises(UserError, match=r"verifier 'own_verifier:OWN': 10 workers were lost for"):
        grade(jobs(own, *["exit"] * 40))


def test_what_is_missing_ends_the_run(own: str) -> None:
    with pytest.raises(UserError, match="no such engine; install it"):
        grade(jobs(own, "7", "refuse"))
    with pytest.raises(UserError, match="unknown verifier 'nothing'"):
        grade(jobs("nothing", "7"))


def test_jobs_are_taken_as_they_are_needed(own: str) -> None:
    taken = 0

    def source() -> Iterator[Job]:
        nonlocal taken
        for job in jobs(own, *["7"] * 1_000):
            taken += 1
            yield job

    with Pool(2) as made:
        grading = made.grade(source())
        next(grading)
        assert 1 <= taken <= 2 * pool.CHUNK
        pids = made.pids
        grading.close()
    assert 1 <= len(pids) <= 2
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_grading_that_is_left_leaves_nothing_to_the_next(own: str) -> None:
    with Pool(2) as made:
        left = made.grade(jobs(own, *["7"] * 40))
        next(left)
        left.close()
        found = {v.id: v.outcome for v in made.grade(jobs(own, *"78" * 10))}
    assert found == {f"{i}": "incorrect" if i % 2 else "correct" for i in range(20)}


def test_no_more_workers_than_there_is_to_do(own: str) -> None:
    with Pool(8) as made:
        assert len(list(made.grade(jobs(own, "7", "7")))) == 2
        assert len(made.pids) == 1


def test_a_job_is_a_plain_record_without_its_thought(own: str) -> None:
    [job] = jobs(own, "7")
    again = msgspec.json.decode(msgspec.json.encode(job), type=Job)
    assert again == job
    assert pickle.loads(pickle.dumps(job)) == job
    long = msgspec.structs.replace(job.trace, thought="x" * 10**6)
    assert verifiers.job(PROBLEM, long, own) == job


def test_more_files_may_be_open_than_select_knows(own: str) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2_048:
        pytest.skip("this user may not open 2,048 files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2_048), hard))
    process = MathProcess()
    with ExitStack() as opened:
        opened.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        opened.callback(process.close)
        for _ in range(1_100):
            opened.enter_context(Path(os.devnull).open())
        assert grade(jobs(own, "7"), workers=1)["0"].outcome == "correct"
        reply = process.compare("1+x", "x+1")
        assert isinstance(reply, Reply)
        assert reply.equal
        with Sandbox(["/bin/cat"], Limits()) as sandbox:
            sandbox._write(b"{}\n", time.monotonic() + 60)
            assert sandbox._read(time.monotonic() + 60) == b"{}\n"


def test_a_child_says_how_it_ended() -> None:
    child = Child("skythought.no_such_module", os.environ)
    assert child.receive(time.monotonic() + 60) == b""
    assert "exit code 1 (" in child.end()
    assert "No module named skythought.no_such_module" in child.end()
    while child.send(b"x" * 10_000):  # until the pipe is known to be broken
        continue
    child.stop()
    child.stop()


def test_real_answers_in_workers(shared: Path) -> None:
    """Verdicts of workers on 360 real answers are those of this process."""
    given = score.read_file(shared / "traces" / "labelled_outputs_dev.jsonl")
    some = [verifiers.job(problem, trace, "math") for problem, trace in given]
    assert len(some) == 360
    here = {verdict.id: verdict for verdict in verifiers.grade(some)}
    assert grade(some) == here
