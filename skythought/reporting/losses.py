"""Training logs in, falls and curves out: what a student learns first, structure or content.

    fall(log, "loss_structural")  ->  Fall(first=1.61, last=0.04, step=13)
    plot([log], 760)              ->  an SVG: both losses by step, with a ring at 90 % of the fall

`skythought train` logs the loss on tokens that hold a thought together (first words of steps,
reflection and connectives, breaks between steps) apart from that on what is said.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from skythought.reporting import drawing
from skythought.reporting.drawing import Points, Scale
from skythought.reporting.runs import Step

SHARE = 0.9  # of the whole fall, at which a loss counts as learned
LEAST = 10  # steps of a log that says so
PARTS = {"loss_structural": "structure", "loss_content": "content"}
KINDS = {
    "loss_opening": "first words of steps",
    "loss_word": "reflection and connectives",
    "loss_break": "breaks between steps",
    "loss_maths": "digits and formulas",
    "loss_rest": "other words",
    "loss_format": "tags and the end",
}
SMOOTH = 20  # a value is the mean of those around it, a twentieth of the run in all
# Two-sided 95 % quantiles of Student's t with 1, 2, ... degrees of freedom; the last for more.
T95 = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26)
CAPTION = (
    "Loss in nats per token of a completion, by what the token is for. Structure: first words of "
    "steps, reflection and connective words, breaks between steps. Content: digits, formulas and "
    "all other words. Tags and the token that ends a turn are neither. Thick is the mean of the "
    "runs, thin each of several; a ring stands where a loss has done 90 % of its fall."
)
RULE = (
    "A loss counts as learned at the step at which it has done 90 % of its fall: from that of the "
    "first step to the mean of the last tenth, each value averaged with its neighbours over a "
    "twentieth of the run. Both depend on how long was trained and at which rate, so compare runs "
    "of the same settings. The loss is that of the training data before each step: of examples "
    "that are new in the first epoch, and were seen before in later ones."
)

Log = Sequence[Step]


class Fall(NamedTuple):
    """How a loss fell, in nats per token."""

    first: float  # of the first step
    last: float  # mean of the last tenth of the steps
    step: int | None  # at which `SHARE` of the fall was done; None without a fall, or `LEAST` steps


def values(log: Log, part: str = "loss") -> list[tuple[int, float]]:
    """List the steps at which a loss is known, with its value."""
    found = ((step.step, getattr(step, part)) for step in log)
    return [(step, value) for step, value in found if value is not None and math.isfinite(value)]


def fall(log: Log, part: str = "loss") -> Fall | None:
    """Measure the fall of a loss or of a part of it; None where fewer than two steps have it."""
    return _fall(values(log, part))


def _fall(points: Points) -> Fall | None:
    if len(points) < 2:
        return None
    smooth = smoothed([value for _, value in points])
    last = statistics.fmean(value for _, value in points[-max(1, len(points) // 10) :])
    first = smooth[0]
    reached = first - SHARE * (first - last)
    steps = [step for (step, _), value in zip(points, smooth, strict=True) if value <= reached]
    fell = bool(steps) and last < first and len(points) >= LEAST
    return Fall(first, last, steps[0] if fell else None)


def learned(log: Log) -> dict[str, int] | None:
    """Give the steps at which structure and content were learned; None unless both were."""
    falls = {name: fall(log, part) for part, name in PARTS.items()}
    steps = {name: found.step for name, found in falls.items() if found and found.step is not None}
    return steps if len(steps) == len(PARTS) else None


def smoothed(series: Sequence[float]) -> list[float]:
    """Average every value with as many before it as behind it; the ends stay as they are."""
    half = len(series) // SMOOTH // 2
    found = []
    for i in range(len(series)):
        reach = min(half, i, len(series) - 1 - i)
        found.append(statistics.fmean(series[i - reach : i + reach + 1]))
    return found


def average(lines: Iterable[Points]) -> list[tuple[int, float]]:
    """Average curves at every step that any of them has."""
    by_step: dict[int, list[float]] = {}
    for points in lines:
        for step, value in points:
            by_step.setdefault(step, []).append(value)
    return [(step, statistics.fmean(found)) for step, found in sorted(by_step.items())]


def interval(numbers: Sequence[float]) -> tuple[float, float, float] | None:
    """Give the mean over runs and its 95 % interval by Student's t; None for fewer than two."""
    if len(numbers) < 2:
        return None
    middle = statistics.fmean(numbers)
    t = T95[min(len(numbers) - 2, len(T95) - 1)]
    half = t * statistics.stdev(numbers) / math.sqrt(len(numbers))
    return middle, middle - half, middle + half


def plot(logs: Sequence[Log], width: int, key: str = "losses") -> str:
    """Draw both losses by step: the mean of the runs, each of several thin; "" without any.

    A ring stands where `SHARE` of a fall is done.
    """
    lines = {part: [found for log in logs if (found := values(log, part))] for part in PARTS}
    every = [point for some in lines.values() for points in some for point in points]
    if not every:
        return ""
    last, high = max(step for step, _ in every), max(value for _, value in every)
    left, right, top, bottom = 34, width - 112, 14, 250
    x, y = drawing.scale(0, last, left, right), drawing.scale(high, 0, top, bottom)
    body = []
    for tick in drawing.ticks(0, high, 5):
        body.append(drawing.line(left, y(tick), right, y(tick), "grid"))
        body.append(drawing.text(left - 8, y(tick) + 4, f"{tick:g}", "soft end"))
    for tick in drawing.ticks(0, last, 6 if width > 500 else 4):
        body.append(drawing.text(x(tick), bottom + 20, f"{tick:,.0f}", "soft mid"))
    body.append(drawing.text((left + right) / 2, bottom + 40, "step", "soft mid"))
    means = {part: average(found) for part, found in lines.items() if found}
    said, floor = [], 0.0
    for part, middle in sorted(means.items(), key=lambda item: -item[1][-1][1]):
        name, value = PARTS[part], middle[-1][1]
        thin = lines[part] if len(lines[part]) > 1 else []
        floor = max(y(value) + 4, floor)  # labels do not lie on each other
        drawn = [
            *(drawing.curve(points, x, y, "seed stroke") for points in thin),
            drawing.curve(middle, x, y, "curve stroke"),
            *(_ring(points, x, y) for points in thin or [middle]),
            drawing.text(right + 8, floor, f"{name} {value:.2f}", "fill"),
        ]
        floor += 16
        body.append(f'<g class="{name}">{"".join(drawn)}</g>')
        said.append(f"{name} from {middle[0][1]:.2f} to {value:.2f} at step {middle[-1][0]}")
    title = "Loss on tokens of structure and of content by step, nats per token"
    return drawing.svg(f"{key}-{width}", (width, bottom + 48), title, "; ".join(said), body)


def _ring(points: Points, x: Scale, y: Scale) -> str:
    found = _fall(points)
    if found is None or found.step is None:
        return ""
    at = dict(zip((s for s, _ in points), smoothed([v for _, v in points]), strict=True))
    place = f'cx="{x(found.step):.1f}" cy="{y(at[found.step]):.1f}"'
    return f'<circle class="ring stroke" {place} r="5"/>'
