"""What is asked of a trace once its verdict lets it in: is it new, and is it no benchmark's.

screen = Screen(near=0.8, fields=("response",), recall=lambda n: kept[n], benchmarks=index)
screen.reason(trace) -> Reason("near-duplicate", "near-duplicate of 3f2a", {...}), or None
screen.keep(trace)   # only what is kept is compared with
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from skythought.curating import Reason
from skythought.curating.contamination import Benchmarks, Found
from skythought.curating.duplicates import RUN, Field, NearDuplicates, text_of
from skythought.records import Trace, digest


class Screen:
    """Looks at one trace after another.

    Args:
        near: likeness from which a text is a near-duplicate (0 to 1); None looks for none.
        fields: what is compared, each by itself.
        recall: gives the trace kept as number 0, 1, ...
        benchmarks: what the model will be scored on; None looks for nothing.

    Raises:
        UserError: rensa is missing where `near` is given, or `near` is no share.
    """

    def __init__(
        self,
        *,
        near: float | None,
        fields: Sequence[Field],
        recall: Callable[[int], Trace],
        benchmarks: Benchmarks | None = None,
    ) -> None:
        self.found: list[Found] = []  # the evidence of contamination
        self._recall, self._benchmarks = recall, benchmarks
        self._near = {} if near is None else {name: self._by(name, near) for name in fields}

    def _by(self, field: Field, near: float) -> NearDuplicates:
        return NearDuplicates(near, lambda n: text_of(self._recall(n), field), RUN[field])

    def reason(self, trace: Trace) -> Reason | None:
        """Give the reason to leave a trace out, or None."""
        for field, near in self._near.items():
            twin = near.twin(text_of(trace, field))
            if twin is not None:
                text = f"near-duplicate of {self._recall(twin[0]).id}"
                evidence = {"compared": field, "similarity": round(twin[1], 3)}
                return Reason("near-duplicate", text, evidence)
        hit = self._benchmarks.judge(trace) if self._benchmarks is not None else None
        if hit is None:
            return None
        self.found.append(Found(trace_id=trace.id, hit=hit))
        return hit.reason

    def keep(self, trace: Trace) -> None:
        """Take a trace into those that the next are compared with."""
        for field, near in self._near.items():
            near.keep(text_of(trace, field))


def lesson(trace: Trace, field: Field) -> str:
    """Name what a trace teaches, or asks, without where it came from: alike means the same."""
    if field == "example":
        return digest(trace.messages, trace.thought, trace.answer)
    return digest(field, text_of(trace, field))
