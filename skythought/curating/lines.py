"""Look at lines of a file of traces in workers; decide about them in order, in one place.

    options = {"near": 0.8, "field": "response", "problems": problems}
    with Spread("skythought.curating.lines:looker", options, workers=8) as spread:
        for looks in spread.over(shapes.batches(path)):
            for look in looks: ...  # NearDuplicates.twin(text, look.keys), look.hit

What takes time, reading, sketching and searching, needs no other row, so workers do it; what is
kept depends on the order, so `NearDuplicates` is asked in one process. The outcome is the same for
any number of workers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from skythought import shapes
from skythought.curating.contamination import NEAR, RESTATED, Benchmarks, Hit
from skythought.curating.duplicates import RUN, Field, Keys, Sketches, text_of
from skythought.records import Problem


class Look(NamedTuple):
    """What was seen of one line."""

    trace_id: str
    keys: Keys | None  # for `NearDuplicates`, where it was asked for
    hit: Hit | None  # the benchmark problem it answers
    error: str = ""  # why the line could not be read


def looker(
    *,
    near: float | None = None,
    field: Field = "response",
    problems: Sequence[tuple[str, Problem]] = (),
    near_copies: float | None = NEAR,
    restated: float | None = RESTATED,
) -> Callable[[list[shapes.Line]], list[Look]]:
    """Make the function that looks at lines, for `Spread`.

    Raises:
        UserError: as `duplicates.Sketches`.
    """
    sketches = Sketches(near, RUN[field]) if near is not None else None
    index = Benchmarks(problems, near=near_copies, restated=restated) if problems else None

    def look(line: shapes.Line) -> Look:
        try:
            trace = shapes.read_line(line)
        except ValueError as error:
            return Look("", None, None, f"{line.place}: {error}")
        keys = sketches.keys(sketches.runs(text_of(trace, field))) if sketches else None
        return Look(trace.id, keys, index.judge(trace) if index else None)

    return lambda lines: [look(line) for line in lines]
