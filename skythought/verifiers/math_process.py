"""Processes of math-verify that can be killed, and the questions put to them.

Threads share a pool: each takes a process that is free. A question that uses more than 1.2 s of
processor time, or a minute by the clock, costs the process its life and is answered with the
reason; the next process is started at once. No signal handler and no alarm is installed in the
process of the caller.
"""

from __future__ import annotations

import atexit
import os
import queue
import signal
import subprocess
import sys
import threading
import time

import msgspec

from skythought.core.errors import UserError
from skythought.verifiers.child import wait
from skythought.verifiers.math_worker import CPU_S, QUESTIONS, Question, Reply

DEADLINE_S = 60.0  # by the clock, per question: for a process that others keep from running
START_S = 120.0  # by the clock, for importing math-verify on a busy machine
MOST = 4  # processes of one pool
MODULE = "skythought.verifiers.math_worker"


class MathPool:
    """A few processes; one that has been used is used again before another is started."""

    def __init__(self, size: int | None = None) -> None:
        self._size = size or min(MOST, os.cpu_count() or 1)
        self._renew()
        os.register_at_fork(after_in_child=self._renew)  # the parent's are not for the child

    def _renew(self) -> None:
        self._all = [MathProcess() for _ in range(self._size)]
        self._free: queue.LifoQueue[MathProcess] = queue.LifoQueue()
        for process in self._all:
            self._free.put(process)

    def compare(self, expected: str, said: str, places: int = 6) -> Reply | str:
        """Ask a process that is free, or wait for one; see `MathProcess.compare`."""
        process = self._free.get()
        try:
            return process.compare(expected, said, places)
        finally:
            self._free.put(process)

    def close(self) -> None:
        """End all processes; the next question starts a new one."""
        for process in self._all:
            process.close()


class MathProcess:
    """Compares expressions in another process, started when first needed."""

    def __init__(self, deadline_s: float = DEADLINE_S) -> None:
        self.deadline_s = deadline_s
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = os.getpid()
        self._ready = False
        self._asked = 0
        atexit.register(self.close)

    def compare(self, expected: str, said: str, places: int = 6) -> Reply | str:
        """Compare two LaTeX texts; a text in place of a reply is the reason why there is none.

        Decimals are compared to so many `places`.

        Raises:
            UserError: math-verify is not installed or does not start.
        """
        with self._lock:
            try:
                return self._ask(Question(expected, said, places))
            except BaseException:  # Ctrl-C or the caller's alarm: its reply is not for the next
                self._stop()
                raise

    def _ask(self, question: Question) -> Reply | str:
        if self._asked >= QUESTIONS:
            self._stop()
        for _ in range(2):  # once more where the process was found dead
            process = self._running()
            asked = msgspec.structs.replace(question, number=self._asked + 1)
            try:
                _write(process, msgspec.json.encode(asked) + b"\n")
                break
            except BrokenPipeError:
                self._stop()
        else:
            return "math-verify process cannot be reached"
        self._asked += 1
        answer = _read_line(process, self.deadline_s)
        if answer:
            reply = msgspec.json.decode(answer, type=Reply)
            if reply.number == asked.number:
                return reply
            reason = "math-verify process answered another question"
        else:
            reason = self._why(process, timed_out=answer is None)
        self._stop()
        self._start()
        return reason

    def close(self) -> None:
        """End the process; the next question starts a new one."""
        with self._lock:
            self._stop()

    def _why(self, process: subprocess.Popen[bytes], *, timed_out: bool) -> str:
        if timed_out:
            return f"math-verify took more than {self.deadline_s:g} s"
        code = process.wait()
        if code == -signal.SIGPROF:
            return f"math-verify took more than {CPU_S:g} s of processor time"
        return f"math-verify process ended with code {code}"

    def _running(self) -> subprocess.Popen[bytes]:
        process = self._process or self._start()
        if not self._ready:
            line = _read_line(process, START_S)
            if not line:
                self._stop()
                raise UserError(f"math-verify does not start; see why with: python -m {MODULE}")
            reply = msgspec.json.decode(line, type=Reply)
            if reply.missing:
                self._stop()
                raise UserError(
                    f"verifier 'math' needs {reply.missing}, which is not installed; "
                    "run: pip install math-verify"
                )
            self._ready = True
        return process

    def _start(self) -> subprocess.Popen[bytes]:
        # Nothing of the environment goes along, so no credential can be read from it.
        environment = {
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "PYTHONHASHSEED": "0",
        }
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env=environment,
            start_new_session=True,  # Ctrl-C is for the caller, who ends this process itself
        )
        self._ready, self._asked = False, 0
        return self._process

    def _stop(self) -> None:
        process, self._process, self._asked = self._process, None, 0
        if process is None or self._owner != os.getpid():  # after a fork, it is the parent's
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def _write(process: subprocess.Popen[bytes], line: bytes) -> None:
    assert process.stdin is not None
    view = memoryview(line)
    while view:
        view = view[process.stdin.write(view) or 0 :]


def _read_line(process: subprocess.Popen[bytes], timeout_s: float) -> bytes | None:
    """Read one line; b"" where the process ended, None where the time is over."""
    assert process.stdout is not None
    end, line = time.monotonic() + timeout_s, b""
    while not line.endswith(b"\n"):
        left = end - time.monotonic()
        if left <= 0 or not wait([process.stdout], left):
            return None
        part = os.read(process.stdout.fileno(), 65536)
        if not part:
            return b""
        line += part
    return line
