"""skythought/generating: what is on disk, what is left, what it costs, and who may write."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
from operator import length_hint
from pathlib import Path

import msgspec
import pytest

from skythought import score
from skythought.core import store
from skythought.core.errors import UserError
from skythought.core.prices import Price
from skythought.core.records import Completion, Finish, Message, Problem, Sampling, Trace, trace_id
from skythought.generating import found as founds
from skythought.generating import plan, work
from skythought.generating.budget import Budget
from skythought.generating.found import Found
from skythought.generating.hope import Hope
from skythought.generating.lock import Lock
from skythought.generating.work import Asked, Queue, Work

ASKED = Asked(model="m", sampling=Sampling(max_tokens=100), n=3, system_prompt="Think.")
PRICE = Price(1.0, 10.0, "a list")


def problems(n: int = 4) -> list[Problem]:
    return [Problem(id=f"p{i}", task="t", question=f"q{i} é", answer="") for i in range(n)]


def row(key: str, finish: Finish = "stop", tokens: int = 7, **values: str) -> bytes:
    asked = (Message("user", "q"),)
    made = Trace(
        id=key,
        problem_id="p",
        model="m",
        messages=asked,
        thought=values.get("thought", "Hm"),
        answer="4",
        finish=finish,
        prompt_tokens=tokens and 2,
        completion_tokens=tokens,
    )
    return msgspec.json.encode(made) + b"\n"


def test_what_a_file_adds_up_to(tmp_path: Path) -> None:
    path = tmp_path / "traces.jsonl"
    path.write_bytes(
        row("a")
        + row("b", "length")
        + row("c", "error", 0)
        + row("b", "length")  # twice: paid twice, one sample
        + row("d", tokens=0, thought="ä 思")
        + row("e")[:-5]  # torn
    )
    found = founds.read(path)
    assert found.finished == {"a", "b", "d"}
    assert (found.truncated, found.uncounted, found.lines, found.damaged) == (1, 1, 5, {})
    assert found.torn
    assert (found.prompt_tokens, found.completion_tokens) == (6, 21)
    assert founds.read(tmp_path / "none.jsonl") == Found()


@pytest.mark.parametrize(
    "bad",
    [
        b"\x00" * 300 + b"\n",  # what a power cut leaves
        row("x")[:40] + b"\n",
        row("x").replace(b"Hm", b"H\xff"),
        b'{"id":"x","finish":"stop"}\n',  # a line, but no trace
        row("x").replace(b'"stop"', b'"ended"'),
        row("x").replace(b'"answer":"4"', b'"answer":4'),
        b"<html>\n",
    ],
)
def test_damaged_lines_are_put_aside(
    bad: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "traces.jsonl"
    path.write_bytes(row("a") + b"\n" + bad + row("b"))
    found = founds.read(path)
    assert (found.finished, list(found.damaged)) == ({"a", "b"}, [3])
    with pytest.raises(UserError, match=r"traces\.jsonl:3: not a trace \(.*without --strict"):
        founds.refuse_damaged(path, found, strict=True)
    assert path.read_bytes() == row("a") + b"\n" + bad + row("b")
    founds.refuse_damaged(path, found, strict=False)
    founds.put_aside(path, found)
    assert path.read_bytes() == row("a") + b"\n" + row("b")
    assert (tmp_path / "traces.damaged").read_bytes() == bad
    told = capsys.readouterr().err
    assert f"{path}:3: not a trace (" in told
    assert "moved to" in told
    path.write_bytes(path.read_bytes() + bad)
    founds.put_aside(path, founds.read(path))
    assert (tmp_path / "traces.damaged").read_bytes() == bad + bad


@pytest.mark.parametrize("name", Trace.__struct_fields__)
def test_what_generate_takes_as_finished_score_can_read(name: str, tmp_path: Path) -> None:
    """Each field with a value of a wrong kind: the row is asked again, or graded, never neither."""
    store.write_records(
        tmp_path / "problems.jsonl", [Problem(id="p", task="t", question="?", answer="4")]
    )
    for value in (7, "x", None, [1], {"a": 1}):
        bad = msgspec.json.encode({**msgspec.json.decode(row("x")), name: value}) + b"\n"
        (tmp_path / "traces.jsonl").write_bytes(row("a") + bad)
        taken = not founds.read(tmp_path / "traces.jsonl").damaged
        if taken and name == "problem_id":
            continue  # of another problem: score says so
        assert taken == (not score.read_run(tmp_path).faults), value


def test_a_file_that_is_damaged_all_over_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "traces.jsonl"
    path.write_bytes(row("a") * 50 + b"?\n" * 11)
    with pytest.raises(
        UserError, match=r"traces\.jsonl:51: .* and so are 11 of 61 lines, too many"
    ):
        founds.refuse_damaged(path, founds.read(path), strict=False)


def test_what_is_left_is_asked_in_order() -> None:
    done = {
        trace_id("p1", work.prompt(problems()[1], "Think."), "m", ASKED.sampling, sample)
        for sample in (0, 2)
    }
    left = Work(problems(), ASKED, {*done, "of another run"})
    assert list(left.missing) == [0, 1, 2, 4, 6, 7, 8, 9, 10, 11]
    queue = Queue(left, Budget(None, None, 100, Found()))
    assert length_hint(queue) == 10
    asked = list(queue)
    assert [(r.messages[1].content, r.sample) for r in asked[:4]] == [
        *[("q0 é", sample) for sample in range(3)],
        ("q1 é", 1),
    ]
    assert length_hint(queue) == 0
    assert {r.id for r in asked} == set(left.open)
    assert not {r.id for r in asked} & done
    assert left.bytes() == 10 * (len("Think.") + len("q0 é".encode()))


def answer(key: str, prompt_tokens: int, completion_tokens: int) -> Completion:
    return Completion(
        id=key,
        text="4",
        finish="stop",
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
    )


def lines(found: Found, price: Price | None, limit: float | None = None, left: int = 10) -> str:
    made = plan.Plan(
        folder="runs/x",
        asked=ASKED,
        why="preset of X, https://x",
        todo=left,
        wanted=12,
        prompt="<|user|>2 + 2?\n\x1b[31m<|assistant|>",
        prompt_bytes=4000,
        charged=True,
    )
    return "\n".join(plan.lines(made, found, Budget(price, limit, 100, found)))


def test_the_plan_of_a_new_run() -> None:
    assert lines(Found(), PRICE, 50) == (
        "runs/x: 10 requests to m, 2 of 12 are on disk\n"
        "sampling: temperature 0 (greedy), top_p 1, max_tokens 100, seed 0 (preset of X, https://x)\n"
        "the first prompt:\n"
        "  <|user|>2 + 2?\n"
        "  \N{REPLACEMENT CHARACTER}[31m<|assistant|>\n"
        "tokens: about 1,000 in, at most 1,000 out (max_tokens each; most are shorter)\n"
        "cost: at most about $0.011, at $1.00 in and $10.00 out for a million tokens (a list)\n"
        "budget: $50.00, $0 spent in this folder already"
    )


def test_the_plan_of_a_run_that_goes_on() -> None:
    found = Found({"a", "b"}, prompt_tokens=30, completion_tokens=60)
    told = lines(found, PRICE)
    assert "tokens: about 150 in, 300 out, as those on disk\n" in told
    assert "cost: about $0.0032, at" in told
    assert told.endswith("budget: no limit, $0.00063 spent in this folder already")


def test_the_plan_without_a_price() -> None:
    assert lines(Found(), None).endswith(
        "cost: not known; give --price-in and --price-out, in dollars for a million tokens"
    )
    assert lines(Found(), None, left=0) == "runs/x: 0 requests to m, 12 of 12 are on disk"


HOLD = """
import sys, time
from pathlib import Path
from skythought.generating.hope import Hope
from skythought.generating.lock import Lock
with Lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_one_process_at_a_time(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(UserError) as caught, Lock(folder):
            pass
        assert str(caught.value) == (
            f"{folder}: process {process.pid} is writing it; wait for it or end it (kill "
            f"{process.pid}), or give another --result-dir"
        )
        process.send_signal(signal.SIGKILL)
        process.wait()
    with Lock(folder):  # it ends with its process
        assert (folder / ".lock").read_text().split()[0] == str(os.getpid())
        with pytest.raises(UserError, match=f"process {os.getpid()} is writing"), Lock(folder):
            pass
    with Lock(folder):
        pass


def test_a_lock_on_another_machine_or_unreadable(tmp_path: Path) -> None:
    with Lock(tmp_path):
        (tmp_path / ".lock").write_text("12 far-away\n")
        with pytest.raises(UserError, match="process 12 on far-away is writing it"), Lock(tmp_path):
            pass
        (tmp_path / ".lock").write_text("")
        with pytest.raises(UserError, match="another process is writing it; wait for it, or"):
            Lock(tmp_path).__enter__()
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="where a folder is needed"):
        Lock(tmp_path / "file").__enter__()


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks(
    number: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def none(file: int, how: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", none)
    with Lock(tmp_path / "run") as held:
        assert (tmp_path / "run").is_dir()
        os.fstat(held.file)
    told = capsys.readouterr().err
    assert f"warning: {tmp_path}/run/.lock: this file system has no locks (" in told
    assert told.count("\n") == 1
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(held.file)


def ended(finish: Finish) -> Completion:
    return Completion(id="x", text="", finish=finish, error="busy" if finish == "error" else "")


def test_a_server_that_dies_late_is_noticed_as_soon() -> None:
    hope = Hope(0.5, wanted=10_000, at_once=1)
    for _ in range(5000):
        hope.add(ended("stop"), again=False)
        assert hope.verdict(0, last=False) is None
    for failed in range(1, 11):
        hope.add(ended("error"), again=False)
        assert hope.verdict(failed, last=False) is None
    hope.add(ended("error"), again=False)
    assert str(hope.verdict(11, last=False)).startswith(
        "11 of the latest 20 samples failed, the last with: busy; mend it"
    )


def test_what_was_out_at_once_may_fail_at_once() -> None:
    hope = Hope(0.5, wanted=10_000, at_once=64)
    for _ in range(128):
        hope.add(ended("stop"), again=False)
    for _ in range(64):
        hope.add(ended("error"), again=False)
        assert hope.verdict(64, last=False) is None
    hope.add(ended("error"), again=False)
    assert hope.verdict(65, last=False) is not None
