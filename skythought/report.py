"""The folders of a study in, tables and a page out: results.json, report.md and report.html.

    skythought report runs/mini

Reads what `skythought reproduce` left and writes the three files into the same folder, at any time:
arms that are not finished are missing. report.html is one file that needs no network and no
scripts. Trains nothing, grades nothing, and changes nothing else in the folder.
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
from skythought.reporting import html, markdown, paper, runs, wording
from skythought.reporting.results import summarize

paper_change = paper.change

_AGREES = {"reproduced": "yes", "not reproduced": "no"}


@dataclass(frozen=True, kw_only=True)
class Config:
    """Turn the folders of a study into tables and a page."""

    study: Annotated[Path, tyro.conf.Positional]
    """Folder of a study, as `skythought reproduce` makes it."""


def run(config: Config) -> dict[str, Any]:
    """Write the three files, print the table and return what results.json holds.

    Raises:
        UserError: no such folder, not a study, no finished arm, or a file that cannot be read.
    """
    study = runs.read_study(config.study)
    results = summarize(study)
    text = msgspec.json.format(msgspec.json.encode(results), indent=1)
    store.write_whole(config.study / "results.json", text + b"\n")
    store.write_whole(config.study / "report.md", markdown.page(results))
    store.write_whole(config.study / "report.html", html.page(study, results))
    progress.console.print(table(results))
    for finding in results["findings"]:
        progress.say(f"* {finding}")
    progress.say(f"{config.study / 'report.html'}: open it in a browser")
    return results


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
