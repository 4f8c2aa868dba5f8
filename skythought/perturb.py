"""Traces in, traces with changed digits, words or steps out.

    skythought perturb data/correct.jsonl data/digits_50.jsonl --kind digits --fraction 0.5
    skythought perturb data/correct.jsonl data/ --grid paper

Reads every shape of trace or training data, writes Trace records whose `parent` is the original's
id and whose `edits` say what was done, and beside them `<output>.manifest.json`. Every trace of the
input is in the output, in the same order. Running it on its own output adds another edit. The final
solution is changed by the kind `answers` only.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from rich.console import Console
from rich.text import Text

from skythought import perturbations, progress, shapes, store
from skythought.errors import UserError, plain
from skythought.perturbations import diff
from skythought.records import Trace, digest

# name of a row of the paper's table -> (kind, levels in percent)
PAPER_GRID = {
    "digits": ("digits", (20, 50, 70, 100)),
    "keywords": ("keywords", (20, 50, 100)),
    "shuffled": ("shuffle", (33, 67, 100)),
    "deleted": ("delete", (33, 67, 100)),
    "inserted": ("insert", (33, 67, 100)),
}

MAX_DONORS = 2000  # traces held in memory to take steps from
STYLES = {" ": "", "-": "red strike", "+": "bold green"}


@dataclass(frozen=True, kw_only=True)
class Config:
    """Change digits, words or steps of demonstrations."""

    input: Annotated[Path, tyro.conf.Positional]
    """Traces or training data: a JSONL file of any known shape, or a run folder."""
    output: Annotated[Path, tyro.conf.Positional]
    """JSONL file to write; a folder with --grid."""
    kind: str = ""
    """answers, digits, keywords, shuffle, swap_adjacent, delete, truncate, insert, or
    package.module:function."""
    fraction: float | None = None
    """How much of the digits, keywords or steps is changed, from 0 to 1."""
    seed: int = 0
    """Another seed draws other digits, keywords and steps."""
    grid: Literal["", "paper"] = ""
    """paper writes all kinds and levels of the paper's ablation, one file each."""
    donors: Path | None = None
    """Where insert takes steps from, correct traces as a rule; the input where not given."""
    show: int = 0
    """Print so many originals against what became of them."""


def run(config: Config) -> dict[str, Any]:
    """Perturb; returns the counts of the file, or of each file by name with `grid`.

    Raises:
        UserError: no input, no trace with a thought, an unknown kind, a fraction outside 0 to 1, or
            an output file of other settings.
    """
    if config.show < 0:
        raise UserError(f"--show {config.show}: give 0 or more")
    if config.grid:
        if config.kind or config.fraction is not None:
            raise UserError(
                "--grid sets kinds and fractions; give either it or --kind and --fraction"
            )
        return {
            f"{name}_{percent}": _write(
                config, config.output / f"{name}_{percent}.jsonl", kind, percent / 100
            )
            for name, (kind, percents) in PAPER_GRID.items()
            for percent in percents
        }
    if not config.kind or config.fraction is None:
        raise UserError("what to change? give --kind and --fraction, or --grid paper")
    return _write(config, config.output, config.kind, config.fraction)


def _write(config: Config, output: Path, kind: str, fraction: float) -> dict[str, int]:
    """Write one file, unless the same settings and input made it already."""
    perturbations.make(kind, fraction=fraction, seed=config.seed)  # refuse before reading anything
    sources = shapes.files(config.input)
    if output.resolve() in [path.resolve() for path in sources] or output.is_dir():
        raise UserError(
            f"{output}: give another file to write to; this one is the input or a folder"
        )
    identity: dict[str, Any] = {
        "kind": kind,
        "fraction": fraction,
        "seed": config.seed,
        "input": store.hash_files(sources),
    }
    options: dict[str, Any] = {}
    if perturbations.needs_donors(kind):
        givers = shapes.files(config.donors) if config.donors else sources
        identity["donors"] = store.hash_files(givers)
    counts = store.made_already(output, "perturb", identity)
    if counts is not None:
        progress.say(f"{output}: made already with these settings")
    if counts is None or config.show:
        if perturbations.needs_donors(kind):
            options["donors"] = choose_donors(config.donors or config.input, config.seed)
        perturbed = perturbations.make(kind, fraction=fraction, seed=config.seed, **options)
        if counts is None:
            part = output.with_name(output.name + ".part")
            part.unlink(missing_ok=True)
            try:
                counts = _stream(config.input, part, perturbed)
                store.publish(part, output, "perturb", identity, counts)
            finally:
                part.unlink(missing_ok=True)
            progress.say(f"{output}: {describe(kind, fraction, counts)}")
        if config.show:
            show(islice(shapes.read_traces(config.input), config.show), perturbed)
    return counts


def _stream(source: Path, output: Path, perturbed: Callable[[Trace], Trace]) -> dict[str, int]:
    """Write trace after trace, holding one at a time."""
    counts = {"traces": 0, "changed": 0, "without_thought": 0}
    total = sum(_count_lines(file) for file in shapes.files(source))
    with store.Appender(output) as out, progress.bar("perturb", total) as bar:
        for trace in shapes.read_traces(source):
            new = perturbed(trace)
            out.add(new)
            changed = (new.thought, new.answer) != (trace.thought, trace.answer)
            counts["traces"] += 1
            counts["changed"] += changed
            counts["without_thought"] += not trace.thought.strip()
            bar.advance()
    if not counts["traces"]:
        raise UserError(f"{source}: holds no traces")
    if counts["traces"] == counts["without_thought"] and not counts["changed"]:
        raise UserError(
            f"{source}: none of {counts['traces']} traces has a thought to change; a thought "
            "stands between <think> and </think>, or in the field `thought`"
        )
    return counts


def choose_donors(source: Path, seed: int) -> tuple[Trace, ...]:
    """Choose traces to take steps from: finished ones, with a thought, in any order of the file.

    Raises:
        UserError: nothing there, or a row of no known shape.
    """
    fit = (t for t in shapes.read_traces(source) if t.thought.strip() and t.finish == "stop")
    return tuple(heapq.nsmallest(MAX_DONORS, fit, key=lambda t: digest(seed, t.id, t.thought)))


def describe(kind: str, fraction: float, counts: dict[str, int]) -> str:
    """Say in one line what was done, and to how many traces nothing was."""
    text = f"{kind} {fraction:.0%}, {counts['changed']:,} of {counts['traces']:,} traces changed"
    if counts["without_thought"]:
        text += f"; {counts['without_thought']:,} have no thought"
    return text


def show(traces: Iterator[Trace], perturbed: Callable[[Trace], Trace]) -> None:
    """Print originals against perturbed in the terminal: red went, green came."""
    console = Console()
    for trace in traces:
        new = perturbed(trace)
        console.rule(Text(plain(f"{trace.id}  {new.edits[-1]}")))
        kept = 0
        for pieces in diff.thoughts(trace.thought, new.thought):
            if all(mark == " " for mark, _ in pieces):
                kept += 1
                continue
            kept = _print_kept(console, kept)
            console.print(_text(pieces), end="\n\n")
        _print_kept(console, kept)
        if trace.answer != new.answer:
            console.print(_text([(" ", "solution: "), *diff.words(trace.answer, new.answer)]))


def _print_kept(console: Console, kept: int) -> int:
    if kept:
        console.print(Text(f"[{kept} step{'s' * (kept > 1)} as before]", style="dim"), end="\n\n")
    return 0


def _text(pieces: list[diff.Piece]) -> Text:
    """Colour a diff; marks stand around changes too, for terminals and files without colour."""
    text = Text()
    for mark, piece in pieces:
        shown = plain(piece)
        text.append(shown if mark == " " else f"[{mark}{shown}{mark}]", style=STYLES[mark])
    return text


def _count_lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)
