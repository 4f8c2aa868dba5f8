"""Reasons to leave a trace out, from what is in it.

    Filters(min_tokens=200, max_tokens=8192).reason(trace, tokens=9000, steps=40, measures=None)
    -> "too many tokens"

A filter looks at one trace alone. What compares traces (duplicates, caps, pass rates) is decided
when all are known. A filter of the user's is a function (trace) -> None or the reason.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, Protocol

from skythought.core import formats, registry
from skythought.core.errors import UserError
from skythought.core.records import Trace

Part = Literal["thought", "answer", "boxed"]


class Measured(Protocol):
    """What is asked of the measures of a trace (`structure.Measures`)."""

    @property
    def repetition(self) -> float:
        """Share of text that was said before, 0 to 1."""

    @property
    def loop(self) -> bool:
        """Whether it ends in saying the same again and again."""

    @property
    def foreign(self) -> float:
        """Share of letters in another script than the question's, 0 to 1."""

    @property
    def consistency(self) -> float | None:
        """Share of steps that follow from what came before; None where there is no step."""

    @property
    def grounding(self) -> float | None:
        """Share of checkable statements that hold; None where there is none."""

    @property
    def roles(self) -> str:
        """One letter for the role of each step."""


@dataclass(frozen=True, kw_only=True)
class Filters:
    """What is asked of each trace; what is None is not asked."""

    require: tuple[Part, ...] = ()
    min_steps: int = 0
    max_steps: int | None = None
    min_tokens: int = 0
    max_tokens: int | None = None
    drop_loops: bool = False
    max_repetition: float | None = None
    max_foreign: float | None = None
    min_consistency: float | None = None
    min_grounding: float | None = None
    own: tuple[str, ...] = ()  # package.module:function

    @property
    def measures(self) -> bool:
        """Say whether traces must be measured for these."""
        shares = (self.max_repetition, self.max_foreign, self.min_consistency, self.min_grounding)
        return self.drop_loops or any(share is not None for share in shares)

    def functions(self) -> list[Callable[[Trace], str | None]]:
        """Find the user's own filters.

        Raises:
            UserError: no such function.
        """
        return [registry.resolve("filter", name, {}) for name in self.own]

    def reason(
        self,
        trace: Trace,
        *,
        tokens: int,
        steps: int,
        measures: Measured | None = None,
        own: Sequence[Callable[[Trace], str | None]] = (),
    ) -> str:
        """Give the first reason to leave a trace out, "" where there is none.

        Raises:
            UserError: a filter of the user's failed.
        """
        return (
            self._missing(trace)
            or _outside("steps", steps, self.min_steps, self.max_steps)
            or _outside("tokens", tokens, self.min_tokens, self.max_tokens)
            or (self._measured(measures) if measures is not None else "")
            or next(filter(None, (_asked(function, trace) for function in own)), "")
        )

    def _missing(self, trace: Trace) -> str:
        if "thought" in self.require and not trace.thought.strip():
            return "no thought"
        if "answer" in self.require and not trace.answer.strip():
            return "no answer text"
        if "boxed" in self.require and formats.last_boxed(trace.answer) is None:
            return "no boxed answer"
        return ""

    def _measured(self, measures: Measured) -> str:
        if self.drop_loops and measures.loop:
            return "loop"
        if self.max_repetition is not None and measures.repetition > self.max_repetition:
            return "too much repetition"
        if self.max_foreign is not None and measures.foreign > self.max_foreign:
            return "languages mixed"
        if self.min_consistency is not None and _below(measures.consistency, self.min_consistency):
            return "structure not consistent"
        if self.min_grounding is not None and _below(measures.grounding, self.min_grounding):
            return "statements that do not hold"
        return ""


def structure_score(measures: Measured) -> float:
    """Say how rich and sound the structure of a trace is, 0 to 1.

    The share of steps that follow, times the variety of moves from a role to the next one (entropy
    of their shares over that of all 49), times the share of text that was not said before. A trace
    that only computes makes one move and scores 0, as does one that cannot be judged. Moves are
    counted and not roles, because nine steps can play all roles evenly, and nothing is rich yet.
    """
    moves = Counter(pairwise(measures.roles))
    n = moves.total()
    if len(moves) < 2 or measures.consistency is None:
        return 0.0
    variety = -sum(k / n * math.log(k / n) for k in moves.values()) / (2 * math.log(7))
    return measures.consistency * variety * (1 - measures.repetition)


def _outside(what: str, value: int, low: int, high: int | None) -> str:
    if value < low:
        return f"too few {what}"
    return f"too many {what}" if high is not None and value > high else ""


def _below(value: float | None, least: float) -> bool:
    """Nothing to judge by is no reason."""
    return value is not None and value < least


def _asked(function: Callable[[Trace], str | None], trace: Trace) -> str:
    name = getattr(function, "__name__", "filter")
    try:
        reason = function(trace)
    except Exception as error:
        raise UserError(
            f"filter {name}: failed at trace {trace.id} ({type(error).__name__}: {error})"
        ) from error
    if reason is not None and not isinstance(reason, str):
        raise UserError(f"filter {name}: gave {reason!r}; expected None or a reason")
    return reason or ""
