"""A chat server on this machine for tests: it notes what it is asked and answers as it is told."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from skythought import backends, generate
from skythought.core import store
from skythought.core.records import Completion, Message, Request, Sampling, Trace

Reply = tuple[int, dict[str, str], bytes] | str  # or "cut", "half", "hang"


def good(asked: dict[str, Any], thought: str = "Hm.", content: str = "It is 4.") -> Reply:
    """Answer as vLLM does; the thought says which seed was asked for."""
    message = {"role": "assistant", "content": content}
    message |= {"reasoning_content": f"{thought} {asked['seed']}"} if thought else {}
    usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return say(200, {"model": "m-2026", "choices": [choice], "usage": usage})


def say(status: int, body: Any, **headers: str) -> Reply:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return status, named, json.dumps(body).encode()


class Server:
    """A chat server in a thread, which notes what it is asked and how many at once."""

    def __init__(self, answer: Callable[[dict[str, Any]], Reply] = good, delay: float = 0) -> None:
        self.answer, self.delay = answer, delay
        self.asked: list[dict[str, Any]] = []
        self.keys: set[str | None] = set()
        self.now = self.most = self.answered = 0
        self.loop = asyncio.new_event_loop()
        self.ready = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self.serve()), daemon=True)
        self.thread.start()
        assert self.ready.wait(10)

    async def serve(self) -> None:
        self.loop, self.stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self.talk, "127.0.0.1", 0, backlog=4096)
        self.port = server.sockets[0].getsockname()[1]
        self.ready.set()
        async with server:
            await self.stop.wait()

    def close(self) -> None:
        if self.thread.is_alive():
            self.loop.call_soon_threadsafe(self.stop.set)
            self.thread.join(10)

    def close_soon(self) -> None:
        """Stop from within an answer."""
        self.stop.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                first = await reader.readexactly(1)
                if first != b"P":  # the first byte of TLS
                    return writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                head = (first + await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                fields = dict(row.lower().split(": ", 1) for row in head[1:] if row)
                self.keys.add(fields.get("authorization"))
                body = await reader.readexactly(int(fields["content-length"]))
                assert head[0] == "POST /v1/chat/completions HTTP/1.1"
                self.now += 1
                self.most = max(self.most, self.now)
                try:
                    if not await self.reply(json.loads(body), writer):
                        return
                finally:
                    self.now -= 1
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    async def reply(self, asked: dict[str, Any], writer: asyncio.StreamWriter) -> bool:
        self.asked.append(asked)
        found = self.answer(asked)
        await asyncio.sleep(self.delay)
        if found == "hang":
            await asyncio.sleep(60)
        if isinstance(found, str):
            if found == "half":
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{")
            return False
        status, headers, body = found
        rows = [f"{k}: {v}" for k, v in {**headers, "Content-Length": str(len(body))}.items()]
        writer.write("\r\n".join([f"HTTP/1.1 {status} So", *rows, "", ""]).encode() + body)
        await writer.drain()
        self.answered += status == 200
        return True


def requests(n: int) -> list[Request]:
    return [Request(id=f"{i:016x}", messages=(Message("user", f"q{i}"),)) for i in range(n)]


def ask(server: Server, n: int, **options: Any) -> list[Completion]:
    quick = {"backoff": 0.01, "timeout": 20.0, "concurrency": 8}
    made = backends.make("openai", "m", {"base_url": server.url, **quick, **options})
    return list(made.complete(requests(n), Sampling(max_tokens=64)))


def config(folder: Path, server: Server, problems: int = 6, args: str = "", **values: Any) -> Any:
    rows = [
        {"id": f"p{i}", "problem": f"{i} + {i}?", "answer": str(2 * i)} for i in range(problems)
    ]
    path = folder / "problems.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked: dict[str, Any] = {
        "result_dir": folder / "run",
        "task": str(path),
        "backend": "openai",
        "model": "m",
        "backend_args": f"base_url={server.url},backoff=0.01,{args}",
        "sampling_params": "temperature=0.6,top_p=0.95,max_tokens=64",
    }
    return generate.Config(**(asked | values))


def traces(folder: Path) -> list[Trace]:
    return store.read(folder / "run" / "traces.jsonl", Trace)


def command(made: Any) -> list[str]:
    flags = {k: v for k, v in vars(made).items() if v not in ("", None, False, ())}
    words = [w for k, v in flags.items() for w in (f"--{k.replace('_', '-')}", str(v))]
    return [sys.executable, "-m", "skythought", "generate", *words]


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)
