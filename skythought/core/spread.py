"""Spread work on a stream over the cores of a machine; results come in the order of the stream.

    with Spread("skythought.analyze:reader", {"language": "en"}, workers=8) as spread:
        for result in spread.over(batches): ...

`"package.module:name"` names a function that is called once in each worker with the options, as
keywords, and gives the function that takes one item and gives one result. Items and results travel
as pickles between this process and fresh Pythons (no forks: threads, notebooks and scripts without
a `__main__` guard may use it). At most a few items per worker are held at once, so memory does not
grow with the stream. With one worker all is done in this process.
"""

from __future__ import annotations

import importlib
import os
import pickle
import struct
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import IO, Any, Self

from skythought.core.errors import UserError, plain

AHEAD = 3  # items handed out or ready, for each worker
SIZE = struct.Struct(">Q")  # before each pickle


def cores() -> int:
    """Count the cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Spread:
    """Workers that all do the same; closed at the end of the block.

    Args:
        target: the function that makes a worker's function, as "package.module:name".
        options: keywords it is called with.
        workers: how many; 0 is one for each core.
    """

    def __init__(self, target: str, options: Mapping[str, Any], workers: int = 0) -> None:
        self.size = workers or cores()
        self._target, self._options = target, dict(options)
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        self._all: list[_Worker] = []

    def over(self, items: Iterable[Any]) -> Iterator[Any]:
        """Yield the result of each item, in order.

        Raises:
            UserError: what a worker refused, or a worker that ended (for want of memory, say).
        """
        if self.size == 1:
            work = make(self._target, self._options)
            yield from (work(item) for item in items)
            return
        waiting: deque[Future[Any]] = deque()
        with ThreadPoolExecutor(self.size) as threads:
            try:
                for item in items:
                    waiting.append(threads.submit(self._ask, item))
                    if len(waiting) >= AHEAD * self.size:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:  # left before the end: what is not begun is not done
                for future in waiting:
                    future.cancel()
                if waiting:
                    self.close()

    def _ask(self, item: Any) -> Any:
        worker = self._take()
        try:
            return worker.ask(item)
        finally:
            self._idle.put(worker)

    def _take(self) -> _Worker:
        """Take a worker that has nothing to do; a thread never finds none."""
        if self._idle.empty() and len(self._all) < self.size:
            worker = _Worker(self._target, self._options)
            self._all.append(worker)
            return worker
        return self._idle.get()

    def close(self) -> None:
        """End the workers."""
        for worker in self._all:
            worker.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class _Worker:
    """A fresh Python that answers items with results."""

    def __init__(self, target: str, options: Mapping[str, Any]) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `stop`
        path = os.pathsep.join(part or str(Path.cwd()) for part in sys.path)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "skythought.core.spread"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,  # Ctrl-C is for the caller, who ends this process itself
        )
        self._begin: tuple[str, dict[str, Any]] | None = (target, dict(options))

    def ask(self, item: Any) -> Any:
        """Hand over an item and wait for its result."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            if self._begin:
                _write(self._process.stdin, self._begin)
                self._begin = None
            _write(self._process.stdin, item)
            result, refused = _read(self._process.stdout)
        except (BrokenPipeError, EOFError, ValueError) as error:  # a closed pipe: a ValueError
            raise UserError(f"a worker {self._end()}; nothing was written") from error
        if refused:
            raise UserError(refused)
        return result

    def _end(self) -> str:
        code = self._process.wait()
        if code < 0:
            return f"was killed by signal {-code} (of memory, perhaps; try fewer --workers)"
        said = b""
        if not self._errors.closed:
            self._errors.seek(0)
            said = self._errors.read()[-4000:]
        lines = plain(said.decode("utf-8", "replace")).strip().splitlines()
        return f"ended with exit code {code}" + (f" ({lines[-1].strip()})" if lines else "")

    def stop(self) -> None:
        """Kill it and wait until it is gone; safe to call twice."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdout, self._errors):
            if pipe is not None:
                pipe.close()
        assert self._process.stdin is not None
        try:
            self._process.stdin.close()
        except BrokenPipeError:
            return


def make(target: str, options: Mapping[str, Any]) -> Callable[[Any], Any]:
    """Make the function that takes items from the name of what makes it."""
    module, _, name = target.partition(":")
    made: Callable[[Any], Any] = getattr(importlib.import_module(module), name)(**options)
    return made


def _write(pipe: IO[bytes], value: Any) -> None:
    raw = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    pipe.write(SIZE.pack(len(raw)))
    pipe.write(raw)
    pipe.flush()


def _read(pipe: IO[bytes]) -> Any:
    head = pipe.read(SIZE.size)
    if len(head) < SIZE.size:
        raise EOFError
    (size,) = SIZE.unpack(head)
    raw = pipe.read(size)
    if len(raw) < size:
        raise EOFError
    return pickle.loads(raw)  # our own process wrote it


def main() -> None:
    """Answer items until the input ends."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whoever prints must not be in the way of results
    source = sys.stdin.buffer
    try:
        target, options = _read(source)
    except EOFError:
        return
    work = make(target, options)
    while True:
        try:
            item = _read(source)
        except EOFError:
            return
        try:
            answer = (work(item), "")
        except UserError as error:
            answer = (None, str(error))
        _write(out, answer)


if __name__ == "__main__":
    main()
