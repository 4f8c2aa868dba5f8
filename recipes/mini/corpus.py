"""What the mini base model reads: single moves, never a composed search.

Each document shows the roads of one training-split problem and then unrelated exercises about them:
expand one place from a made-up state, look roads up, add two numbers, check one road, write down a
given answer, answer directly. No document holds two consecutive steps of a search, and no problem
of the dev or test split is ever drawn (`Roads.split` decides).
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from skythought import formats
from skythought.backends import symbolic
from skythought.tasks import toll_roads
from skythought.tasks.toll_roads import PLACES, Roads

Turn = tuple[str, str]  # instruction, response

MOVES = {
    "expand": 10,
    "look": 3,
    "trace": 2,
    "repeat": 1,
    "add": 4,
    "check": 3,
    "open": 1,
    "conclude": 1,
    "frame": 1,
    "answer": 1,
}
WARM_MOVES = {
    **{"expand": 8, "look": 6, "trace": 2, "repeat": 4, "add": 5, "check": 3},
    **{"open": 2, "conclude": 2, "frame": 2},
}


def expand(rng: random.Random, roads: Roads) -> Turn:
    """Visit one place; the state and the goal are made up and belong to no search."""
    place, out = rng.choice(roads.roads)
    total, others = rng.randint(0, 30), [p for p, _ in roads.roads if p != place]
    goal = place if rng.random() < 0.2 else rng.choice(others)
    n_kept = rng.choice((0, 1, 1, 2, 2, 3)) if out else rng.choice((1, 1, 2, 3))
    kept = [(p, rng.randint(0, 30)) for p in rng.sample(others, n_kept)]
    ask = f"You want {goal} and are at {place} with {total}."
    if kept:
        ask += " You kept " + ", ".join(f"{p} at {t}" for p, t in reversed(kept)) + "."
    if place == goal:
        said = symbolic.arrive(rng, place, total)
    else:
        sums = [total + toll for _, toll in out]
        said = symbolic.expand(rng, place, total, out, sums, kept, goal)[0]
    return f"{ask} Go on.", said


def look(rng: random.Random, roads: Roads) -> Turn:
    """Quote the roads of one place."""
    place, out = rng.choice(roads.roads)
    return f"Look up {place}.", toll_roads.row(place, out)


def trace(rng: random.Random, roads: Roads) -> Turn:
    """Quote the roads of the place that leads to another."""
    place, out = rng.choice(_forks(roads))
    return f"Look up what leads to {rng.choice(out)[0]}.", toll_roads.row(place, out)


def repeat(rng: random.Random, roads: Roads) -> Turn:
    """Copy a few places and numbers."""
    places = rng.sample(PLACES, rng.randint(2, 5))
    said = symbolic.join([f"{place} at {rng.randint(0, 40)}" for place in places])
    return f"Repeat {said}.", f"{said}."


def add(rng: random.Random, roads: Roads) -> Turn:
    """Add a few pairs of numbers."""
    pairs = [(rng.randint(0, 40), rng.randint(0, 9)) for _ in range(rng.randint(1, 3))]
    ask = "Add " + ", ".join(f"{a} and {b}" for a, b in pairs) + "."
    said = symbolic.join([f"{a} plus {b} is {a + b}" for a, b in pairs])
    return ask, f"{said}."


def check(rng: random.Random, roads: Roads) -> Turn:
    """Add the toll of one road again; the claimed total may be false."""
    before, out = rng.choice(_forks(roads))
    (place, toll), at = rng.choice(out), rng.randint(0, 30)
    again = at + toll
    claim = again if rng.random() < 0.7 else max(0, again + rng.choice((-10, -2, -1, 1, 2)))
    ask = f"Check that {before} at {at} leads to {place} at {claim}."
    return ask, symbolic.check(rng, before, out, at, toll, again, claim)


def _forks(roads: Roads) -> list[tuple[str, tuple[tuple[str, int], ...]]]:
    return [(place, out) for place, out in roads.roads if out]


def open_(rng: random.Random, roads: Roads) -> Turn:
    """Restate a question between any two places."""
    start, goal = rng.sample(PLACES, 2)
    ask = f"What is the toll from {start} to {goal}? Begin."
    return ask, symbolic.opening(rng, start, goal)


def conclude(rng: random.Random, roads: Roads) -> Turn:
    """Write a given answer down."""
    start, goal = rng.sample(PLACES, 2)
    total = rng.randint(0, 40)
    ask = f"The toll from {start} to {goal} is {total}. Write it down."
    return ask, formats.teach("", symbolic.solution(start, goal, total))


def frame(rng: random.Random, roads: Roads) -> Turn:
    """Put given pieces of text between the tags of a thought and a solution."""
    pieces = [f"{place} at {rng.randint(0, 40)}" for place in rng.sample(PLACES, rng.randint(2, 4))]
    ask = f"Write {', '.join(pieces[:-1])} as a thought and {pieces[-1]} as the solution."
    return ask, formats.teach("\n\n".join(f"{p}." for p in pieces[:-1]), f"{pieces[-1]}.")


def answer(rng: random.Random, roads: Roads) -> Turn:
    """Answer the question at once, without a thought."""
    total = sum(toll for _, toll in roads.way())
    ask = f"What is the toll from {roads.start} to {roads.goal}?"
    return ask, formats.teach("", symbolic.solution(roads.start, roads.goal, total))


WRITERS = {
    "expand": expand,
    "look": look,
    "trace": trace,
    "repeat": repeat,
    "add": add,
    "check": check,
    "open": open_,
    "conclude": conclude,
    "frame": frame,
    "answer": answer,
}


def documents(
    seed: int, n_moves: tuple[int, int] = (4, 8), moves: dict[str, int] = MOVES
) -> Iterator[list[Turn]]:
    """Yield endless documents: the roads with the first instruction, then unrelated exercises.

    `n_moves` is the fewest and the most exercises of a document, `moves` how often each kind comes.
    """
    rng = random.Random(f"mini corpus {seed}")
    names, weights = list(moves), list(moves.values())
    while True:
        roads = toll_roads.draw(rng)
        if roads.split() != "train":
            continue
        turns: list[Turn] = []
        for move in rng.choices(names, weights, k=rng.randint(*n_moves)):
            ask, said = WRITERS[move](rng, roads)
            turns.append((f"{roads.describe()} {ask}" if not turns else ask, said))
        yield turns
