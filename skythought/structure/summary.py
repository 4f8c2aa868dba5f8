"""Measures of many traces in, what they are like together out: means, quantiles, transitions.

    summary = Summary()
    summary.add(measures)         one trace
    summary.merge(other)          what another worker saw
    summary.describe()            plain values for summary.json

What is held does not grow with the number of traces: values are counted to three digits, so a
median is right to half a percent, while means are exact. Models beyond `MOST_MODELS` are counted
together.
"""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise
from typing import Any

from skythought.structure import (
    HIGH_FORM,
    LEAST_CHECKABLE,
    LOW_GROUNDING,
    UNGROUNDED,
    Measures,
)
from skythought.structure.roles import LETTERS

MOST_MODELS = 40
OTHERS = "other models"
ALL = "all"
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
DIGITS = 3
FOREIGN = 0.01  # share of letters of another script from which a trace is counted as mixed
BINS = 10  # of a share, for plots


CELLS = 20  # of the plane, along each side


def _cell(share: float | None) -> int:
    return min(CELLS - 1, int(CELLS * (share or 0.0)))


class Values:
    """Numbers of one kind: how many, their mean, their quantiles to three digits."""

    def __init__(self) -> None:
        self.n = 0
        self.total = 0.0
        self.counts: Counter[float] = Counter()

    def add(self, value: float) -> None:
        """Count a number."""
        self.n += 1
        self.total += value
        self.counts[_rounded(value)] += 1

    def merge(self, other: Values) -> None:
        """Count what another one counted."""
        self.n += other.n
        self.total += other.total
        self.counts.update(other.counts)

    def describe(self) -> dict[str, float] | None:
        """Give n, the mean and the quantiles; None where there is no number."""
        if not self.n:
            return None
        found: dict[str, float] = {"n": self.n, "mean": self.total / self.n}
        wanted = [(q, math.ceil(q * self.n) or 1) for q in QUANTILES]
        seen = 0
        for value in sorted(self.counts):
            seen += self.counts[value]
            while wanted and seen >= wanted[0][1]:
                found[f"p{100 * wanted.pop(0)[0]:.0f}"] = value
        return found


def _rounded(value: float) -> float:
    if value == 0 or not math.isfinite(value):
        return 0.0
    places = DIGITS - 1 - math.floor(math.log10(abs(value)))
    return round(value, places)


NAMES = (
    *("steps", "tokens", "markers_per_1k", "answer_place", "tokens_after_answer"),
    *("share_after_answer", "repetition", "consistency", "likelihood", "grounding"),
)


class Group:
    """What the traces of one model, or all, are like."""

    def __init__(self) -> None:
        self.values = {name: Values() for name in NAMES}
        self.counts: Counter[str] = Counter()
        self.roles: Counter[str] = Counter()
        self.transitions: Counter[str] = Counter()  # two letters: from, to
        self.plane: Counter[tuple[int, int]] = Counter()  # cells of grounding and consistency
        self.after: Counter[int] = Counter()  # bins of the share of tokens after the answer

    def add(self, found: Measures) -> None:
        """Count a trace."""
        self.counts["traces"] += 1
        self.counts["truncated"] += found.truncated
        self.counts["loops"] += found.loop
        self.counts["mixed_language"] += found.foreign >= FOREIGN
        self.counts["with_answer"] += bool(found.answer)
        self.counts["reached"] += found.answer_step is not None
        self.counts[f"counted_by_{found.counted_by}"] += 1
        self.counts["checkable"] += found.checkable
        self.counts["holding"] += found.holding
        self.counts["ungrounded"] += found.flag == UNGROUNDED
        for name in ("consistency", "likelihood", "grounding"):
            if (value := getattr(found, name)) is not None:
                self.values[name].add(value)
        if found.checkable >= LEAST_CHECKABLE:
            self.plane[_cell(found.grounding), _cell(found.consistency)] += 1
        self.roles.update(found.roles)
        self.transitions.update(a + b for a, b in pairwise(found.roles))
        for name in ("steps", "tokens", "markers_per_1k", "repetition"):
            self.values[name].add(getattr(found, name))
        if found.answer_step is not None and found.tokens_after_answer is not None:
            share = found.tokens_after_answer / max(1, found.tokens)
            self.values["answer_place"].add((found.answer_step + 1) / found.steps)
            self.values["tokens_after_answer"].add(found.tokens_after_answer)
            self.values["share_after_answer"].add(share)
            self.after[min(BINS - 1, int(BINS * share))] += 1

    def merge(self, other: Group) -> None:
        """Count what another one counted."""
        for name, values in other.values.items():
            self.values[name].merge(values)
        self.counts.update(other.counts)
        self.roles.update(other.roles)
        self.transitions.update(other.transitions)
        self.after.update(other.after)
        self.plane.update(other.plane)

    def describe(self) -> dict[str, Any]:
        """Give plain values."""
        n_steps = sum(self.roles.values())
        return {
            **dict(self.counts),
            **{name: values.describe() for name, values in self.values.items()},
            "roles": {
                role: self.roles[letter] / n_steps if n_steps else 0.0
                for role, letter in LETTERS.items()
            },
            "transitions": {
                role: self._next(letter) for role, letter in LETTERS.items() if self.roles[letter]
            },
            "after_answer_bins": [self.after[i] for i in range(BINS)],
            "plane": [[*cell, n] for cell, n in sorted(self.plane.items())],
        }

    def _next(self, letter: str) -> dict[str, float]:
        """Give how often each role comes after one, as shares."""
        total = sum(self.transitions[letter + other] for other in LETTERS.values())
        return {
            role: self.transitions[letter + other] / total if total else 0.0
            for role, other in LETTERS.items()
        }


class Summary:
    """What the traces of a set are like, all together and by model."""

    def __init__(self) -> None:
        self.groups: dict[str, Group] = {ALL: Group()}

    def add(self, found: Measures) -> None:
        """Count a trace."""
        self.groups[ALL].add(found)
        self._group(found.model or "unknown").add(found)

    def merge(self, other: Summary) -> None:
        """Count what another one counted."""
        for name, group in other.groups.items():
            (self.groups[ALL] if name == ALL else self._group(name)).merge(group)

    def _group(self, model: str) -> Group:
        name = f"model {model}" if model == ALL else model
        if name not in self.groups and len(self.groups) > MOST_MODELS:
            name = OTHERS
        return self.groups.setdefault(name, Group())

    def describe(self) -> dict[str, Any]:
        """Give plain values: all together, and each model, those with most traces first."""
        models = sorted(
            (name for name in self.groups if name != ALL),
            key=lambda name: (-self.groups[name].counts["traces"], name),
        )
        return {
            "thresholds": {
                "high_form": HIGH_FORM,
                "low_grounding": LOW_GROUNDING,
                "least_checkable": LEAST_CHECKABLE,
                "cells": CELLS,
            },
            "all": self.groups[ALL].describe(),
            "models": {name: self.groups[name].describe() for name in models},
        }
