"""Decide what is kept, once what matters of every trace is known; in order, in one process.

    for facts, reason in Rules(outcome="correct", per_problem=1).decide(inputs): ...

The first reason counts, in this order: what a trace says of itself (error, truncated), its verdict,
its text and measures or the benchmark problem it answers, labels, its problem's pass rate,
duplicates, near-duplicates; then, among those left, the cap of each problem, the selection, and the
limit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache

import msgspec

from skythought.core import jsonl, shapes
from skythought.core.labels import Labelled, within
from skythought.core.records import Trace
from skythought.curating import Reason, choosing
from skythought.curating.facts import HASH, Facts, Place
from skythought.curating.inputs import Input
from skythought.curating.screening import Search, Twins, alone

Ends = tuple[float | None, float | None]


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What is kept; what is None is not asked."""

    outcome: str = "correct"  # or incorrect, any
    labels: tuple[Labelled, ...] = ()
    pass_rate: Ends | None = None  # share of a problem's graded traces that is correct
    keep_duplicates: bool = False
    search: Search = field(default_factory=Search)
    per_problem: int | None = None
    prefer: choosing.Prefer = "first"
    select: int | None = None
    by: choosing.By = "random"
    limit: int | None = None
    seed: int = 0

    def decide(self, inputs: Sequence[Input]) -> Iterator[tuple[Facts, Reason | None]]:
        """Give each trace the reason to leave it out, or None, in order."""
        rows = [facts for given in inputs for facts in given.rows]
        reasons = list(self._judged(inputs, rows))
        for kind, keep in (
            ("per-problem cap", self._capped),
            ("not selected", self._selected),
            ("limit", lambda some: some[: self.limit]),
        ):
            left = [facts for facts, reason in zip(rows, reasons, strict=True) if reason is None]
            chosen = keep(left)
            if len(chosen) == len(left):
                continue
            stay, out = set(map(id, chosen)), Reason(kind, kind)
            reasons = [
                reason or (None if id(facts) in stay else out)
                for facts, reason in zip(rows, reasons, strict=True)
            ]
        return zip(rows, reasons, strict=True)

    def _judged(self, inputs: Sequence[Input], rows: Sequence[Facts]) -> Iterator[Reason | None]:
        """Give the reason of each trace by itself and by its likes."""
        rates = pass_rates(inputs) if self.pass_rate else {}
        known: dict[bytes, str] = {}
        _forget_lonely(rows)
        kept: list[Facts] = []  # those that near-duplicates are looked for among
        twins = Twins(self.search, lambda n: read(inputs, kept[n]))
        labels: dict[str, tuple[str, ...]] = {}
        last = -1
        for facts in rows:
            if facts.given != last:
                last = facts.given
                labels = inputs[last].labels([label.field for label in self.labels])
            of_problem = labels.get(facts.problem, ("",) * len(facts.labels))
            said = [a or b for a, b in zip(of_problem, facts.labels, strict=True)]
            reason = self._alone(facts, said, rates)
            if reason is None and not self.keep_duplicates:
                taught = _hashes(facts.lessons)
                first = next((known[name] for name in taught if name in known), None)
                if first is not None:
                    reason = Reason("duplicate", f"duplicate of {first}")
            if reason is None and facts.keys:
                reason = twins.reason(facts.keys, lambda: read(inputs, facts))  # noqa: B023 - now
            if reason is None:
                known.update(dict.fromkeys(_hashes(facts.lessons), facts.id))
                if facts.keys:
                    twins.keep(facts.keys)
                    kept.append(facts)
            facts.keys = b""
            yield reason

    def _alone(
        self, facts: Facts, labels: Sequence[str], rates: dict[str, float | None]
    ) -> Reason | None:
        kind = facts.early or _verdict(facts, self.outcome)
        if not kind and facts.hit is not None:
            return facts.hit.reason
        kind = kind or facts.late or _label(labels, self.labels)
        if not kind and self.pass_rate is not None:
            kind = _rate(rates[facts.problem], self.pass_rate)
        return _reason(kind) if kind else None

    def _capped(self, found: list[Facts]) -> list[Facts]:
        if self.per_problem is None:
            return found
        return choosing.per_problem(found, self.per_problem, self.prefer)

    def _selected(self, found: list[Facts]) -> list[Facts]:
        if self.select is None:
            return found
        return choosing.select(found, self.select, self.by, self.seed)


@cache
def _reason(kind: str) -> Reason:
    """Give the one reason of a kind that says all by its name."""
    return Reason(kind, kind)


def _hashes(packed: bytes) -> list[bytes]:
    return [packed[at : at + HASH] for at in range(0, len(packed), HASH)]


def _forget_lonely(rows: Sequence[Facts]) -> None:
    """Forget the keys of texts that are like no other one."""
    sketched = [facts for facts in rows if facts.keys]
    for facts, lonely in zip(sketched, alone([f.keys for f in sketched]), strict=True):
        if lonely:
            facts.keys = b""


def place(inputs: Sequence[Input], facts: Facts) -> Place:
    """Say where a trace lies."""
    file = inputs[facts.given].files[facts.file]
    return Place(file, facts.offset, facts.size, facts.id, facts.outcome, facts.problem)


def read(inputs: Sequence[Input], facts: Facts) -> Trace:
    """Read a trace again, with the id it has here.

    Raises:
        UserError: the file is not there any more.
    """
    found = shapes.trace(jsonl.decode_row(place(inputs, facts).read()))
    return msgspec.structs.replace(found, id=facts.id)


def pass_rates(inputs: Iterable[Input]) -> dict[str, float | None]:
    """Give the share of each problem's graded traces that is correct, None where none is graded."""
    right: Counter[str] = Counter()
    graded: Counter[str] = Counter()
    problems = set()
    for given in inputs:
        for facts in given.rows:
            problems.add(facts.problem)
            graded[facts.problem] += facts.outcome not in ("", "error")
            right[facts.problem] += facts.outcome == "correct"
    return {p: right[p] / graded[p] if graded[p] else None for p in problems}


def _verdict(facts: Facts, wanted: str) -> str:
    if wanted == "any" or facts.outcome == wanted:
        return ""
    return f"verdict {facts.outcome}" if facts.outcome else "not graded"


def _label(values: Sequence[str], wanted: Sequence[Labelled]) -> str:
    for value, label in zip(values, wanted, strict=True):
        if not value:
            return f"no {label.field}"
        if not label.holds(value):
            return f"other {label.field}"
    return ""


def _rate(rate: float | None, ends: Ends) -> str:
    if rate is None:
        return "no pass rate"
    return "" if within(rate, *ends) else "other pass rate"
