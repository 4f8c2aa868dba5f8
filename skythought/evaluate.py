r"""A model and a task in, a score with its interval out: generate and score in one.

    skythought evaluate --model runs/sky-t1-replica --task gsm8k.jsonl --limit 50 \
        --result-dir runs/eval/tuned

The folder is an ordinary run folder, so every answer can be read and graded again; the score is
written to scores.json in it. An answer that is cut off or holds nothing to grade is wrong
(`no_answer`); a failed request or check is no answer at all (`errors`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import msgspec
from rich.table import Table
from rich.text import Text

from skythought import generate, grading, score, tasks, verifiers
from skythought.core import metrics, progress, store
from skythought.core.errors import UserError, plain
from skythought.core.records import Problem, Trace, Verdict

SHOWN = ("accuracy", "low", "high", "n", "no_answer", "truncated", "errors", "mean_tokens")


@dataclass(frozen=True, kw_only=True)
class Config(generate.Config):
    """Score a model on a task, with an interval."""

    verifier: str = ""
    """Verifier to use in place of the task's own."""
    allow_unsafe_execution: bool = False
    """Run the programs of answers without a sandbox. They can do whatever you can."""


def run(config: Config) -> dict[str, Any]:
    """Evaluate and print the score; returns it.

    Raises:
        UserError: as `measure`.
    """
    if config.dry_run:
        generate.ask(_asked(config), exact=True)
        return {}
    result = measure(config)
    title = f"{config.model or config.backend} on {config.task or config.input}"
    table = Table(title=Text(plain(title)))
    for name in SHOWN:
        table.add_column(name.replace("_", " "), justify="right")
    shown = result | {"mean_tokens": round(result["mean_tokens"])}
    table.add_row(*(f"{v:.3f}" if isinstance(v := shown[k], float) else str(v) for k in SHOWN))
    progress.console.print(table)
    if not result["complete"]:
        n = result["errors"]
        answers, are, them = ("answer", "is", "it") if n == 1 else ("answers", "are", "them")
        progress.say(
            f"incomplete: {n:,} {answers} could not be had or graded and {are} in no score; run "
            f"the same command again to ask for {them}"
        )
    return result


def _asked(config: Config) -> generate.Config:
    """Give the part that generate does."""
    return generate.Config(**{f.name: getattr(config, f.name) for f in fields(generate.Config)})


def measure(config: Config, *, announce: bool = True) -> dict[str, Any]:
    """Generate what is missing, grade it, write scores.json and return its content.

    Raises:
        UserError: as `skythought generate` and `skythought score`, or nothing could be graded.
    """
    if config.verifier:
        verifiers.get(config.verifier)  # a wrong name is found before anything is asked
    how = grading.How(verifier=config.verifier or None, unsafe=config.allow_unsafe_execution)
    generate.ask(_asked(config), how=how, announce=announce, exact=True)
    score.run(
        score.Config(
            run_dir=config.result_dir,
            verifier=config.verifier or None,
            allow_unsafe_execution=config.allow_unsafe_execution,
        )
    )
    result = summary(config.result_dir)
    text = msgspec.json.format(msgspec.json.encode(result), indent=1)
    store.write_whole(config.result_dir / "scores.json", text + b"\n")
    return result


def summary(folder: Path) -> dict[str, Any]:
    """Sum up a graded run folder: accuracy, its 95 % interval, and what it leaves out.

    The interval is Wilson's where each problem was asked once; of several samples per problem it is
    a bootstrap over problems, because samples of one problem are alike.

    Raises:
        UserError: nothing was graded.
    """
    traces = {t.id: t for t in store.read(folder / "traces.jsonl", Trace)}
    verdicts = {v.id: v for v in store.read(folder / "verdicts.jsonl", Verdict)}
    graded = [(trace, verdicts[key]) for key, trace in traces.items() if key in verdicts]
    by_problem: dict[str, list[bool]] = {}
    for trace, verdict in graded:
        if verdict.outcome != "error":
            by_problem.setdefault(trace.problem_id, []).append(verdict.outcome == "correct")
    if not by_problem:
        why = graded[0][1].reason if graded else "there is none"
        raise UserError(f"{folder}: no answer could be graded; the first: {why}")
    n = sum(map(len, by_problem.values()))
    means = [sum(right) / len(right) for right in by_problem.values()]
    if n == len(means):
        low, high = metrics.wilson(int(sum(means)), n)
    else:
        low, high = metrics.mean_interval([means])
    counted = [trace for trace, verdict in graded if verdict.outcome != "error"]
    return {
        "accuracy": sum(means) / len(means),
        "low": low,
        "high": high,
        "n": n,
        "problems": len(means),
        "no_answer": sum(verdict.outcome == "no_answer" for _, verdict in graded),
        "truncated": sum(trace.finish == "length" for trace in counted),
        "errors": len(graded) - n,
        "mean_tokens": sum(trace.completion_tokens for trace in counted) / n,
        "complete": len(graded) == n,
        "inspected": _inspect(folder, counted),
    }


def _inspect(folder: Path, traces: list[Trace]) -> dict[str, float]:
    """Give the shares that the task counts in thoughts; nothing where it counts nothing."""
    problems = {p.id: p for p in store.read(folder / "problems.jsonl", Problem)}
    counts: dict[str, tuple[int, int]] = {}
    for trace in traces:
        problem = problems.get(trace.problem_id)
        look = tasks.inspector(problem.task) if problem else None
        if problem is None or look is None:
            continue
        for name, (hold, of) in look(problem.question, trace.thought).items():
            before = counts.get(name, (0, 0))
            counts[name] = before[0] + hold, before[1] + of
    return {name: hold / of for name, (hold, of) in counts.items() if of}
