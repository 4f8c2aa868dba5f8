"""Toll roads: find the only way through a small tree of one-way roads and add up its tolls.

    Elm: nothing. Oak: pine 3, ash 2. Pine: elm 4. Ash: fir 5. Fir: nothing. What is the toll from
    oak to fir?

The answer is a number below 50. It cannot be read off the prompt: the way has to be searched (most
branches are dead ends) and its tolls added one by one. Verified exactly. Problems are drawn from a
seed; the split a problem belongs to is a hash of the problem itself, so train, dev and test cannot
overlap whatever seeds are used.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence

import msgspec

from skythought.core.records import Problem, digest

PLACES = (
    *("oak", "pine", "elm", "ash", "fir", "yew", "birch", "cedar", "maple", "willow", "hazel"),
    *("alder", "beech", "larch", "rowan", "holly", "linden", "poplar", "spruce", "walnut"),
    *("acacia", "cherry", "laurel", "olive"),
)

SPLITS = {"test": range(0, 2), "dev": range(2, 4), "train": range(4, 16)}


def row(place: str, out: Sequence[tuple[str, int]]) -> str:
    """Write the roads of one place as the question has them."""
    return f"{place.capitalize()}: {', '.join(f'{to} {toll}' for to, toll in out) or 'nothing'}."


class Roads(msgspec.Struct, frozen=True):
    """A tree of one-way roads with tolls: `(place, ((next place, toll), ...))` for every place."""

    roads: tuple[tuple[str, tuple[tuple[str, int], ...]], ...]
    start: str
    goal: str

    def describe(self) -> str:
        """Write the roads as they stand in the prompt, without the question."""
        return " ".join(row(place, out) for place, out in self.roads)

    def question(self) -> str:
        """Write the whole prompt."""
        return f"{self.describe()} What is the toll from {self.start} to {self.goal}?"

    def way(self) -> list[tuple[str, int]]:
        """List the places after the start on the way to the goal, with the toll of each road."""
        into = {to: (place, toll) for place, out in self.roads for to, toll in out}
        found: list[tuple[str, int]] = []
        place = self.goal
        while place != self.start:
            before, toll = into[place]
            found.append((place, toll))
            place = before
        return found[::-1]

    def split(self) -> str:
        """Name the split this problem belongs to; the order of listing does not matter."""
        edges = sorted((place, to, toll) for place, out in self.roads for to, toll in out)
        bucket = int(digest(edges, self.start, self.goal), 16) % 16
        return next(name for name, buckets in SPLITS.items() if bucket in buckets)


def draw(rng: random.Random, places: int = 7) -> Roads:
    """Draw one problem: a tree of `places` nodes, the goal three roads from the start.

    Every place has at most two roads out, and at least one branch that leads nowhere is visited
    before the goal by a search that takes roads in the order listed.
    """
    while True:
        names = rng.sample(PLACES, places)
        out: dict[str, list[tuple[str, int]]] = {names[0]: []}
        depth = {names[0]: 0}
        for name in names[1:]:
            parent = rng.choice([p for p in out if len(out[p]) < 2 and depth[p] < 4])
            out[parent].append((name, rng.randint(1, 9)))
            out[name] = []
            depth[name] = depth[parent] + 1
        for roads in out.values():
            rng.shuffle(roads)
        visits = _visits(out, names[0])
        goals = [g for i, g in enumerate(visits) if depth[g] == 3 and 4 <= i <= 5]
        if not goals:
            continue
        order = names[:]
        rng.shuffle(order)
        return Roads(
            roads=tuple((name, tuple(out[name])) for name in order),
            start=names[0],
            goal=rng.choice(goals),
        )


def _visits(out: dict[str, list[tuple[str, int]]], start: str) -> list[str]:
    """List places in the order a depth-first search visits them."""
    seen: list[str] = []
    stack = [start]
    while stack:
        place = stack.pop()
        seen.append(place)
        stack += [to for to, _ in reversed(out[place])]
    return seen


def read(question: str) -> Roads:
    """Read a prompt back into `Roads`.

    Raises:
        ValueError: the text is not a toll-roads question.
    """
    ask = re.search(r"What is the toll from (\w+) to (\w+)\?", question)
    rows = re.findall(r"(\w+): ([^.]*)\.", question)
    if ask is None or not rows:
        raise ValueError(f"not a toll-roads question: {question[:80]!r}")
    roads = tuple(
        (place.lower(), tuple((to, int(toll)) for to, toll in re.findall(r"(\w+) (\d+)", out)))
        for place, out in rows
    )
    return Roads(roads=roads, start=ask[1], goal=ask[2])


def inspect(question: str, thought: str) -> dict[str, tuple[int, int]]:
    """Count what a thought got right besides the answer: the search, and the additions.

    Returns:
        in_order: (1, 1) if exactly the places were visited that a depth-first search visits, in its
            order, otherwise (0, 1). additions_true: how many of all "a plus b is c" are true.

    Raises:
        ValueError: the question is not of this task.
    """
    roads = read(question)
    visits = _visits({p: list(out) for p, out in roads.roads}, roads.start)
    visits = visits[: visits.index(roads.goal) + 1]
    sums = re.findall(r"(\d+) plus (\d+) is (\d+)", thought)
    return {
        "in_order": (int(re.findall(r"\bI am at (\w+)", thought) == visits), 1),
        "additions_true": (sum(int(a) + int(b) == int(c) for a, b, c in sums), len(sums)),
    }


def load(split: str, *, seed: int = 0, **_: object) -> Iterator[Problem]:
    """Yield endless distinct problems of one split, the same for the same seed."""
    rng = random.Random(f"toll_roads {split} {seed}")
    seen: set[str] = set()
    while True:
        roads = draw(rng)
        question = roads.question()
        if roads.split() != split or question in seen:
            continue
        seen.add(question)
        total = sum(toll for _, toll in roads.way())
        yield Problem(
            id=f"toll_roads-{split}-{digest(question)}",
            task="toll_roads",
            question=question,
            answer=str(total),
        )
