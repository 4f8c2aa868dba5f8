"""Grade in many processes: a worker that dies or hangs costs one verdict, never the run.

    with Pool(workers=8) as pool:
        for verdict in pool.grade(jobs): ...

Jobs are taken as workers get free, so of a million traces only some hundred are in memory; verdicts
come as they are made, in no fixed order. A worker that ends or takes too long is replaced. The row
it was at gets the verdict `error` with the reason, and the rows it had not begun are given out
again.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from types import TracebackType
from typing import Self

import msgspec

from skythought import verifiers
from skythought.core.errors import UserError, plain
from skythought.core.records import Verdict
from skythought.verifiers import Finding, Job
from skythought.verifiers.child import Child, wait
from skythought.verifiers.pool_worker import Reply

MODULE = "skythought.verifiers.pool_worker"
CHUNK = 8  # jobs handed over at once
ROW_S = 900.0  # by the clock, after which a row is given up; verifiers have tighter limits
START_S = 120.0  # more for a worker's first row, on a busy machine
MIN_LOST = 10  # workers lost before the run can be called hopeless


class _Worker:
    """A child with the jobs it has."""

    def __init__(self) -> None:
        self.child = Child(MODULE, os.environ)
        self.jobs: deque[Job] = deque()
        self.until = 0.0
        self.fresh = True

    def give(self, jobs: list[Job]) -> None:
        self.jobs.extend(jobs)
        self.until = time.monotonic() + ROW_S + (START_S if self.fresh else 0.0)
        self.child.send(msgspec.json.encode(jobs) + b"\n")  # one that is gone is seen when read

    def fileno(self) -> int:
        return self.child.fileno()


class Pool:
    """Worker processes that grade, started when there is something for them to do."""

    def __init__(self, workers: int) -> None:
        self.size = workers
        self._workers: list[_Worker] = []
        self._lost = self._done = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def pids(self) -> list[int]:
        """Numbers of the processes that run now."""
        return [worker.child.pid for worker in self._workers]

    def close(self) -> None:
        """Kill all workers."""
        for worker in self._workers:
            worker.child.stop()
        self._workers = []

    def grade(self, jobs: Iterable[Job]) -> Generator[Verdict, None, None]:
        """Yield one verdict per job, as they are made.

        Raises:
            UserError: something that a verifier needs is missing here, or most workers die.
        """
        try:
            yield from self._grade(iter(jobs))
        finally:  # what a worker still says is not for the next
            self._drop([worker for worker in self._workers if worker.jobs])

    def _drop(self, some: list[_Worker]) -> None:
        for worker in some:
            worker.child.stop()
            self._workers.remove(worker)

    def _grade(self, source: Iterator[Job]) -> Iterator[Verdict]:
        again = deque[Job]()
        while True:
            self._hand_out(source, again)
            busy = [worker for worker in self._workers if worker.jobs]
            if not busy:
                return
            left = max(0.0, min(worker.until for worker in busy) - time.monotonic())
            ready = set(wait(busy, left))
            for worker in busy:
                if worker in ready:
                    yield from self._answers(worker, again)
                elif worker.until <= time.monotonic():
                    yield self._give_up(worker, again, f"took more than {ROW_S:g} s")

    def _hand_out(self, source: Iterator[Job], again: deque[Job]) -> None:
        """Give every idle worker something to do, and start one more while there is work."""
        idle = deque(worker for worker in self._workers if not worker.jobs)
        while idle or len(self._workers) < self.size:
            some: list[Job] = []
            while len(some) < CHUNK:
                found = again.popleft() if again else next(source, None)
                if found is None:
                    break
                some.append(found)
            if not some:
                return
            if not idle:
                self._workers.append(_Worker())
                idle.append(self._workers[-1])
            idle.popleft().give(some)

    def _answers(self, worker: _Worker, again: deque[Job]) -> Iterator[Verdict]:
        """Take the lines that a worker has written."""
        while worker.jobs:
            line = worker.child.receive(time.monotonic() + 1.0)
            if line is None:  # part of a line; the rest is on its way
                return
            if not line:
                yield self._give_up(worker, again, worker.child.end())
                return
            reply = msgspec.json.decode(line, type=Reply)
            if reply.refused:
                raise UserError(reply.refused)
            assert reply.verdict is not None
            worker.jobs.popleft()
            worker.fresh = False
            worker.until = time.monotonic() + ROW_S
            self._done += 1
            yield reply.verdict
            if not worker.child.waiting():
                return

    def _give_up(self, worker: _Worker, again: deque[Job], reason: str) -> Verdict:
        """Stop a worker; the job it was at is an error, the others are to be given out again."""
        self._drop([worker])
        lost = worker.jobs.popleft()
        again.extend(worker.jobs)
        self._lost += 1
        if self._lost >= MIN_LOST and self._lost > self._done:
            raise UserError(
                f"verifier {lost.verifier!r}: {self._lost} workers were lost for {self._done} "
                f"verdicts; the last {plain(reason)}, at trace {lost.trace.id}; mend that and run "
                "the same command again"
            )
        finding = Finding("error", rule="worker lost", detail=f"it {plain(reason)[:300]}")
        return verifiers.verdict(lost.problem, lost.trace, verifiers.get(lost.verifier), finding)
