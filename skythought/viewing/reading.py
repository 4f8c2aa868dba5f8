"""One trace to be read: the problem, the verdict, the thought step by step, the answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from skythought.core.records import Trace, Verdict
from skythought.viewing import frame, marked, maths
from skythought.viewing.building import Measured
from skythought.viewing.frame import Row, count, facts, share
from skythought.viewing.marked import Drawing, safe

LONGEST = 150_000  # characters of a thought that are read and shown
CUT = 20_000  # characters of a question or an answer that are shown
SHORT = 200  # characters of a part of a verdict


class Step(NamedTuple):
    """A step of a thought: `text[start:end]`; places are those in the whole text."""

    role: str
    letter: str
    start: int
    end: int
    statements: Sequence[marked.Statement]


class Reading(NamedTuple):
    """What structure says of a trace."""

    text: str  # what was read: the thought, or the answer where there is none
    steps: Sequence[Step]
    measured: Measured


class Opened(NamedTuple):
    """A trace with all that its page says of it."""

    row: Row
    trace: Trace
    verdicts: Sequence[Verdict]  # the one that decides first
    reference: str
    reading: Reading
    others: Sequence[Row]  # answers to the same problem
    parents: Sequence[Row]  # what it was made from
    children: Sequence[Row]  # what was made from it


class Place(NamedTuple):
    """Where a trace stands in the list it was opened from."""

    query: str
    number: int = 0  # from 1
    total: int = 0
    before: Row | None = None
    after: Row | None = None


def page(opened: Opened, place: Place, roles: Mapping[str, str], *, drawn: bool) -> str:
    """Write the page of a trace."""
    drawing = Drawing(on=drawn)
    row, trace = opened.row, opened.trace
    body = (
        f"{_where(opened, place, drawn=drawn)}"
        f'<div class="columns trace"><article aria-labelledby="problem">'
        f'<h1 id="problem">Problem</h1>{problem(trace, drawing)}{thought(opened, roles, drawing)}'
        f'<h2 id="answer">Answer</h2>{answer(opened, drawing)}</article>'
        f'<aside aria-label="About this trace">{about(opened, drawing)}{_related(opened, place)}'
        "</aside></div>"
    )
    return frame.page(row["title"] or row["id"], body, kind="one")


def _where(opened: Opened, place: Place, *, drawn: bool) -> str:
    row = opened.row
    back = f'<a href="/?{safe(place.query)}" data-key="u">List</a>'
    steps = ""
    if place.number:
        for name, rel, other in (
            ("Previous", "prev", place.before),
            ("Next", "next", place.after),
        ):
            href = safe(frame.trace_address(other, place.query)) if other else ""
            steps += (
                f'<a href="{href}" rel="{rel}">{name}</a>'
                if other
                else (f'<span class="off">{name}</span>')
            )
            if rel == "prev":
                steps += f"<span>{place.number:,} of {place.total:,}</span>"
    query = "&".join(filter(None, (place.query, "" if not drawn else "as=written")))
    turn = safe(frame.trace_address(row, query))
    said = "as written" if drawn else "formulas drawn"
    return (
        f'<nav class="where" aria-label="Place">{back}<span class="crumb">{safe(row["label"])} / '
        f'{safe(row["id"][:60])}</span><span class="steps">{steps}</span>'
        f'<a href="{turn}" data-key="m" class="turn">{said}</a></nav>'
    )


def problem(trace: Trace, drawing: Drawing) -> str:
    """Write what was asked; what is no turn of the user is folded."""
    parts = []
    for turn in trace.messages:
        text = f'<div class="text">{marked.shown(turn.content[:CUT], drawing=drawing)}</div>'
        more = len(turn.content) - CUT
        if more > 0:
            text += f'<p class="note">{more:,} more characters are not shown.</p>'
        if turn.role == "user":
            parts.append(f'<div class="problem">{text}</div>')
        else:
            parts.append(
                f'<details class="turn"><summary>{safe(turn.role[:40])}</summary>{text}</details>'
            )
    return "".join(parts)


def thought(opened: Opened, roles: Mapping[str, str], drawing: Drawing) -> str:
    """Write the thought: a ruler of its steps, a legend, and the steps."""
    trace, reading = opened.trace, opened.reading
    head = '<h2 id="thought">Thought</h2>'
    if not trace.thought.strip():
        return f'{head}<p class="empty">This model did not think, or its thought is not given.</p>'
    sizes = [(step.letter, step.end - step.start) for step in reading.steps]
    left = len(trace.thought) - LONGEST
    more = ""
    if left > 0:
        raw = safe(frame.address("raw", opened.row["label"], opened.row["id"]))
        more = (
            f'<p class="note">The first {LONGEST:,} characters; {left:,} more are in '
            f'<a href="{raw}">the row</a>.</p>'
        )
    return (
        f"{head}{frame.ruler(sizes, roles)}{_legend(reading.steps, roles)}"
        f"{steps(reading, drawing)}{more}"
    )


def _legend(found: Sequence[Step], roles: Mapping[str, str]) -> str:
    counts = Counter(step.letter for step in found)
    keys = "".join(
        f'<button type="button" class="only" data-role="{letter}" aria-pressed="false">'
        f'<svg class="key" viewBox="0 0 10 10" aria-hidden="true"><rect class="{letter}" '
        f'width="10" height="10"/></svg>{role} <span class="soft">{counts[letter]}</span></button>'
        for letter, role in roles.items()
        if counts[letter]
    )
    return (
        f'<p class="legend" role="group" aria-label="Show the steps of one role">{keys}'
        '<span class="marks"><mark>wait</mark> reflection <span class="said holds">2+2=4'
        '<span class="sign">✓</span></span> true <span class="said fails">2+2=5'
        '<span class="sign">✗</span></span> false</span></p>'
    )


def steps(reading: Reading, drawing: Drawing, prefix: str = "step") -> str:
    """Write the steps of a thought."""
    answer_step = reading.measured.answer_step
    parts = []
    for number, step in enumerate(reading.steps, 1):
        own = [
            s._replace(start=s.start - step.start, end=s.end - step.start) for s in step.statements
        ]
        text = marked.shown(reading.text[step.start : step.end], own, drawing, keywords=True)
        reached = ""
        if answer_step is not None and number == answer_step + 1:
            reached = '<span class="reached">first reaches the answer</span>'
        parts.append(
            f'<li class="step {step.letter}" id="{prefix}-{number}" data-role="{step.letter}">'
            f'<p class="head"><a href="#{prefix}-{number}" aria-label="Step {number}">{number}</a> '
            f'<span class="role">{step.role}</span>{reached}</p><div class="text">{text}</div></li>'
        )
    return f'<ol class="steps">{"".join(parts)}</ol>'


def answer(opened: Opened, drawing: Drawing) -> str:
    """Write what follows the thought."""
    text = opened.trace.answer
    if opened.trace.error:
        return f'<p class="empty">The request failed: {safe(opened.trace.error[:CUT])}</p>'
    if not text.strip():
        return '<p class="empty">There is none.</p>'
    more = len(text) - CUT
    note = f'<p class="note">{more:,} more characters are not shown.</p>' if more > 0 else ""
    return f'<div class="answer text">{marked.shown(text[:CUT], drawing=drawing)}</div>{note}'


def about(opened: Opened, drawing: Drawing) -> str:
    """Write the verdicts, what the trace is, and its structure."""
    row, trace, m = opened.row, opened.trace, opened.reading.measured
    verdicts = "".join(_verdict(v, drawing) for v in opened.verdicts)
    if not verdicts:
        verdicts = frame.verdict(row["outcome"], row["finish"])
        verdicts += '<p class="note">Grade it with skythought score.</p>'
    known = any(v.expected for v in opened.verdicts)
    reference = "" if known or not opened.reference else _value(opened.reference, drawing)
    raw = safe(frame.address("raw", row["label"], row["id"]))
    made = "".join(f"<p>{safe(edit)}</p>" for edit in trace.edits)
    what = [
        ("reference", reference),
        ("model", safe(trace.model)),
        ("task", safe(row["task"])),
        ("from", safe(row["label"])),
        ("sample", str(trace.sample) if trace.sample else ""),
        ("perturbed", made),
        ("ended", {"length": "cut off", "error": "request failed"}.get(trace.finish, "")),
        ("tokens", f"{row['tokens']:,}"),
        ("file", f'<a href="{raw}">line {row["line"]:,} of {safe(row["path"])}</a>'),
    ]
    return (
        f'<section class="card" aria-label="Verdict"><h2>Verdict</h2>{verdicts}</section>'
        f'<section class="card" aria-label="Trace"><h2>Trace</h2>{facts(what)}</section>'
        f'<section class="card" aria-label="Structure"><h2>Structure</h2>{facts(_structure(m))}'
        "</section>"
    )


def _structure(m: Measured) -> list[tuple[str, str]]:
    checked = "none that can be checked"
    if m.checkable:
        checked = f"{m.holding} of {m.checkable} true"
    at = "no step" if m.answer_step is None else f"step {m.answer_step + 1}"
    if m.answer_step is not None:
        at = f'<a href="#step-{m.answer_step + 1}">{at}</a>'
    return [
        ("steps", str(m.steps)),
        ("reflection keywords", str(m.markers)),
        ("equations", checked),
        ("steps that follow", share(m.consistency)),
        ("reaches its answer", at),
        ("repeated", share(m.repetition) + (", loops to the end" if m.loop else "")),
        ("flag", safe(m.flag)),
    ]


def _verdict(verdict: Verdict, drawing: Drawing) -> str:
    pairs = [
        ("found", _value(verdict.extracted, drawing) if verdict.extracted else "nothing"),
        ("expected", _value(verdict.expected, drawing) if verdict.expected else ""),
        ("rule", safe(verdict.rule)),
        ("detail", safe(verdict.detail)),
        ("verifier", safe(verdict.verifier)),
    ]
    return f"{frame.verdict(verdict.outcome)}{facts(pairs)}"


def _value(text: str, drawing: Drawing) -> str:
    """Write an answer: a formula where it looks like one."""
    if "\\" in text or "^" in text:
        text = text if maths.find(text) else f"${text}$"
        if len(text) <= SHORT:
            return marked.shown(text, drawing=drawing)
    return f"<code>{safe(text[:SHORT])}{'…' if len(text) > SHORT else ''}</code>"


def _related(opened: Opened, place: Place) -> str:
    row = opened.row
    parts = []
    own = (row["label"], row["id"])
    if row["parent"]:
        items = "".join(_item(parent, place) for parent in opened.parents[:1])
        if opened.parents:
            href = safe(frame.address("diff", *own, query=place.query))
            items += f'<li><a href="{href}" data-key="d">What the perturbation did</a></li>'
        else:
            parent = safe(row["parent"][:60])
            items = f"<li>{parent}, which is in none of these files; name its file too</li>"
        parts.append(f'<section class="card"><h2>Made from</h2><ul>{items}</ul></section>')
    if opened.children:
        items = "".join(_item(child, place, edit=True) for child in opened.children)
        parts.append(f'<section class="card"><h2>Perturbed</h2><ul>{items}</ul></section>')
    if opened.others:
        items = "".join(_other(row, other, place) for other in opened.others)
        said = count(len(opened.others), "other answer")
        parts.append(
            f'<section class="card"><h2>The same problem</h2><p class="note">{said}</p>'
            f"<ul>{items}</ul></section>"
        )
    return "".join(parts)


def _item(row: Row, place: Place, *, edit: bool = False) -> str:
    href = safe(frame.trace_address(row, place.query))
    said = row["edit"] if edit else f"{row['label']}, {row['model']}"
    return f'<li><a href="{href}">{safe(said[:120] or row["label"])}</a></li>'


def _other(row: Row, other: Row, place: Place) -> str:
    href = safe(frame.trace_address(other, place.query))
    sides = (row["label"], row["id"], other["label"], other["id"])
    pair = frame.address("compare", *sides, query=place.query)
    sample = f", sample {other['sample']}" if other["sample"] else ""
    edit = f", {other['edit']}" if other["edit"] else ""
    said = f"{other['model'][:60]}{sample}{edit}"
    return (
        f'<li>{frame.verdict(other["outcome"], other["finish"])} <a href="{href}">{safe(said)}</a> '
        f'<a class="beside" href="{safe(pair)}" data-key="c">side by side</a></li>'
    )
