"""What all pages are made of: the frame around them, addresses, verdicts and strips of steps."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from itertools import groupby
from urllib.parse import quote

from skythought.viewing.marked import safe

Row = sqlite3.Row

NONE = "–"  # stands where there is no figure
CELLS = 80  # steps of a strip in the list; of a longer thought every so-many-th is drawn
# outcome -> (sign, what is said)
OUTCOMES = {
    "correct": ("\N{CHECK MARK}", "correct"),
    "incorrect": ("\N{BALLOT X}", "incorrect"),
    "no_answer": ("\N{EMPTY SET}", "no answer"),
    "error": ("!", "could not be graded"),
    "": ("\N{MIDDLE DOT}", "not graded"),
}
KEYS = (
    ("j k", "next and previous row or step"),
    ("Enter", "open the row"),
    ("n p", "next and previous page or trace"),
    ("/", "search"),
    ("u", "back to the list"),
    ("d", "what a perturbation did"),
    ("c", "side by side with another answer"),
    ("m", "formulas as written, or drawn"),
    ("t", "dark or light"),
    ("?", "these keys"),
)


def address(kind: str, *parts: str, query: str = "") -> str:
    """Write the address of a page; any text may be part of it."""
    path = "/".join(quote(part, safe="") for part in (kind, *parts))
    return f"/{path}?{query}" if query else f"/{path}"


def trace_address(row: Row, query: str = "") -> str:
    """Write the address of the page of a trace."""
    return address("trace", row["label"], row["id"], query=query)


def page(title: str, body: str, q: str = "", *, kind: str = "") -> str:
    """Write a page."""
    keys = "".join(f"<dt>{_keys(keys)}</dt><dd>{said}</dd>" for keys, said in KEYS)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{safe(title[:200])} – skythought</title>\n"
        '<link rel="icon" href="/static/icon.svg" type="image/svg+xml">\n'
        '<link rel="stylesheet" href="/static/page.css">\n<script src="/static/page.js"></script>\n'
        f'</head>\n<body class="{kind}">\n<a class="skip" href="#main">Skip to the content</a>\n'
        '<header class="top"><a class="home" href="/">skythought <span>view</span></a>'
        '<form class="search" role="search" action="/" method="get">'
        '<input type="search" name="q" id="q" aria-label="Search questions, thoughts and answers" '
        f'placeholder="Search: words, &quot;a phrase&quot;, begin*" value="{safe(q)}" '
        'autocomplete="off" spellcheck="false"></form>'
        '<button type="button" id="theme" aria-label="Dark or light" title="Dark or light (t)">'
        "\N{CIRCLE WITH RIGHT HALF BLACK}</button>"
        '<button type="button" id="help" aria-label="Keys" title="Keys (?)">?</button></header>\n'
        f'<main id="main">{body}</main>\n'
        f'<dialog id="keys" aria-labelledby="keys-head"><h2 id="keys-head">Keys</h2><dl>{keys}</dl>'
        '<form method="dialog"><button>Close</button></form></dialog>\n</body>\n</html>\n'
    )


def _keys(keys: str) -> str:
    return " ".join(f"<kbd>{safe(key)}</kbd>" for key in keys.split())


def verdict(outcome: str, finish: str = "stop") -> str:
    """Write a verdict, and whether the answer was cut off."""
    sign, said = OUTCOMES.get(outcome, OUTCOMES[""])
    mark = f'<span aria-hidden="true">{sign}</span>'
    shown = f'<span class="verdict {outcome or "none"}">{mark} {said}'
    ends = {"length": "cut off", "error": "request failed"}.get(finish)
    return f"{shown}</span>" + (f' <span class="end">{ends}</span>' if ends else "")


def strip(letters: str) -> str:
    """Draw the roles of a thought as a strip, for the list."""
    if not letters:
        return ""
    n = min(len(letters), CELLS)
    cells = [letters[i * len(letters) // n] for i in range(n)]
    at, bars = 0, []
    for letter, run in groupby(cells):
        length = len(list(run))
        bars.append(f'<rect class="{letter}" x="{at}" width="{length}" height="10"/>')
        at += length
    return (
        f'<svg class="strip" viewBox="0 0 {n} 10" preserveAspectRatio="none" role="img" '
        f'aria-label="roles of {len(letters)} steps">{"".join(bars)}</svg>'
    )


def ruler(steps: list[tuple[str, int]], names: Mapping[str, str], prefix: str = "step") -> str:
    """Draw the steps of a thought by role and length, each a link to it."""
    total = sum(size for _, size in steps) or 1
    least = total / 400  # so that a short step can be seen and hit
    sizes = [max(size, least) for _, size in steps]
    scale = 1000 / sum(sizes, start=0.0) if sizes else 1
    at, bars = 0.0, []
    for number, ((letter, _), size) in enumerate(zip(steps, sizes, strict=True), 1):
        width = size * scale
        gap = min(1.0, width / 4)
        bars.append(
            f'<a href="#{prefix}-{number}" tabindex="-1"><rect class="{letter}" x="{at:.1f}" '
            f'width="{width - gap:.1f}" height="26"><title>step {number}, '
            f"{names[letter]}</title></rect></a>"
        )
        at += width
    return (
        '<svg class="ruler" viewBox="0 0 1000 26" preserveAspectRatio="none" role="img" '
        f'aria-label="{len(steps)} steps, coloured by role">{"".join(bars)}</svg>'
    )


def count(n: int, one: str, many: str = "") -> str:
    """Write a number of things.

    >>> count(1, "trace"), count(1200, "trace")
    ('1 trace', '1,200 traces')
    """
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def number(value: float | None) -> str:
    """Write a count, or that there is none."""
    return NONE if value is None else f"{value:,}"


def share(value: float | None) -> str:
    """Write a share in percent."""
    return NONE if value is None else f"{100 * value:.0f} %"


def facts(pairs: Iterator[tuple[str, str]] | list[tuple[str, str]]) -> str:
    """Write names and what is said of them, which is HTML already."""
    rows = "".join(f"<dt>{safe(name)}</dt><dd>{value}</dd>" for name, value in pairs if value)
    return f'<dl class="facts">{rows}</dl>'
