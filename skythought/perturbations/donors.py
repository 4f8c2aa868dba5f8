"""Traces to take steps from; each is taken apart once, however often it gives a step."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import overload

from skythought.core import steps
from skythought.core.errors import UserError
from skythought.core.records import Trace

TRIES = 64  # draws of a donor before all of them are searched


class Donors(Sequence[Trace]):
    """A sequence of traces that also draws steps of other problems."""

    def __init__(self, traces: Sequence[Trace]) -> None:
        self._traces = tuple(traces)
        self._steps: list[list[str] | None] = [None] * len(self._traces)
        self._asked: list[list[str] | None] = [None] * len(self._traces)

    def __len__(self) -> int:
        return len(self._traces)

    @overload
    def __getitem__(self, index: int) -> Trace: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Trace, ...]: ...

    def __getitem__(self, index: int | slice) -> Trace | tuple[Trace, ...]:
        return self._traces[index]

    def draw(self, trace: Trace, rng: random.Random) -> str:
        """Draw a random step of a random trace that answers another problem.

        Raises:
            UserError: there is no such step.
        """
        asked = _asked(trace)
        for _ in range(TRIES if self._traces else 0):
            number = rng.choice(range(len(self._traces)))
            if self._fits(number, trace, asked):
                return rng.choice(self._parts(number))
        fit = [n for n in range(len(self._traces)) if self._fits(n, trace, asked)]
        if not fit:
            raise UserError(
                f"trace {trace.id}: no thought of another problem to insert from; give a file that "
                "holds other problems with --donors"
            )
        return rng.choice(self._parts(rng.choice(fit)))

    def _fits(self, number: int, trace: Trace, asked: list[str]) -> bool:
        if self._traces[number].problem_id == trace.problem_id:
            return False
        known = self._asked[number]
        if known is None:
            known = self._asked[number] = _asked(self._traces[number])
        return known != asked and bool(self._parts(number))

    def _parts(self, number: int) -> list[str]:
        known = self._steps[number]
        if known is None:
            known = self._steps[number] = steps.split(self._traces[number].thought)
        return known


def _asked(trace: Trace) -> list[str]:
    """List the words of the question: two traces answer the same problem where they are equal."""
    return [word for turn in trace.messages if turn.role == "user" for word in turn.content.split()]
