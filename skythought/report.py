"""Runs in, tables and a page out: results.json, report.md and report.html.

    skythought report runs/mini                        a study
    skythought report runs/seed0 runs/seed1            checkpoints: their training

Reads what `skythought reproduce` or `skythought train` left and writes the three files into the
(first) folder, at any time: of a study, arms that are not finished are missing. report.html is one
file that needs no network and no scripts. Trains nothing, grades nothing, and changes nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import tyro
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from skythought.core import progress, store
from skythought.core.errors import plain
from skythought.reporting import checkpoints, html, markdown, paper, runs, wording
from skythought.reporting.results import summarize

paper_change = paper.change

_AGREES = {"reproduced": "yes", "not reproduced": "no"}


@dataclass(frozen=True, kw_only=True)
class Config:
    """Turn the folders of a study, or the logs of checkpoints, into tables and a page."""

    study: Annotated[Path, tyro.conf.Positional]
    """Folder of a study, as `skythought reproduce` makes it, or of a checkpoint."""
    more: Annotated[tuple[Path, ...], tyro.conf.Positional] = ()
    """More checkpoints, shown beside the first."""
    out: Path | None = None
    """Folder to write into; the first that is read where not given."""


def run(config: Config) -> dict[str, Any]:
    """Write the three files, print the table and return what results.json holds.

    Raises:
        UserError: no such folder, not a study, no finished arm, or a file that cannot be read.
    """
    if config.more or checkpoints.is_one(config.study):
        found = checkpoints.read((config.study, *config.more))
        results = checkpoints.summarize(found)
        text, page = checkpoints.text(results), checkpoints.page(found, results)
        shown, findings = training_table(results), [checkpoints.finding(results)]
    else:
        study = runs.read_study(config.study)
        results = summarize(study)
        text, page = markdown.page(results), html.page(study, results)
        shown, findings = table(results), results["findings"]
    folder = config.out or config.study
    figures = msgspec.json.format(msgspec.json.encode(results), indent=1)
    store.write_whole(folder / "results.json", figures + b"\n")
    store.write_whole(folder / "report.md", text)
    store.write_whole(folder / "report.html", page)
    progress.console.print(shown)
    for finding in findings:
        progress.say(f"* {finding}")
    progress.say(f"{folder / 'report.html'}: open it in a browser")
    return results


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
