"""Traces and verdicts in, training examples out, with the reason for everything left out.

    skythought curate runs/teacher --out data/correct.jsonl --outcome correct --per-problem 1

Writes the examples, and beside them `<out>.dropped.jsonl` (trace id and reason of each trace left
out), `<out>.manifest.json` and `<out>.card.md`, the dataset card. Reads run folders that
`skythought score` has graded; changes nothing in them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import tyro

from skythought import progress, shapes, steps, store
from skythought.errors import UserError
from skythought.records import Example, Trace, Verdict, digest


@dataclass(frozen=True, kw_only=True)
class Config:
    """Choose training examples from graded traces."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Run folders with traces.jsonl and verdicts.jsonl."""
    out: Path
    """JSONL file of training examples to write."""
    outcome: Literal["correct", "incorrect", "any"] = "correct"
    """Which verdict a trace needs."""
    per_problem: int | None = None
    """Keep at most so many traces of a problem, in the order they were sampled."""
    limit: int | None = None
    """Keep at most so many traces."""
    min_steps: int = 0
    """Leave out thoughts with fewer steps."""


def run(config: Config) -> dict[str, Any]:
    """Curate; returns how many were kept and how many were dropped for each reason.

    Raises:
        UserError: a folder without traces or verdicts, nothing kept, or an output file of another
            config.
    """
    sources = [(folder, *_load(folder)) for folder in config.runs]
    identity = {
        **{k: v for k, v in store.settings(config).items() if k not in ("out", "runs")},
        "inputs": [digest([t.id for t in traces], verdicts) for _, traces, verdicts in sources],
    }
    manifest = config.out.with_name(config.out.name + ".manifest.json")
    if _made_already(config.out, manifest, identity):
        counts: dict[str, Any] = msgspec.json.decode(manifest.read_bytes())["counts"]
        return counts
    kept: list[Example] = []
    dropped: list[dict[str, str]] = []
    chosen: list[Trace] = []
    per_problem: Counter[str] = Counter()
    for _, traces, verdicts in sources:
        for trace, reason in judge(traces, verdicts, config, per_problem):
            if reason is None and config.limit is not None and len(kept) >= config.limit:
                reason = "limit"
            if reason is not None:
                dropped.append({"trace_id": trace.id, "reason": reason})
                continue
            per_problem[trace.problem_id] += 1
            chosen.append(trace)
            kept.append(shapes.example(trace, tags=(config.outcome,)))
    reasons = dict(sorted(Counter(row["reason"] for row in dropped).items()))
    if not kept:
        raise UserError(f"no trace is left of {len(dropped)}: {reasons or 'the runs are empty'}")
    counts = {"kept": len(kept), "dropped": reasons}
    store.write_records(config.out.with_name(config.out.name + ".dropped.jsonl"), dropped)
    text = card(config.out.name, chosen, reasons, config)
    store.write_whole(config.out.with_name(config.out.name + ".card.md"), text)
    facts = {"stage": "curate", "config": identity, "counts": counts, "versions": store.versions()}
    store.write_whole(manifest, msgspec.json.format(msgspec.json.encode(facts), indent=1))
    store.write_records(config.out, kept)  # last: that it is there says that all of it is
    progress.say(f"{config.out}: kept {len(kept)}, dropped {reasons}")
    return counts


def judge(
    traces: Iterable[Trace],
    verdicts: dict[str, Verdict],
    config: Config,
    per_problem: Counter[str],
) -> Iterator[tuple[Trace, str | None]]:
    """Give each trace a reason to leave it out, or None; the caller counts `per_problem`."""
    for trace in traces:
        verdict = verdicts.get(trace.id)
        cap = config.per_problem
        if trace.error:
            yield trace, "error"
        elif trace.finish == "length":
            yield trace, "truncated"
        elif verdict is None:
            yield trace, "not graded"
        elif config.outcome != "any" and verdict.outcome != config.outcome:
            yield trace, f"verdict {verdict.outcome}"
        elif len(steps.split(trace.thought)) < config.min_steps:
            yield trace, "too few steps"
        elif cap is not None and per_problem[trace.problem_id] >= cap:
            yield trace, "per-problem cap"
        else:
            yield trace, None


def card(name: str, traces: list[Trace], dropped: dict[str, int], config: Config) -> str:
    """Write the dataset card: what is in it, where it came from, what was left out and why."""
    counted = all(t.completion_tokens for t in traces)
    lengths = sorted(t.completion_tokens or len(t.thought.split()) for t in traces)
    n_steps = [len(steps.split(t.thought)) for t in traces]
    words = sum(len(t.thought.split()) for t in traces)
    markers = sum(steps.count_keywords(t.thought) for t in traces)
    models = Counter(t.model for t in traces)
    middle = lengths[len(lengths) // 2]
    rows = [
        ("examples", f"{len(traces):,}"),
        ("problems", f"{len({t.problem_id for t in traces}):,}"),
        ("teachers", ", ".join(f"{model} ({count:,})" for model, count in models.most_common())),
        ("verdict asked for", config.outcome),
        (
            "completion tokens (median, longest)" if counted else "words (median, longest)",
            f"{middle:,}, {lengths[-1]:,}",
        ),
        ("steps per thought (mean)", f"{sum(n_steps) / len(n_steps):.1f}"),
        ("reflection keywords per 1,000 words", f"{1000 * markers / max(1, words):.1f}"),
        *((f"left out: {reason}", f"{count:,}") for reason, count in dropped.items()),
    ]
    table = "\n".join(f"| {key} | {value} |" for key, value in rows)
    return f"# Dataset card: {name}\n\n| | |\n|---|---|\n{table}\n"


def _load(folder: Path) -> tuple[list[Trace], dict[str, Verdict]]:
    read = store.read(folder / "traces.jsonl", Trace)
    traces = list(
        {t.id: t for t in read}.values()
    )  # of one that failed and was asked again, the last
    if not traces:
        raise UserError(
            f"{folder}: no traces; make some with: skythought generate --result-dir {folder}"
        )
    verdicts = {v.trace_id: v for v in store.read(folder / "verdicts.jsonl", Verdict)}
    if not verdicts:
        raise UserError(f"{folder}: not graded yet; run: skythought score --run-dir {folder}")
    return traces, verdicts


def _made_already(out: Path, manifest: Path, identity: dict[str, Any]) -> bool:
    if not out.exists():
        return False
    if not manifest.exists():
        raise UserError(f"{out}: exists, and not from curate; choose another --out")
    old = msgspec.json.decode(manifest.read_bytes())["config"]
    if old != msgspec.to_builtins(identity):
        raise UserError(
            f"{out}: was made with other settings or inputs; choose another --out or delete it"
        )
    return True
