"""The list: filters at its side, a row for each trace."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from skythought.viewing import frame, query
from skythought.viewing.frame import NONE, Row, count, number
from skythought.viewing.marked import Drawing, safe, shown
from skythought.viewing.query import Filters

SIZE = 50  # rows of a page
AROUND = 70  # characters around what was found
COLUMNS = (
    ("steps", "steps"),
    ("tokens", "tokens"),
    ("markers", "markers"),
    ("grounding", "true"),
)
TITLES = {
    "steps": "Steps of the thought",
    "tokens": "Tokens of thought and answer",
    "markers": "Reflection keywords: wait, but, hmm",
    "grounding": "Share of checked equations that hold",
}

Choices = Sequence[tuple[str, str, int | None]]  # value, what is shown, how many traces


class Listing(NamedTuple):
    """A page of the list."""

    asked: Filters
    rows: Sequence[Row]
    snippets: Mapping[int, str]  # by number of a trace: what was found in it, as HTML
    total: int  # traces that match
    every: int  # traces there are
    measured: int
    page: int  # from 1
    choices: Mapping[str, Choices]  # by filter
    roles: Mapping[str, str]  # role by letter
    faults: int

    @property
    def pages(self) -> int:
        """Count the pages."""
        return max(1, -(-self.total // SIZE))


def page(listing: Listing) -> str:
    """Write the page of a list."""
    asked = listing.asked
    body = (
        f'<div class="columns"><aside aria-label="Filters">{_filters(listing)}</aside>'
        f'<section aria-labelledby="found">{_head(listing)}{_table(listing)}{_paging(listing)}'
        "</section></div>"
    )
    return frame.page(asked.q or "Traces", body, asked.q, kind="list")


def _head(listing: Listing) -> str:
    some = listing.total != listing.every or listing.asked.on
    of = f" of {listing.every:,}" if some else ""
    notes = ""
    if listing.measured < listing.every:
        notes += (
            f'<p class="note" role="status">Structure is measured for {listing.measured:,} of '
            f"{count(listing.every, 'trace')} so far; filters and orders by structure know only "
            "these. Load the page again for more.</p>"
        )
    if listing.faults:
        notes += (
            f'<p class="note"><a href="/faults">{count(listing.faults, "row")}</a> could not be '
            "read as traces.</p>"
        )
    chips = "".join(
        f'<a class="chip" href="/?{safe(listing.asked._replace(**{name: ""}).write())}" '
        f'aria-label="Remove the filter {safe(said)}">{safe(said)} <span aria-hidden="true">×'
        "</span></a>"
        for name, said in _said(listing)
    )
    shown_chips = f'<p class="chips">{chips}</p>' if chips else ""
    many = "trace" if listing.total == 1 and not of else "traces"
    return f'<h1 id="found">{listing.total:,}{of} {many}</h1>{notes}{shown_chips}{_legend(listing)}'


def _said(listing: Listing) -> list[tuple[str, str]]:
    """Say which filters are on."""
    found = []
    for name, value in listing.asked.on.items():
        options = {v: said for v, said, _ in listing.choices.get(name, ())}
        word = LABELS.get(name, name)
        found.append((name, f"{word} {options.get(value, value)}"))
    return found


LABELS = {
    "q": "search:",
    "source": "from",
    "task": "task",
    "model": "model",
    "edit": "edit",
    "verdict": "verdict:",
    "end": "end:",
    "structure": "structure:",
    "role": "",
    "tokens_from": "tokens from",
    "tokens_to": "tokens to",
    "grounding_from": "true % from",
    "grounding_to": "true % to",
}


def _legend(listing: Listing) -> str:
    return (
        '<p class="legend" aria-label="Roles of steps">'
        + "".join(
            f'<span><svg class="key" viewBox="0 0 10 10" aria-hidden="true"><rect class="{letter}" '
            f'width="10" height="10"/></svg>{role}</span>'
            for letter, role in listing.roles.items()
        )
        + "</p>"
    )


def _filters(listing: Listing) -> str:
    asked = listing.asked
    selects = "".join(
        _select(name, title, listing.choices[name], getattr(asked, name))
        for name, title in (
            *(("verdict", "Verdict"), ("source", "From"), ("task", "Task"), ("model", "Model")),
            *(("edit", "Perturbed"), ("structure", "Structure"), ("role", "Steps")),
            ("end", "End"),
        )
        if len(listing.choices[name]) > 1 or getattr(asked, name)
    )
    return (
        '<details class="filters" open><summary>Filters</summary><form action="/" method="get" '
        f'id="filters">{selects}{_range(asked, "tokens", "Tokens")}'
        f"{_range(asked, 'grounding', 'True equations, %')}"
        f'<input type="hidden" name="q" value="{safe(asked.q)}">'
        f'<input type="hidden" name="sort" value="{safe(asked.sort)}">'
        '<p class="buttons"><button>Show</button> <a href="/">All traces</a></p></form></details>'
    )


def _select(name: str, title: str, choices: Choices, value: str) -> str:
    known = {choice for choice, _, _ in choices}
    more = () if value in known or not value else ((value, value, 0),)
    options = "".join(
        f'<option value="{safe(choice)}"{" selected" if choice == value else ""}>{safe(said)}'
        f"{'' if n is None else f' ({n:,})'}</option>"
        for choice, said, n in (("", "any", None), *choices, *more)
    )
    return (
        f'<label for="f-{name}">{title}</label>'
        f'<select name="{name}" id="f-{name}">{options}</select>'
    )


def _range(asked: Filters, name: str, title: str) -> str:
    ends = "".join(
        f'<input inputmode="decimal" name="{name}_{end}" id="f-{name}-{end}" '
        f'aria-label="{title} {end}" placeholder="{end}" '
        f'value="{safe(getattr(asked, f"{name}_{end}"))}">'
        for end in ("from", "to")
    )
    return f"<fieldset><legend>{title}</legend>{ends}</fieldset>"


def _table(listing: Listing) -> str:
    if not listing.rows:
        return '<p class="empty">No trace matches. <a href="/">Show all traces.</a></p>'
    heads = "".join(_sorted(listing.asked, name, title) for name, title in COLUMNS)
    rows = "".join(_row(listing, row) for row in listing.rows)
    return (
        '<div class="scroll" role="region" aria-labelledby="found" tabindex="0">'
        '<table class="list"><thead><tr><th scope="col">verdict</th><th scope="col">problem</th>'
        f'<th scope="col" class="wide">steps by role</th>{heads}</tr></thead><tbody>{rows}</tbody>'
        "</table></div>"
    )


def _sorted(asked: Filters, name: str, title: str) -> str:
    """Write a head that orders the list; a second time it turns the order round."""
    now = {f"-{name}": "descending", name: "ascending"}.get(asked.sort, "none")
    then = name if now == "descending" else f"-{name}"
    sign = {"descending": " ↓", "ascending": " ↑"}.get(now, "")
    href = f"/?{safe(asked._replace(sort=then).write())}"
    return (
        f'<th scope="col" class="number" aria-sort="{now}"><a href="{href}" '
        f'title="{TITLES[name]}; click to sort">{title}{sign}</a></th>'
    )


def _row(listing: Listing, row: Row) -> str:
    href = safe(frame.trace_address(row, listing.asked.write()))
    title = shown(row["title"], drawing=Drawing()) or "<i>no question</i>"
    found = listing.snippets.get(row["n"], "")
    sample = f"sample {row['sample']}" if row["sample"] else ""
    about = [row["task"], row["model"], row["label"], sample]
    about = [text for text in dict.fromkeys(about) if text]
    if row["edit"]:
        about.append(row["edit"])
    meta = " · ".join(safe(text[:80]) for text in about)
    checked = NONE
    if row["checkable"]:
        checked = f"{row['holding']}/{row['checkable']}"
    wrong = " wrong" if row["checkable"] and row["holding"] < row["checkable"] else ""
    return (
        f"<tr><td>{frame.verdict(row['outcome'], row['finish'])}</td>"
        f'<td class="problem"><a href="{href}">{title}</a>'
        f'{f"<p class=snippet>{found}</p>" if found else ""}<p class="meta">{meta}</p></td>'
        f'<td class="wide">{frame.strip(row["roles"] or "")}</td>'
        f'<td class="number">{number(row["steps"])}</td>'
        f'<td class="number">{number(row["tokens"])}</td>'
        f'<td class="number">{number(row["markers"])}</td>'
        f'<td class="number{wrong}">{checked}</td></tr>'
    )


def _paging(listing: Listing) -> str:
    if listing.pages == 1:
        return ""
    now, last = listing.page, listing.pages
    links = []
    for target, name, rel in (
        *((1, "First", ""), (now - 1, "Previous", "prev")),
        *((now + 1, "Next", "next"), (last, "Last", "")),
    ):
        if 1 <= target <= last and target != now:
            href = f"/?{safe(listing.asked.write(page=target))}"
            mark = f' rel="{rel}"' if rel else ""
            links.append(f'<a href="{href}"{mark}>{name}</a>')
        else:
            links.append(f'<span class="off">{name}</span>')
    first, end = (now - 1) * SIZE + 1, min(now * SIZE, listing.total)
    links.insert(2, f"<span>{first:,}–{end:,} of {listing.total:,}</span>")
    return f'<nav class="paging" aria-label="Pages">{"".join(links)}</nav>'


def snippet(text: str, q: str) -> str:
    """Write where in a text the first term of a search stands, as HTML; "" where it does not."""
    found = None
    for term, begins in query.terms(q):
        parts = [re.escape(part) for part in re.findall(r"\w+", query.words(term))]
        pattern = r"\W*".join(parts)
        if not query.UNSPACED.search(term):
            pattern = r"(?<!\w)" + r"\W+".join(parts) + ("" if begins else r"(?!\w)")
        found = re.search(pattern, text, re.IGNORECASE)
        if found:
            break
    if found is None:
        return ""
    start, end = max(0, found.start() - AROUND), min(len(text), found.end() + AROUND)
    before, after = text[start : found.start()], text[found.end() : end]
    return (
        f"{'…' if start else ''}{safe(_line(before))}<b>{safe(_line(found[0][:200]))}</b>"
        f"{safe(_line(after))}{'…' if end < len(text) else ''}"
    )


def _line(text: str) -> str:
    return re.sub(r"\s+", " ", text)
