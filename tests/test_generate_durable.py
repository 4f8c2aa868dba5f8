"""skythought/generate.py under kills, full disks, torn and damaged files, and two at once."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chat_server import Reply, Server, good, say

from skythought import cli, generate
from skythought.core import store
from skythought.core.records import Trace

pytest.importorskip("aiohttp", reason="needs skythought[openai]")


def problems(folder: Path, n: int) -> Path:
    path = folder / "problems.jsonl"
    path.write_text(
        "".join(json.dumps({"id": f"p{i}", "problem": f"{i}?"}) + "\n" for i in range(n))
    )
    return path


def flags(folder: Path, server: Server, n: int, args: str = "", *more: str) -> list[str]:
    return [
        *("generate", "--input", str(problems(folder, n)), "--backend", "openai", "--model", "m"),
        *("--backend-args", f"base_url={server.url},backoff=0.01,{args}"),
        *("--sampling-params", "temperature=1,max_tokens=64"),
        *("--result-dir", str(folder / "run"), *more),
    ]


def command(*args: Any) -> list[str]:
    return [sys.executable, "-m", "skythought", *flags(*args)]


def traces(folder: Path) -> list[Trace]:
    return store.read(folder / "run" / "traces.jsonl", Trace)


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


SLOW = '''
import os, time
from skythought.backends.symbolic import SymbolicTeacher

class Slow(SymbolicTeacher):
    """The symbolic teacher, a few milliseconds an answer; it notes what it is asked."""

    def complete(self, requests, sampling):
        with open(os.environ["ASKED"], "a") as file:
            for completion in super().complete(requests, sampling):
                file.write(completion.id + "\\n")
                file.flush()
                time.sleep(0.004)
                yield completion
'''


def test_killed_at_any_moment_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    (tmp_path / "slow_backend.py").write_text(SLOW)
    env = {**os.environ, "PYTHONPATH": str(tmp_path), "ASKED": str(tmp_path / "asked")}
    run = tmp_path / "run"
    words = [
        *(sys.executable, "-m", "skythought", "generate", "--task", "toll_roads"),
        *("--limit", "150", "--n", "2", "--backend", "slow_backend:Slow"),
        *("--result-dir", str(run)),
    ]
    rng = random.Random(0)
    kills = 0
    while kills < 4:
        with subprocess.Popen(words, env=env, stderr=subprocess.DEVNULL) as process:
            before = size(run / "traces.jsonl")
            while process.poll() is None and size(run / "traces.jsonl") == before:
                time.sleep(0.002)
            time.sleep(rng.uniform(0, 0.12))
            assert process.poll() is None, "too fast to be killed"
            process.kill()
        kills += 1
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "300 traces, 0 truncated, 0 errors" in done.stderr
    whole = tmp_path / "whole"
    generate.run(
        generate.Config(task="toll_roads", limit=150, n=2, backend="symbolic", result_dir=whole)
    )
    by_id = {t.id: t for t in store.read(whole / "traces.jsonl", Trace)}
    found = store.read(run / "traces.jsonl", Trace)
    assert len(found) == 300
    assert {t.id: t for t in found} == by_id
    times = Counter((tmp_path / "asked").read_text().split())
    assert sum(times.values()) <= 300 + kills  # at most the answer in flight is asked again
    assert json.loads((run / "manifest.json").read_text())["done"] is True


@pytest.mark.slow
def test_killed_25_times_in_every_part_of_its_life(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    """From its first breath on: while it starts, reads, asks and writes."""
    server = serve(delay=0.03)
    words = command(tmp_path, server, 2000, "concurrency=10")
    rng, killed, progressed = random.Random(3), 0, 0
    path = tmp_path / "run" / "traces.jsonl"
    began = time.monotonic()
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as process:
        while not size(path):
            time.sleep(0.005)
        process.kill()
    start_s = time.monotonic() - began  # how long it takes to begin, on this machine now
    while killed < 25:
        before = size(path)
        with subprocess.Popen(words, stderr=subprocess.DEVNULL) as process:
            time.sleep(rng.uniform(0, 1.5 * start_s))
            assert process.poll() is None, f"finished after {killed} kills"
            process.kill()
        killed += 1
        progressed += size(path) > before
    assert 3 < progressed < 25  # some before the first answer, some after
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = Counter(t.problem_id for t in traces(tmp_path))
    assert found == Counter(f"p{i}" for i in range(2000))
    assert len(server.asked) <= 2000 + 26 * 10  # only what was in flight is asked again


def test_a_third_of_the_answers_fail_in_every_way(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    """What is there at the end is what was wanted, each once."""
    rng = random.Random(5)
    failures: list[Callable[[dict[str, Any]], Reply]] = [
        lambda asked: say(429, {"error": "slow down"}, Retry_After="0.01"),
        lambda asked: say(500, {"error": "broken"}),
        lambda asked: say(503, {}),
        lambda asked: "hang",  # longer than the timeout
        lambda asked: "cut",
        lambda asked: "half",
        lambda asked: (200, {}, b'{"choices": [{"mess'),
        lambda asked: say(200, {"choices": []}),
        lambda asked: say(200, {"error": {"message": "overloaded"}}),
        lambda asked: (200, {}, b"<html>bad gateway</html>"),
    ]

    def answer(asked: dict[str, Any]) -> Reply:
        return rng.choice(failures)(asked) if rng.random() < 0.3 else good(asked)

    server = serve(answer)
    words = flags(tmp_path, server, 100, "attempt_timeout=1,retries=1,concurrency=20", "--n", "3")
    runs = 0
    code = 1
    while code == 1 and runs < 20:
        code, runs = cli.main(words), runs + 1
        manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
        assert manifest["done"] is (code == 0)
        assert (manifest["counts"]["errors"] > 0) is (code == 1)
    assert code == 0
    assert 2 <= runs < 20  # with one retry, some fail twice and are left for the next run
    found = [t for t in traces(tmp_path) if t.finish != "error"]
    assert Counter((t.problem_id, t.sample) for t in found) == Counter(
        (f"p{i}", sample) for i in range(100) for sample in range(3)
    )
    assert len({t.id for t in found}) == 300
    assert manifest["counts"]["traces"] == 300


def test_a_full_disk(serve: Callable[..., Server], small_disk: Path) -> None:
    """One line, the answers before are kept, and with room again it goes on."""
    server = serve(lambda asked: good(asked, content="x" * 2000))
    words = [sys.executable, "-m", "skythought", *flags(small_disk, server, 60, "concurrency=4")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    [told] = [line for line in done.stderr.splitlines() if line.startswith("skythought generate:")]
    assert told == (
        f"skythought generate: {small_disk}/run/traces.jsonl: no space left on the device; free "
        "some and run the same command again"
    )
    assert "Traceback" not in done.stderr
    kept = (small_disk / "run" / "traces.jsonl").read_bytes().count(b"\n")
    assert 10 < kept < 60
    subprocess.run(["mount", "-o", "remount,size=1m", str(small_disk)], check=True)
    asked = len(server.asked)
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert "60 traces, 0 truncated, 0 errors" in done.stderr
    found = traces(small_disk)
    assert len(found) == len({t.id for t in found}) == 60
    assert len(server.asked) - asked == 60 - kept


def test_a_torn_and_a_damaged_line(
    serve: Callable[..., Server], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = serve()
    words = flags(tmp_path, server, 8)
    assert cli.main(words) == 0
    path = tmp_path / "run" / "traces.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    bad = lines[2][:50] + b"\x00\x00" + lines[2][52:]
    path.write_bytes(b"".join([*lines[:2], bad, *lines[3:7], lines[7][:60]]))
    harmed = path.read_bytes()
    capsys.readouterr()
    assert cli.main([*words, "--strict"]) == 2
    told = capsys.readouterr().err
    assert f"{path}:3: not a trace (" in told
    assert told.count("\n") == 1
    assert path.read_bytes() == harmed
    assert cli.main(words) == 0
    told = capsys.readouterr().err
    assert f"{path}:3: not a trace (" in told
    assert told.count(f"{path}:8: the last line is not whole; it is cut off and its sample") == 1
    assert "2 requests to m, 6 of 8 are on disk" in told
    assert len(server.asked) == 8 + 2
    assert Counter(t.problem_id for t in traces(tmp_path)) == Counter(f"p{i}" for i in range(8))
    assert (tmp_path / "run" / "traces.damaged").read_bytes() == bad
    assert cli.main(words) == 0
    assert "not whole" not in capsys.readouterr().err
    assert len(server.asked) == 10


def test_two_processes_on_one_folder(serve: Callable[..., Server], tmp_path: Path) -> None:
    def answer(asked: dict[str, Any]) -> Reply:
        return "hang" if len(server.asked) > 5 else good(asked)

    server = serve(answer)
    words = command(tmp_path, server, 20, "concurrency=2")
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as first:
        while len(server.asked) <= 5:
            assert first.poll() is None
            time.sleep(0.01)
        before = (tmp_path / "run" / "traces.jsonl").read_bytes()
        second = subprocess.run(words, capture_output=True, text=True, check=False)
        assert second.returncode == 2
        assert second.stderr == (
            f"skythought generate: {tmp_path}/run: process {first.pid} is writing it; wait for it "
            f"or end it (kill {first.pid}), or give another --result-dir\n"
        )
        assert (tmp_path / "run" / "traces.jsonl").read_bytes() == before
        first.send_signal(signal.SIGKILL)
    server.answer = good
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(traces(tmp_path)) == 20


def test_a_budget(
    serve: Callable[..., Server], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An answer may cost 6.40 and costs 0.70; what is out may cost a tenth more than is left."""
    most = 0.0

    def answer(asked: dict[str, Any]) -> Reply:
        nonlocal most
        most = max(most, 0.7 * server.answered + 6.4 * server.now)
        return good(asked)

    server = serve(answer, delay=0.01)
    words = flags(tmp_path, server, 100, "concurrency=10", "--price-in", "0", "--price-out", "1e5")
    assert cli.main([*words, "--budget", "30"]) == 3
    told = capsys.readouterr().err
    n = len(traces(tmp_path))
    assert 30 - 6.4 < 0.7 * n <= 30
    assert 30 < most <= 33
    assert told.endswith(
        f"run: stopped at the budget: ${0.7 * n:.2f} of $30.00 are spent and the next request "
        f"could cost $6.40; {100 - n} samples are left; to go on, run the same command again with "
        "a larger --budget\n"
    )
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["done"] is False
    assert manifest["counts"]["cost"] == pytest.approx(0.7 * n)
    assert cli.main([*words, "--budget", "30"]) == 3  # nothing more can be paid
    assert len(server.asked) == n
    assert cli.main([*words, "--budget", "100"]) == 0
    assert len(server.asked) == len(traces(tmp_path)) == 100
    assert "100 traces, 0 truncated, 0 errors, 700 tokens, $70.00" in capsys.readouterr().err


@pytest.mark.parametrize("finish", [None, "content_filter"])
def test_a_budget_counts_answers_that_are_thrown_away(
    finish: str | None,
    serve: Callable[..., Server],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Every second answer is of no use and charged all the same: 0.70, as a good one."""

    def answer(asked: dict[str, Any]) -> Reply:
        usage = {"prompt_tokens": 11, "completion_tokens": 7}
        choice = {"message": {"content": "4"}, "finish_reason": finish}
        bad = say(200, {"choices": [choice], "usage": usage})
        return bad if len(server.asked) % 2 else good(asked)

    server = serve(answer, delay=0.01)
    words = flags(tmp_path, server, 100, "concurrency=4", "--price-in", "0", "--price-out", "1e5")
    words += ["--max-error-rate", "1"]
    assert cli.main([*words, "--budget", "30"]) == 3
    assert 30 - 6.4 < 0.7 * server.answered <= 30
    told = capsys.readouterr().err
    assert f"stopped at the budget: ${0.7 * server.answered:.2f} of $30.00 are spent" in told
    assert cli.main([*words, "--budget", "30"]) == 3  # as counted from the file
    told = capsys.readouterr().err
    assert f"stopped at the budget: ${0.7 * server.answered:.2f} of $30.00 are spent" in told


def test_a_budget_of_answers_that_nobody_counts(
    serve: Callable[..., Server], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their cost is guessed from their length, said to be a guess, and the same when it goes on."""

    def answer(asked: dict[str, Any]) -> Reply:
        text = "It is 4, as 2 and 2 are.\n" * 6  # 150 bytes: 50 tokens
        return say(200, {"choices": [{"message": {"content": text}, "finish_reason": "stop"}]})

    server = serve(answer)
    words = flags(tmp_path, server, 100, "concurrency=4", "--price-in", "1e4", "--price-out", "1e5")
    assert cli.main([*words, "--budget", "200"]) == 3
    told = capsys.readouterr().err
    warned = "warning: the server does not say how many tokens it used; their cost is guessed, a"
    assert told.count(warned) == 1
    cost = json.loads((tmp_path / "run" / "manifest.json").read_text())["counts"]["cost"]
    n = len(traces(tmp_path))
    assert 5.0 * n < cost < 6.0 * n
    assert 180 < cost < 200
    assert cli.main([*words, "--budget", "600", "--dry-run"]) == 0
    told = capsys.readouterr().err
    again = float(told.partition("budget: $600.00, $")[2].partition(" spent")[0])
    assert f"spent in this folder already ({n} answers by guess)\n" in told
    assert again == pytest.approx(cost, rel=0.1)


def test_a_dry_run_asks_and_writes_nothing(
    serve: Callable[..., Server], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = serve()
    words = flags(tmp_path, server, 5)
    assert cli.main([*words, "--dry-run"]) == 0
    assert not (tmp_path / "run").exists()
    assert server.asked == []
    told = capsys.readouterr().err
    assert "run: 5 requests to m\n" in told
    assert "\n  [user]\n  0?\n" in told
    assert "cost: not known; give --price-in" in told
    assert cli.main([*words]) == 0
    path = tmp_path / "run" / "traces.jsonl"
    path.write_bytes(path.read_bytes()[:-5])  # a torn line is not cut off
    before = {p.name: p.read_bytes() for p in (tmp_path / "run").iterdir()}
    capsys.readouterr()
    assert cli.main([*words, "--dry-run"]) == 0
    assert "1 request to m, 4 of 5 are on disk" in capsys.readouterr().err
    assert {p.name: p.read_bytes() for p in (tmp_path / "run").iterdir()} == before


def test_no_price_is_known_for_another_tier(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    words = ["generate", "--input", str(problems(tmp_path, 1)), "--backend", "openai"]
    words += ["--model", "o3", "--result-dir", str(tmp_path / "run"), "--dry-run"]
    assert cli.main(words) == 0
    assert "cost: at most about $0.26" in capsys.readouterr().err
    assert cli.main([*words, "--backend-args", 'extra_body={"service_tier": "flex"}']) == 0
    assert "cost: not known" in capsys.readouterr().err


@pytest.mark.parametrize(("more", "roles"), [([], 2), (["--system-prompt", ""], 1)])
def test_an_empty_system_prompt_is_none(
    more: list[str], roles: int, serve: Callable[..., Server], tmp_path: Path
) -> None:
    assert cli.main(flags(tmp_path, serve(), 2, "", *more)) == 0
    assert {len(t.messages) for t in traces(tmp_path)} == {roles}
