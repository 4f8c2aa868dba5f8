"""skythought/generate.py cancelled from another thread or an event loop, as in a notebook."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from chat_server import Reply, Server, good

from skythought import generate
from skythought.backends import openai
from skythought.core import store
from skythought.core.errors import Stopped, UserError
from skythought.core.records import Completion, Problem, Request, Sampling, Trace
from skythought.generating.lock import Lock

pytest.importorskip("aiohttp", reason="needs skythought[openai]")


def config(folder: Path, server: Server, n: int = 100) -> generate.Config:
    path = folder / "problems.jsonl"
    path.write_text("".join(f'{{"id": "p{i}", "problem": "{i}?"}}\n' for i in range(n)))
    return generate.Config(
        input=str(path),
        backend="openai",
        model="m",
        backend_args=f"base_url={server.url},concurrency=4,backoff=0.01",
        result_dir=folder / "run",
    )


def traces(folder: Path) -> list[Trace]:
    return store.read(folder / "run" / "traces.jsonl", Trace)


async def until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def free(folder: Path) -> bool:
    with Lock(folder / "run"):
        return True


def test_a_cancelled_run_keeps_what_is_paid_and_gives_the_folder_back(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    server = serve(delay=0.3)
    made = config(tmp_path, server)
    before = {*threading.enumerate()}

    async def notebook() -> None:
        task = asyncio.create_task(generate.run_async(made))
        await until(lambda: len(server.asked) >= 6)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert free(tmp_path)  # at once, not when a thread has come to its end
        assert len(traces(tmp_path)) == len(server.asked) == server.answered < 20
        manifest = store.manifest(tmp_path / "run")
        assert manifest["counts"]["traces"] == len(server.asked)
        assert manifest["done"] is False
        server.delay = 0
        assert (await generate.run_async(made))["traces"] == 100

    asyncio.run(notebook())
    assert len(server.asked) == len({t.id for t in traces(tmp_path)}) == 100
    assert not {*threading.enumerate()} - before


def test_what_never_answers_is_given_up(
    serve: Callable[..., Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(asked: dict[str, Any]) -> Reply:
        return good(asked) if len(server.asked) <= 5 else "hang"

    server = serve(answer)
    monkeypatch.setattr(openai, "GRACE_S", 0.3)
    cancel, ended = threading.Event(), list[BaseException]()

    def play() -> None:
        try:
            generate.run(config(tmp_path, server), cancel=cancel)
        except Stopped as error:
            ended.append(error)

    thread = threading.Thread(target=play)
    thread.start()
    asyncio.run(until(lambda: len(server.asked) == 9))
    with pytest.raises(UserError, match="is writing it"):
        free(tmp_path)
    cancel.set()
    thread.join(50)  # the server answers after 60
    assert not thread.is_alive()
    assert [str(error) for error in ended] == ["stopped; the same command goes on from here"]
    assert free(tmp_path)
    assert len(traces(tmp_path)) == 5


def test_a_mistake_in_a_notebook_gives_the_folder_back(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    made = config(tmp_path, serve())

    async def notebook() -> None:
        with pytest.raises(UserError, match=r"call it so: await generate\.run_async\(config\)"):
            generate.run(made)
        assert free(tmp_path)
        assert (await generate.run_async(made))["traces"] == 100

    asyncio.run(notebook())


class Slow:
    """A backend that nobody pays; it is not waited for."""

    identity = "slow"

    def __init__(self) -> None:
        self.asked = 0
        self.closed = False

    def complete(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[Completion]:
        try:
            for request in requests:
                self.asked += 1
                time.sleep(0.01)
                yield Completion(id=request.id, text="4", finish="stop")
        finally:
            self.closed = True


def test_any_backend_is_stopped_at_the_next_answer(tmp_path: Path) -> None:
    cancel, slow = threading.Event(), Slow()
    problems = [Problem(id=str(i), task="t", question=f"{i}?", answer="") for i in range(1000)]
    threading.Timer(0.2, cancel.set).start()
    with pytest.raises(Stopped):
        generate.collect(problems, slow, Sampling(), tmp_path / "run", cancel=cancel)
    assert slow.closed
    assert 0 < len(traces(tmp_path)) == slow.asked < 1000
    assert free(tmp_path)


def test_cancelled_before_it_begins(tmp_path: Path) -> None:
    cancel, slow = threading.Event(), Slow()
    cancel.set()
    problems = [Problem(id="1", task="t", question="1?", answer="")]
    with pytest.raises(Stopped):
        generate.collect(problems, slow, Sampling(), tmp_path / "run", cancel=cancel)
    assert slow.asked == 0
