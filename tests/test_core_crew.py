"""skythought/core/crew.py: every item once, whichever workers are lost and when.

Here a stand-in for Ray runs the workers in this process and loses them where a test says so;
tests/test_backends_ray.py has the real one, and real nodes.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skythought.core import crew
from skythought.core.crew import Crew, Report, Turn
from skythought.core.errors import UserError


class Lost(Exception):
    """A worker or its node is gone."""


class Broken(Exception):
    """A worker raised an error of ours."""


class Done(NamedTuple):
    id: str
    by: int


class Worker:
    """Finishes some of what it has in each turn, in no order."""

    made = 0

    def __init__(self, says: str = "same", room: int = 4) -> None:
        Worker.made += 1
        self.number, self.says, self.room = Worker.made, says, room
        self.inside: list[str] = []
        self.rng = random.Random(self.number)

    def start(self) -> Report:
        if self.says == "broken":
            return Report(failure="no model here")
        if self.says == "old":
            return Report("same", version="0.0.1")
        return Report(self.says if self.says == "same" else f"{self.number}", self.room)

    def turn(self, items: list[str], *context: Any) -> Turn:
        assert context == ("context",)
        assert len(self.inside) + len(items) <= self.room
        self.inside.extend(items)
        self.rng.shuffle(self.inside)
        some = self.rng.randint(0, len(self.inside))
        finished, self.inside = self.inside[:some], self.inside[some:]
        return Turn([Done(key, self.number) for key in finished], self._failure(finished))

    def _failure(self, finished: list[str]) -> str:
        return "the disk is gone" if "bad" in finished else ""


class Poisoned(Worker):
    """Is lost whenever it gets a certain item."""

    def turn(self, items: list[str], *context: Any) -> Turn:
        if "poison" in items:
            raise Lost("The actor died\nThe actor is dead because its node has died.")
        return super().turn(items, *context)


class Nearly:
    """As much of Ray as a crew uses; each call is made when it is waited for."""

    exceptions = SimpleNamespace(RayTaskError=Broken, RayError=(Lost, Broken))

    def __init__(self, lose: frozenset[int] = frozenset(), cpus: int = 4, told: str = "") -> None:
        self.lose, self.cpus, self.calls = lose, cpus, 0
        self.told = told or "The actor died\n\tclass: x\nIt is dead because its node has died."
        self.rng = random.Random(0)
        self.killed: list[Any] = []
        self.ready = True

    def nodes(self) -> list[dict[str, Any]]:
        return [{"Alive": True, "Resources": {"CPU": self.cpus}}]

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": self.cpus}

    def remote(self, **options: Any) -> Any:
        self.options = options
        return lambda kind: SimpleNamespace(remote=lambda *args: Handle(kind(*args)))

    def wait(self, refs: list[Any], num_returns: int, timeout: float) -> tuple[list[Any], Any]:
        assert refs, "nothing to wait for: this would last for ever"
        return ([self.rng.choice(refs)] if self.ready else [], [])

    def get(self, ref: Any) -> Any:
        self.calls += 1
        ref.handle.dead = ref.handle.dead or self.calls in self.lose
        if ref.handle.dead:
            raise Lost(self.told)
        return ref.call()

    def kill(self, handle: Any) -> None:
        self.killed.append(handle)


class Handle:
    def __init__(self, worker: Worker) -> None:
        self.worker, self.dead = worker, False

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.worker, name)
        return SimpleNamespace(remote=lambda *args: Ref(self, lambda: method(*args)))


class Ref:
    def __init__(self, handle: Handle, call: Any) -> None:
        self.handle, self.call = handle, call


def hire(ray: Nearly, kind: type = Worker, args: tuple[Any, ...] = (), **options: Any) -> Crew:
    return Crew(ray, "test", kind, args, **{"size": 2, **options})


def items(n: int) -> list[str]:
    return [f"i{number}" for number in range(n)]


def work(made: Crew, wanted: list[str]) -> Iterator[Done]:
    return made.work(iter(wanted), len(wanted), str, "context")


@given(
    n=st.integers(0, 60),
    size=st.integers(1, 5),
    room=st.integers(1, 70),
    lose=st.frozensets(st.integers(1, 40), max_size=crew.LOST + 1),
)
def test_every_item_is_done_once(n: int, size: int, room: int, lose: frozenset[int]) -> None:
    """A worker that is lost takes with it what it finished and had not given back."""
    ray = Nearly(lose)
    made = hire(ray, args=("same", room), size=size)
    found = [done.id for done in work(made, items(n))]
    assert sorted(found) == sorted(items(n))
    again = [done.id for done in work(made, items(3))]  # the crew is kept for the next call
    assert sorted(again) == sorted(items(3))


def test_all_share_the_work() -> None:
    found = list(work(hire(Nearly(), args=("same", 64), size=3), items(90)))
    counts = [sum(done.by == number for done in found) for number in {done.by for done in found}]
    assert len(counts) == 3
    assert min(counts) > 10


def test_items_are_taken_as_there_is_room() -> None:
    taken: list[str] = []

    def source() -> Iterator[str]:
        for key in items(1000):
            taken.append(key)
            yield key

    answers = hire(Nearly(), size=2).work(source(), 1000, str, "context")
    for count, _ in zip(range(50), answers, strict=False):
        assert len(taken) <= count + 1 + 2 * 2 * 4


def test_a_lost_worker_is_told_and_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    ray = Nearly(frozenset([6]))
    assert len(list(work(hire(ray), items(30)))) == 30
    told = " ".join(capsys.readouterr().err.split())
    assert "is lost (It is dead because its node has died.); what it had goes to others: " in told
    assert len(ray.killed) == 1


def test_an_item_that_loses_workers_ends_the_work() -> None:
    wanted = [*items(20), "poison", *items(40)[20:]]
    found: list[str] = []

    def take() -> None:
        for done in work(hire(Nearly(), Poisoned, ("same", 1)), wanted):
            found.append(done.id)

    told = r"test: 6 workers were lost and nothing was finished between; .*node has died.; what"
    with pytest.raises(UserError, match=told):
        take()
    assert set(found) <= set(items(40))
    assert len(found) == len(set(found)) >= 39  # one may have been at the other worker


def test_a_failure_keeps_what_was_finished_and_ends_the_crew() -> None:
    ray = Nearly()
    made = hire(ray)
    found: list[str] = []

    def take() -> None:
        for done in work(made, [*items(10), "bad", *items(40)[10:]]):
            found.append(done.id)

    with pytest.raises(UserError, match=r"^test, node .+: the disk is gone$"):
        take()
    assert "bad" in found
    assert len(ray.killed) == 2
    assert sorted(done.id for done in work(made, items(5))) == items(5)


def test_what_is_given_up_does_not_come_back() -> None:
    ray = Nearly()
    made = hire(ray)
    answers = work(made, items(30))
    next(answers)
    answers.close()  # type: ignore[attr-defined]
    assert sorted(done.id for done in work(made, [f"n{i}" for i in range(9)])) == [
        f"n{i}" for i in range(9)
    ]


def test_mistakes_of_ours_are_raised() -> None:
    class Wrong(Worker):
        def turn(self, items: list[str], *context: Any) -> Turn:
            raise Broken("list index out of range")

    with pytest.raises(Broken):
        list(work(hire(Nearly(), Wrong), items(3)))


@pytest.mark.parametrize(
    ("ray", "args", "options", "told"),
    [
        (Nearly(), ("broken",), {}, r"test, node .+: no model here"),
        (Nearly(), ("old",), {}, r"has skythought 0\.0\.1, this process .+; install the same"),
        (Nearly(), ("other",), {"size": 3}, r"has \d+, another node \d+; put the same model"),
        (Nearly(cpus=1), (), {"cpus": 2}, r"needs 2 CPUs and 0 GPUs on one node, .* give less"),
        (Nearly(), (), {"gpus": 1}, r"1 GPUs .* \(1 node with 4 CPUs and 0 GPUs\); give gpus=0"),
        (
            Nearly(frozenset([1]), told="died in its creation task\nNo module named 'skythought'"),
            (),
            {},
            r"no worker can be made on a node: No module named 'skythought'; install the same",
        ),
    ],
)
def test_what_cannot_start_is_one_line(
    ray: Nearly, args: tuple[Any, ...], options: dict[str, Any], told: str
) -> None:
    with pytest.raises(UserError, match=told) as caught:
        list(work(hire(ray, args=args, **options), items(50)))
    assert "\n" not in str(caught.value)


def test_nothing_ready_in_time() -> None:
    ray = Nearly()
    ray.ready = False
    with pytest.raises(UserError, match=r"test: nothing is ready after 0 s \(1 node with 4 CPUs"):
        hire(ray, wait=0)
