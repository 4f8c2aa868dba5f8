r"""A child process that answers lines with lines, and can be killed at any moment.

    child = Child("skythought.verifiers.pool_worker")
    child.send(b'[{"verifier": "number", ...}]\n')
    child.receive(time.monotonic() + 60)  -> b'{"verifier": "number@2", ...}\n'

No signal handler and no fork: a fresh Python runs a module of ours, so threads, notebooks and
scripts without a `__main__` guard may use it. It ends when this process does.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

TAIL_BYTES = 4_000  # of what it wrote on stderr, read for the reason of its end


class Child:
    """One running child; stopped by `stop`, and not to be used after."""

    def __init__(self, module: str, environment: Mapping[str, str]) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `stop`
        self._buffer = b""
        path = os.pathsep.join(part or str(Path.cwd()) for part in sys.path)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            bufsize=0,
            env={**environment, "PYTHONPATH": path},
            start_new_session=True,  # Ctrl-C is for the caller, who ends this process itself
        )

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def fileno(self) -> int:
        """Give what a selector waits on for a line."""
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def send(self, line: bytes) -> bool:
        """Hand over one line; False where nobody reads any more."""
        assert self._process.stdin is not None
        view = memoryview(line)
        try:
            while view:
                view = view[self._process.stdin.write(view) or 0 :]
        except BrokenPipeError:
            return False
        return True

    def receive(self, until: float) -> bytes | None:
        r"""Give the next line; b"" where the child ended, None where `until` is over.

        `until` is on the clock of `time.monotonic`.
        """
        while b"\n" not in self._buffer:
            left = until - time.monotonic()
            if not wait([self], max(0.0, left)):
                return None
            part = os.read(self.fileno(), 1 << 16)
            if not part:
                return b""
            self._buffer += part
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line + b"\n"

    def waiting(self) -> bool:
        """Say whether a line is here already."""
        return b"\n" in self._buffer

    def end(self) -> str:
        """Wait for a child that closed its output, and say how it ended."""
        try:
            code = self._process.wait(5)
        except subprocess.TimeoutExpired:
            return "closed its output"
        if code < 0:
            return f"was killed by {_signal(-code)}"
        self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, self._errors.tell() - TAIL_BYTES))
        said = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        return f"ended with exit code {code}" + (f" ({said[-1].strip()})" if said else "")

    def stop(self) -> None:
        """Kill it and wait until it is gone; safe to call twice."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._errors):
            if pipe is not None:
                pipe.close()


def wait(
    reading: Sequence[FileDescriptorLike], timeout_s: float, writing: Sequence[int] = ()
) -> list[FileDescriptorLike]:
    """Give those that can be read or written, with any number of open files.

    `select.select` refuses numbers from 1,024 on.
    """
    with selectors.DefaultSelector() as selector:
        for end in reading:
            selector.register(end, selectors.EVENT_READ)
        for end in writing:
            selector.register(end, selectors.EVENT_WRITE)
        return [key.fileobj for key, _ in selector.select(timeout_s)]


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
