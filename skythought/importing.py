"""Logs of other tools in, a run folder out, to grade, compare, analyze and view as any other.

    skythought import results/samples_gsm8k_2026-11-01.jsonl --out runs/from_lm_eval
    skythought score --run-dir runs/from_lm_eval

Reads sample logs of lm-evaluation-harness and lighteval, and results.json of the first SkyThought.
Their verdicts go into verdicts.NAME.jsonl, where they decide nothing; `score` grades anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import tyro

from skythought import foreign, tasks
from skythought.core import formats, progress, store
from skythought.core.errors import UserError
from skythought.core.records import Message, Outcome, Problem, Trace, Verdict, trace_id
from skythought.foreign import Logged
from skythought.tasks import benchmarks, reshaping

STAGE = "import"


@dataclass(frozen=True, kw_only=True)
class Config:
    """Turn a log of another tool into a run folder."""

    input: Annotated[Path, tyro.conf.Positional]
    """The log: samples_*.jsonl, details_*.parquet or results.json."""
    out: Path
    """Run folder to write."""
    format: str = ""
    """lm-eval, lighteval or skythought; told by the file's name where not given."""
    model: str = "unknown"
    """Name of the model that answered; the logs do not say it in each row."""


def run(config: Config) -> dict[str, Any]:
    """Write the run folder; returns how many problems and traces, and their share of right ones.

    Raises:
        UserError: no such file, a row that cannot be read, or a folder of something else.
    """
    form = config.format or foreign.format_of(config.input)
    rows = list(foreign.read(config.input, form))
    if not rows:
        raise UserError(f"{config.input}: holds no answers")
    identity = {
        "input": store.hash_files([config.input]),
        "format": form,
        "model": config.model,
    }
    name = f"{tasks.FILE}{foreign.task_of(config.input)}"
    made = [(row, *records(row, config.model, name)) for row in rows]
    store.claim(config.out, STAGE, identity)
    problems = {problem.id: problem for _, problem, _ in made}
    judged = [(row, trace) for row, _, trace in made if row.correct is not None]
    store.write_records(config.out / "problems.jsonl", problems.values())
    store.write_records(config.out / "traces.jsonl", (trace for _, _, trace in made))
    verdicts = [theirs(row, trace, form) for row, trace in judged]
    store.write_records(config.out / f"verdicts.{form}.jsonl", verdicts)
    right = sum(bool(row.correct) for row, _ in judged)
    counts: dict[str, Any] = {"problems": len(problems), "traces": len(made)}
    counts |= {"judged": len(judged), "right": right}
    store.finish(config.out, **counts)
    share = f", {right:,} of {len(judged):,} right to {form}" if judged else ""
    progress.say(f"{config.out}: {len(problems):,} problems, {len(made):,} answers{share}")
    progress.say(f"grade them: skythought score --run-dir {config.out}")
    return counts


def records(row: Logged, model: str, task: str = "file:log") -> tuple[Problem, Trace]:
    """Make our records of one logged answer.

    Raises:
        UserError: the problem has no question or no reference that can be read.
    """
    known = {**row.row, "id": row.id}
    asked = [turn for turn in row.messages if turn.role == "user"]
    if not any(isinstance(known.get(name), str) for name in ("problem", "question")) and asked:
        known["problem"] = asked[-1].content
    if "instruction_id_list" in known:
        known = reshaping.ifeval({**known, "key": row.id})
    if benchmarks.reference_field(known) is None and benchmarks.tests_of(known) is None:
        known["answer"] = row.answer
    try:
        problem = benchmarks.problem(known, task)
    except (ValueError, msgspec.ValidationError) as error:
        raise UserError(f"{row.where}: {error}") from error
    messages = row.messages or (Message("user", problem.question),)
    parts = formats.parse(row.text)
    sampling = row.sampling
    return problem, Trace(
        id=trace_id(problem.id, messages, model, sampling, row.sample),
        problem_id=problem.id,
        model=model,
        messages=messages,
        thought=parts.thought,
        answer=parts.answer,
        sampling=sampling,
        sample=row.sample,
        prompt_tokens=row.prompt_tokens,
        completion_tokens=row.tokens,
    )


def theirs(row: Logged, trace: Trace, form: str) -> Verdict:
    """Write down what the other tool said."""
    outcome: Outcome = "correct" if row.correct else "incorrect"
    return Verdict(verifier=form, id=trace.id, outcome=outcome, rule=row.why)
