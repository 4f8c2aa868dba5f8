"""What an analysis of structure found, for people: a page in Markdown, plots, lines for a terminal.

    plots(summary)["roles"]    share of the steps in each role, a bar for each model
    page(summary)              all figures; the plots are linked by name
    lines(summary)             a line for each model

`summary` is what `skythought analyze` writes into summary.json.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from skythought.core.errors import plain
from skythought.reporting import drawing
from skythought.reporting.wording import NONE, percent

COLOURS = {
    "restate": "#777b7f",
    "plan": "#3a8fc4",
    "compute": "#0b5a8f",
    "verify": "#00725a",
    "backtrack": "#c4500a",
    "alternative": "#a87400",
    "conclude": "#a8558a",
}
MOST_BARS = 16  # models that are drawn; the table has all
MOST_PANELS = 8
LEAST_TRACES = 10  # of a model with a panel of its own
WIDTH = 760
LEFT = 236  # where bars begin, after the names
NAME_CHARS = 29

Summary = Mapping[str, Any]
Group = Mapping[str, Any]


def plots(summary: Summary) -> dict[str, str]:
    """Draw all plots, each a file of its own, by name."""
    drawn = {
        "roles": roles(summary),
        "transitions": transitions(summary),
        "after_answer": after_answer(summary),
        "plane": plane(summary),
    }
    return {name: drawing.alone(plot) for name, plot in drawn.items() if plot}


def roles(summary: Summary) -> str:
    """Draw the share of the steps in each role, a bar for each model."""
    rows = [*_groups(summary)][: MOST_BARS + 1]
    x = drawing.scale(0, 1, LEFT, WIDTH - 12)
    body = [*_legend(summary["letters"])]
    y = 56.0
    for name, group in rows:
        body.append(drawing.text(LEFT - 10, y + 16, _short(name), "end"))
        at = 0.0
        for role, share in group["roles"].items():
            wide = x(at + share) - x(at)
            body.append(
                f'<rect fill="{COLOURS[role]}" x="{x(at):.1f}" y="{y:.1f}" width="{wide:.1f}" '
                'height="22"/>'
            )
            if wide > 26:
                body.append(drawing.text(x(at) + wide / 2, y + 16, f"{share:.0%}", "mid on"))
            at += share
        y += 28
    title = "Share of the steps in each role, by model"
    said = "; ".join(f"{name}: {_list(group['roles'])}" for name, group in rows)
    return drawing.svg("roles", (WIDTH, y + 8), title, said, body)


def _legend(letters: Mapping[str, str]) -> Iterator[str]:
    x = 0.0
    for role, letter in letters.items():
        yield f'<rect fill="{COLOURS[role]}" x="{x:.1f}" y="14" width="14" height="14"/>'
        yield drawing.text(x + 20, 26, f"{letter} {role}", "")
        x += 46 + 8.0 * len(role)


def transitions(summary: Summary) -> str:
    """Draw which role comes after which, as a table of shares."""
    table = summary["all"]["transitions"]
    names = [*summary["letters"]]
    size, left, top = 90.0, 100.0, 64.0
    body = [
        drawing.text(0, 18, "step", "soft"),
        drawing.text(left, 18, "the step after it", "soft"),
    ]
    for j, name in enumerate(names):
        body.append(drawing.text(left + (j + 0.5) * size, top - 12, name, "mid"))
    for i, name in enumerate(names):
        y = top + i * 34
        body.append(drawing.text(left - 10, y + 21, name, "end"))
        for j, after in enumerate(names):
            share = table.get(name, {}).get(after, 0.0)
            x = left + j * size
            body.append(
                f'<rect fill="{COLOURS[after]}" fill-opacity="{0.06 + 0.94 * share:.2f}" '
                f'x="{x:.1f}" y="{y:.1f}" width="{size - 2:.1f}" height="32"/>'
            )
            kind = "mid on" if share > 0.45 else "mid"
            body.append(drawing.text(x + size / 2, y + 21, f"{share:.0%}", kind))
    said = "; ".join(f"after {name}: {_list(row)}" for name, row in table.items())
    wide, high = left + len(names) * size, top + len(names) * 34 + 6
    return drawing.svg("transitions", (wide, high), "Which role comes after which", said, body)


def after_answer(summary: Summary) -> str:
    """Draw how much of a trace comes after its answer is first reached, a panel for each model."""
    everything, *models = _groups(summary)
    if not everything[1]["reached"]:
        return ""
    several = len(models) > 1
    shown = [row for row in models if several and row[1]["reached"] >= LEAST_TRACES]
    shown = [everything, *shown[:MOST_PANELS]]
    label = "share of a trace's tokens after its answer is first reached; bars: % of the traces"
    body = [drawing.text(4, 18, label, "soft")]
    wide, high, columns = 250.0, 150.0, 3
    for number, (name, group) in enumerate(shown):
        left, top = 4 + number % columns * wide, 34 + number // columns * (high + 14)
        bins = [n / group["reached"] for n in group["after_answer_bins"]]
        x = drawing.scale(0, len(bins), left, left + wide - 34)
        y = drawing.scale(0, max(0.5, *bins), top + high - 24, top + 30)
        body.append(drawing.text(left, top + 12, _short(name), "head"))
        for i, share in enumerate(bins):
            body.append(
                f'<rect fill="{COLOURS["compute"]}" x="{x(i) + 1:.1f}" y="{y(share):.1f}" '
                f'width="{x(1) - x(0) - 2:.1f}" height="{y(0) - y(share):.1f}"/>'
            )
            if share >= 0.005:
                at = (x(i) + x(i + 1)) / 2
                body.append(drawing.text(at, y(share) - 4, f"{100 * share:.0f}", "mid soft"))
        body.append(drawing.line(x(0), y(0), x(len(bins)), y(0), "zero"))
        for i, label in ((0, "0"), (5, "50"), (10, "100 %")):
            body.append(drawing.text(x(i), y(0) + 16, label, "soft mid" if i else "soft"))
    rows = -(-len(shown) // columns)
    said = "; ".join(
        f"{name}: {_shares(group['after_answer_bins'], group['reached'])}" for name, group in shown
    )
    title = "Tokens after the answer is first reached, as a share of the trace; % of the traces"
    return drawing.svg("after", (WIDTH, 38 + rows * (high + 14)), title, said, body)


def plane(summary: Summary) -> str:
    """Draw the traces on the plane of form (consistency) against grounding."""
    cells, limits = summary["all"]["plane"], summary["thresholds"]
    if not cells:
        return ""
    size, left, top = 420.0, 62.0, 40.0
    n = limits["cells"]
    x, y = drawing.scale(0, 1, left, left + size), drawing.scale(0, 1, top + size, top)
    body = []
    for share in (0, 0.25, 0.5, 0.75, 1):
        body.append(drawing.line(left, y(share), left + size, y(share), "grid"))
        body.append(drawing.line(x(share), top, x(share), top + size, "grid"))
        body.append(drawing.text(left - 8, y(share) + 4, f"{share:.2f}", "soft end"))
        body.append(drawing.text(x(share), top + size + 18, f"{100 * share:.0f} %", "soft mid"))
    form, ground = limits["high_form"], limits["low_grounding"]
    body.append(drawing.line(left, y(form), x(ground), y(form), "bound"))
    body.append(drawing.line(x(ground), y(form), x(ground), top, "bound"))
    most = max(count for _, _, count in cells)
    for i, j, count in cells:
        suspect = (j + 0.5) / n >= form and (i + 0.5) / n < ground
        fill = COLOURS["backtrack" if suspect else "compute"]
        radius = max(2.0, 0.5 * size / n * (count / most) ** 0.5)
        body.append(
            f'<circle fill="{fill}" fill-opacity="0.8" cx="{x((i + 0.5) / n):.1f}" '
            f'cy="{y((j + 0.5) / n):.1f}" r="{radius:.1f}"/>'
        )
    body.append(drawing.text(0, 18, "consistency of the steps", "soft"))
    label = "statements that hold, of those that can be checked"
    body.append(drawing.text(left + size / 2, top + size + 40, label, "soft mid"))
    flagged = summary["all"]["ungrounded"]
    body.append(drawing.text(left + size + 16, top + 14, f"{flagged:,} of", "head"))
    shown = sum(count for _, _, count in cells)
    for row, said in enumerate(
        (
            f"{shown:,} traces with",
            f"{limits['least_checkable']} checkable",
            "statements or more",
            "are flagged: form",
            "without ground",
        )
    ):
        body.append(drawing.text(left + size + 16, top + 34 + 18 * row, said, "soft"))
    said = f"{flagged} of {shown} traces have high consistency and low grounding"
    return drawing.svg("plane", (WIDTH, top + size + 50), "Form against grounding", said, body)


LOOPS = (
    "A loop repeats one block up to the end of the trace. Mixed are traces with 1 % or more of "
    "their letters in a script that the question has none of."
)


def page(summary: Summary) -> str:
    """Write all figures as Markdown."""
    everything, letters = summary["all"], summary["letters"]
    groups = [*_groups(summary)]
    told = " (unparsed.jsonl has the reasons)" if summary["unparsed"] else ""
    intro = (
        f"{everything['traces']:,} traces, {summary['unparsed']:,} rows not analyzed{told}. "
        f"Tokens are {_counted(everything)}."
    )
    heads = [f"{role} ({letter})" for role, letter in letters.items()]
    shares = [(n, *(f"{g['roles'][role]:.1%}" for role in letters)) for n, g in groups]
    follow = [
        (role, *(f"{row[after]:.0%}" for after in letters))
        for role, row in everything["transitions"].items()
    ]
    grounds = (LIKELIHOOD_COLUMN if summary["scorer"] else {}) | GROUND_COLUMNS
    parts = [
        [f"# Structure of {_cell(summary['source'])}"],
        [intro],
        ["## Traces"],
        ["Medians; in brackets the tenth and the ninetieth percentile."],
        _table(["model", *COLUMNS], _cells(groups, COLUMNS)),
        [LOOPS],
        ["## Overthinking"],
        ["The first step that holds the final answer as a result, and what comes after it."],
        _table(["model", *ANSWER_COLUMNS], _cells(groups, ANSWER_COLUMNS)),
        ["![tokens after the answer](after_answer.svg)"] if everything["reached"] else [],
        ["## Form and grounding"],
        [_grounding(summary)],
        _table(["model", *grounds], _cells(groups, grounds)),
        ["![form against grounding](plane.svg)"] if everything["plane"] else [],
        ["## Roles"],
        _table(["model", *heads], shares),
        ["![roles](roles.svg)"],
        ["## Transitions"],
        ["Of the steps of one role, the share that is followed by each."],
        _table(["", *letters], follow),
        ["![transitions](transitions.svg)"],
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def lines(summary: Summary) -> Iterator[str]:
    """Say in a line what each model's traces are like, the largest sets first."""
    groups = [*_groups(summary)]
    for name, group in groups[: 6 if len(groups) > 2 else 1]:
        after = group["share_after_answer"]
        yield (
            f"{name}: {group['traces']:,} traces, {_middle(group['steps'])} steps, "
            f"{_middle(group['tokens'])} tokens, {_mean(group['markers_per_1k'])} markers per 1k, "
            f"{_share(after)} after the answer, {_middle(group['consistency'], 2)} consistent, "
            f"{_likely(group)}{_hold(group)} of statements hold, {group['loops']:,} loops, "
            f"{group['truncated']:,} truncated, {group['ungrounded']:,} flagged"
        )
    if summary["unparsed"]:
        yield f"{summary['unparsed']:,} rows were not analyzed: unparsed.jsonl has the reasons"


def _groups(summary: Summary) -> Iterator[tuple[str, Group]]:
    yield "all", summary["all"]
    yield from summary["models"].items()


def _two(values: Mapping[str, float] | None) -> str:
    if values is None:
        return NONE
    return f"{values['p50']:.2f} ({values['p10']:.2f}–{values['p90']:.2f})"


def _middle(values: Mapping[str, float] | None, places: int = 0) -> str:
    return NONE if values is None else f"{values['p50']:,.{places}f}"


def _likely(group: Group) -> str:
    found = group["likelihood"]
    return "" if found is None else f"{_middle(found, 2)} by likelihood, "


def _hold(group: Group) -> str:
    return f"{group['holding'] / group['checkable']:.1%}" if group["checkable"] else NONE


def _spread(values: Mapping[str, float] | None) -> str:
    if values is None:
        return NONE
    return f"{values['p50']:,.0f} ({values['p10']:,.0f}–{values['p90']:,.0f})"


def _mean(values: Mapping[str, float] | None) -> str:
    return NONE if values is None else f"{values['mean']:.1f}"


def _share(values: Mapping[str, float] | None, key: str = "p50") -> str:
    return NONE if values is None else f"{values[key]:.0%}"


def _grounding(summary: Summary) -> str:
    limits, scorer = summary["thresholds"], summary["scorer"]
    likelihood = ""
    if scorer:
        likelihood = (
            f"Likelihood is that share as the language model {_cell(scorer['model'])} sees it: how "
            f"often a step is likelier after its predecessor than after {scorer['others']} other "
            "steps of the thought; half is chance. "
        )
    return (
        "Consistency is the share of steps that follow from what came before, as a lexical rule "
        f"estimates it. {likelihood}Checkable are equations and comparisons whose truth can be "
        f"known. Flagged are traces with a consistency of {limits['high_form']:g} or more of which "
        f"less than {limits['low_grounding']:.0%} of {limits['least_checkable']} or more checkable "
        "statements hold."
    )


Columns = Mapping[str, Callable[[Group], str]]

COLUMNS: Columns = {
    "traces": lambda g: f"{g['traces']:,}",
    "steps": lambda g: _spread(g["steps"]),
    "tokens": lambda g: _spread(g["tokens"]),
    "markers per 1k tokens (mean)": lambda g: _mean(g["markers_per_1k"]),
    "repeated (mean)": lambda g: _share(g["repetition"], "mean"),
    "loops": lambda g: f"{g['loops']:,}",
    "truncated": lambda g: f"{g['truncated']:,}",
    "mixed": lambda g: f"{g['mixed_language']:,}",
}
ANSWER_COLUMNS: Columns = {
    "has an answer": lambda g: f"{g['with_answer']:,}",
    "reached in the trace": lambda g: f"{g['reached']:,}",
    "at (share of the steps)": lambda g: _share(g["answer_place"]),
    "tokens after it": lambda g: _spread(g["tokens_after_answer"]),
    "share of the tokens": lambda g: _share(g["share_after_answer"]),
}


LIKELIHOOD_COLUMN = {"likelihood": lambda g: _two(g["likelihood"])}
GROUND_COLUMNS = {
    "consistency": lambda g: _two(g["consistency"]),
    "checkable": lambda g: f"{g['checkable']:,}",
    "hold": lambda g: _hold(g),
    "share that holds in a trace (mean)": lambda g: percent((g["grounding"] or {}).get("mean")),
    "tenth percentile": lambda g: percent((g["grounding"] or {}).get("p10")),
    "flagged": lambda g: f"{g['ungrounded']:,}",
}


def _counted(group: Group) -> str:
    said = {
        "counted_by_model": "those that the traces give",
        "counted_by_tokenizer": "counted by the tokenizer given",
        "counted_by_signs": "words, digits and signs, as no trace says how many it has",
    }
    ways = {way: text for way, text in said.items() if group.get(way)}
    if len(ways) < 2:
        return next(iter(ways.values()), "not counted")
    return (
        f"those that the traces give for {group['counted_by_model']:,} of them, and words, digits "
        "and signs for the others"
    )


def _cells(groups: Sequence[tuple[str, Group]], columns: Columns) -> list[tuple[str, ...]]:
    return [(name, *(cell(group) for cell in columns.values())) for name, group in groups]


def _table(head: Sequence[str], rows: Sequence[tuple[str, ...]]) -> list[str]:
    return [
        f"| {' | '.join(head)} |",
        f"|---|{'---:|' * (len(head) - 1)}",
        *(f"| {' | '.join(map(_cell, row))} |" for row in rows),
    ]


def _cell(text: str) -> str:
    flat = " ".join(plain(text).split()).replace("\\", "\\\\").replace("|", "\\|")
    return flat.replace("<", "&lt;").replace("`", "\\`")


def _short(name: str) -> str:
    """Write a name in the room a plot has; the end tells models apart."""
    name = plain(name)
    return name if len(name) <= NAME_CHARS else f"…{name[1 - NAME_CHARS :]}"


def _list(shares: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {share:.0%}" for name, share in shares.items())


def _shares(counts: Sequence[int], total: int) -> str:
    return ", ".join(f"{n / total:.0%}" for n in counts)
