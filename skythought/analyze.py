"""Traces in, their structure out: steps with roles, measures of each, a summary, plots.

    skythought analyze r1-traces.jsonl --out runs/r1-structure

Reads every shape of trace or training data and changes nothing in it. Writes into the folder:
`measures.jsonl` (one row per trace), `steps.jsonl` (one per step), `statements.jsonl` (one per
equation or comparison, and whether it holds), `unparsed.jsonl` (rows and requests that could not be
read, with the reason), `summary.json`, `summary.md`, and the plots as SVG. Needs no model; with
--scorer, one says how likely each step is after its own predecessor. Memory does not grow with the
number of traces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
import tyro

from skythought import likelihoods, structure
from skythought.core import progress, shapes, spread, store
from skythought.core.errors import UserError, first_line, require
from skythought.likelihoods import Likelihoods, Thought
from skythought.reporting import anatomy
from skythought.structure.roles import LETTERS
from skythought.structure.summary import Summary
from skythought.structure.tables import (
    TABLES,
    Format,
    Rows,
    StatementRow,
    StepRow,
    Table,
    encode,
)

RULES = "structure@2"  # changes with what is measured, so that old tables are not taken for new


@dataclass(frozen=True, kw_only=True)
class Config:
    """Measure the structure of traces."""

    input: Annotated[Path, tyro.conf.Positional]
    """Traces or training data: a JSONL file of any known shape, or a run folder."""
    out: Path
    """Folder to write to."""
    tables: str = "traces,steps,statements"
    """Which tables to write, with commas between; summary and plots are always written."""
    format: Format = "jsonl"
    """Of the tables; parquet needs pip install 'skythought[parquet]'."""
    tokenizer: str = ""
    """Model whose tokenizer counts tokens; else what a trace says, else words, digits and signs."""
    scorer: str = ""
    """Language model that judges which steps follow: a folder, hub name or mini, or URL#MODEL of a
    server that echoes prompts with log-probabilities."""
    scorer_args: str = ""
    """Its options, k=v,k=v: dtype, device, batch, or api_key_env, concurrency, timeout, retries;
    and what is compared: others, most, context, continuation, seed."""
    workers: int = 0
    """Processes; 0 is one for each core. The scorer runs in one."""


class Seen(NamedTuple):
    """What a worker makes of many lines."""

    lines: int
    tables: dict[str, bytes | Rows]
    unparsed: list[dict[str, str]]
    summary: Summary
    # What a scorer is to judge first; the table of traces and the summary are then made after it.
    measures: list[structure.Measures]
    thoughts: list[Thought]


def run(config: Config) -> dict[str, Any]:
    """Analyze; returns what summary.json holds.

    Raises:
        UserError: no input, no trace in it, a table, tokenizer or scorer that does not exist, or
            a folder of other settings or another input.
    """
    if config.workers < 0:
        raise UserError(f"--workers {config.workers}: give 0 (one for each core) or more")
    tables = chosen(config.tables)
    if config.format == "parquet":
        require("pyarrow.parquet", "parquet")
    sources = shapes.files(config.input)
    if config.out.resolve() in [path.resolve().parent for path in sources]:
        raise UserError(f"{config.out}: the input lies there; give another folder to write to")
    if config.scorer_args and not config.scorer:
        raise UserError("--scorer-args without --scorer: which model? give --scorer too")
    scorer = likelihoods.model(config.scorer, config.scorer_args) if config.scorer else None
    identity = {
        "rules": RULES,
        "input": store.hash_files(sources),
        "tables": tables,
        "format": config.format,
        "tokenizer": config.tokenizer,
        "scorer": scorer.identity if scorer else None,
    }
    path = config.out / "summary.json"
    if store.owns(config.out, "analyze", identity) and store.is_done(config.out):
        progress.say(f"{config.out}: made already with these settings")
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    claim = partial(store.claim, config.out, "analyze", identity)
    summary, unparsed = _stream(config, sources, tables, scorer, claim)
    described = {
        "source": ", ".join(file.name for file in sources),
        "rules": RULES,
        "scorer": identity["scorer"],
        "letters": dict(LETTERS),
        "unparsed": unparsed,
        **summary.describe(),
    }
    store.write_whole(path, msgspec.json.format(msgspec.json.encode(described), indent=1) + b"\n")
    for name, plot in anatomy.plots(described).items():
        store.write_whole(config.out / f"{name}.svg", plot)
    store.write_whole(config.out / "summary.md", anatomy.page(described))
    store.finish(config.out, traces=described["all"]["traces"], unparsed=unparsed)
    for line in anatomy.lines(described):
        progress.say(line)
    progress.say(f"{config.out / 'summary.md'}: the whole summary")
    return described


def chosen(tables: str) -> list[str]:
    """Read the names of tables.

    Raises:
        UserError: a name that no table has.
    """
    names = [name.strip() for name in tables.split(",") if name.strip()]
    for name in names:
        if name not in TABLES:
            raise UserError(f"--tables {tables}: no table {name!r}; known: {', '.join(TABLES)}")
    return [name for name in TABLES if name in names]


def _stream(
    config: Config,
    sources: Sequence[Path],
    tables: Sequence[str],
    scorer: likelihoods.Model | None,
    claim: Callable[[], None],
) -> tuple[Summary, int]:
    """Write the tables batch after batch, and claim the folder when all of them are whole."""
    summary, unparsed, first = Summary(), 0, ""
    options = {
        "tables": [*tables],
        "form": config.format,
        "tokenizer": config.tokenizer,
        "scored": scorer is not None,
    }
    answers = config.out / "likelihoods.jsonl"
    made = scorer and Likelihoods(answers, scorer.load(), scorer.comparison, claim)
    total = sum(_count_lines(file) for file in sources)
    left = config.out / "unparsed.jsonl"
    part = left.with_name(left.name + ".part")
    part.unlink(missing_ok=True)
    with ExitStack() as stack:
        stack.callback(part.unlink, missing_ok=True)
        out = {name: stack.enter_context(Table(config.out, name, config.format)) for name in tables}
        failed = stack.enter_context(store.Appender(part))
        target = "skythought.analyze:reader"
        workers = stack.enter_context(spread.Spread(target, options, config.workers))
        judge = stack.enter_context(made or nullcontext())
        bar = stack.enter_context(progress.bar("analyze", total))
        for seen in workers.over(shapes.batches(config.input)):
            if judge is not None:
                seen = _judged(seen, judge, tables, config.format, bar)
            for name, rows in seen.tables.items():
                out[name].add(rows)
            for row in seen.unparsed:
                failed.add(row)
                first = first or f"{row['place']}: {row['reason']}"
            unparsed += len(seen.unparsed)
            summary.merge(seen.summary)
            bar.advance(seen.lines)
        if not summary.groups["all"].counts["traces"]:
            told = f"none of {unparsed:,} rows can be analyzed; {first}"
            raise UserError(f"{config.input}: {told if unparsed else 'holds no traces'}")
        claim()
        for table in out.values():
            table.publish()
        part.replace(left)
    return summary, unparsed


def _judged(
    seen: Seen, judge: Likelihoods, tables: Sequence[str], form: Format, bar: progress.Bar
) -> Seen:
    """Put in what a scorer says of each trace."""
    measures: list[structure.Measures] = []
    for values in judge.of(seen.thoughts):
        for value in values:
            row = seen.measures[len(measures)]
            measures.append(msgspec.structs.replace(row, likelihood=value))
        bar.advance(len(values))
    summary = Summary()
    for row in measures:
        summary.add(row)
    made = {"traces": encode(measures, form)} if "traces" in tables else {}
    left = seen.lines - len(measures)
    return seen._replace(lines=left, tables=seen.tables | made, summary=summary)


def reader(
    tables: Sequence[str], form: Format, tokenizer: str, scored: bool = False
) -> Callable[[Sequence[shapes.Line]], Seen]:
    """Make the function that analyzes a batch of lines, in a worker.

    Args:
        tables: those to write.
        form: of the tables.
        tokenizer: model whose tokenizer counts; "" for none.
        scored: leave the measures of traces open, for a scorer to be asked.
    """
    count = token_counter(tokenizer) if tokenizer else None

    def analyze(lines: Sequence[shapes.Line]) -> Seen:
        rows: dict[str, list[msgspec.Struct]] = {name: [] for name in tables}
        unparsed: list[dict[str, str]] = []
        summary = Summary()
        opened: list[structure.Measures] = []
        thoughts: list[Thought] = []
        for line in lines:
            try:
                trace = shapes.read_line(line)
            except ValueError as error:
                unparsed.append({"place": line.place, "id": "", "reason": str(error)})
                continue
            if trace.error:
                reason = f"the request failed: {trace.error}"
                unparsed.append({"place": line.place, "id": trace.id, "reason": reason})
                continue
            parts = structure.read(trace)
            measures = structure.measure(trace, parts, count)
            if scored:
                texts = [part.text for part in parts]
                thoughts.append(Thought(trace.id, structure.question_of(trace), texts))
                opened.append(measures)
            else:
                summary.add(measures)
            if "traces" in rows and not scored:
                rows["traces"].append(measures)
            if "steps" in rows:
                rows["steps"] += (step_row(trace.id, i, part) for i, part in enumerate(parts))
            if "statements" in rows:
                for i, part in enumerate(parts):
                    rows["statements"] += statement_rows(trace.id, i, part)
        encoded = {name: encode(found, form) for name, found in rows.items()}
        return Seen(len(lines), encoded, unparsed, summary, opened, thoughts)

    return analyze


def step_row(trace_id: str, number: int, step: structure.Step) -> StepRow:
    """Write a step as a row of the table of steps."""
    return StepRow(
        trace_id=trace_id,
        step=number,
        start=step.start,
        end=step.end,
        role=step.role,
        markers=step.markers,
        introduces=step.introduces,
        uses=step.uses,
    )


def statement_rows(trace_id: str, number: int, step: structure.Step) -> Iterator[StatementRow]:
    """Write what a step states as rows of the table of statements."""
    for said, truth in zip(step.statements, step.truths, strict=True):
        yield StatementRow(
            trace_id=trace_id,
            step=number,
            start=said.start,
            end=said.end,
            left=said.left,
            relation=said.relation,
            right=said.right,
            truth=truth,
        )


def token_counter(name: str) -> Callable[[str], int]:
    """Make what counts tokens with a model's tokenizer.

    Raises:
        UserError: no transformers, or no such tokenizer.
    """
    transformers = require("transformers", "train")
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        reason = f"no tokenizer there ({first_line(error)}); give a model's folder or name"
        raise UserError(f"--tokenizer {name}: {reason}") from error

    def count(text: str) -> int:
        return len(tokenizer(text, add_special_tokens=False)["input_ids"])

    return count


def _count_lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)
