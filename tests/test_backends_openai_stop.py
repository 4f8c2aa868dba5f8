"""skythought/backends/openai.py stopped: killed, with Ctrl-C, or by a scheduler."""

from __future__ import annotations

import json
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
from chat_server import Reply, Server, command, config, good, traces, wait_for

from skythought.backends import openai

pytest.importorskip("aiohttp", reason="needs skythought[openai]")


def test_killed_at_any_moment(serve: Callable[..., Server], tmp_path: Path) -> None:
    server = serve(delay=0.03)
    words = command(config(tmp_path, server, 200, args="concurrency=10"))
    path, rng = tmp_path / "run" / "traces.jsonl", random.Random(1)
    for kill in range(4):
        with subprocess.Popen(words, stderr=subprocess.DEVNULL) as process:
            before = _size(path)
            while process.poll() is None and _size(path) == before:
                time.sleep(0.002)
            time.sleep(rng.uniform(0, 0.08))
            assert process.poll() is None, f"too fast to be killed, {kill}"
            process.kill()
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "200 traces, 0 truncated, 0 errors" in done.stderr
    assert Counter(t.problem_id for t in traces(tmp_path)) == Counter(f"p{i}" for i in range(200))
    assert len(server.asked) <= 200 + 4 * 10  # only what was in flight is asked again


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_waits_for_what_is_out(
    number: signal.Signals, serve: Callable[..., Server], tmp_path: Path
) -> None:
    """What was sent is paid: it is stored, and nothing new is sent."""
    server = serve(lambda asked: good(asked), delay=0.5)
    words = command(config(tmp_path, server, 100, args="concurrency=10"))
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        wait_for(lambda: len(server.asked) == 10)
        process.send_signal(number)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    todo = "given up after 20 s" if number == signal.SIGTERM else "press again to give up 10"
    assert f"stopping: waiting for 10 answers; {todo}\n" in told
    assert told.endswith("\nskythought generate: stopped; the same command goes on from here\n")
    assert len(traces(tmp_path)) == len(server.asked) == 10
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert (manifest["done"], manifest["counts"]["traces"]) == (False, 10)


def test_the_second_ctrl_c_gives_up(serve: Callable[..., Server], tmp_path: Path) -> None:
    def answer(asked: dict[str, Any]) -> Reply:
        return good(asked) if len(server.asked) <= 30 else "hang"

    server = serve(answer)
    words = command(config(tmp_path, server, 100, args="concurrency=10"))
    words[1:1] = ["-X", "dev"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        wait_for(lambda: server.answered == 30 and server.now == 10)
        process.send_signal(signal.SIGINT)
        for line in process.stderr:
            if "stopping: waiting for 10 answers; press again to give up 10" in line:
                break
        process.send_signal(signal.SIGINT)
        told = process.stderr.read()
    assert process.returncode == 130
    assert told.endswith("skythought generate: stopped; the same command goes on from here\n")
    for bad in ("Traceback", "Unclosed", "never retrieved", "was destroyed", "Warning"):
        assert bad not in told
    assert len(traces(tmp_path)) == 30


def test_sigterm_waits_no_longer_than_a_scheduler_does(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    """Ctrl-C waits for a press, which nobody gives after SIGTERM."""

    def answer(asked: dict[str, Any]) -> Reply:
        return good(asked) if len(server.asked) <= 12 else "hang"

    server = serve(answer)
    assert openai.GRACE_S < 30
    words = command(config(tmp_path, server, 100, args="concurrency=4"))[3:]
    code = (
        "import sys\nfrom skythought import cli\nfrom skythought.backends import openai\n"
        "openai.GRACE_S = 0.5\nsys.exit(cli.main(sys.argv[1:]))"
    )
    process = subprocess.Popen(
        [sys.executable, "-X", "dev", "-c", code, *words], stderr=subprocess.PIPE, text=True
    )
    with process:
        wait_for(lambda: server.answered == 12 and server.now == 4)
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=50)  # the server answers after 60
    assert process.returncode == 130
    assert "stopping: waiting for 4 answers; given up after 0.5 s\n" in told
    assert told.endswith("skythought generate: stopped; the same command goes on from here\n")
    for bad in ("Traceback", "Unclosed", "never retrieved", "was destroyed", "Warning"):
        assert bad not in told
    assert len(traces(tmp_path)) == 12


def test_ctrl_c_at_any_moment(serve: Callable[..., Server], tmp_path: Path) -> None:
    """Also while the event loop is busy: nothing hangs, no traceback, no warning."""
    server, rng = serve(delay=0.02), random.Random(2)
    words = command(config(tmp_path, server, 5000, args="concurrency=100"))
    path = tmp_path / "run" / "traces.jsonl"
    for _ in range(5):
        before = _size(path)
        with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
            while process.poll() is None and _size(path) == before:
                time.sleep(0.002)
            time.sleep(rng.uniform(0, 0.1))
            process.send_signal(signal.SIGINT)
            _, told = process.communicate(timeout=60)
        assert (process.returncode, "Traceback" in told) == (130, False), told
    found = traces(tmp_path)
    assert len(found) == len({t.id for t in found}) < 5000
    assert len(server.asked) <= len(found) + 5 * 100
