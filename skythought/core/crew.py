"""Processes on the nodes of a Ray cluster that work in turns; any may be lost at any time.

    crew = Crew(ray, "ray backend", Replica, (inner, model), size=4, gpus=1)
    for answer in crew.work(requests, len(requests), key_of, sampling): ...

A worker is an actor with two methods: `start()` gives a `Report`; `turn(items, *context)` takes
items in, works until something is finished, and gives a `Turn`. What is finished has the `id` of
its item. When a worker is lost, what it had is given to others; nothing that came back is done
again, and nothing counts twice.
"""

from __future__ import annotations

import math
import platform
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from skythought import __version__
from skythought.core import cluster, progress
from skythought.core.errors import UserError, first_line, plain

AHEAD = 2  # turns at a worker at once: one at work, one ready to follow
LOST = 3  # workers lost one after another, more than there are, with nothing finished between
ROOM = 64  # items at a worker that does not say how many it wants


class Report(NamedTuple):
    """What a worker says once it is ready."""

    identity: str = ""  # must be the same on every node
    room: int = ROOM  # items it wants at once
    failure: str = ""  # why it is not ready
    node: str = platform.node()
    version: str = __version__


class Turn(NamedTuple):
    """What a turn brought."""

    finished: list[Any]
    failure: str = ""  # why there will be no more


@dataclass(eq=False)
class _Worker:
    """A worker as seen from here."""

    actor: Any
    report: Any  # reference to what it says once it is ready
    began: float
    ready: bool = False
    node: str = ""
    room: int = 0
    held: dict[str, Any] = field(default_factory=dict)  # items that are there
    turns: deque[Any] = field(default_factory=deque)  # references to turns, oldest first

    def next(self) -> Any:
        """Give the reference that will be there first; None where there is none."""
        if not self.ready:
            return self.report
        return self.turns[0] if self.turns else None


class Crew:
    """Workers on the nodes of a cluster; the first is ready when this is made.

    Args:
        ray: the module, connected (`cluster.connect`).
        name: what messages begin with.
        kind: class of the workers, made with `args` on each node.
        size: how many workers.
        cpus: CPUs of each.
        gpus: GPUs of each.
        room: items at a worker at once; 0 is as many as it wants.
        wait: seconds until the first must be ready.

    Raises:
        UserError: no node is large enough, none is ready in time, or a worker cannot start.
    """

    def __init__(
        self,
        ray: Any,
        name: str,
        kind: type,
        args: tuple[Any, ...],
        *,
        size: int,
        cpus: float = 1,
        gpus: float = 0,
        room: int = 0,
        wait: float = 1800,
    ) -> None:
        self.ray, self.name, self.args, self.size = ray, name, args, size
        self.cpus, self.gpus, self.room, self.wait = cpus, gpus, room, wait
        self.identity = ""
        self.lost = 0  # since something was finished
        self.workers: list[_Worker] = []
        self.again: deque[Any] = deque()  # items of workers that are lost
        if not cluster.fits(ray, cpus, gpus):
            todo = "give gpus=0 to do without" if gpus else "give less"
            raise UserError(
                f"{name}: one worker needs {cpus:g} CPUs and {gpus:g} GPUs on one node, and none "
                f"has them ({cluster.described(ray)}); {todo}"
            )
        options = {"num_cpus": cpus, "num_gpus": gpus, "scheduling_strategy": "SPREAD"}
        self.kind = ray.remote(max_restarts=0, **options)(kind)
        while not any(worker.ready for worker in self.workers):
            self._fill()
            self._look()

    def work(
        self, items: Iterable[Any], n: int, key: Callable[[Any], str], *context: Any
    ) -> Iterator[Any]:
        """Yield what is finished of `n` items, as it comes; `key` gives the id of an item.

        Raises:
            UserError: a worker says that it cannot go on, or too many are lost.
        """
        source, done = iter(items), 0
        try:
            while True:
                self._fill()
                more = self._feed(source, math.ceil((n - done) / self.size), key, context)
                if not (more or self._held()):
                    return
                finished, failure = self._look()
                done += len(finished)
                yield from finished
                if failure:
                    raise UserError(failure)
        finally:
            if self._held():  # given up: what is still there must not come back to the next call
                self.close()

    def close(self) -> None:
        """End all workers."""
        for worker in self.workers:
            self.ray.kill(worker.actor)
        self.workers = []
        self.again.clear()

    def _held(self) -> int:
        return sum(len(worker.held) for worker in self.workers)

    def _fill(self) -> None:
        """Start workers in place of those that are missing."""
        while len(self.workers) < self.size:
            actor = self.kind.remote(*self.args)
            self.workers.append(_Worker(actor, actor.start.remote(), time.monotonic()))

    def _feed(
        self,
        source: Iterator[Any],
        share: int,
        key: Callable[[Any], str],
        context: tuple[Any, ...],
    ) -> bool:
        """Give each worker its share, no more than it has room for; False once nothing is left."""
        more = True
        for worker in self.workers:
            while worker.ready and len(worker.turns) < AHEAD:
                new: dict[str, Any] = {}
                while len(worker.held) + len(new) < min(worker.room, max(1, share)):
                    item = next(source, None)
                    if item is None and self.again:  # last, because one of these may be the reason
                        item = self.again.popleft()
                    if item is None:
                        break
                    new[key(item)] = item
                if not new and not worker.held:
                    more = False
                    break
                worker.held |= new
                worker.turns.append(worker.actor.turn.remote([*new.values()], *context))
        return more

    def _look(self) -> tuple[list[Any], str]:
        """Wait a moment until a worker says something; gives what is finished, and any failure."""
        waiting = {ref: worker for worker in self.workers if (ref := worker.next()) is not None}
        ready, _ = self.ray.wait([*waiting], num_returns=1, timeout=1)
        if not ready:
            self._refuse_to_wait_longer()
            return [], ""
        worker = waiting[ready[0]]
        try:
            said = self.ray.get(ready[0])
        except self.ray.exceptions.RayTaskError:  # a mistake of ours, made on the node
            raise
        except self.ray.exceptions.RayError as error:
            self._let_go(worker, error)
            return [], ""
        if isinstance(said, Report):
            self._join(worker, said)
            return [], ""
        worker.turns.popleft()
        finished = [found for found in said.finished if worker.held.pop(found.id, None) is not None]
        if finished:
            self.lost = 0
        return finished, f"{self.name}, node {worker.node}: {said.failure}" if said.failure else ""

    def _join(self, worker: _Worker, report: Report) -> None:
        """Let a worker take part that says it is ready.

        Raises:
            UserError: it cannot start, or it is not like the others.
        """
        where = f"{self.name}, node {report.node}"
        if report.failure:
            raise UserError(f"{where}: {report.failure}")
        if report.version != __version__:
            raise UserError(
                f"{where}: has skythought {report.version}, this process {__version__}; install "
                "the same on every node"
            )
        if self.identity and report.identity != self.identity:
            raise UserError(
                f"{where}: has {report.identity}, another node {self.identity}; put the same model "
                "on every node"
            )
        self.identity = report.identity
        worker.ready, worker.node = True, report.node
        worker.room = self.room or report.room

    def _let_go(self, worker: _Worker, error: Exception) -> None:
        """Keep what a lost worker had for others.

        Raises:
            UserError: it could not even be made, or too many were lost.
        """
        self.workers.remove(worker)
        self.ray.kill(worker.actor)  # it may only be out of reach
        self.lost += 1
        reason = _reason(error)
        if "creation task" in str(error):
            raise UserError(
                f"{self.name}: no worker can be made on a node: {reason}; install the same "
                "skythought, with what this needs, on every node"
            )
        if self.lost > self.size + LOST:
            raise UserError(
                f"{self.name}: {self.lost} workers were lost and nothing was finished between; the "
                f"last: {reason}; what was finished is kept, and the same command goes on"
            )
        progress.say(
            f"{self.name}: a worker on node {worker.node or '(starting)'} is lost ({reason}); what "
            f"it had goes to others: {len(worker.held):,}"
        )
        self.again.extend(worker.held.values())

    def _refuse_to_wait_longer(self) -> None:
        if any(worker.ready for worker in self.workers):
            return
        if time.monotonic() - min(worker.began for worker in self.workers) > self.wait:
            raise UserError(
                f"{self.name}: nothing is ready after {self.wait:g} s "
                f"({cluster.described(self.ray)}); free some of it, or wait longer"
            )


def _reason(error: Exception) -> str:
    """Give in one line why a worker is lost, out of the many that Ray writes."""
    lines = [line.strip() for line in plain(str(error)).splitlines() if line.strip()]
    if "creation task" in str(error):
        return lines[-1]
    return next((line for line in lines if "because" in line), first_line(error))
