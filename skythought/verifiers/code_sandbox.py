r"""Sandboxes for programs that models wrote: bubblewrap, podman or docker around `code_runner`.

    with start(Limits()) as sandbox:
        sandbox.load("print(int(input()) * 2)")
        sandbox.ask("stdin", b"21")  -> Reply(status="ok", detail="", body=b"42\n")

Inside there is no network, no file but Python's own library (read-only) and a small /tmp, no
process but its own, nothing of the environment, and none of what a test expects. The deadline is
kept out here: when it passes, the first process of the sandbox is killed, and the kernel ends all
others.
`start(..., unsafe=True)` is a plain subprocess with limits: enough against mistakes, not malice.
"""

from __future__ import annotations

import functools
import json
import os
import platform
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import msgspec

from skythought.core.errors import UserError
from skythought.verifiers import code_commands, code_seccomp
from skythought.verifiers.child import wait

START_S = 60.0
GRACE_S = 3.0  # for the runner to report a limit itself
LEAVE_S = 2.0  # for bubblewrap to see that all inside have ended
HEAD_BYTES = 8_192


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a program may use."""

    cpu_s: float = 6.0  # of processor time per test, all its processes together
    wall_s: float = 15.0  # by the clock per test
    problem_s: float = 300.0  # by the clock for all tests of a problem
    memory_bytes: int = 1 << 30  # all its processes together
    output_bytes: int = 1 << 23  # per test
    file_bytes: int = 1 << 24
    processes: int = 32


class Reply(NamedTuple):
    """What came out of the sandbox."""

    status: str  # "ok", or what ended the program
    detail: str
    body: bytes


class Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The line before the body of a reply."""

    status: str
    detail: str
    size: int


class Ended(Exception):
    """The sandbox is gone: killed at its deadline, or by what ran in it."""


class NotStarted(Exception):
    """The sandbox did not start this time, though its kind works here."""


class Sandbox:
    """One started sandbox: everything it says is taken for hostile."""

    def __init__(
        self,
        command: list[str],
        limits: Limits,
        *,
        seccomp: bool = False,
        folder: tempfile.TemporaryDirectory[str] | None = None,
    ) -> None:
        self.limits = limits
        self.end = time.monotonic() + limits.problem_s
        self._folder = folder
        self._stop: list[str] = []
        self._first: int | None = None  # pidfd of the first process inside
        blob = code_seccomp.blob(platform.machine()) if seccomp else None
        fds: list[int] = []
        info, said = os.pipe() if command[0].endswith("bwrap") else (-1, -1)
        if said >= 0:
            command = [command[0], "--info-fd", str(said), *command[1:]]
            fds.append(said)
        if blob is not None:
            rules, into = os.pipe()
            os.write(into, blob)
            os.close(into)
            command = [command[0], "--seccomp", str(rules), *command[1:]]
            fds.append(rules)
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the sandbox
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            bufsize=0,
            env={},
            cwd=folder.name if folder else "/",
            pass_fds=fds,
            start_new_session=True,  # no terminal, and Ctrl-C is for the caller
        )
        for fd in fds:
            os.close(fd)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._in, False)
        self._buffer = b""
        self._info = info
        self._ready = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def wait_ready(self) -> str:
        """Wait until the runner answers; returns why it does not, "" where it does."""
        self._ready = True
        try:
            self._reply(time.monotonic() + START_S)
        except Ended as error:
            self._errors.seek(0)
            lines = self._errors.read(HEAD_BYTES).decode("utf-8", "replace").strip().splitlines()
            return lines[-1] if lines else str(error)
        if self._info >= 0 and hasattr(os, "pidfd_open"):
            with suppress(OSError, ValueError, KeyError):
                number = json.loads(os.read(self._info, HEAD_BYTES))["child-pid"]
                self._first = os.pidfd_open(number)
        self.end = time.monotonic() + self.limits.problem_s
        return ""

    def load(self, source: str, starter: str = "") -> None:
        """Hand over the program; it is not run yet.

        Raises:
            Ended: the sandbox is gone.
        """
        limits = self.limits
        most = (limits.memory_bytes, limits.output_bytes, limits.file_bytes, limits.processes)
        body = {"source": source, "starter": starter, "limits": most}
        self.ask("load", json.dumps(body).encode())

    def ask(self, what: str, body: bytes = b"", role: str = "") -> Reply:
        """Put one request.

        Raises:
            NotStarted: the sandbox never came up.
            Ended: the sandbox is gone; the deadline of the problem has passed.
        """
        if not self._ready and (reason := self.wait_ready()):
            raise NotStarted(reason)
        limits = self.limits
        head = {"do": what, "size": len(body), "cpu": limits.cpu_s, "wall": limits.wall_s}
        if role:
            head["role"] = role
        now = time.monotonic()
        if now > self.end:
            raise Ended(f"more than {limits.problem_s:g} s for all tests")
        until = min(now + limits.wall_s + GRACE_S, self.end)
        self._write(json.dumps(head).encode() + b"\n" + body, until)
        return self._reply(until)

    def close(self) -> None:
        """Kill the sandbox with all that runs in it; safe to call twice."""
        if self._first is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._first, signal.SIGKILL)
            os.close(self._first)
            self._first = None
            with suppress(subprocess.TimeoutExpired):  # so that nothing is left when this returns
                self._process.wait(LEAVE_S)
        if self._stop:
            subprocess.run(self._stop, capture_output=True, check=False, timeout=60)
            self._stop = []
        with suppress(ProcessLookupError, PermissionError):
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._errors):
            if pipe is not None:
                pipe.close()
        if self._info >= 0:
            os.close(self._info)
            self._info = -1
        if self._folder is not None:
            self._folder.cleanup()

    def _write(self, data: bytes, until: float) -> None:
        view = memoryview(data)
        while view:
            self._wait_for([], [self._in], until)
            try:
                view = view[os.write(self._in, view[: 1 << 16]) :]
            except BrokenPipeError as error:
                raise Ended("the sandbox ended") from error

    def _reply(self, until: float) -> Reply:
        while b"\n" not in self._buffer:
            if len(self._buffer) > HEAD_BYTES:
                raise Ended("the sandbox broke its protocol")
            self._buffer += self._read(until)
        line, _, rest = self._buffer.partition(b"\n")
        try:
            head = msgspec.json.decode(line, type=Head)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Ended("the sandbox broke its protocol") from error
        if not 0 <= head.size <= self.limits.output_bytes + HEAD_BYTES:
            raise Ended("the sandbox broke its protocol")
        parts, size = [rest], len(rest)
        while size < head.size:
            parts.append(self._read(until))
            size += len(parts[-1])
        body = b"".join(parts)
        self._buffer = body[head.size :]
        return Reply(head.status, head.detail, body[: head.size])

    def _read(self, until: float) -> bytes:
        self._wait_for([self._out], [], until)
        part = os.read(self._out, 1 << 16)
        if not part:
            raise Ended("the sandbox ended")
        return part

    def _wait_for(self, reading: list[int], writing: list[int], until: float) -> None:
        left = until - time.monotonic()
        ready = left > 0 and wait(reading, left, writing)
        if not ready:
            raise Ended("killed at the deadline")


def start(limits: Limits, *, unsafe: bool = False) -> Sandbox:
    """Start a sandbox of the best kind that works here; the first request waits until it is up.

    Raises:
        UserError: none works here, and running without one was not allowed.
    """
    return _plain(limits) if unsafe else _make(choose(), limits)


@functools.cache
def choose() -> str:
    """Name the first kind of sandbox that starts here.

    Raises:
        UserError: none does; the message holds the reason of each.
    """
    reasons = []
    for kind in ("bwrap", "podman", "docker"):
        if shutil.which(kind) is None:
            reasons.append(f"{kind}: not installed")
            continue
        with _make(kind, Limits()) as made:
            reason = made.wait_ready()
        if not reason:
            return kind
        reasons.append(f"{kind}: {reason}")
    raise UserError(
        "verifier 'code' runs programs in a sandbox, and none works here "
        f"({'; '.join(reasons)}); run: apt-get "
        "install bubblewrap, or trust the programs and give --allow-unsafe-execution"
    )


def _make(kind: str, limits: Limits) -> Sandbox:
    if kind in ("podman", "docker"):
        name = f"skythought-{uuid.uuid4().hex[:12]}"
        command = code_commands.container_command(kind, name, limits.memory_bytes, limits.processes)
        made = Sandbox(command, limits)
        made._stop = [shutil.which(kind) or kind, "kill", name]
        return made
    command = code_commands.bubblewrap_command(own_user=os.getuid() == 0)
    return Sandbox(command, limits, seccomp=True)


def _plain(limits: Limits) -> Sandbox:
    folder = tempfile.TemporaryDirectory(prefix="skythought-code-")
    return Sandbox(code_commands.plain_command(Path(folder.name)), limits, folder=folder)
