"""What is asked of a trace besides its verdict and text: is it new, and is it no benchmark's.

    search = Search(near=0.8, fields=("response",), problems=[("math500", problem), ...])
    search.index().judge(trace)      in workers: the problem it answers, or None
    keys(search.sketches(), trace)   in workers: the keys of its texts
    alone([keys, ...])               which texts can have no near-duplicate: most
    twins = Twins(search, recall)    in one process, in order, for the others
    twins.reason(keys, read)         a Reason, or None; then twins.keep(keys)

What takes time, sketching and searching, needs no other row, so workers do it; what is kept depends
on the order, so it is decided in one place. The outcome is the same for any number of workers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skythought.core.records import Problem, Trace, digest
from skythought.curating import Reason, contamination, encoders
from skythought.curating.contamination import Benchmarks
from skythought.curating.duplicates import RUN, Field, Keys, NearDuplicates, Sketches, text_of


@dataclass(frozen=True, kw_only=True)
class Search:
    """What is looked for."""

    fields: tuple[Field, ...] = ("example",)  # what is compared, each by itself
    near: float | None = None  # likeness of a near-duplicate (0 to 1); None looks for none
    problems: Sequence[tuple[str, Problem]] = ()  # of benchmarks
    near_copies: float | None = contamination.NEAR
    restated: float | None = contamination.RESTATED
    encoder: str | None = None
    cosine: float = 0.9

    def sketches(self) -> dict[Field, Sketches]:
        """Make what sketches texts, for each field.

        Raises:
            UserError: rensa is missing, or `near` is no share.
        """
        return {} if self.near is None else {f: Sketches(self.near, RUN[f]) for f in self.fields}

    def index(self) -> Benchmarks | None:
        """Make the index of the benchmarks' problems; None where there are none.

        Raises:
            UserError: no such encoder.
        """
        if not self.problems:
            return None
        return Benchmarks(
            self.problems,
            near=self.near_copies,
            restated=self.restated,
            encode=encoders.load(self.encoder) if self.encoder is not None else None,
            cosine=self.cosine,
        )


def keys(sketches: Mapping[Field, Sketches], trace: Trace) -> bytes:
    """Make the keys of a trace's texts, field by field: zeros for a text without words."""
    made = b""
    for field, sketch in sketches.items():
        own = sketch.keys(sketch.runs(text_of(trace, field)))
        made += own.tobytes() or bytes(own.itemsize * sketch.bands)
    return made


def alone(rows: Sequence[bytes]) -> NDArray[np.bool_]:
    """Say which of the keys that `keys` made of many traces are those of no other one.

    Such a trace is no near-duplicate and has none, so nothing of it has to be held.
    """
    if not rows:
        return np.zeros(0, dtype=bool)
    table = np.frombuffer(b"".join(rows), dtype=np.uint32).reshape(len(rows), -1)
    shared = np.zeros(len(rows), dtype=bool)
    for column in table.T:
        order = np.argsort(column)
        found = column[order]
        again = (found[1:] == found[:-1]) & (found[1:] != 0)
        shared[order[1:][again]] = shared[order[:-1][again]] = True
    return ~shared


class Twins:
    """The traces kept so far, ready to be compared with the next.

    Args:
        search: what is looked for.
        recall: gives the trace that was told to `keep` as number 0, 1, ...

    Raises:
        UserError: as `Search.sketches`.
    """

    def __init__(self, search: Search, recall: Callable[[int], Trace]) -> None:
        self._recall = recall
        near = search.near
        self._near = {} if near is None else {f: self._by(f, near) for f in search.fields}

    def _by(self, field: Field, near: float) -> NearDuplicates:
        return NearDuplicates(near, lambda n: text_of(self._recall(n), field), RUN[field])

    def reason(self, keys: bytes, read: Callable[[], Trace]) -> Reason | None:
        """Give the reason to leave a trace out, or None; `read` gives it where it is needed."""
        for (field, near), own in zip(self._near.items(), self._parted(keys), strict=True):
            if not near.has_candidates(own):
                continue
            twin = near.twin(text_of(read(), field), own)
            if twin is not None:
                text = f"near-duplicate of {self._recall(twin[0]).id}"
                evidence = {"compared": field, "similarity": round(twin[1], 3)}
                return Reason("near-duplicate", text, evidence)
        return None

    def keep(self, keys: bytes) -> None:
        """Take a trace into those that the next are compared with."""
        for near, own in zip(self._near.values(), self._parted(keys), strict=True):
            near.keep("", own)

    def _parted(self, keys: bytes) -> list[Keys]:
        """Give the keys of each field; none for a text without words."""
        rows = np.frombuffer(keys, dtype=np.uint32).reshape(len(self._near), -1)
        return [row if row.any() else row[:0] for row in rows]


def lesson(trace: Trace, field: Field) -> str:
    """Name what a trace teaches, or asks, without where it came from: alike means the same."""
    if field == "example":
        return digest(trace.messages, trace.thought, trace.answer)
    return digest(field, text_of(trace, field))
