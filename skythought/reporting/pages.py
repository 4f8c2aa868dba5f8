"""Pieces that pages are written with: the frame of a page, its tables, lists of facts.

A page is one file that needs no network and no scripts; it also forbids itself to load or run
anything (its Content-Security-Policy). All texts go through `wording.safe`, except those named
`html`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from skythought.reporting.style import CSS
from skythought.reporting.wording import safe

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def frame(
    title: str,
    *,
    kicker: str,
    question: str,
    lead: str,
    sections: Mapping[str, tuple[str, str]],
    foot_html: str,
) -> str:
    """Write a page.

    Args:
        title: of the window.
        kicker: a line above the heading.
        question: the heading.
        lead: a sentence or two below it.
        sections: by their key in links: heading, and content as HTML.
        foot_html: before the links to the other files.
    """
    links = "".join(f'<a href="#{key}">{safe(name)}</a>' for key, (name, _) in sections.items())
    body = "".join(
        f'<section id="{key}" aria-labelledby="{key}-head"><h2 id="{key}-head">{safe(name)}</h2>'
        f"{html}</section>"
        for key, (name, html) in sections.items()
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{safe(title)} – skythought</title>\n<style>{CSS}</style>\n</head>\n<body>\n"
        f'<header><p class="kicker">{safe(kicker)}</p><h1>{safe(question)}</h1>'
        f'<p class="lead">{safe(lead)}</p><nav aria-label="Sections">{links}</nav>'
        f"</header>\n<main>{body}</main>\n"
        f'<footer><p class="note">{foot_html}The numbers of this page as data: '
        '<a href="results.json">results.json</a>; as text: <a href="report.md">report.md</a>.</p>'
        "</footer>\n</body>\n</html>\n"
    )


def cells(*texts: str, kind: str = "") -> str:
    """Write cells of a row; `kind` names classes of the style sheet."""
    mark = f' class="{kind}"' if kind else ""
    return "".join(f"<td{mark}>{safe(text)}</td>" for text in texts)


def head(*names: str) -> str:
    """Write the row at the head of a table."""
    found = "".join(f'<th scope="col">{safe(name)}</th>' for name in names)
    return f"<tr>{found}</tr>"


def table(head_html: str, bodies_html: str, caption: str, name: str) -> str:
    """Write a table that scrolls where it is too wide."""
    note = f'<p class="note">{safe(caption)}</p>' if caption else ""
    return (
        f'{note}<div class="scroll" role="region" aria-label="{safe(name)}" tabindex="0">'
        f'<table aria-label="{safe(name)}"><thead>{head_html}</thead>{bodies_html}</table></div>'
    )


def facts(pairs: Iterable[tuple[Any, Any]]) -> str:
    """Write names and values."""
    lines = "".join(
        f'<tr><th scope="row">{safe(key)}</th><td>{safe(value)}</td></tr>' for key, value in pairs
    )
    return f'<div class="scroll"><table class="facts"><tbody>{lines}</tbody></table></div>'
