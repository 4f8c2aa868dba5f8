"""Traces and verdicts in, training examples out, with the reason for everything left out.

    skythought curate runs/teacher --out data/correct.jsonl --outcome correct --per-problem 1
    skythought curate r1-traces.jsonl --out data/correct.jsonl --max-tokens 8192 --min-grounding 0.9

Writes the examples, and beside them `<out>.dropped.jsonl` (trace id and reason of each trace left
out), `<out>.manifest.json` and `<out>.card.md`, the dataset card. Reads run folders, and files of
any known shape, that `skythought score` has graded; with `--outcome any` nothing needs a verdict.
Changes nothing in its inputs.

The inputs are read twice, on all cores: once to know what matters of each trace (`Facts`, which is
small), and once more the chosen ones alone, to write them. Between lies what compares traces.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import tyro

from skythought import progress, store, tasks
from skythought.curating import card, choosing, exports, filters, pairs
from skythought.curating.facts import Facts, Place
from skythought.curating.inputs import Input
from skythought.errors import UserError
from skythought.sifting import Pick
from skythought.spread import Spread, cores

BATCH = 64  # examples handed to a worker at once
ALONE = 2**24  # bytes of input that are read in this process, before workers are worth their start


@dataclass(frozen=True, kw_only=True)
class Config:
    """Choose training examples from graded traces."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Run folders, or JSONL files of traces of any known shape."""
    out: Path
    """File of training examples to write: JSONL, or Parquet where it is called .parquet."""
    to: exports.Shape = "examples"
    """Shape of the rows: our own examples, messages, or ShareGPT."""
    outcome: Literal["correct", "incorrect", "any"] = "correct"
    """Which verdict a trace needs; any takes those without a verdict too."""
    require: tuple[filters.Part, ...] = ()
    """Leave out traces without a thought, an answer text, or a boxed answer."""
    min_steps: int = 0
    """Leave out thoughts with fewer steps."""
    max_steps: int | None = None
    """Leave out thoughts with more steps."""
    min_tokens: int = 0
    """Leave out completions with fewer tokens."""
    max_tokens: int | None = None
    """Leave out completions with more tokens."""
    tokenizer: str = ""
    """Folder or hub name of the tokenizer that counts; else the teacher's own count, or words."""
    drop_loops: bool = False
    """Leave out traces that end in saying the same again and again."""
    max_repetition: float | None = None
    """Leave out traces of which a larger share was said before, 0 to 1."""
    max_foreign: float | None = None
    """Leave out traces with a larger share of letters of another script than the question's."""
    min_consistency: float | None = None
    """Leave out traces of which a smaller share of steps follows from what came before, 0 to 1."""
    min_grounding: float | None = None
    """Leave out traces of whose checkable statements a smaller share holds, 0 to 1."""
    pass_rate: str = ""
    """Keep problems of which such a share of the graded traces is correct: 0.1..0.9."""
    where: tuple[str, ...] = ()
    """Keep rows by a field of theirs or of their problem: level=4..5, subject=algebra,geometry."""
    filter: tuple[str, ...] = ()
    """Filters of your own, package.module:function: (trace) -> None or the reason."""
    keep_duplicates: bool = False
    """Keep examples whose prompt and completion are those of another."""
    per_problem: int | None = None
    """Keep at most so many traces of a problem."""
    prefer: choosing.Prefer = "first"
    """Which of a problem's traces are kept under that cap."""
    select: int | None = None
    """Choose so many of all that are left."""
    by: choosing.By = "structure"
    """How they are chosen: the most structured of every topic in turn, by length, or at random."""
    limit: int | None = None
    """Keep at most so many traces, the first."""
    pairs: Literal["", "shortest", "first_solution"] = ""
    """Make preference pairs: shortest against longest, or the first solution against all of it."""
    seed: int = 0
    """Another seed chooses others at random, and other topics."""
    licence: str = ""
    """Licence of the inputs, for the card, where neither rows nor tasks say it."""
    stop_at_damage: bool = False
    """Stop at the first row that cannot be used; else such rows are left out and counted."""
    workers: int = 0
    """Processes that read and write; one for each core where not given."""


PLACE_ONLY = ("out", "runs", "workers")


def run(config: Config) -> dict[str, Any]:
    """Curate; returns how many were kept and how many were dropped for each reason.

    Raises:
        UserError: no input, one without traces or verdicts, nothing kept, or an output file of
            another config.
    """
    asked = _check(config)
    inputs = [Input(path) for path in config.runs]
    identity = {
        **{k: v for k, v in store.settings(config).items() if k not in PLACE_ONLY},
        "inputs": [i.fingerprint() for i in inputs],
    }
    counts = store.made_already(config.out, "curate", identity)
    if counts is not None:
        progress.say(f"{config.out}: made already with these settings")
        return counts
    workers = config.workers or (cores() if sum(i.size for i in inputs) > ALONE else 1)
    with Spread("skythought.sifting:reader", asked.reading, workers) as spread:
        for given in inputs:
            given.read(spread, stop=config.stop_at_damage)
            if config.outcome != "any":
                given.require_verdicts()
    dropped: list[dict[str, str]] = []
    kept: list[Facts] = []
    for facts, reason in _decide(config, asked, inputs):
        if reason:
            dropped.append({"trace_id": facts.id, "reason": reason})
        else:
            kept.append(facts)
    for given in inputs:
        dropped += [
            {"place": u.place, "reason": f"cannot be used: {u.why}"} for u in given.unusable
        ]
    return _write(config, inputs, kept, dropped, identity, workers)


class _Asked(NamedTuple):
    """A config that was found to make sense."""

    reading: dict[str, Any]  # options of the reader
    labels: tuple[filters.Labelled, ...]
    pass_rate: tuple[float | None, float | None] | None


def _check(config: Config) -> _Asked:
    if not config.runs:
        raise UserError("choose from what? give run folders or JSONL files of traces")
    for flag in ("min_steps", "min_tokens", "workers"):
        if getattr(config, flag) < 0:
            name = flag.replace("_", "-")
            raise UserError(f"--{name} {getattr(config, flag)}: give 0 or more")
    for flag in ("per_problem", "limit", "select", "max_steps", "max_tokens"):
        value = getattr(config, flag)
        if value is not None and value < 1:
            raise UserError(f"--{flag.replace('_', '-')} {value}: give 1 or more")
    for flag in ("max_repetition", "max_foreign", "min_consistency", "min_grounding"):
        value = getattr(config, flag)
        if value is not None and not 0 <= value <= 1:
            raise UserError(f"--{flag.replace('_', '-')} {value:g}: give a share from 0 to 1")
    if config.pairs and config.outcome != "correct":
        raise UserError("--pairs compares correct traces; leave out --outcome")
    asked = filters.Filters(
        require=config.require,
        min_steps=config.min_steps,
        max_steps=config.max_steps,
        min_tokens=config.min_tokens,
        max_tokens=config.max_tokens,
        drop_loops=config.drop_loops,
        max_repetition=config.max_repetition,
        max_foreign=config.max_foreign,
        min_consistency=config.min_consistency,
        min_grounding=config.min_grounding,
        own=config.filter,
    )
    asked.functions()  # refuse before reading anything
    labels = tuple(filters.Labelled.parse(text) for text in config.where)
    rate = filters.range_of("--pass-rate", config.pass_rate) if config.pass_rate else None
    by_structure = config.select is not None and config.by == "structure"
    reading = {
        "filters": asked,
        "tokenizer": config.tokenizer,
        "fields": tuple(label.field for label in labels),
        "scored": by_structure or config.prefer == "structured",
        "sketched": by_structure,
    }
    return _Asked(reading, labels, rate)


def _decide(config: Config, asked: _Asked, inputs: Sequence[Input]) -> Iterator[tuple[Facts, str]]:
    """Give each trace the first reason to leave it out, "" where there is none, in order."""
    rates = _pass_rates(inputs) if asked.pass_rate else {}
    reasons: list[tuple[Facts, str]] = []
    known: set[str] = set()
    for given in inputs:
        labels = given.labels(tuple(label.field for label in asked.labels))
        for facts in given.rows:
            reason = (
                facts.early
                or _verdict(facts, config.outcome)
                or facts.late
                or _label(labels.get(facts.problem) or facts.labels, asked.labels)
                or (_rate(rates[facts.problem], asked.pass_rate) if asked.pass_rate else "")
            )
            if not reason and not config.keep_duplicates:
                reason = "duplicate" if facts.lesson in known else ""
                known.add(facts.lesson)
            reasons.append((facts, reason))
    left = [facts for facts, reason in reasons if not reason]
    out: dict[int, str] = {}
    for reason, keep in (
        ("per-problem cap", _capped(config)),
        ("not selected", _selected(config)),
        ("limit", lambda found: found[: config.limit]),
    ):
        chosen = keep(left)
        stay = set(map(id, chosen))
        out |= {id(facts): reason for facts in left if id(facts) not in stay}
        left = chosen
    for facts, reason in reasons:
        yield facts, reason or out.get(id(facts), "")


def _capped(config: Config) -> Callable[[list[Facts]], list[Facts]]:
    n = config.per_problem
    if n is None:
        return lambda found: found
    return lambda found: choosing.per_problem(found, n, config.prefer)


def _selected(config: Config) -> Callable[[list[Facts]], list[Facts]]:
    n = config.select
    if n is None:
        return lambda found: found
    return lambda found: choosing.select(found, n, config.by, config.seed)


def _verdict(facts: Facts, wanted: str) -> str:
    if wanted == "any" or facts.outcome == wanted:
        return ""
    return f"verdict {facts.outcome}" if facts.outcome else "not graded"


def _label(values: Sequence[str], wanted: Sequence[filters.Labelled]) -> str:
    for value, label in zip(values, wanted, strict=True):
        if not value:
            return f"no {label.field}"
        if not label.holds(value):
            return f"other {label.field}"
    return ""


def _pass_rates(inputs: Iterable[Input]) -> dict[str, float | None]:
    """Give the share of each problem's graded traces that is correct, None where none is graded."""
    right: Counter[str] = Counter()
    graded: Counter[str] = Counter()
    problems = set()
    for given in inputs:
        for facts in given.rows:
            problems.add(facts.problem)
            graded[facts.problem] += facts.outcome not in ("", "error")
            right[facts.problem] += facts.outcome == "correct"
    return {p: right[p] / graded[p] if graded[p] else None for p in problems}


def _rate(rate: float | None, ends: tuple[float | None, float | None]) -> str:
    if rate is None:
        return "no pass rate"
    return "" if filters.within(rate, *ends) else "other pass rate"


def _write(
    config: Config,
    inputs: Sequence[Input],
    kept: list[Facts],
    dropped: list[dict[str, str]],
    identity: dict[str, Any],
    workers: int,
) -> dict[str, Any]:
    """Read the chosen lines again and write them, with card, reasons and manifest beside."""
    picks = list(_picks(config, inputs, kept))
    share = min(1.0, card.MEASURED / max(1, len(picks)))
    options = {"shape": config.to, "tokenizer": config.tokenizer, "share": share}
    tally = card.Tally()
    part = config.out.with_name(config.out.name + ".part")
    parquet = config.out.suffix == ".parquet"
    try:
        with (
            Spread("skythought.sifting:writer", options, workers) as spread,
            exports.Writer(part, parquet=parquet) as out,
            progress.bar(f"write {config.out.name}", len(picks)) as bar,
        ):
            for pick, made in zip(picks, _made(spread, picks), strict=True):
                if isinstance(made, str):
                    dropped.append({"trace_id": pick.places[0].id, "reason": made})
                else:
                    row, entry = made
                    out.add(row)
                    tally.add(entry)
                bar.advance()
        reasons = dict(sorted(Counter(_kind(row["reason"]) for row in dropped).items()))
        left_out = ", ".join(f"{n:,} {reason}" for reason, n in reasons.items()) or "none"
        if not tally.n:
            raise UserError(f"no trace is left of {len(dropped):,}: {left_out}")
        counts = {"kept": tally.n, "dropped": reasons}
        store.write_records(config.out.with_name(config.out.name + ".dropped.jsonl"), dropped)
        text = card.write(
            config.out.name, tally, _sources(config, inputs, kept), reasons, _said(config)
        )
        store.write_whole(config.out.with_name(config.out.name + ".card.md"), text)
        store.publish(part, config.out, "curate", identity, counts)
    finally:
        part.unlink(missing_ok=True)
    progress.say(f"{config.out}: kept {tally.n:,}; left out: {left_out}")
    return counts


def _kind(reason: str) -> str:
    return reason.partition(":")[0]


def _picks(config: Config, inputs: Sequence[Input], kept: Sequence[Facts]) -> Iterator[Pick]:
    where = {id(facts): given for given in inputs for facts in given.rows}

    def place(facts: Facts) -> Place:
        file = where[id(facts)].files[facts.file]
        return Place(file, facts.offset, facts.size, facts.id, facts.outcome)

    if config.pairs == "shortest":
        for chosen, rejected in pairs.of_lengths(kept):
            yield Pick("shortest", (place(chosen), place(rejected)))
        return
    for facts in kept:
        yield Pick(config.pairs or "example", (place(facts),))


def _made(spread: Spread, picks: Sequence[Pick]) -> Iterator[tuple[bytes, card.Entry] | str]:
    for batch in spread.over(picks[i : i + BATCH] for i in range(0, len(picks), BATCH)):
        yield from batch


def _sources(config: Config, inputs: Sequence[Input], kept: Sequence[Facts]) -> list[card.Source]:
    chosen = set(map(id, kept))
    return [
        card.Source(
            name=given.path.name,
            traces=len(given.rows),
            kept=sum(id(facts) in chosen for facts in given.rows),
            made_by=given.made_by(),
            licence=config.licence or _licence(given),
        )
        for given in inputs
    ]


def _licence(given: Input) -> str:
    """Name the licence of the prompts of a run, which its task says."""
    name = given.task()
    if not name or name.startswith(tasks.FILE):
        return ""
    try:
        return tasks.get(name).licence
    except UserError:  # a task of a package that is not here
        return ""


def _said(config: Config) -> dict[str, object]:
    """List the settings that are not the defaults, and the verdict, for the card."""
    default = Config(runs=config.runs, out=config.out)
    values = {
        key: value
        for key, value in store.settings(config).items()
        if key not in PLACE_ONLY and value != store.settings(default).get(key)
    }
    return {"outcome": config.outcome, **values}
