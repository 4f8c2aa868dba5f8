"""Traces and verdicts in, training examples out, with the reason for everything left out.

    skythought curate runs/teacher --out data/correct.jsonl --outcome correct --per-problem 1
    skythought curate r1-traces.jsonl --out data/correct.jsonl --max-tokens 8192 --min-grounding 0.9

Writes the examples, and beside them `<out>.dropped.jsonl` (trace id and reason of each trace left
out), `<out>.manifest.json` and `<out>.card.md`, the dataset card. Reads run folders, and files of
any known shape, that `skythought score` has graded; with `--outcome any` nothing needs a verdict.
Of examples with the same prompt and completion the first is kept, and with `--near-duplicates` of
those that are nearly so. `--decontaminate` leaves out what answers a problem of a benchmark; the
passages that show it go to `<out>.contamination.jsonl`. Changes nothing in its inputs.

The inputs are read twice, on all cores: once to know what matters of each trace (`Facts`, which is
small), and once more the chosen ones alone, to write them. Between lies what compares traces.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, tee
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import tyro

from skythought import tasks
from skythought.core import labels, progress, store
from skythought.core.errors import UserError
from skythought.core.records import digest
from skythought.core.spread import Spread, cores
from skythought.curating import (
    Reason,
    card,
    choosing,
    contamination,
    deciding,
    exports,
    filters,
    pairs,
    screening,
)
from skythought.curating.duplicates import Field
from skythought.curating.facts import Facts
from skythought.curating.inputs import Input
from skythought.sifting import Pick
from skythought.tasks import benchmarks

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
    duplicates_by: tuple[Field, ...] = ("example",)
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
    per_problem: int | None = None
    """Keep at most so many traces of a problem."""
    prefer: choosing.Prefer = "first"
    """Which of a problem's traces are kept under that cap."""
    select: int | None = None
    """Choose so many of all that are left."""
    by: choosing.By = "random"
    """How they are chosen: at random, by length, or the most structured of every topic in turn."""
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


UNUSABLE, ALONE_IN_PAIRS = "cannot be used", "not in a pair"
PLACE_ONLY = ("out", "runs", "workers")
SHARES = (
    *("max_repetition", "max_foreign", "min_consistency", "min_grounding", "near_duplicates"),
    *("decontaminate_near", "decontaminate_restated", "decontaminate_cosine"),
)


def run(config: Config) -> dict[str, Any]:
    """Curate; returns how many were kept and how many were dropped for each reason.

    Raises:
        UserError: no input, one without traces or verdicts, nothing kept, or an output file of
            another config.
    """
    asked = _check(config)
    inputs = [Input(path, number) for number, path in enumerate(config.runs)]
    _keep(inputs, config.out)
    identity = {
        **_said(config),  # defaults are left out: a setting that is new changes no identity
        "inputs": [i.fingerprint() for i in inputs],
        "benchmarks": digest(problems) if (problems := asked.rules.search.problems) else None,
    }
    counts = store.made_already(config.out, "curate", identity)
    if counts is not None:
        progress.say(f"{config.out}: made already with these settings")
        return counts
    workers = config.workers or (cores() if sum(i.size for i in inputs) > ALONE else 1)
    dropped = exports.Listing(_beside(config.out, "dropped.jsonl"))
    shown = exports.Listing(_beside(config.out, "contamination.jsonl"))
    try:
        with Spread("skythought.sifting:reader", asked.reading, workers) as spread:
            for given in inputs:
                given.read(spread, shown.add, stop=config.stop_at_damage)
                if config.outcome != "any":
                    given.require_verdicts()
        kept: list[Facts] = []
        for facts, reason in asked.rules.decide(inputs):
            if reason:
                dropped.add({"trace_id": facts.id, **_told(reason)}, reason.kind)
            else:
                kept.append(facts)
        for line in (line for given in inputs for line in given.unusable):
            row = {"place": line.place, "reason": f"{UNUSABLE}: {line.why}"}
            dropped.add(row, UNUSABLE)
        return _write(config, inputs, kept, (dropped, shown), identity, workers)
    finally:
        dropped.discard()
        shown.discard()


class _Asked(NamedTuple):
    """A config that was found to make sense."""

    reading: dict[str, Any]  # options of the reader
    rules: deciding.Rules


def _check(config: Config) -> _Asked:
    """Refuse what cannot be done before anything is read."""
    if not config.runs:
        raise UserError("choose from what? give run folders or JSONL files of traces")
    for name in ("min_steps", "min_tokens", "workers"):
        _refuse(config, name, lambda value: value >= 0, "0 or more")
    for name in ("per_problem", "limit", "select", "max_steps", "max_tokens"):
        _refuse(config, name, lambda value: value >= 1, "1 or more")
    for name in SHARES:
        _refuse(config, name, lambda value: 0 <= value <= 1, "a share from 0 to 1")
    if config.pairs and config.outcome != "correct":
        raise UserError("--pairs compares correct traces; leave out --outcome")
    if config.decontaminate_encoder is not None and not config.decontaminate:
        raise UserError("--decontaminate-encoder compares with what? give --decontaminate PATH")
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
    asked.functions()
    search = screening.Search(
        fields=config.duplicates_by,
        near=config.near_duplicates,
        problems=tuple(benchmarks.collect(config.decontaminate)),
        near_copies=config.decontaminate_near or None,
        restated=config.decontaminate_restated or None,
        encoder=config.decontaminate_encoder,
        cosine=config.decontaminate_cosine,
    )
    rules = deciding.Rules(
        outcome=config.outcome,
        labels=tuple(labels.Labelled.parse(text) for text in config.where),
        pass_rate=labels.range_of("--pass-rate", config.pass_rate) if config.pass_rate else None,
        keep_duplicates=config.keep_duplicates,
        search=search,
        per_problem=config.per_problem,
        prefer=config.prefer,
        select=config.select,
        by=config.by,
        limit=config.limit,
        seed=config.seed,
    )
    by_structure = config.select is not None and config.by == "structure"
    reading = {
        "filters": asked,
        "tokenizer": config.tokenizer,
        "fields": tuple(label.field for label in rules.labels),
        "scored": by_structure or config.prefer == "structured",
        "sketched": by_structure,
        "paired": config.pairs == "shortest",
        "search": search,
    }
    return _Asked(reading, rules)


def _keep(inputs: Sequence[Input], out: Path) -> None:
    """Refuse to write over what is read."""
    read = {file.resolve() for given in inputs for file in given.sources}
    for name in ("", ".dropped.jsonl", ".contamination.jsonl", ".card.md", ".manifest.json"):
        written = out.with_name(out.name + name)
        if written.resolve() in read:
            raise UserError(f"{written}: is read and would be written over; choose another --out")


def _refuse(config: Config, name: str, fits: Callable[[Any], bool], wanted: str) -> None:
    value = getattr(config, name)
    if value is not None and not fits(value):
        raise UserError(f"--{name.replace('_', '-')} {value:g}: give {wanted}")


def _write(
    config: Config,
    inputs: Sequence[Input],
    kept: list[Facts],
    listings: tuple[exports.Listing, exports.Listing],
    identity: dict[str, Any],
    workers: int,
) -> dict[str, Any]:
    """Read the chosen lines again and write them, with card, reasons and manifest beside."""
    dropped, shown = listings
    paired = pairs.of_lengths(kept) if config.pairs == "shortest" else []
    total = len(paired) if config.pairs == "shortest" else len(kept)
    picks, asked = tee(_picks(config, inputs, kept, paired, dropped))
    share = min(1.0, card.MEASURED / max(1, total))
    options = {"shape": config.to, "tokenizer": config.tokenizer, "share": share}
    tally = card.Tally()
    written: Counter[int] = Counter()  # examples of each input
    part = _beside(config.out, "part")
    parquet = config.out.suffix == ".parquet"
    try:
        with (
            Spread("skythought.sifting:writer", options, workers) as spread,
            exports.Writer(part, parquet=parquet) as out,
            progress.bar(f"write {config.out.name}", total) as bar,
        ):
            for pick, made in zip(picks, _made(spread, asked), strict=True):
                if isinstance(made, str):
                    dropped.add({"trace_id": pick.places[0].id, "reason": made}, made)
                else:
                    row, entry = made
                    out.add(row)
                    tally.add(entry)
                    written[pick.given] += 1
                bar.advance()
        reasons = dict(sorted(dropped.counts.items()))
        said = ", ".join(f"{n:,} {reason}" for reason, n in reasons.items()) or "none"
        if not tally.n:
            raise UserError(f"no trace is left of {dropped.counts.total():,}: {said}")
        counts = {"kept": tally.n, "dropped": reasons}
        dropped.publish()
        if config.decontaminate:
            shown.publish()
        text = card.write(
            config.out.name, tally, _sources(config, inputs, written), reasons, _shown(config)
        )
        store.write_whole(_beside(config.out, "card.md"), text)
        store.publish(part, config.out, "curate", identity, counts)
    finally:
        part.unlink(missing_ok=True)
    progress.say(f"{config.out}: kept {tally.n:,}; left out: {said}")
    return counts


def _beside(out: Path, name: str) -> Path:
    return out.with_name(f"{out.name}.{name}")


def _told(reason: Reason) -> dict[str, Any]:
    return {"reason": reason.text, **reason.evidence}


def _picks(
    config: Config,
    inputs: Sequence[Input],
    kept: Sequence[Facts],
    paired: Sequence[tuple[Facts, Facts]],
    dropped: exports.Listing,
) -> Iterator[Pick]:
    """Say what is to be written; traces that find no other to be paired with are dropped."""
    if config.pairs != "shortest":
        for facts in kept:
            yield Pick(config.pairs or "example", (deciding.place(inputs, facts),), facts.given)
        return
    for pair in paired:
        places = tuple(deciding.place(inputs, facts) for facts in pair)
        yield Pick("shortest", places, pair[0].given)
    together = {id(facts) for pair in paired for facts in pair}
    for facts in kept:
        if id(facts) not in together:
            dropped.add({"trace_id": facts.id, "reason": ALONE_IN_PAIRS}, ALONE_IN_PAIRS)


def _made(spread: Spread, picks: Iterator[Pick]) -> Iterator[tuple[bytes, card.Entry] | str]:
    for batch in spread.over(iter(lambda: list(islice(picks, BATCH)), [])):
        yield from batch


def _sources(
    config: Config, inputs: Sequence[Input], written: Mapping[int, int]
) -> list[card.Source]:
    return [
        card.Source(
            name=given.path.name,
            traces=len(given.rows),
            kept=written[number],
            made_by=given.made_by(),
            licence=config.licence or _licence(given),
        )
        for number, given in enumerate(inputs)
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
    """List the settings that are not the defaults, and the verdict asked for."""
    default = Config(runs=config.runs, out=config.out)
    values = {
        key: value
        for key, value in store.settings(config).items()
        if key not in PLACE_ONLY and value != store.settings(default).get(key)
    }
    return {"outcome": config.outcome, **values}


def _shown(config: Config) -> dict[str, str]:
    """Write settings for the card: of files their names, not where they lie here."""
    shown = {}
    for key, value in _said(config).items():
        texts = [str(part) for part in value] if isinstance(value, list | tuple) else [str(value)]
        if key in ("decontaminate", "tokenizer", "decontaminate_encoder"):
            texts = [Path(text).name for text in texts]
        shown[key] = ", ".join(texts)
    return shown
