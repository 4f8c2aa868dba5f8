"""Text of a trace as HTML: escaped, formulas drawn, keywords and checked statements marked.

    shown("Wait, 2+2=5.", [Statement(6, 11, "fails", "2+2 = 5")])
    -> '<mark>Wait</mark>, <span class="said fails" ...>2+2=5</span>.'

What a model wrote is hostile text. Here is the only place where it becomes HTML.
"""

from __future__ import annotations

import html
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from skythought.core.errors import plain
from skythought.core.steps import KEYWORD
from skythought.viewing import maths

DRAWN = 60_000  # characters of formulas that are drawn on a page; the rest stay as they are written
SIGNS = {"holds": "\N{CHECK MARK}", "fails": "\N{BALLOT X}"}


def safe(value: object) -> str:
    """Write any text for HTML: no markup, no control characters, none that turn the direction."""
    return html.escape(plain(str(value).replace("\r\n", "\n")))


class Statement(NamedTuple):
    """An equation or comparison in a text whose truth is known: `text[start:end]`."""

    start: int
    end: int
    truth: str  # holds or fails
    said: str  # as it was read


@dataclass
class Drawing:
    """What is drawn of the formulas of a page."""

    on: bool = True
    left: int = DRAWN

    def formula(self, text: str, formula: maths.Formula) -> str:
        """Draw a formula, or give it as it is written."""
        source = safe(text[formula.start : formula.end])
        if len(formula.latex) > self.left:
            return source
        self.left -= len(formula.latex)
        drawn = maths.to_mathml(formula.latex, formula.display)
        if not drawn:
            return f'<code class="tex">{source}</code>'
        kind = "formula display" if formula.display else "formula"
        return f'<span class="{kind}" title="{source[:300]}">{drawn}</span>'


class _Group(NamedTuple):
    """Statements that overlap, and all of what they and the formulas they touch cover."""

    start: int
    end: int
    statements: list[Statement]


def shown(
    text: str,
    statements: Iterable[Statement] = (),
    drawing: Drawing | None = None,
    *,
    keywords: bool = False,
) -> str:
    """Write a text as HTML; formulas where `drawing` is on, keywords marked where asked for."""
    formulas = maths.find(text) if drawing is not None and drawing.on else []
    groups = _groups(statements, formulas)
    inner: list[tuple[int, int, str]] = []
    if drawing is not None:
        inner += ((f.start, f.end, drawing.formula(text, f)) for f in formulas)
    if keywords:
        inner += ((*m.span(), f"<mark>{safe(m[0])}</mark>") for m in KEYWORD.finditer(text))
    inner.sort(key=lambda piece: (piece[0], -piece[1]))
    pieces = deque(inner)

    def fill(begin: int, stop: int) -> str:
        """Write `text[begin:stop]`; a piece within another, or over a border, is left out."""
        parts: list[str] = []
        while pieces and pieces[0][1] <= stop:
            start, end, written = pieces.popleft()
            if start >= begin:
                parts += (safe(text[begin:start]), written)
                begin = end
        return "".join((*parts, safe(text[begin:stop])))

    parts: list[str] = []
    at = 0
    for group in groups:
        parts += (fill(at, group.start), _open(group), fill(group.start, group.end), _close(group))
        at = group.end
    return "".join((*parts, fill(at, len(text))))


def _groups(statements: Iterable[Statement], formulas: Sequence[maths.Formula]) -> list[_Group]:
    """Widen statements to whole formulas and put together those that overlap."""
    found: list[_Group] = []
    at = 0
    for statement in sorted(statements):
        start, end = statement.start, statement.end
        while at < len(formulas) and formulas[at].end <= start:
            at += 1
        touched = at
        while touched < len(formulas) and formulas[touched].start < end:
            start = min(start, formulas[touched].start)
            end = max(end, formulas[touched].end)
            touched += 1
        if found and start < found[-1].end:
            last = found[-1]
            found[-1] = _Group(last.start, max(end, last.end), [*last.statements, statement])
        else:
            found.append(_Group(start, end, [statement]))
    return found


def _truth(group: _Group) -> str:
    return "fails" if any(s.truth == "fails" for s in group.statements) else "holds"


def _open(group: _Group) -> str:
    said = "\n".join(f"{SIGNS[s.truth]} {s.said} {s.truth}" for s in group.statements)
    return f'<span class="said {_truth(group)}" title="{safe(said[:1000])}">'


def _close(group: _Group) -> str:
    """Say what was found, with a sign, so that nobody needs to see the colour."""
    truth = _truth(group)
    return f'<span class="sign" role="img" aria-label="{truth}">{SIGNS[truth]}</span></span>'
