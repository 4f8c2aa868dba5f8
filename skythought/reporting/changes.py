"""Originals and what became of them in, a page out: one file, no network, no scripts.

Whatever comes from a trace goes through `wording.safe`, but for the sides of a row, which are HTML
already; the page also forbids itself to load or run anything (its Content-Security-Policy).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from skythought.reporting.pages import POLICY
from skythought.reporting.style import CSS
from skythought.reporting.wording import safe

LONGEST = 200_000  # characters of a thought's rows that are shown
CUT = 20_000  # characters of a question that are shown
MORE_CSS = """
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 2px 20px; max-width: none; }
.pair { font: 15px/1.5 var(--serif); border-top: 1px solid var(--line); padding: 8px 0; }
.pair > div { white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: isolate; min-width: 0; }
.pair > .none { color: var(--soft); font: 13px/1.6 var(--sans); }
.heads { font: 600 12px/1.4 var(--sans); color: var(--soft); border-top: 2px solid var(--ink); }
del, ins { text-decoration-thickness: 1px; border-radius: 2px; padding: 0 1px; }
del { color: var(--wrong); background: color-mix(in srgb, var(--wrong) 12%, transparent); }
ins { color: var(--right); background: color-mix(in srgb, var(--right) 14%, transparent); }
del { text-decoration-line: line-through; } ins { text-decoration-line: underline; }
.kept > summary { color: var(--soft); } .kept { border-bottom: 0; }
@media (max-width: 640px) { .pair { grid-template-columns: 1fr; } }
"""


class Side(NamedTuple):
    """A step before and after, as HTML; "" where there is none. `perturbations.diff.Row` is one."""

    change: str  # kept, changed, removed or added
    before: str
    after: str


class Change(NamedTuple):
    """A trace and what became of it."""

    name: str
    edits: tuple[str, ...]
    question: str
    steps: Iterable[tuple[str, str, str]]  # as `Side`
    answer: tuple[str, str, str] | None = None  # as `Side`, where the solution changed


def page(title: str, changes: Iterable[Change]) -> str:
    """Write the page."""
    shown = [_section(number, change) for number, change in enumerate(changes, 1)]
    n = len(shown)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{safe(title)} – skythought</title>\n<style>{CSS}{MORE_CSS}</style>\n</head>\n"
        '<body>\n<header><p class="kicker">skythought perturb</p>'
        f'<h1>{safe(title)}</h1><p class="lead">{n:,} trace{"s" * (n != 1)}, the original on the '
        "left and what became of it on the right. <del>Crossed out</del> is gone, "
        "<ins>underlined</ins> is new.</p></header>\n"
        f"<main>{''.join(shown)}</main>\n<footer></footer>\n</body>\n</html>\n"
    )


def _section(number: int, change: Change) -> str:
    edits = "".join(f"<li>{safe(edit)}</li>" for edit in change.edits)
    question = change.question[:CUT] + "…" * (len(change.question) > CUT)
    answer = ""
    if change.answer is not None:
        answer = '<p class="what">solution</p>' + _pair(Side(*change.answer))
    return (
        f'<section aria-labelledby="t{number}"><h2 id="t{number}">{safe(change.name)}</h2>'
        f'<ul class="note">{edits}</ul><details><summary>question</summary>'
        f"<pre>{safe(question)}</pre></details>"
        '<div class="pair heads"><div>before</div><div>after</div></div>'
        f"{''.join(_steps(change.steps))}{answer}</section>"
    )


def _steps(steps: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    """Write the steps; those that stayed are folded."""
    kept: list[str] = []
    length = 0
    for given in steps:
        side = Side(*given)
        length += len(side.before) + len(side.after)
        if length > LONGEST:
            yield from _kept(kept)
            yield '<p class="note">The rest is left out here: this thought is too long.</p>'
            return
        if side.change == "kept":
            kept.append(side.before)
            continue
        yield from _kept(kept)
        kept = []
        yield _pair(side)
    yield from _kept(kept)


def _kept(steps: list[str]) -> Iterator[str]:
    if not steps:
        return
    n = len(steps)
    rows = "".join(f'<div class="pair"><div>{s}</div><div>{s}</div></div>' for s in steps)
    yield (
        f'<details class="kept"><summary>{n:,} step{"s" * (n > 1)} as before</summary>'
        f"{rows}</details>"
    )


def _pair(side: Side) -> str:
    texts = []
    for text, none in ((side.before, "(not there)"), (side.after, "(removed)")):
        texts.append(f"<div>{text}</div>" if text else f'<div class="none">{none}</div>')
    return f'<div class="pair">{"".join(texts)}</div>'
