"""An embedded teacher that needs no model: it searches a toll-roads problem and narrates it.

    I need the toll from oak to fir. I follow the roads and add up the tolls. I start at oak ...
    <blank line>
    Now I am at oak with a total of 0, and I want fir. Oak: pine 3, ash 2. So for pine 0 plus ...

The thought is a depth-first search written down in full: expansions, dead ends, going back to what
was kept, a final check that adds the last toll again. Like any teacher it slips: an addition goes
wrong with probability `slip`, the slip is carried on, and the final check finds some slips and
overlooks others. So there are wrong answers to reject, and corrected ones to keep. The wording
varies from sample to sample.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from skythought.backends import cut
from skythought.core import formats
from skythought.core.errors import UserError, unknown
from skythought.core.records import Completion, Request, Sampling, digest
from skythought.tasks import toll_roads
from skythought.tasks.toll_roads import Roads, row

STYLES = ("long", "short")

Open = list[tuple[str, int]]  # places seen but not visited, with their totals; the last is next


class SymbolicTeacher:
    """Answers toll-roads questions with long chains of thought.

    Args:
        model: ignored; there is only one.
        slip: probability that one addition comes out wrong.
        overlook: probability that the final check repeats a slip instead of finding it.
        style: "long" narrates the search as a thought; "short" writes only a worked solution, as an
            ordinary instruct model would.
    """

    own_samples = True

    def __init__(
        self, model: str = "", slip: float = 0.03, overlook: float = 0.6, style: str = "long"
    ) -> None:
        if style not in STYLES:
            raise unknown("style", style, STYLES)
        self.slip, self.overlook, self.style = float(slip), float(overlook), style
        for name, value in (("slip", self.slip), ("overlook", self.overlook)):
            if not 0 <= value <= 1:
                raise UserError(f"{name}={value:g}: give a probability from 0 to 1")
        self.identity = f"symbolic@5 {style} slip={self.slip:g} overlook={self.overlook:g}"

    def complete(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[Completion]:
        """Yield one narrated search per request; a question of another task is an error."""
        for request in requests:
            question = request.messages[-1].content
            rng = random.Random(digest(question, request.sample, sampling.seed))
            try:
                roads = read(question)
            except ValueError as error:
                yield Completion(id=request.id, text="", finish="error", error=str(error))
                continue
            steps, total = (
                self.think(roads, rng) if self.style == "long" else self.solve(roads, rng)
            )
            answer = solution(roads.start, roads.goal, total)
            if self.style == "short":
                steps, answer = [], f"{steps[0]} {answer}"
            text = formats.teach("\n\n".join(steps), answer)
            text, finish, n_words = cut(text, sampling.max_tokens)
            yield Completion(id=request.id, text=text, finish=finish, completion_tokens=n_words)

    def think(self, roads: Roads, rng: random.Random) -> tuple[list[str], int]:
        """Search one problem; returns the steps and the total the teacher believes in."""
        out = dict(roads.roads)
        steps = [opening(rng, roads.start, roads.goal)]
        place, total = roads.start, 0
        kept: Open = []
        came: dict[str, tuple[int, int]] = {}  # to -> total before, toll of the road
        while place != roads.goal:
            roads_out = out.get(place, ())
            sums = [self.add(rng, total, toll) for _, toll in roads_out]
            came |= {to: (total, toll) for to, toll in roads_out}
            text, kept = expand(rng, place, total, roads_out, sums, kept, roads.goal)
            steps.append(text)
            place, total = kept.pop()
        steps.append(arrive(rng, place, total))
        at, toll = came[place]
        again = self.add(rng, at, toll)
        if at + toll != total and rng.random() < self.overlook:
            again = total
        steps.append(check(rng, place, at, toll, again, total))
        return steps, again

    def solve(self, roads: Roads, rng: random.Random) -> tuple[list[str], int]:
        """Work one problem out in a single sentence, without any search."""
        way = roads.way()
        sums = [way[0][1]]
        for _, toll in way[1:]:
            sums.append(self.add(rng, sums[-1], toll))
        return [f"{_route(roads.start, way)} {_sums(way, sums)}"], sums[-1]

    def add(self, rng: random.Random, a: int, b: int) -> int:
        """Add, and sometimes slip."""
        if rng.random() < self.slip:
            return max(0, a + b + rng.choice([-2, -1, 1, 2, 10]))
        return a + b


def read(question: str) -> Roads:
    """Read a question, and refuse one the search would not end on.

    Raises:
        ValueError: not a toll-roads question, or its roads are no tree that leads to the goal.
    """
    roads = toll_roads.read(question)
    into = {to: place for place, out in roads.roads for to, _ in out}
    place, n_roads = roads.goal, 0
    while place != roads.start and place in into and n_roads <= len(into):
        place, n_roads = into[place], n_roads + 1
    tree = (
        len(into) == sum(len(out) for _, out in roads.roads)
        and len(dict(roads.roads)) == len(roads.roads)
        and roads.start not in into
    )
    if place != roads.start or not n_roads or not tree:
        raise ValueError(f"no single way from {roads.start} to {roads.goal}: {question[:80]!r}")
    return roads


def join(parts: Sequence[str]) -> str:
    """Write a list as people do: a, b and c."""
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def opening(rng: random.Random, start: str, goal: str) -> str:
    """Restate the question and say how to go about it."""
    plan = rng.choice(
        (
            "I follow the roads and add up the tolls.",
            "I will try the roads in order and keep the total.",
        )
    )
    return (
        f"I need the toll from {start} to {goal}. {plan} I start at {start} at 0 and want {goal}."
    )


def expand(
    rng: random.Random,
    place: str,
    total: int,
    out: Sequence[tuple[str, int]],
    sums: Sequence[int],
    kept: Open,
    goal: str,
    pick: int = -1,
) -> tuple[str, Open]:
    """Visit a place: look up its roads, add the tolls, go on to one of the open places.

    `pick` says which of them: the last, as a depth-first search does, or another index.

    Returns the step and the open places after it; the last of them is visited next.
    """
    seen = f"{here(rng, place, total, goal)} {row(place, out)}"
    opened = [*kept, *((to, s) for (to, _), s in zip(out[::-1], sums[::-1], strict=True))]
    to, at = opened.pop(pick)
    keep = join([f"{p} at {t}" for p, t in reversed(opened)]) if opened else ""
    if not out:
        rest = join([f"{p} at {t}" for p, t in reversed(kept)])
        dead = rng.choice(
            (
                "Wait, this is a dead end.",
                "But no road leaves this place.",
                "Hmm, I cannot go on from here.",
            )
        )
        back = rng.choice(
            (
                f"I still have {rest}. I go back to {to} at {at}.",
                f"I kept {rest}. So I turn back to {to} at {at}.",
            )
        )
        return f"{seen} {dead} {back}", [*opened, (to, at)]
    adds = join([said_sum(p, total, toll, s) for (p, toll), s in zip(out, sums, strict=True)])
    go = rng.choice((f"I go to {to} at {at}", f"I take the road to {to} at {at}"))
    end = f"{go} and keep {keep}." if keep else f"{go}."
    return f"{seen} So {adds}. {end}", [*opened, (to, at)]


def said_sum(place: str, total: int, toll: int, then: int) -> str:
    """Say what the toll of one more road, to `place`, adds up to."""
    return f"for {place} {total} plus {toll} is {then}"


def here(rng: random.Random, place: str, total: int, goal: str) -> str:
    """Say where the search is and where it wants to go."""
    return rng.choice(
        (
            f"Now I am at {place} with a total of {total}, and I want {goal}.",
            f"I am at {place}, so far the total is {total}, and I look for {goal}.",
        )
    )


def arrive(rng: random.Random, goal: str, total: int) -> str:
    """Notice that the goal is reached."""
    end = rng.choice(
        (
            f"This is where I wanted to go, so the search ends with {total}.",
            f"That is the place I was asked for, so the toll should be {total}.",
        )
    )
    return f"{here(rng, goal, total, goal)} {end}"


def check(rng: random.Random, place: str, at: int, toll: int, again: int, total: int) -> str:
    """Add the toll of the road to `place` again, and compare with its total."""
    begin = rng.choice(("Wait, let me check", "Hmm, let me verify"))
    if again == total:
        end = rng.choice((f"That agrees, so the toll is {total}.", f"Yes, the toll is {total}."))
    else:
        end = f"But that is not {total}, so I made a mistake before. The toll is {again}."
    return f"{begin} {place} at {total}: {said_sum(place, at, toll, again)}. {end}"


def _route(start: str, way: Sequence[tuple[str, int]]) -> str:
    places = join([start, *(to for to, _ in way)])
    tolls = join([f"{toll} to {to}" for to, toll in way])
    return f"The way is {places}. The tolls are {tolls}."


def _sums(way: Sequence[tuple[str, int]], sums: Sequence[int]) -> str:
    if len(way) == 1:
        return "There is nothing to add."
    adds = join(
        [
            f"{before} plus {toll} is {after}"
            for before, (_, toll), after in zip(sums[:-1], way[1:], sums[1:], strict=True)
        ]
    )
    return f"{adds}."


def solution(start: str, goal: str, total: int) -> str:
    """Write the final answer as the reader sees it."""
    return f"The toll from {start} to {goal} is \\boxed{{{total}}}."
