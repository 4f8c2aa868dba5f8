"""What the mini base model reads: single moves, never a composed search.

Each document shows the roads of one training-split problem and then unrelated exercises about
them: visit one place from a made-up state, walk on to a few places drawn at random, look roads up,
add two numbers, check one sum, write down a given answer, answer directly. No document holds a
search: a walk has no plan, starts anywhere and never arrives. No problem of the dev or test split
is ever drawn (`Roads.split` decides).
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from skythought.backends import symbolic
from skythought.core import formats
from skythought.tasks import toll_roads
from skythought.tasks.toll_roads import PLACES, Roads

Turn = tuple[str, str]  # instruction, response

MOVES = {
    "expand": 4,
    "walk": 5,
    "look": 2,
    "repeat": 1,
    "add": 4,
    "check": 3,
    "open": 1,
    "conclude": 1,
    "frame": 1,
    "answer": 1,
}
WARM_MOVES = {
    **{"expand": 8, "look": 6, "repeat": 4, "add": 5, "check": 3},
    **{"open": 2, "conclude": 2, "frame": 2},
}


def expand(rng: random.Random, roads: Roads, n_steps: int = 1) -> list[Turn]:
    """Visit a place from a made-up state, and go on to any place that is open."""
    roads_of = dict(roads.roads)
    place, total = rng.choice(list(roads_of)), rng.randint(0, 30)
    goal = place if n_steps == 1 and rng.random() < 0.2 else rng.choice(list(roads_of))
    elsewhere = sorted(set(roads_of) - _below(roads_of, place))
    n_kept = min(len(elsewhere), rng.choice((0, 1, 1, 2, 2, 3) if roads_of[place] else (1, 2, 3)))
    kept = [(p, rng.randint(0, 30)) for p in rng.sample(elsewhere, n_kept)]
    ask = f"You start at {place} at {total} and want {goal}."
    if kept:
        ask += " You kept " + ", ".join(f"{p} at {t}" for p, t in reversed(kept)) + "."
    if place == goal:
        return [(f"{ask} Go on.", symbolic.arrive(rng, place, total))]
    steps: list[str] = []
    checks: list[Turn] = []
    # A walk ends early at the goal, where nothing is open, and where it has been before.
    while len(steps) < n_steps and place != goal and (kept or roads_of.get(place)):
        out = roads_of.pop(place, None)
        if out is None:
            break
        sums = [total + toll for _, toll in out]
        for (to, toll), then in zip(out, sums, strict=True):
            again = symbolic.check(rng, to, total, toll, then, then)
            checks.append((f"Check {to} at {then}.", again))
        pick = rng.randrange(len(kept) + len(out))
        said, kept = symbolic.expand(rng, place, total, out, sums, kept, goal, pick)
        steps.append(said)
        place, total = kept.pop()
    if not steps:  # the made-up state was a dead end with nothing kept
        return look(rng, roads)
    turns = [(f"{ask}{' Go on.' * len(steps)}", "\n\n".join(steps))]
    return turns + (rng.sample(checks, 1) if n_steps > 1 and checks else [])


def _below(roads_of: dict[str, tuple[tuple[str, int], ...]], place: str) -> set[str]:
    """List a place and everything that can be reached from it."""
    return {place}.union(*(_below(roads_of, to) for to, _ in roads_of[place]))


def walk(rng: random.Random, roads: Roads) -> list[Turn]:
    """Visit two to four places, each drawn from those open after the one before; check a total."""
    return expand(rng, roads, rng.randint(2, 4))


def look(rng: random.Random, roads: Roads) -> list[Turn]:
    """Quote the roads of one place."""
    place, out = rng.choice(roads.roads)
    return [(f"Look up {place}.", toll_roads.row(place, out))]


def repeat(rng: random.Random, roads: Roads) -> list[Turn]:
    """Copy a few places and numbers."""
    places = rng.sample(PLACES, rng.randint(2, 5))
    said = symbolic.join([f"{place} at {rng.randint(0, 40)}" for place in places])
    return [(f"Repeat {said}.", f"{said}.")]


def add(rng: random.Random, roads: Roads) -> list[Turn]:
    """Add a few pairs of numbers."""
    pairs = [(rng.randint(0, 40), rng.randint(0, 9)) for _ in range(rng.randint(1, 3))]
    ask = "Add " + ", ".join(f"{a} and {b}" for a, b in pairs) + "."
    said = symbolic.join([f"{a} plus {b} is {a + b}" for a, b in pairs])
    return [(ask, f"{said}.")]


def check(rng: random.Random, roads: Roads) -> list[Turn]:
    """Do one addition again; the claimed total may be false."""
    place, at, toll = rng.choice(PLACES), rng.randint(0, 30), rng.randint(1, 9)
    again = at + toll
    claim = again if rng.random() < 0.6 else max(0, again + rng.choice((-10, -2, -1, 1, 2)))
    ask = f"They say {symbolic.said_sum(place, at, toll, claim)}. Check {place} at {claim}."
    return [(ask, symbolic.check(rng, place, at, toll, again, claim))]


def open_(rng: random.Random, roads: Roads) -> list[Turn]:
    """Restate a question between any two places."""
    start, goal = rng.sample(PLACES, 2)
    ask = f"What is the toll from {start} to {goal}? Begin."
    return [(ask, symbolic.opening(rng, start, goal))]


def conclude(rng: random.Random, roads: Roads) -> list[Turn]:
    """Write a given answer down."""
    start, goal = rng.sample(PLACES, 2)
    total = rng.randint(0, 40)
    ask = f"The toll from {start} to {goal} is {total}. Write it down."
    return [(ask, formats.teach("", symbolic.solution(start, goal, total)))]


def frame(rng: random.Random, roads: Roads) -> list[Turn]:
    """Put given pieces of text between the tags of a thought and a solution."""
    pieces = [f"{place} at {rng.randint(0, 40)}" for place in rng.sample(PLACES, rng.randint(2, 4))]
    ask = f"Write {', '.join(pieces[:-1])} as a thought and {pieces[-1]} as the solution."
    return [(ask, formats.teach("\n\n".join(f"{p}." for p in pieces[:-1]), f"{pieces[-1]}."))]


def answer(rng: random.Random, roads: Roads) -> list[Turn]:
    """Answer the question at once, without a thought."""
    total = sum(toll for _, toll in roads.way())
    ask = f"What is the toll from {roads.start} to {roads.goal}?"
    return [(ask, formats.teach("", symbolic.solution(roads.start, roads.goal, total)))]


WRITERS = {
    "expand": expand,
    "walk": walk,
    "look": look,
    "repeat": repeat,
    "add": add,
    "check": check,
    "open": open_,
    "conclude": conclude,
    "frame": frame,
    "answer": answer,
}


def documents(
    seed: int, n_moves: tuple[int, int] = (3, 7), moves: dict[str, int] = MOVES
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
        moves_drawn = rng.choices(names, weights, k=rng.randint(*n_moves))
        turns = [turn for move in moves_drawn for turn in WRITERS[move](rng, roads)]
        ask, said = turns[0]
        yield [(f"{roads.describe()} {ask}", said), *turns[1:]]
