"""Rows of results.json in, SVG out: drawn here, so the page needs no scripts and no library.

    effects(rows, 760)   change of each arm with its interval, published changes beside it
    curves(arms)         training loss of each arm, one small plot each, all on the same axes
    lengths(rows, 760)   accuracy against the mean length of an answer

Colours come from the page's style sheet, by the group of an arm. Every plot has a title and a
description for readers who do not see it; its numbers stand in the tables too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from skythought.reporting import drawing, losses, paper
from skythought.reporting.drawing import Scale
from skythought.reporting.runs import Arm
from skythought.reporting.wording import between, percent, points, safe, signed

Row = dict[str, Any]

HEADS = {
    "clean": "Clean traces",
    "content": "Content broken",
    "structure": "Structure broken",
    "short": "Short answers",
    "base": "No training",
}


def effects(rows: Sequence[Row], width: int) -> str:
    """Draw the change of each arm against correct traces; narrow, labels go above the bars."""
    shown = [row for row in rows if row["delta"] is not None]
    if not shown:
        return ""
    wide = width > 500
    values = [100 * row[key] for row in shown for key in ("delta_low", "delta_high")]
    values += [row["paper_change"] for row in shown if row["paper_change"] is not None]
    low, high = min(0.0, *values), max(0.0, *values)
    left, right = (190, width - 210) if wide else (8, width - 8)
    x = drawing.scale(low, high, left, right)
    height, top = (26, 54) if wide else (44, 76)
    body: list[str] = []
    y = top
    for group, head in HEADS.items():
        members = [row for row in shown if row["group"] == group]
        if members:
            body.append(drawing.text(0, y + 17, head, "soft head"))
            y += 26
        for row in members:
            body += _effect(row, x, y, height, width)
            y += height
        y += 8 if members else 0
    axis = []
    for tick in drawing.ticks(low, high, 6 if wide else 4):
        kind = "zero" if tick == 0 else "grid"
        axis.append(drawing.line(x(tick), top, x(tick), y, kind))
        axis.append(drawing.text(x(tick), y + 18, signed(tick).removesuffix(".0"), "soft mid"))
    if low <= -paper.BOUNDARY:
        axis.append(drawing.line(x(-paper.BOUNDARY), top, x(-paper.BOUNDARY), y, "bound"))
    middle = (left + right) / 2
    axis.append(
        drawing.text(
            middle, y + 38, "change in accuracy against correct traces, points", "soft mid"
        )
    )
    legend = _legend(width)
    said = "; ".join(
        f"{row['title']}: {points(row['delta'])} ({between(row['delta_low'], row['delta_high'])}), "
        f"published {signed(row['paper_change'])}"
        for row in shown
    )
    return drawing.svg(
        f"effects-{width}",
        (width, y + 48),
        "Change in accuracy against correct traces, in points, with 95 % intervals",
        said,
        [*legend, *axis, *body],
    )


def _effect(row: Row, x: Scale, y: float, height: float, width: int) -> Iterator[str]:
    wide = width > 500
    middle = y + (height / 2 if wide else 30)
    numbers = f"{points(row['delta'])} ({between(row['delta_low'], row['delta_high'])})"
    published = signed(row["paper_change"])
    yield drawing.text(0, middle + 4 if wide else y + 16, row["title"], "")
    if wide:
        yield drawing.text(width - 50, middle + 4, numbers, "end")
        yield drawing.text(width, middle + 4, published, "soft end")
    else:
        yield drawing.text(width, y + 16, numbers, "end")
    low, high = x(100 * row["delta_low"]), x(100 * row["delta_high"])
    span = drawing.line(low, middle, high, middle, "span stroke")
    yield f'<g class="{safe(row["group"])}">{span}'
    if row["paper_change"] is not None:
        yield _diamond(x(row["paper_change"]), middle)
    at = x(100 * row["delta"])
    yield f'<circle class="mark fill" cx="{at:.1f}" cy="{middle:.1f}" r="5"/></g>'


def _legend(width: int) -> Iterator[str]:
    wide = width > 500
    start, row = (190, 14) if wide else (8, 12)
    yield drawing.line(start, row, start + 24, row, "span stroke")
    yield f'<circle class="mark fill" cx="{start + 12}" cy="{row}" r="5"/>'
    yield drawing.text(start + 32, row + 4, "measured, 95 % interval", "soft")
    x, y = (start + 205, row) if wide else (start, row + 20)
    yield _diamond(x + 12, y)
    yield drawing.text(x + 25, y + 4, "published, not measured here", "soft")
    x, y = (start + 440, row) if wide else (start, row + 40)
    yield drawing.line(x + 12, y - 7, x + 12, y + 7, "bound")
    yield drawing.text(x + 25, y + 4, f"boundary of {paper.BOUNDARY:g} points", "soft")
    if wide:
        yield drawing.text(width - 50, row + 22 + 4, "measured", "soft end")
        yield drawing.text(width, row + 22 + 4, "publ.", "soft end")


def curves(arms: Sequence[Arm]) -> list[tuple[Arm, str]]:
    """Draw the loss of each arm that was trained; the grey curve in each is that of `correct`."""
    logs = {arm.name: [seed.log for seed in arm.seeds if seed.log] for arm in arms}
    every = [point for some in logs.values() for log in some for point in losses.values(log)]
    if not every:
        return []
    last, high = max(step for step, _ in every), max(loss for _, loss in every)
    x, y = drawing.scale(0, last, 26, 196), drawing.scale(high, 0, 10, 118)
    found: list[tuple[Arm, str]] = []
    for arm in arms:
        if not logs[arm.name]:
            continue
        mean = losses.average(map(losses.values, logs[arm.name]))
        body = []
        for tick in drawing.ticks(0, high, 4):
            body.append(drawing.line(26, y(tick), 196, y(tick), "grid"))
            body.append(drawing.text(21, y(tick) + 4, f"{tick:g}", "soft end"))
        body += [
            drawing.text(26, 133, "0", "soft"),
            drawing.text(196, 133, f"step {last:,}", "soft end"),
        ]
        if arm.name != "correct" and logs.get("correct"):
            ghost = losses.average(map(losses.values, logs["correct"]))
            body.append(drawing.curve(ghost, x, y, "ghost"))
        if len(logs[arm.name]) > 1:
            body += [drawing.curve(losses.values(g), x, y, "seed stroke") for g in logs[arm.name]]
        body.append(drawing.curve(mean, x, y, "curve stroke"))
        (first, high_loss), (end, loss) = mean[0], mean[-1]
        body.append(drawing.text(196, max(10, y(loss) - 7), f"{loss:.2f}", "end head"))
        said = f"from {high_loss:.2f} at step {first} to {loss:.2f} at step {end}"
        title = f"Training loss: {arm.card.title}"
        found.append((arm, drawing.svg(f"curve-{len(found)}", (200, 138), title, said, body)))
    return found


def lengths(rows: Sequence[Row], width: int) -> str:
    """Draw accuracy against the mean number of tokens of an answer, each point with its name."""
    shown = [row for row in rows if row["accuracy"] is not None and row["mean_tokens"] is not None]
    if not shown:
        return ""
    wide = width > 500
    height, left, bottom = (380 if wide else 400), 50, 44
    most = max(row["mean_tokens"] for row in shown) or 1
    x = drawing.scale(0, most * 1.04, left, width - 10)
    y = drawing.scale(1, 0, 14, height - bottom)
    body = []
    for share in (0, 0.25, 0.5, 0.75, 1):
        body.append(drawing.line(left, y(share), width - 10, y(share), "grid"))
        body.append(drawing.text(left - 8, y(share) + 4, f"{100 * share:.0f} %", "soft end"))
    for tick in drawing.ticks(0, most, 5 if wide else 4):
        body.append(drawing.text(x(tick), height - bottom + 20, f"{tick:,.0f}", "soft mid"))
    label = "mean tokens of an answer"
    body.append(drawing.text((left + width) / 2, height - 4, label, "soft mid"))
    taken = [(x(r["mean_tokens"]) - 6, y(r["accuracy"]) - 6, 12.0, 12.0) for r in shown]
    for row in shown:
        at = x(row["mean_tokens"]), y(row["accuracy"])
        label = _label(row["title"], at, taken, width, height - bottom)
        body.append(f'<g class="{safe(row["group"])}">{label}{_shape(row["group"], *at)}</g>')
    said = "; ".join(
        f"{row['title']}: {percent(row['accuracy'])} at {row['mean_tokens']:.0f} tokens"
        for row in shown
    )
    title = "Accuracy against the mean length of an answer"
    return drawing.svg(f"lengths-{width}", (width, height), title, said, body)


Box = tuple[float, float, float, float]


def _label(text: str, at: tuple[float, float], taken: list[Box], width: int, floor: float) -> str:
    """Put a label beside its point, where no other label or point lies."""
    x, y = at
    long = 7.6 * len(text)
    for dy in (0, -17, 17, -32, 32, -47, 47, -62, 62):
        sides = [(x + 9, x + 9, ""), (x - 9 - long, x - 9, "end")]
        for start, anchor, kind in [*sides, (x - long / 2, x, "mid")] if dy else sides:
            box = (start, y + dy - 7, long, 14.0)
            inside = start >= 46 and start + long <= width and 0 <= box[1] <= floor - 12
            if inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                leader = drawing.line(x, y, anchor, y + dy, "grid") if dy else ""
                return leader + drawing.text(anchor, y + dy + 4, text, f"fill {kind}")
    return ""  # no room: the tables have the number


def _overlap(a: Box, b: Box) -> bool:
    across = a[0] < b[0] + b[2] and b[0] < a[0] + a[2]
    return across and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]


def _shape(group: str, x: float, y: float) -> str:
    if group == "content":
        return f'<rect class="mark fill" x="{x - 5:.1f}" y="{y - 5:.1f}" width="10" height="10"/>'
    if group == "structure":
        corners = f"{x - 6:.1f},{y + 5:.1f} {x + 6:.1f},{y + 5:.1f} {x:.1f},{y - 6:.1f}"
        return f'<polygon class="mark fill" points="{corners}"/>'
    return f'<circle class="mark fill" cx="{x:.1f}" cy="{y:.1f}" r="5.5"/>'


def _diamond(x: float, y: float) -> str:
    corners = f"{x - 6:.1f},{y:.1f} {x:.1f},{y - 6:.1f} {x + 6:.1f},{y:.1f} {x:.1f},{y + 6:.1f}"
    return f'<polygon class="paper" points="{corners}"/>'
