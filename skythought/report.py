"""Runs in, tables and a page out: results.json, report.md and report.html.

    skythought report runs/mini                                    a study
    skythought report runs/seed0 runs/seed1                        checkpoints: their training
    skythought report runs/eval/* runs/student data/train.jsonl --out runs/report
                                                                   evaluations, with their training
                                                                   and the card of their data

Writes the three files into `--out`, or the first folder, at any time: of a study, arms that are not
finished are missing. report.html is one file that needs no network and no scripts. Trains nothing,
grades nothing, and changes nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import tyro
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from skythought import evaluate
from skythought.core import progress, shapes, store
from skythought.core.errors import plain
from skythought.evaluating import answers, comparing
from skythought.reporting import checkpoints, evaluations, html, markdown, paper, runs, wording
from skythought.reporting.results import summarize

paper_change = paper.change

_AGREES = {"reproduced": "yes", "not reproduced": "no"}


@dataclass(frozen=True, kw_only=True)
class Config:
    """Turn a study, evaluated runs or checkpoints into tables and a page."""

    study: Annotated[Path, tyro.conf.Positional]
    """Folder of a study, as `skythought reproduce` makes it, evaluated run, or checkpoint."""
    more: Annotated[tuple[Path, ...], tyro.conf.Positional] = ()
    """More runs or checkpoints, shown beside the first; a training file for its card."""
    out: Path | None = None
    """Folder to write into; the first that is read where not given."""


def run(config: Config) -> dict[str, Any]:
    """Write the three files, print the table and return what results.json holds.

    Raises:
        UserError: no such folder, not a study, no finished arm, or a file that cannot be read.
    """
    folder = config.out or config.study
    given = tuple(dict.fromkeys((config.study, *config.more)))
    if any(evaluations.is_one(path) for path in given):
        results, text, page = evaluated(given, folder)
        shown, findings = evaluation_table(results), evaluations.findings(results)
    elif config.more or checkpoints.is_one(config.study):
        found = checkpoints.read((config.study, *config.more))
        results = checkpoints.summarize(found)
        text, page = checkpoints.text(results), checkpoints.page(found, results)
        shown, findings = training_table(results), [checkpoints.finding(results)]
    else:
        study = runs.read_study(config.study)
        results = summarize(study)
        text, page = markdown.page(results), html.page(study, results)
        shown, findings = table(results), results["findings"]
    figures = msgspec.json.format(msgspec.json.encode(results), indent=1)
    store.write_whole(folder / "results.json", figures + b"\n")
    store.write_whole(folder / "report.md", text)
    store.write_whole(folder / "report.html", page)
    progress.console.print(shown)
    for finding in findings:
        progress.say(f"* {finding}")
    progress.say(f"{folder / 'report.html'}: open it in a browser")
    return results


def evaluated(given: Sequence[Path], folder: Path) -> tuple[dict[str, Any], str, str]:
    """Report on evaluated runs, and on checkpoints and training files named beside them.

    Raises:
        UserError: a path that is none of these, or that cannot be read.
    """
    found = []
    for path in given:
        if evaluations.is_one(path):
            problem = next(iter(answers.problems(path).values()), None)
            task = problem.task if problem else path.name
            model = next((t.model for t in shapes.read_traces(path / "traces.jsonl")), path.name)
            scores = evaluate.summary(path)
            manifest = evaluations.manifest(path)
            found.append(evaluations.Run(path, task, model, scores, manifest))
    found = _distinct(found)
    compared = list(_compared(found))
    results = evaluations.summarize(found, compared)
    trained = [path for path in given if checkpoints.is_one(path)]
    more: dict[str, tuple[str, str]] = {}
    if trained:
        logs = checkpoints.read(trained)
        results["training"] = checkpoints.summarize(logs)
        more = checkpoints.sections(logs, results["training"])
    for number, path in enumerate(given):
        if not evaluations.is_one(path) and path not in trained:
            more[f"card{number}"] = f"Data: {path.name}", evaluations.card(path)
    text = evaluations.text(results, folder)
    if trained:
        text += checkpoints.text(results["training"])
    return results, text, evaluations.page(found, results, folder, more)


def _distinct(runs: Sequence[evaluations.Run]) -> list[evaluations.Run]:
    """Name the place too where a model was asked the same task twice."""
    times = Counter((run.model, run.task) for run in runs)
    twice = {model for (model, _), n in times.items() if n > 1}
    return [
        run._replace(model=f"{run.model} ({_place(run)})") if run.model in twice else run
        for run in runs
    ]


def _place(run: evaluations.Run) -> str:
    """Name what holds the folders of one evaluation: of several tasks, their parent."""
    folder, task = run.folder, run.task.removeprefix("file:").replace("/", "_").replace(":", "_")
    return str(folder.parent if folder.name == task and folder.parent.name else folder)


def _compared(runs: Sequence[evaluations.Run]) -> Iterator[dict[str, Any]]:
    """Compare every other model with the first one, task by task."""
    first = {run.task: run for run in runs if run.model == runs[0].model}
    for run in runs:
        base = first.get(run.task)
        if base is None or run.model == base.model:
            continue
        changed = comparing.changed_problems(
            answers.problems(base.folder), answers.problems(run.folder)
        )
        one, two = (
            [answer for answer in answers.read(folder) if answer.problem_id not in changed]
            for folder in (base.folder, run.folder)
        )
        if {answer.problem_id for answer in one}.isdisjoint(answer.problem_id for answer in two):
            continue  # other problems of the same task
        row = comparing.compare(one, two)
        yield {"task": run.task, "model": run.model, **row, "flips": len(row["flips"])}


def evaluation_table(results: dict[str, Any]) -> Table:
    """Lay the scores out for a terminal."""
    found = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    found.add_column("model")
    for task in results["tasks"]:
        found.add_column(Text(plain(task)), justify="right")
    scores = {(row["model"], row["task"]): row for row in results["runs"]}
    for model in results["models"]:
        cells = [
            f"{wording.percent(row['accuracy'], '')} "
            f"({wording.share_between(row['low'], row['high'])})"
            if (row := scores.get((model, task)))
            else wording.NONE
            for task in results["tasks"]
        ]
        found.add_row(Text(plain(model)), *cells)
    return found


def training_table(results: dict[str, Any]) -> Table:
    """Lay the falls of the losses out for a terminal."""
    found = Table(title="loss, first to last", box=SIMPLE_HEAD, show_edge=False, padding=0)
    found.add_column("", min_width=24)
    (_, *names), *rows = checkpoints.tables(results)["Losses"]
    for name in names:
        found.add_column(Text(plain(name)), justify="right", no_wrap=True)
    for row in rows:
        found.add_row(*row)
    return found


def table(results: dict[str, Any]) -> Table:
    """Lay the main table out for a terminal."""
    note = f"changes in points against correct traces; published: {paper.SOURCE}"
    title = Text(plain(f"study {results['study']}"))
    found = Table(title=title, caption=note, box=SIMPLE_HEAD, show_edge=False, padding=0)
    found.add_column("training data", min_width=24)
    for name in ("accuracy", "change", "95 % interval", "published"):
        found.add_column(name, justify="right", no_wrap=True)
    found.add_column("agrees", no_wrap=True)
    for arm in results["arms"]:
        found.add_row(
            Text(plain(arm["title"])),
            wording.percent(arm["accuracy"]),
            wording.points(arm["delta"]),
            wording.between(arm["delta_low"], arm["delta_high"]),
            wording.signed(arm["paper_change"]),
            _AGREES.get(arm["agreement"], wording.verdict(arm)),
        )
    return found
