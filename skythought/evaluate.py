r"""A model and a task in, a score with its interval out: generate and score in one.

    skythought evaluate --model runs/sky-t1-replica --task gsm8k.jsonl --limit 50 \
        --result-dir runs/eval/tuned

The folder is an ordinary run folder, so every answer can be read and graded again.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import msgspec
from rich.table import Table

from skythought import generate, metrics, progress, score, store
from skythought.records import Trace, Verdict


@dataclass(frozen=True, kw_only=True)
class Config(generate.Config):
    """Score a model on a task, with an interval."""

    verifier: str = ""
    """Verifier to use in place of the task's own."""


def run(config: Config) -> dict[str, Any]:
    """Evaluate and print the score; returns it.

    Raises:
        UserError: as `skythought generate` and `skythought score`.
    """
    result = measure(config)
    table = Table(title=f"{config.model or config.backend} on {config.task}")
    for name in result:
        table.add_column(name.replace("_", " "), justify="right")
    table.add_row(*(f"{v:.3f}" if isinstance(v, float) else str(v) for v in result.values()))
    progress.console.print(table)
    return result


def measure(config: Config) -> dict[str, Any]:
    """Generate what is missing, grade it, write scores.json and return its content."""
    asked = {f.name: getattr(config, f.name) for f in fields(generate.Config)}
    generate.run(generate.Config(**asked))
    score.run(score.Config(run_dir=config.result_dir, verifier=config.verifier or None))
    result = summary(config.result_dir)
    text = msgspec.json.format(msgspec.json.encode(result), indent=1)
    store.write_whole(config.result_dir / "scores.json", text)
    return result


def summary(folder: Path) -> dict[str, Any]:
    """Sum up a graded run folder: accuracy, its 95 % Wilson interval, and what it leaves out."""
    traces = {t.id: t for t in store.read(folder / "traces.jsonl", Trace)}
    verdicts = {v.trace_id: v for v in store.read(folder / "verdicts.jsonl", Verdict)}
    outcomes = [verdicts[i].outcome for i in traces if i in verdicts]
    right, errors = outcomes.count("correct"), outcomes.count("error")
    n = len(outcomes) - errors
    low, high = metrics.wilson(right, n)
    return {
        "accuracy": right / max(1, n),
        "low": low,
        "high": high,
        "n": n,
        "no_answer": outcomes.count("no_answer"),
        "truncated": sum(t.finish == "length" for t in traces.values()),
        "errors": errors,
        "mean_tokens": sum(t.completion_tokens for t in traces.values()) / max(1, len(traces)),
    }
