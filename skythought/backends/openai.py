"""Any server that speaks the OpenAI chat API: api.openai.com, DeepSeek, `vllm serve`.

    --backend openai --model NAME --backend-args base_url=http://127.0.0.1:8000/v1,concurrency=64

One thread: an event loop keeps the requests going and stands still while an answer is being stored,
so never more than `concurrency` answers are on their way or not yet on disk. The key is read from
the environment and goes into one header, nowhere else: OPENAI_API_KEY only to OpenAI, another only
where `api_key_env` names it.
"""

from __future__ import annotations

import asyncio
import gc
import math
import os
import re
import resource
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from operator import length_hint
from typing import Any
from urllib.parse import urlsplit

from skythought.backends import chat
from skythought.backends.asking import Asking
from skythought.core import progress
from skythought.core.errors import UserError, require
from skythought.core.records import Completion, Request, Sampling

OPENAI = "https://api.openai.com/v1"
KEY = "OPENAI_API_KEY"
GRACE_S = 20.0  # to wait for answers after SIGTERM; schedulers kill 30 s after it
SPARE_FILES = 100  # that the process has open beside its connections


class OpenAI:
    """Asks a chat server; `identity` is the model's name alone, so servers of it are one run."""

    lazy = True

    def __init__(
        self,
        model: str,
        base_url: str = OPENAI,
        api_key_env: str = "",
        concurrency: int = 64,
        rpm: float = 0,
        tpm: float = 0,
        timeout: float = 3600,
        attempt_timeout: float = 1800,
        retries: int = 8,
        backoff: float = 1,
        extra_body: str = "",
    ) -> None:
        if not model:
            raise UserError(
                "openai backend: which model? give --model NAME, the server's name for it"
            )
        for name, value, least in (
            ("concurrency", concurrency, 1),
            ("rpm", rpm, 0),
            ("tpm", tpm, 0),
            ("timeout", timeout, 0.001),
            ("attempt_timeout", attempt_timeout, 0.001),
            ("retries", retries, 0),
            ("backoff", backoff, 0),
        ):
            if not (value >= least and math.isfinite(value)):
                raise UserError(f"openai backend: {name}={value:g}: give {least:g} or more")
        require("aiohttp", "openai")
        self.identity = model
        self.url = f"{_checked(base_url)}/chat/completions"
        self.host = urlsplit(base_url).hostname or ""
        self.runs_on = f"openai, {self.host}"
        self.extra_body = chat.read_extra(extra_body)
        self.continues = not is_openai(base_url)
        self.key_env = api_key_env or (KEY if is_openai(base_url) else "")
        self.key = _key(self.key_env, base_url, named=bool(api_key_env))
        self.concurrency, self.rpm, self.tpm = concurrency, rpm, tpm
        self.timeout, self.attempt_timeout = timeout, attempt_timeout
        self.retries, self.backoff = retries, backoff

    def complete(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[Completion]:
        """Yield completions as they finish; what cannot be had after all retries is an error.

        Raises:
            UserError: the server refuses the key, the model or the address; called in a notebook's
                event loop; too few open files allowed.
        """
        at_once = min(self.concurrency, length_hint(requests, self.concurrency))
        if not at_once:
            return
        _refuse_running_loop()
        _allow_open_files(at_once)
        with _rare_collections(), asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
            asking = Asking(self, requests, sampling)
            with _CtrlC(runner, asking) as ctrl_c:
                try:
                    runner.run(asking.open())
                    while asking.tasks or asking.more or asking.finished:
                        if getattr(requests, "stopped", False) and not asking.stopped:
                            asking.stop()
                        if getattr(requests, "cancelled", False):
                            ctrl_c.hurry()
                        runner.run(asking.step())
                        if ctrl_c.presses > 1 or time.monotonic() > ctrl_c.ends:
                            break
                        yield from asking.take()
                    if ctrl_c.presses < 2 and asking.failure is not None:
                        raise asking.failure
                finally:
                    runner.run(asking.close())
                    ctrl_c.over = True
                yield from asking.take(len(asking.finished))
                if ctrl_c.presses:
                    raise KeyboardInterrupt


class _CtrlC:
    """Ctrl-C, or the end that a scheduler asks for (SIGTERM), while an event loop runs.

    Raised in its midst it would lose callbacks, and what waits for them would wait for ever. So the
    first one stops what is new and waits for what is out, and the second gives that up; it is
    raised where it arrives only when no loop runs. A scheduler that sends SIGTERM kills soon after:
    then, and when another thread cancels the run, what is out is given up after `GRACE_S` seconds.
    """

    def __init__(self, runner: asyncio.Runner, asking: Asking) -> None:
        self.runner, self.asking = runner, asking
        self.presses = 0
        self.ends = math.inf  # when what is out is given up
        self.over = False  # nothing is out any more
        self.before: dict[int, Any] = {}

    def __enter__(self) -> _CtrlC:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                now = signal.getsignal(number)
                plain = now in (signal.default_int_handler, signal.SIG_DFL)
                if plain or getattr(now, "gives_way", False):  # that of the command line
                    self.before[number] = signal.signal(number, self.press)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def press(self, number: int = signal.SIGINT, _: object = None) -> None:
        """Note a Ctrl-C and wake the loop."""
        self.presses += 1
        if number == signal.SIGTERM:
            self.ends = min(self.ends, time.monotonic() + GRACE_S)
        loop = self.runner.get_loop()
        if self.over or (self.presses > 1 and not loop.is_running()):
            raise KeyboardInterrupt
        loop.call_soon_threadsafe(self.stop)

    def hurry(self) -> None:
        """End soon, once another thread wants it."""
        if self.ends == math.inf:
            self.ends = time.monotonic() + GRACE_S
            self.stop()

    def stop(self) -> None:
        """Send nothing new, and say what is waited for."""
        asking = self.asking
        if self.presses < 2 or not asking.stopped:
            asking.stop()
            if n := len(asking.sending):
                answers = "1 answer" if n == 1 else f"{n:,} answers"
                todo = f"press again to give up {n:,}"
                if self.ends < math.inf:
                    todo = f"given up after {GRACE_S:g} s"
                progress.say(f"stopping: waiting for {answers}; {todo}")
        asking.wake.set()


def _checked(base_url: str) -> str:
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UserError("openai backend: base_url: give http://HOST:PORT/v1 or https://HOST/v1")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise UserError(
            "openai backend: base_url holds more than an address; a key belongs into an "
            "environment variable, named with api_key_env=NAME"
        )
    try:
        parts.port  # noqa: B018  read to be checked
    except ValueError as error:
        raise UserError(f"openai backend: base_url={base_url}: {error}") from error
    return base_url.rstrip("/")


def is_openai(base_url: str) -> bool:
    """Say whether an address is OpenAI's own, a region's too, and nobody can listen on the way."""
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    ours = urlsplit(OPENAI).hostname or ""
    return parts.scheme == "https" and (host == ours or host.endswith(f".{ours}"))


def _key(name: str, base_url: str, *, named: bool) -> str:
    """Read the key out of a variable, "" for none. Never shows what it was given."""
    key = os.environ.get(name, "").strip() if name else ""
    if not key and named:
        raise UserError(
            "openai backend: api_key_env names no environment variable that is set; give the "
            "variable's name, not the key, and export the variable"
        )
    if not key and name:
        raise UserError(
            f"openai backend: no key for {base_url}; export {KEY}, or give base_url=... of "
            "another server"
        )
    if not re.fullmatch(r"[!-~]*", key):
        raise UserError(f"openai backend: {name}: not a key; it holds spaces or other signs")
    return key


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Look for garbage less often: thousands of requests on their way are slow to look through."""
    before = gc.get_threshold()
    gc.set_threshold(50_000, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _refuse_running_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise UserError(
        "openai backend: an event loop runs here already (a notebook?); call it so: "
        "await generate.run_async(config)"
    )


def _allow_open_files(connections: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    need = connections + SPARE_FILES
    if soft == resource.RLIM_INFINITY or soft >= need:
        return
    if hard != resource.RLIM_INFINITY and hard < need:
        raise UserError(
            f"openai backend: {connections} connections at once need {need} open files and this "
            f"system allows {hard} (ulimit -Hn); give concurrency={max(1, hard - SPARE_FILES)}"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (need, hard))
