"""Traces and verdicts in, training examples out, with the reason for everything left out.

    skythought curate runs/teacher --out data/correct.jsonl --outcome correct --per-problem 1
    skythought curate r1-traces.jsonl --out data/correct.jsonl

Writes the examples, and beside them `<out>.dropped.jsonl` (trace id and reason of each trace left
out), `<out>.manifest.json` and `<out>.card.md`, the dataset card. Reads run folders, and files of
any known shape, that `skythought score` has graded; with `--outcome any` nothing needs a verdict.
Of examples with the same prompt and completion the first is kept, and with `--near-duplicates` of
those that are nearly so. `--decontaminate` leaves out what answers a problem of a benchmark; the
passages that show it go to `<out>.contamination.jsonl`. Changes nothing in its inputs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from skythought import progress, score, shapes, steps, store
from skythought.curating import Reason, contamination, encoders, screening
from skythought.errors import UserError
from skythought.records import Example, Problem, Trace, Verdict, digest
from skythought.tasks import benchmarks


@dataclass(frozen=True, kw_only=True)
class Config:
    """Choose training examples from graded traces."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Run folders, or JSONL files of traces of any known shape."""
    out: Path
    """JSONL file of training examples to write."""
    outcome: Literal["correct", "incorrect", "any"] = "correct"
    """Which verdict a trace needs; any takes those without a verdict too."""
    per_problem: int | None = None
    """Keep at most so many traces of a problem, in the order they were sampled."""
    limit: int | None = None
    """Keep at most so many traces."""
    min_steps: int = 0
    """Leave out thoughts with fewer steps."""
    keep_duplicates: bool = False
    """Keep examples whose prompt and completion are those of another."""
    duplicates_by: tuple[Literal["example", "question", "response"], ...] = ("example",)
    """What is compared to find duplicates: prompt and completion, or one of them, or each."""
    near_duplicates: float | None = None
    """Leave out what is so like one kept before (0 to 1; say 0.8); needs skythought[curate]."""
    decontaminate: tuple[str, ...] = ()
    """Leave out what answers a problem of these: JSONL files, folders, benchmarks by name."""
    decontaminate_near: float = contamination.NEAR
    """From which likeness a question with other numbers, names and units counts; 0: copies only."""
    decontaminate_restated: float = contamination.RESTATED
    """From which share a problem that a response says again counts; 0 looks at questions only."""
    decontaminate_encoder: str | None = None
    """Compare questions by a sentence encoder too: its folder, or URL#model of a server."""
    decontaminate_cosine: float = 0.9
    """From which cosine an encoder's finding counts."""


# At their defaults these are no part of an output's identity: what was made before them stays made.
LATER = (
    *("duplicates_by", "near_duplicates", "decontaminate", "decontaminate_near"),
    *("decontaminate_restated", "decontaminate_encoder", "decontaminate_cosine"),
)


def run(config: Config) -> dict[str, Any]:
    """Curate; returns how many were kept and how many were dropped for each reason.

    Raises:
        UserError: no input, one without traces or verdicts, nothing kept, or an output file of
            another config.
    """
    if not config.runs:
        raise UserError("choose from what? give run folders or JSONL files of traces")
    if config.min_steps < 0:
        raise UserError(f"--min-steps {config.min_steps}: give 0 or more")
    for flag, value in (("per-problem", config.per_problem), ("limit", config.limit)):
        if value is not None and value < 1:
            raise UserError(f"--{flag} {value}: give 1 or more")
    shares = ("near_duplicates", "decontaminate_near", "decontaminate_restated")
    for name in (*shares, "decontaminate_cosine"):
        if (share := getattr(config, name)) is not None and not 0 <= share <= 1:
            raise UserError(f"--{name.replace('_', '-')} {share}: give a share from 0 to 1")
    chosen: list[Trace] = []
    problems = list(benchmarks.collect(config.decontaminate))
    screen = _screen(config, chosen, problems)
    sources = [_load(path, config.outcome) for path in config.runs]
    left = {"out", "runs", *(k for k in LATER if getattr(config, k) == getattr(Config, k))}
    identity = {
        **{k: v for k, v in store.settings(config).items() if k not in left},
        "inputs": [digest(traces, verdicts) for traces, verdicts in sources],
        "benchmarks": digest(problems) if problems else None,
    }
    counts = store.made_already(config.out, "curate", identity)
    if counts is not None:
        progress.say(f"{config.out}: made already with these settings")
        return counts
    kept: list[Example] = []
    dropped: list[dict[str, Any]] = []
    kinds: Counter[str] = Counter()
    per_problem: Counter[str] = Counter()
    known: dict[str, str] = {}
    for traces, verdicts in sources:
        for trace, reason in judge(traces, verdicts, config, per_problem, known):
            if reason is None and config.limit is not None and len(kept) >= config.limit:
                reason = "limit"
            lessons = [screening.lesson(trace, field) for field in config.duplicates_by]
            if reason == "duplicate":
                first = next(known[lesson] for lesson in lessons if lesson in known)
                why: Reason | None = Reason(reason, f"duplicate of {first}")
            else:
                why = Reason(reason, reason) if reason is not None else screen.reason(trace)
            if why is not None:
                dropped.append({"trace_id": trace.id, "reason": why.text, **why.evidence})
                kinds[why.kind] += 1
                continue
            per_problem[trace.problem_id] += 1
            known.update(dict.fromkeys(lessons, trace.id))
            chosen.append(trace)
            screen.keep(trace)
            verdict = verdicts.get(trace.id)
            kept.append(shapes.example(trace, tags=(verdict.outcome if verdict else "not graded",)))
    reasons = dict(sorted(kinds.items()))
    left_out = ", ".join(f"{n:,} {reason}" for reason, n in reasons.items()) or "none"
    if not kept:
        raise UserError(f"no trace is left of {len(dropped):,}: {left_out}")
    counts = {"kept": len(kept), "dropped": reasons}
    store.write_records(_beside(config.out, "dropped.jsonl"), dropped)
    if problems:
        store.write_records(_beside(config.out, "contamination.jsonl"), screen.found)
    text = card(config.out.name, chosen, reasons, config)
    store.write_whole(_beside(config.out, "card.md"), text)
    part = _beside(config.out, "part")
    store.write_records(part, kept)
    store.publish(part, config.out, "curate", identity, counts)
    progress.say(f"{config.out}: kept {len(kept):,}; left out: {left_out}")
    return counts


def judge(
    traces: Iterable[Trace],
    verdicts: dict[str, Verdict],
    config: Config,
    per_problem: Counter[str],
    known: Mapping[str, str],
) -> Iterator[tuple[Trace, str | None]]:
    """Give each trace a reason to leave it out, or None.

    The caller counts what it keeps: in `per_problem`, and whose each lesson is in `known`.
    """
    for trace in traces:
        verdict = verdicts.get(trace.id)
        cap = config.per_problem
        if trace.error:
            yield trace, "error"
        elif trace.finish == "length":
            yield trace, "truncated"
        elif config.outcome != "any" and verdict is None:
            yield trace, "not graded"
        elif verdict is not None and config.outcome not in ("any", verdict.outcome):
            yield trace, f"verdict {verdict.outcome}"
        elif len(steps.split(trace.thought)) < config.min_steps:
            yield trace, "too few steps"
        elif not config.keep_duplicates and any(
            screening.lesson(trace, field) in known for field in config.duplicates_by
        ):
            yield trace, "duplicate"
        elif cap is not None and per_problem[trace.problem_id] >= cap:
            yield trace, "per-problem cap"
        else:
            yield trace, None


def _beside(out: Path, name: str) -> Path:
    return out.with_name(f"{out.name}.{name}")


def _screen(
    config: Config, chosen: list[Trace], problems: list[tuple[str, Problem]]
) -> screening.Screen:
    """Make what looks for near-duplicates of the chosen traces and for problems of benchmarks."""
    encoder = config.decontaminate_encoder
    if encoder is not None and not problems:
        raise UserError("--decontaminate-encoder compares with what? give --decontaminate PATH")
    index = contamination.Benchmarks(
        problems,
        near=config.decontaminate_near or None,
        restated=config.decontaminate_restated or None,
        encode=encoders.load(encoder) if encoder is not None else None,
        cosine=config.decontaminate_cosine,
    )
    return screening.Screen(
        near=config.near_duplicates,
        fields=config.duplicates_by,
        recall=chosen.__getitem__,
        benchmarks=index if problems else None,
    )


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
        *_compared(config),
        (
            "completion tokens (median, longest)" if counted else "words (median, longest)",
            f"{middle:,}, {lengths[-1]:,}",
        ),
        ("steps per thought (mean)", f"{sum(n_steps) / len(n_steps):.1f}"),
        ("reflection keywords per 1,000 words", f"{1000 * markers / max(1, words):.1f}"),
        *((f"left out: {reason}", f"{count:,}") for reason, count in dropped.items()),
    ]
    table = "\n".join(f"| {key} | {_cell(value)} |" for key, value in rows)
    return f"# Dataset card: {name}\n\n| | |\n|---|---|\n{table}\n"


def _compared(config: Config) -> Iterator[tuple[str, str]]:
    """Say for the card what the examples were compared with."""
    if config.near_duplicates is not None:
        by = ", ".join(config.duplicates_by)
        yield "near-duplicates left out", f"from {config.near_duplicates:g} alike, by {by}"
    if config.decontaminate:
        names = ", ".join(Path(name).name for name in config.decontaminate)
        yield "benchmarks looked for", names


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _load(path: Path, outcome: str) -> tuple[list[Trace], dict[str, Verdict]]:
    """Read the traces of a run folder or file, and the verdicts beside them."""
    if path.is_dir():
        # Of one that failed and was asked again, the last.
        traces = {t.id: t for t in store.read(path / "traces.jsonl", Trace)}
        if not traces:
            raise UserError(
                f"{path}: no traces; make some with: skythought generate --result-dir {path}"
            )
    else:
        traces, seen = {}, dict[str, str]()
        for row in shapes.read_traces(path):
            trace = score.with_own_id(row, seen)
            traces[trace.id], seen[trace.id] = trace, trace.finish
        if not traces:
            raise UserError(f"{path}: holds no traces")
    verdicts = {v.id: v for v in store.read(shapes.verdicts_beside(path), Verdict)}
    if outcome != "any" and not verdicts.keys() & traces.keys():
        flag = "--run-dir" if path.is_dir() else "--input"
        raise UserError(f"{path}: not graded yet; run: skythought score {flag} {path}")
    return list(traces.values()), verdicts
