"""Two traces side by side: two answers, or an original and what became of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from skythought.viewing import frame, reading
from skythought.viewing.frame import count
from skythought.viewing.marked import Drawing, safe
from skythought.viewing.reading import LONGEST, SHORT, Opened

MARKS = re.compile(r"</?(?:ins|del)>")
DIGITS = re.compile(r"\d")

Rows = Sequence[tuple[str, str, str]]  # of a diff: what was done, before and after as HTML


def compare(
    left: Opened, right: Opened, roles: Mapping[str, str], query: str, *, drawn: bool
) -> str:
    """Write two answers side by side."""
    drawing = Drawing(on=drawn)
    sides = "".join(
        f'<section aria-label="{name}"><h2><a href="{safe(frame.trace_address(side.row))}">'
        f'{safe(side.trace.model[:80])}</a></h2><p class="meta">{safe(side.row["label"])}'
        f"{f', sample {side.trace.sample}' if side.trace.sample else ''}</p>"
        f"{_short(side)}{_strip(side, roles, name)}{reading.steps(side.reading, drawing, name)}"
        f"<h3>Answer</h3>{reading.answer(side, drawing)}</section>"
        for name, side in (("left", left), ("right", right))
    )
    back = safe(frame.trace_address(left.row, query))
    differ = left.row["same"] != right.row["same"] and left.row["problem"] != right.row["problem"]
    note = '<p class="note warn">These answer different problems.</p>' if differ else ""
    body = (
        f'<nav class="where" aria-label="Place"><a href="{back}" data-key="u">Back to the trace</a>'
        f"</nav><h1>Side by side</h1>{note}{reading.problem(left.trace, drawing)}"
        f'<div class="pair">{sides}</div>'
    )
    return frame.page("Side by side", body, kind="beside")


def _short(side: Opened) -> str:
    m = side.reading.measured
    verdict = side.verdicts[0] if side.verdicts else None
    shown = frame.verdict(side.row["outcome"], side.row["finish"])
    found = f" found <code>{safe(verdict.extracted[:SHORT])}</code>" if verdict else ""
    rule = f'<span class="soft"> by {safe(verdict.reason[:SHORT])}</span>' if verdict else ""
    told = f"{count(m.steps or 0, 'step')}, {count(side.row['tokens'], 'token')}"
    if m.checkable:
        told += f", {m.holding} of {m.checkable} equations true"
    return f'<p>{shown}{found}{rule}</p><p class="meta">{told}</p>'


def _strip(side: Opened, roles: Mapping[str, str], prefix: str) -> str:
    sizes = [(step.letter, step.end - step.start) for step in side.reading.steps]
    return frame.ruler(sizes, roles, prefix)


def diff(before: Opened, after: Opened, rows: Rows, answers: Rows, query: str) -> str:
    """Write what became of a trace; the sides of rows are HTML already."""
    shown = _rows(rows)
    counts = Counter(change for change, _, _ in rows)
    told = ", ".join(f"{n:,} {change}" for change, n in counts.most_common())
    edits = ", ".join(after.trace.edits) or "no edit named"
    cut = ""
    if max(len(before.trace.thought), len(after.trace.thought)) > LONGEST:
        cut = f'<p class="note">The first {LONGEST:,} characters of each thought.</p>'
    changed = ""
    if before.trace.answer != after.trace.answer:
        changed = f'<h2>Answer</h2><div class="diff">{_rows(answers)}</div>'
    back = safe(frame.trace_address(after.row, query))
    body = (
        f'<nav class="where" aria-label="Place"><a href="{back}" data-key="u">Back to the trace</a>'
        f'</nav><h1>What the perturbation did</h1><p class="lead">{safe(edits[:300])}</p>'
        f'{reading.problem(after.trace, Drawing())}<p class="note">Steps: {told}.</p>{cut}'
        '<div class="diff"><div class="row heads"><div>'
        f'<a href="{safe(frame.trace_address(before.row))}">original</a></div>'
        f"<div>perturbed</div></div>{shown}</div>{changed}"
    )
    return frame.page("Original and perturbed", body, kind="beside")


def _rows(rows: Rows) -> str:
    """Write the rows; a step that is taken out here and put in there has moved.

    So has one of which only digits differ.
    """
    texts = [
        MARKS.sub("", after if change == "added" else before) for change, before, after in rows
    ]
    places = {
        (change, form(side)): i
        for form in (_but_digits, str)
        for i, ((change, _, _), side) in enumerate(zip(rows, texts, strict=True))
    }
    parts = []
    for i, (change, before, after) in enumerate(rows):
        kind, note = change, ""
        other = {"removed": "added", "added": "removed"}.get(change, "")
        there = places.get((other, texts[i]), places.get((other, _but_digits(texts[i]))))
        if there is not None:
            kind, word = "moved", "to" if change == "removed" else "from"
            also = "" if texts[there] == texts[i] else " and digits changed"
            said = f"moved {word} row {there + 1}{also}"
            note = f'<a class="note" href="#row-{there + 1}">{said}</a>'
        sides = "".join(
            f'<div class="text">{side}</div>' if side else f'<div class="none">{note}</div>'
            for side in (before, after)
        )
        parts.append(f'<div class="row {kind}" id="row-{i + 1}" tabindex="-1">{sides}</div>')
    return "".join(parts)


def _but_digits(text: str) -> str:
    return DIGITS.sub("#", text)
