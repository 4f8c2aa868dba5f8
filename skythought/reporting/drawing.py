"""Pieces that plots are drawn with, as SVG text.

Classes are those of the page's style sheet (`style.py`); `alone` puts a small one into the file
for a plot that stands by itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from skythought.reporting.wording import safe

Scale = Callable[[float], float]
Points = Sequence[tuple[int, float]]  # steps and values

MOST_POINTS = 200  # of a curve that are drawn

ALONE = """<style>
svg { --page: #fffefb; --ink: #1d1f21; --soft: #5f6468; --line: #dcdad3; background: var(--page);
  font: 13px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
@media (prefers-color-scheme: dark) {
  svg { --page: #16181b; --ink: #e7e4dd; --soft: #a3a7ab; --line: #34383d; } }
text { fill: var(--ink); font-variant-numeric: tabular-nums; }
.soft { fill: var(--soft); } .head { font-weight: 600; } .end { text-anchor: end; }
.mid { text-anchor: middle; } .grid { stroke: var(--line); } .zero { stroke: var(--ink); }
.bound { stroke: var(--soft); stroke-dasharray: 3 3; } .on { fill: #fff; }
</style>"""


def scale(low: float, high: float, start: float, end: float) -> Scale:
    """Map the values from low to high onto the places from start to end."""
    span = (high - low) or 1.0
    return lambda value: start + (value - low) / span * (end - start)


def ticks(low: float, high: float, most: int) -> list[float]:
    """Give round values between low and high, zero among them, at most about `most`."""
    raw = max(high - low, 1e-9) / most
    size = 10 ** math.floor(math.log10(raw))
    step = next(size * k for k in (1, 2, 2.5, 5, 10) if size * k >= raw * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(step * k, 10) + 0.0 for k in range(first, last + 1)]


def svg(key: str, size: tuple[float, float], title: str, said: str, body: Sequence[str]) -> str:
    """Write a plot with title and description; `key` is unique on a page."""
    return (
        f'<svg role="img" viewBox="0 0 {size[0]:g} {size[1]:g}" '
        f'aria-labelledby="{key}-title {key}-desc"><title id="{key}-title">{safe(title)}</title>'
        f'<desc id="{key}-desc">{safe(said)}</desc>{"".join(body)}</svg>'
    )


def text(x: float, y: float, text: str, kind: str) -> str:
    """Write a text; `kind` names classes of the style sheet."""
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{safe(text)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """Draw a line between two places."""
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line class="{kind}" {ends}/>'


def curve(points: Points, x: Scale, y: Scale, kind: str) -> str:
    """Draw a line through points, of many only some."""
    keep = points[:: math.ceil(len(points) / MOST_POINTS) or 1]
    places = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in keep)
    return f'<polyline class="{kind}" points="{places}"/>'


def alone(plot: str) -> str:
    """Write a plot as a file of its own, with its style."""
    head, mark, rest = plot.partition(">")
    head = head.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ')
    return f"{head}{mark}{ALONE}{rest}\n"
