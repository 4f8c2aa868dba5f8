"""Evaluated runs in, a page out: results with intervals, paired comparisons, lengths, samples.

    summarize([Run(...), Run(...)], comparisons)  -> {"models": [...], "tasks": [...], ...}

Rows are models, columns tasks, as in the paper's main table; published rows stand below and say so.
What is compared is computed by the verb and given. Every score links to its run folder.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from skythought.core import store
from skythought.core.errors import UserError
from skythought.core.records import digest
from skythought.reporting import drawing, markdown, pages, published, samples
from skythought.reporting.wording import NONE, count, p_value, percent, points, safe, share_between

COLOURS = ("#2f5d8a", "#b3541e", "#3f7d4e", "#7a4b94", "#8a6d1f", "#44707a")
WIDTH, HEIGHT = 460, 260


class Run(NamedTuple):
    """An evaluated run folder."""

    folder: Path
    task: str
    model: str
    scores: dict[str, Any]  # what evaluate's scores.json holds
    manifest: dict[str, Any]


def summarize(runs: Sequence[Run], comparisons: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Gather everything the page shows; accuracies are shares of one.

    Args:
        runs: in the order of the command line; the first model is what others are compared with.
        comparisons: of each task, other models against the first: task, model, and the figures of
            `skythought compare`.
    """
    models = list(dict.fromkeys(run.model for run in runs))
    tasks = list(dict.fromkeys(run.task for run in runs))
    rows = [
        {"folder": str(run.folder), "task": run.task, "model": run.model, **run.scores}
        for run in runs
    ]
    beside = [row._asdict() | {"label": published.LABEL} for row in published.beside(tasks)]
    return {
        "models": models,
        "tasks": tasks,
        "runs": rows,
        "comparisons": list(comparisons),
        "published": beside,
        "manifests": {str(run.folder): run.manifest for run in runs},
    }


def findings(results: dict[str, Any]) -> list[str]:
    """Say in words what can be said with certainty, and what cannot."""
    said = []
    for row in results["comparisons"]:
        sure = row["low"] > 0 or row["high"] < 0
        better = "better" if row["difference"] > 0 else "worse"
        told = (
            f"{row['model']} is {better} than {results['models'][0]} on {_name(row['task'])}"
            if sure and row["p"] < 0.05
            else f"{row['model']} and {results['models'][0]} do not differ for certain on "
            f"{_name(row['task'])}"
        )
        said.append(
            f"{told}: {points(row['difference'])} points ({points(row['low'])} to "
            f"{points(row['high'])}), p {_p(row['p'])}; {_findable(row)}"
        )
    for row in results["runs"]:
        if not row["complete"]:
            n = row["errors"] + row["ungraded"]
            said.append(f"{row['folder']} is incomplete: {n:,} answers could not be had or graded")
        if row["truncated"] * 10 > row["n"]:
            said.append(
                f"{row['folder']}: {row['truncated'] / row['n']:.0%} of the answers were cut off "
                "and count as wrong"
            )
    return said


def _findable(row: dict[str, Any]) -> str:
    if row["detectable"] is None:
        return "no two answers differ, so what difference would be found cannot be said"
    return f"80 % of such comparisons would find {_detectable(row)} points"


def _detectable(row: dict[str, Any]) -> str:
    return NONE if row["detectable"] is None else f"{100 * row['detectable']:.1f}"


def _p(value: float) -> str:
    text = p_value(value)
    return text if text.startswith("<") else f"= {text}"


def _name(task: str) -> str:
    return task.removeprefix("file:")


def _scores(results: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["model"], row["task"]): row for row in results["runs"]}


def text(results: dict[str, Any], folder: Path) -> str:
    """Write report.md, whose links lead from `folder`."""
    scores = _scores(results)
    tasks = results["tasks"]
    heads = ("model", *(markdown.cell(_name(task)) for task in tasks))
    rows: list[tuple[str, ...]] = []
    for model in results["models"]:
        cells: list[str] = []
        for task in tasks:
            row = scores.get((model, task))
            link = quote(_relative(row["folder"], folder)) if row else ""
            cells.append(f"[{_score(row)}]({link}/)" if row else NONE)
        rows.append((markdown.cell(model), *cells))
    for row in results["published"]:
        shown = (row["scores"].get(task) for task in tasks)
        cells = [NONE if value is None else f"{value:.1f}" for value in shown]
        rows.append((f"{row['model']} ({published.LABEL})", *cells))
    grid = markdown.grid(heads, rows, "l" + "r" * len(tasks))
    sources = "; ".join(sorted({row["source"] for row in results["published"]}))
    note = f"\n\nPublished rows, of all problems of a benchmark: {sources}." if sources else ""
    told = "\n".join(f"* {markdown.cell(line)}" for line in findings(results))
    parts = [f"# Evaluations\n\nAccuracy in percent, with its 95 % interval.\n\n{grid}{note}"]
    if told:
        parts.append(told)
    for name, (first, *others) in tables(results).items():
        below = [tuple(map(markdown.cell, row)) for row in others]
        parts.append(
            f"## {name}\n\n{markdown.grid(first, below, 'l' * 2 + 'r' * (len(first) - 2))}"
        )
    return "\n\n".join(parts) + "\n"


def _score(row: dict[str, Any]) -> str:
    return f"{percent(row['accuracy'], '')} ({share_between(row['low'], row['high'])})"


def tables(results: dict[str, Any]) -> dict[str, list[tuple[str, ...]]]:
    """Lay out the tables below the first: rows of texts, the head first."""
    made: dict[str, list[tuple[str, ...]]] = {}
    if results["comparisons"]:
        made["Against the first model"] = [
            ("model", "task", "change, points", "95 % interval", "p", "detectable", "flips"),
            *(
                (
                    row["model"],
                    _name(row["task"]),
                    points(row["difference"]),
                    f"{points(row['low'])} to {points(row['high'])}",
                    p_value(row["p"]),
                    _detectable(row),
                    count(row["flips"]),
                )
                for row in results["comparisons"]
            ),
        ]
    head = ("model", "task", "problems", "answers", "no answer", "cut off", "errors", "loops")
    made["What was asked"] = [
        (*head, "mean tokens", "95 % of tokens", "chance, %"),
        *(
            (
                row["model"],
                _name(row["task"]),
                *(count(row[k]) for k in ("problems", "n", "no_answer", "truncated", "errors")),
                count(row["loops"]),
                count(row["mean_tokens"]),
                count(row["tokens"]["p95"]),
                percent(row["chance"], "") if row["chance"] else NONE,
            )
            for row in results["runs"]
        ),
    ]
    several = [row for row in results["runs"] if row.get("pass_at")]
    if several:
        made["Several samples"] = [
            ("model", "task", "samples", "pass@k", "majority@k"),
            *(
                (
                    row["model"],
                    _name(row["task"]),
                    k,
                    _at(row, "pass_at", k),
                    _at(row, "cons_at", k),
                )
                for row in several
                for k in row["pass_at"]
            ),
        ]
    return made


def _at(row: dict[str, Any], kind: str, k: str) -> str:
    found = row.get(kind, {}).get(k)
    return f"{percent(found[0], '')} ({share_between(*found[1:])})" if found else NONE


def page(
    runs: Sequence[Run],
    results: dict[str, Any],
    folder: Path,
    more: Mapping[str, tuple[str, str]],
) -> str:
    """Write report.html, whose links lead from `folder`; `more` sections come before samples."""
    sections: dict[str, tuple[str, str]] = {"results": ("Results", _main(results, folder))}
    told = "".join(f"<li>{safe(line)}</li>" for line in findings(results))
    if told:
        sections["findings"] = ("Findings", f"<ul>{told}</ul>")
    for name, (first, *others) in tables(results).items():
        body = f"<tbody>{''.join(_line(row) for row in others)}</tbody>"
        key = name.split()[0].lower()
        sections[key] = name, pages.table(pages.head(*first), body, "", name)
    figures = [plot for task in results["tasks"] if (plot := budget_plot(results, task))]
    if figures:
        note = '<p class="note">What is right within so many tokens: accuracy against length.</p>'
        sections["length"] = "Length", f"{note}{''.join(map(_figure, figures))}"
    sections |= more
    read = "".join(_samples(run, folder) for run in runs)
    sections["samples"] = "Ten answers of each run, drawn at random", read
    facts = "".join(
        f"<details><summary>{safe(run.folder)}</summary>"
        f"{pages.facts(_facts(run.manifest))}</details>"
        for run in runs
    )
    sections["manifests"] = "Manifests", facts
    n = len(results["models"])
    models = "1 model" if n == 1 else f"{n} models"
    tasks = ", ".join(map(_name, results["tasks"]))
    return pages.frame(
        "Evaluations",
        kicker=f"skythought report: {models} on {tasks}",
        question="How well do they solve it?",
        lead=(findings(results) or ["Scores with their intervals; each links to its run folder."])[
            0
        ],
        sections=sections,
        foot_html="",
    )


def _figure(plot: str) -> str:
    return f'<figure style="max-width: 34rem">{plot}</figure>'


def _main(results: dict[str, Any], folder: Path) -> str:
    scores, tasks = _scores(results), results["tasks"]
    lines = []
    for model in results["models"]:
        cells = "".join(_cell(scores.get((model, task)), folder) for task in tasks)
        lines.append(f'<tr><th scope="row">{safe(model)}</th>{cells}</tr>')
    below = []
    for row in results["published"]:
        shown = [row["scores"].get(task) for task in tasks]
        cells = pages.cells(*(NONE if v is None else f"{v:.1f}" for v in shown), kind="soft")
        name = f'{safe(row["model"])} <span class="soft">({published.LABEL}; {safe(row["source"])})'
        below.append(f'<tr><th scope="row">{name}</span></th>{cells}</tr>')
    bodies = f"<tbody>{''.join(lines)}</tbody>"
    bodies += f"<tbody>{''.join(below)}</tbody>" if below else ""
    caption = "Accuracy in percent, with its 95 % interval. Each score links to its run folder."
    if below:
        caption += " Published rows are of all problems of a benchmark."
    return pages.table(pages.head("model", *map(_name, tasks)), bodies, caption, "Results")


def _cell(row: dict[str, Any] | None, folder: Path) -> str:
    if row is None:
        return f"<td>{NONE}</td>"
    link = quote(_relative(row["folder"], folder))
    between = share_between(row["low"], row["high"])
    return (
        f'<td><a href="{link}/">{percent(row["accuracy"], "")}</a> '
        f'<span class="soft">{safe(between)}</span></td>'
    )


def _relative(place: str, folder: Path) -> str:
    return Path(os.path.relpath(Path(place).resolve(), folder.resolve())).as_posix()


def _line(row: tuple[str, ...]) -> str:
    return f'<tr><th scope="row">{safe(row[0])}</th>{pages.cells(*row[1:])}</tr>'


def _samples(run: Run, folder: Path) -> str:
    found = samples.choose(run.folder)
    place = _relative(str(run.folder), folder)
    right = sum(s.verdict is not None and s.verdict.outcome == "correct" for s in found)
    items = "".join(samples.item(sample, place) for sample in found)
    return (
        f"<details><summary>{safe(run.model)} on {safe(_name(run.task))} "
        f'<span class="soft">{len(found)} answers, {right} correct</span></summary>{items}'
        "</details>"
    )


def _facts(manifest: dict[str, Any]) -> list[tuple[str, Any]]:
    config = manifest.get("config", {})
    versions = manifest.get("versions", {})
    return [
        *config.items(),
        ("engines", ", ".join(manifest.get("engines", []))),
        ("revision", manifest.get("revision", "")),
        ("versions", ", ".join(f"{name} {version}" for name, version in versions.items())),
    ]


def budget_plot(results: dict[str, Any], task: str) -> str:
    """Draw the accuracy within a budget of tokens, a line for each model."""
    rows = [row for row in results["runs"] if row["task"] == task and len(row["at_budget"]) > 1]
    if not rows:
        return ""
    tokens = sorted({point["tokens"] for row in rows for point in row["at_budget"]})
    places = {size: i for i, size in enumerate(tokens)}
    left, right, top, bottom = 44, WIDTH - 16, 34, HEIGHT - 40
    x = drawing.scale(0, max(1, len(tokens) - 1), left, right)
    y = drawing.scale(0, 1, bottom, top)
    body = [drawing.text(0, 16, f"{_name(task)}: accuracy within a budget", "head")]
    for share in (0, 0.25, 0.5, 0.75, 1):
        body.append(drawing.line(left, y(share), right, y(share), "grid"))
        body.append(drawing.text(left - 6, y(share) + 4, f"{100 * share:.0f}", "soft end"))
    every = -(-len(tokens) // 7)
    for size in tokens[::every]:
        body.append(drawing.text(x(places[size]), bottom + 18, f"{size:,}", "soft mid"))
    body.append(drawing.text((left + right) / 2, bottom + 35, "tokens", "soft mid"))
    for number, row in enumerate(rows):
        colour = COLOURS[number % len(COLOURS)]
        line = " ".join(
            f"{x(places[point['tokens']]):.1f},{y(point['accuracy']):.1f}"
            for point in row["at_budget"]
        )
        body.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        place = HEIGHT + 12 + 18 * number
        body.append(f'<rect x="{left}" y="{place - 9}" width="10" height="10" fill="{colour}"/>')
        body.append(drawing.text(left + 16, place, row["model"], "soft"))
    said = "; ".join(f"{row['model']}: {percent(row['accuracy'])} with all tokens" for row in rows)
    size = WIDTH, HEIGHT + 6 + 18 * len(rows)
    return drawing.svg(f"budget-{digest(task)}", size, _name(task), said, body)


def manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a run folder; nothing where it has none."""
    return store.manifest(folder) if (folder / "manifest.json").is_file() else {}


def is_one(folder: Path) -> bool:
    """Say whether a folder holds graded answers."""
    return (folder / "verdicts.jsonl").is_file()


def card(path: Path) -> str:
    """Write the card that `curate` left beside a training file, as it is."""
    beside = path.with_name(f"{path.name}.card.md")
    if not beside.is_file():
        raise UserError(
            f"{path}: no run folder, checkpoint or training file; a file needs its {beside.name}"
        )
    return f"<pre>{safe(samples.cut(beside.read_text(encoding='utf-8'), beside.name))}</pre>"
