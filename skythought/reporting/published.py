"""Published scores of models on benchmarks, as data to stand beside measured ones.

Nothing here was measured by skythought; every row says where it is from, and is shown as `LABEL`.
"""

from __future__ import annotations

from typing import NamedTuple

LABEL = "published, not measured here"  # of all problems of a benchmark
PAPER = "Li et al. 2025, arXiv 2502.07374, main table"
ARTICLE = "an article about Li et al. 2025"


class Published(NamedTuple):
    """A model's accuracies in percent, by the name of the task."""

    model: str
    scores: dict[str, float]
    source: str


TASKS = ("math500", "aime24", "amc23", "olympiadbench", "livecodebench")


def _row(model: str, source: str, *values: float) -> Published:
    return Published(model, dict(zip(TASKS, values, strict=True)), source)


ROWS = (
    _row("Qwen2.5-32B-Instruct", PAPER, 84.8, 16.7, 67.5, 47.6, 48.9),
    _row("+ 17k R1 long chains of thought, full SFT", ARTICLE, 90.8, 56.7, 85.0, 60.3, 57.0),
    _row("+ the same, LoRA", ARTICLE, 90.6, 57.0, 82.5, 60.0, 56.2),
    _row("o1-preview", PAPER, 85.5, 44.6, 87.5, 59.2, 59.1),
)


def beside(tasks: list[str]) -> list[Published]:
    """Give the rows that have a score on one of these tasks."""
    return [row for row in ROWS if row.scores.keys() & {*tasks}]
