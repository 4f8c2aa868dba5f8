"""Tasks whose problems are made on the spot: endless, exactly verified, nothing to download."""

from __future__ import annotations

from collections.abc import Iterator

from skythought.core.errors import unknown
from skythought.core.records import Problem
from skythought.tasks import Task, toll_roads


def load_toll_roads(split: str, seed: int = 0, **_: object) -> Iterator[Problem]:
    """Yield endless distinct toll-roads problems of one split, the same for the same seed.

    Raises:
        UserError: there is no such split.
    """
    if split not in toll_roads.SPLITS:
        raise unknown("split of toll_roads", split, toll_roads.SPLITS)
    return toll_roads.load(split, seed=seed)


TOLL_ROADS = Task(
    name="toll_roads",
    source="skythought.tasks.toll_roads",
    revision="",
    licence="Apache-2.0",
    verifier="number",
    chance=0.08,
    system_prompt="",
    load=load_toll_roads,
    endless=True,
    inspect=toll_roads.inspect,
)
