r"""The script that runs inside the sandbox: starts the program for each test, hands its output out.

    in:   {"do": "stdin", "size": 4, "cpu": 6, "wall": 15}\n5 7\n
    out:  {"status": "ok", "detail": "", "size": 3}\n12\n

The first request is `load`, whose body is a JSON `{"source", "starter", "limits"}`. Then `stdin`
runs the program on a body and answers with what it wrote; `open` starts a process that serves calls
of the program's functions (role "program") or runs assertions whose calls are answered from outside
(role "checker"), and `talk` puts one message to it. What a test expects of a program is never in
the sandbox that runs it: whoever asks compares.

Every program is a child of its own, with limits and, where this process is root, with another user
id. After each test all other processes of the namespace are killed. Standard library only.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from typing import IO, Any, BinaryIO, NamedTuple, NoReturn

from skythought.verifiers import code_child
from skythought.verifiers.code_confine import FIRST_UID, UIDS, Limits, enter, hide, usage

TICK_S = 0.02  # between two looks at memory and processor time
ENDING_S = 0.0005  # between two looks whether a process that closed its output has ended
ERROR_BYTES = 2_000  # of what a program writes to stderr, from its end
CHUNK = 1 << 16
# LiveCodeBench's: what a program may use without importing it.
PREAMBLE = "\n".join(
    [
        *(
            f"from {name} import *"
            for name in (
                *("string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math"),
                *("random", "statistics", "itertools", "functools", "operator", "json", "typing"),
                "builtins",
            )
        ),
        "import string, re, datetime, collections, heapq, bisect, copy, math, random, statistics",
        "import itertools, functools, operator, io, sys, json, typing",
        "from io import BytesIO, StringIO",
        "from sys import maxsize, setrecursionlimit",
    ]
)


class Answerer(NamedTuple):
    """A child that answers one message after the other."""

    pid: int
    asking: int
    answers: int
    errors: int


class Runner:
    """Answers requests; holds the one program of this sandbox."""

    def __init__(self) -> None:
        # The first process of a namespace of our own: on a host that is init, never this script.
        self.contained = os.getpid() == 1
        self.uid = FIRST_UID + int.from_bytes(os.urandom(4), "big") % UIDS
        self.names: dict[str, Any] = {}
        self.source = self.starter = ""
        self.limits = Limits(1 << 30, 1 << 23, 1 << 24, 32)
        self.answerer: Answerer | None = None
        exec(PREAMBLE, self.names)
        del self.names["__builtins__"]
        if self.contained:
            hide(True)
            for folder in ("/tmp", "/dev/shm"):  # children are another user
                with contextlib.suppress(OSError):
                    os.chmod(folder, 0o1777)  # noqa: PTH101
        gc.collect()
        gc.freeze()

    def answer(self, asked: dict[str, Any], body: bytes) -> tuple[str, str, bytes]:
        """Do what a request asks; returns status, detail and body."""
        match asked["do"]:
            case "load":
                given = json.loads(body)
                self.source, self.starter = given["source"], given["starter"]
                self.limits = Limits(*given["limits"])
                return "ok", "", b""
            case "stdin":
                return self.run(body, asked["cpu"], asked["wall"])
            case "open":
                self.answerer = self.open(asked["role"])
                return self.talk(None, asked["cpu"], asked["wall"])
            case "talk":
                return self.talk(body, asked["cpu"], asked["wall"])
        return "refused", f"unknown request {asked['do']!r:.40}", b""

    def run(self, given: bytes, cpu: float, wall: float) -> tuple[str, str, bytes]:
        """Run the program on one input."""
        with input_file(given) as file:
            output, into = pipe()
            errors, complaints = pipe()
            pid = os.fork()
            if pid == 0:
                ends = [file.fileno(), into, complaints]
                self.become(ends, cpu, lambda: code_child.run_main(self.source, self.names))
        os.close(into)
        os.close(complaints)
        try:
            status, detail, written = self.watch(pid, output, errors, cpu, wall, framed=False)
        finally:
            os.close(output)
            os.close(errors)
        return status, detail, written

    def open(self, role: str) -> Answerer:
        """Start a process that answers messages."""
        asked, asking = pipe()
        answers, answered = pipe()
        errors, complaints = pipe()
        null = os.open(os.devnull, os.O_RDWR)
        pid = os.fork()
        if pid == 0:
            ends = [null, null, complaints, asked, answered]
            if role == "checker":
                self.become(ends, None, lambda: code_child.run_checks(self.names))
            self.become(ends, None, lambda: code_child.serve(self.source, self.starter, self.names))
        for end in (asked, answered, complaints, null):
            os.close(end)
        os.set_blocking(asking, False)
        return Answerer(pid, asking, answers, errors)

    def talk(self, message: bytes | None, cpu: float, wall: float) -> tuple[str, str, bytes]:
        """Put a message to that process and wait for its answer; None only waits."""
        if self.answerer is None:
            return "refused", "no process is open", b""
        pid, asking, answers, errors = self.answerer
        rest = b"" if message is None else len(message).to_bytes(4, "big") + message
        self.signal_all(signal.SIGCONT)
        status, detail, answer = self.watch(
            pid, answers, errors, cpu, wall, framed=True, rest=rest, into=asking
        )
        self.signal_all(signal.SIGSTOP)  # nobody watches until the next message
        if status != "ok" or detail:
            for end in self.answerer[1:]:
                os.close(end)
            self.answerer = None
        return status, detail, answer

    def watch(
        self,
        pid: int,
        output: int,
        errors: int,
        cpu: float,
        wall: float,
        *,
        framed: bool,
        rest: bytes = b"",
        into: int = -1,
    ) -> tuple[str, str, bytes]:
        """Read what a child writes until it ends, has answered, or passes a limit."""
        read, complaints, status, code = bytearray(), b"", "", None
        began = time.monotonic()
        spent = usage(pid, contained=self.contained)[1] if framed else 0.0
        looked, looks, open_ends = began, 0, {output, errors}
        while not status:
            if framed and len(read) >= 4:
                wanted = int.from_bytes(read[:4], "big")
                if wanted > self.limits.output:
                    status = "output"
                elif len(read) >= 4 + wanted:
                    return "ok", "", bytes(read[4 : 4 + wanted])
            writing = [into] if rest else []
            looks += output not in open_ends
            wait = ENDING_S if 0 < looks < 50 else TICK_S
            ready, can_write, _ = select.select(list(open_ends), writing, [], wait)
            if can_write:
                try:
                    rest = rest[os.write(into, rest[:CHUNK]) :]
                except BrokenPipeError:
                    rest = b""
            for end in ready:
                part = os.read(end, CHUNK)
                if not part:
                    open_ends.discard(end)
                elif end == output:
                    read += part
                else:
                    complaints = (complaints + part)[-ERROR_BYTES:]
            if len(read) > self.limits.output + 4:
                status = "output"
            now = time.monotonic()
            if not ready or output not in open_ends:
                code = code if code is not None else ended(pid)
                if code is not None:
                    status = "ended"
            if not status and now - looked >= TICK_S:
                looked = now
                memory, used = usage(pid, contained=self.contained)
                if memory > self.limits.memory:
                    status = "memory"
                elif used - spent > cpu:
                    status = "cpu"
                elif now - began > wall:
                    status = "wall"
        self.kill(pid, reaped=code is not None)
        if status != "ended":
            return status, "", b""
        if output in open_ends:
            read += drain(output, self.limits.output + 5 - len(read))
        if errors in open_ends:
            complaints = (complaints + drain(errors, ERROR_BYTES * 40))[-ERROR_BYTES:]
        if len(read) > self.limits.output + 4:
            return "output", "", b""
        if framed and len(read) >= 4 and len(read) >= 4 + int.from_bytes(read[:4], "big"):
            return "ok", "ended", bytes(read[4:])  # its last message
        assert code is not None
        if code < 0:
            known = -code in set(signal.Signals)
            name = signal.Signals(-code).name if known else str(-code)
            return "cpu" if -code == signal.SIGXCPU else "signal", name, b""
        said = complaints.decode("utf-8", "replace").strip().rpartition("\n")[2]
        if code or framed:
            return "failed", said or f"exit code {code}", b""
        return "ok", "", bytes(read)

    def kill(self, pid: int, *, reaped: bool) -> None:
        """End the child and, in a namespace of our own, everything it may have started."""
        if self.contained:
            self.signal_all(signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                while True:
                    os.waitpid(-1, 0)
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        if not reaped:
            os.waitpid(pid, 0)

    def signal_all(self, number: int) -> None:
        """Send a signal to every other process, in a namespace of our own."""
        if self.contained and os.getpid() == 1:
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, number)

    def become(self, ends: list[int], cpu: float | None, work: Callable[[], int]) -> NoReturn:
        """Do the work of a child and end; nothing it raises reaches the frames it was forked in."""
        code = 9
        try:
            enter(ends, self.limits, cpu, self.uid if self.contained else None)
            code = work()
        finally:
            os._exit(code & 0xFF)


def input_file(given: bytes) -> IO[bytes]:
    """Write an input into a file without a name, which a program may open as /dev/stdin."""
    try:
        file = os.fdopen(os.open("/tmp", os.O_TMPFILE | os.O_RDWR, 0o600), "w+b")
    except (AttributeError, OSError):  # not on Linux, or not in this file system
        import tempfile

        file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by the caller
    file.write(given)
    file.seek(0)
    os.fchmod(file.fileno(), 0o444)
    return file


def pipe() -> tuple[int, int]:
    """Make a pipe whose ends a program may open by name (/dev/stdout)."""
    ends = os.pipe()
    with contextlib.suppress(OSError):
        os.fchmod(ends[1], 0o666)
    return ends


def ended(pid: int) -> int | None:
    """Reap whatever has ended; returns the child's exit code, None while it runs."""
    done, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if done else None


def drain(end: int, most: int) -> bytes:
    """Read what is left in a pipe after its writers were killed."""
    read = bytearray()
    os.set_blocking(end, False)
    with contextlib.suppress(BlockingIOError):
        while len(read) <= most and (part := os.read(end, CHUNK)):
            read += part
    return bytes(read)


def main(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer requests until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    runner = Runner()
    respond(sink, "ready", "", b"")
    while line := source.readline():
        asked = json.loads(line)
        respond(sink, *runner.answer(asked, source.read(asked["size"])))


def respond(sink: BinaryIO, status: str, detail: str, body: bytes) -> None:
    """Write one answer."""
    head = {"status": status, "detail": detail[:300], "size": len(body)}
    sink.write(json.dumps(head).encode() + b"\n" + body)
    sink.flush()


if __name__ == "__main__":
    main(sys.stdin.buffer, os.fdopen(os.dup(1), "wb"))
