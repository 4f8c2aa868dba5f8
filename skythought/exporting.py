"""A graded run in, a log that another tool reads out.

    skythought export runs/eval/tuned logs/tuned.json

Writes the JSON log of Inspect (inspect_ai), which `inspect view` shows. Each sample has its
conversation, the thought apart from the answer, the verdict with its rule, and tokens.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import tyro

from skythought.core import progress, shapes, store
from skythought.core.errors import UserError
from skythought.core.records import Problem, Verdict
from skythought.foreign import inspect
from skythought.foreign.inspect import Graded


@dataclass(frozen=True, kw_only=True)
class Config:
    """Write a graded run as a log of Inspect."""

    run_dir: Annotated[Path, tyro.conf.Positional]
    """Graded run folder."""
    output: Annotated[Path, tyro.conf.Positional]
    """JSON file to write."""


def run(config: Config) -> dict[str, Any]:
    """Write the log; returns how many samples it holds.

    Raises:
        UserError: no run folder, nothing graded in it, or the place may not be written.
    """
    folder = config.run_dir
    if not (folder / "verdicts.jsonl").exists():
        raise UserError(
            f"{folder}: holds no verdicts; grade it: skythought score --run-dir {folder}"
        )
    if config.output.suffix != ".json":
        raise UserError(f"{config.output}: Inspect reads logs that are called .json")
    problems = {p.id: p for p in store.read(folder / "problems.jsonl", Problem)}
    verdicts = {v.id: v for v in store.read(folder / "verdicts.jsonl", Verdict)}
    traces = {trace.id: trace for trace in shapes.read_traces(folder / "traces.jsonl")}  # the last
    rows = [
        Graded(problems[trace.problem_id], trace, verdicts[trace.id])
        for trace in traces.values()
        if trace.id in verdicts and trace.problem_id in problems
    ]
    if not rows:
        raise UserError(f"{folder}: holds no graded answer")
    manifest = store.manifest(folder) if (folder / "manifest.json").exists() else {}
    written = dt.datetime.fromtimestamp((folder / "verdicts.jsonl").stat().st_mtime, dt.UTC)
    made = inspect.log(
        rows,
        task=rows[0].problem.task,
        model=rows[0].trace.model,
        created=written.isoformat(timespec="seconds"),
        manifest={k: manifest[k] for k in ("config", "versions", "revision") if k in manifest},
    )
    store.write_whole(config.output, msgspec.json.format(msgspec.json.encode(made), indent=1))
    progress.say(f"{config.output}: {len(rows):,} samples")
    return {"output": str(config.output), "samples": len(rows)}
