"""Traces in, traces with changed digits, words or steps out.

    skythought perturb data/correct.jsonl data/digits_50.jsonl --kind digits --fraction 0.5
    skythought perturb data/correct.jsonl data/both.jsonl --kind digits,shuffle --fraction 0.5,0.67
    skythought perturb data/correct.jsonl data/ --grid paper
    skythought perturb data/correct.jsonl data/both.jsonl --show 3
    skythought perturb data/correct.jsonl data/both.jsonl --html both.html

Reads every shape of trace or training data, writes Trace records whose `parent` is the original's
id and whose `edits` say what was done, and beside them `<output>.manifest.json`. Every trace of the
input is in the output, in the same order; rows that are no traces are listed in
`<output>.dropped.jsonl`. Running it on its own output adds another edit. The final solution is
changed by the kind `answers` only. With --show or --html alone, an output is shown against its
originals.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import tyro
from rich.console import Console

from skythought import backends, edits, perturbations, rewriting
from skythought.core import options as option_texts
from skythought.core import progress, shapes, spread, store
from skythought.core.errors import UserError, plain
from skythought.core.records import Sampling, Trace
from skythought.edits import Chain, Done, Edit, Fault
from skythought.perturbations import diff, terminal
from skythought.perturbations.paraphrase import KEPT
from skythought.reporting import changes

SHOWN = 20  # traces on a page where --show says nothing
# name of a row of the paper's table -> (kind, levels in percent)
PAPER_GRID = {
    "answers": ("answers", (100,)),
    "digits": ("digits", (20, 50, 70, 100)),
    "keywords": ("keywords", (20, 50, 100)),
    "shuffled": ("shuffle", (33, 67, 100)),
    "deleted": ("delete", (33, 67, 100)),
    "inserted": ("insert", (33, 67, 100)),
}


@dataclass(frozen=True, kw_only=True)
class Config:
    """Change digits, words or steps of demonstrations."""

    input: Annotated[Path, tyro.conf.Positional]
    """Traces or training data: a JSONL file of any known shape, or a run folder."""
    output: Annotated[Path, tyro.conf.Positional]
    """JSONL file to write; a folder with --grid."""
    kind: str = ""
    """answers, digits, keywords, shuffle, swap_adjacent, swap_roles, delete, truncate, insert,
    paraphrase, or package.module:function; several, as in digits,shuffle, one after another."""
    fraction: float | str | None = None
    """How much of the digits, keywords or steps is changed, from 0 to 1; one number, or one for
    each kind, as in 0.5,0.67."""
    options: str = ""
    """Options of the kinds, k=v,k=v; KIND.k=v for one of several."""
    seed: int = 0
    """Another seed draws other digits, keywords and steps."""
    grid: Literal["", "paper"] = ""
    """paper writes all kinds and levels of the paper's ablation, one file each."""
    donors: Path | None = None
    """Where insert takes steps from, correct traces as a rule; the input where not given."""
    backend: str = "openai"
    """Backend that paraphrase asks, where it is given a model."""
    model: str = ""
    """Model that says steps in other words; or give --options rewrite=package.module:function."""
    backend_args: str = ""
    """Options of the backend, k=v,k=v."""
    temperature: float = 0.0
    """Of the model; 0 is greedy."""
    max_tokens: int = 8192
    """Of an answer of the model."""
    keep_failed: bool = False
    """Leave steps as they are that the model could not be asked for, in place of stopping."""
    workers: int | None = None
    """Processes that work; as many as there are cores where not given."""
    stop_at_damage: bool = False
    """Stop at a row that is no trace, in place of leaving it out."""
    show: int = 0
    """Print so many originals against what became of them; alone, of an output that is there."""
    html: Path | None = None
    """Write them to this file as a page in place of printing them; 20 where --show is not given."""


def run(config: Config) -> dict[str, Any]:
    """Perturb; returns the counts of the file, or of each file by name with `grid`.

    Raises:
        UserError: no input, no trace with a thought, an unknown kind or option, a fraction outside
            0 to 1, an output file of other settings, or a model that cannot be asked.
    """
    if config.show < 0:
        raise UserError(f"--show {config.show}: give 0 or more")
    if config.workers is not None and config.workers < 1:
        raise UserError(f"--workers {config.workers}: give 1 or more")
    if config.html is not None:
        _check_page(config, config.html)
    if config.grid:
        if config.kind or config.fraction is not None or config.options:
            raise UserError(
                "--grid sets kinds and fractions; give either it or --kind and --fraction"
            )
        names = {f"{name}_{p}": (k, p) for name, (k, ps) in PAPER_GRID.items() for p in ps}
        targets: dict[Path, Chain] = {
            config.output / f"{name}.jsonl": (Edit(kind, percent / 100, {}),)
            for name, (kind, percent) in names.items()
        }
        counts = _make(config, targets, config.output / "dropped.jsonl")
        return dict(zip(names, counts.values(), strict=True))
    if (config.show or config.html) and not config.kind and config.fraction is None:
        _show(config, config.output)
        return {}
    chain = edits.read(config.kind, config.fraction, config.options)
    dropped = config.output.with_name(f"{config.output.name}.dropped.jsonl")
    return _make(config, {config.output: chain}, dropped)[config.output]


def _make(
    config: Config, targets: Mapping[Path, Chain], dropped: Path
) -> dict[Path, dict[str, Any]]:
    """Write the files that these settings and this input have not made yet, reading it once."""
    workers = config.workers or spread.cores()
    for chain in targets.values():  # refuse before reading anything
        for edit in chain:
            perturbations.check(edit.kind, edit.fraction, edit.options)
    sources = shapes.files(config.input)
    known = [path.resolve() for path in sources]
    for output in targets:
        if output.resolve() in known or output.is_dir():
            raise UserError(
                f"{output}: give another file to write to; this one is the input or a folder"
            )
    rewrites = _rewrites(config, targets)
    inputs = store.hash_files(sources)
    givers = ""
    if edits.needs_donors(list(targets.values())):
        givers = store.hash_files(shapes.files(config.donors)) if config.donors else inputs
    identities = {
        output: _identity(config, chain, inputs, givers, rewrites)
        for output, chain in targets.items()
    }
    made = {path: store.made_already(path, "perturb", of) for path, of in identities.items()}
    todo = {path: targets[path] for path, counts in made.items() if counts is None}
    for path, counts in made.items():
        if counts is not None:
            progress.say(f"{path}: made already with these settings")
    if todo:
        donors: list[Trace] = []
        if edits.needs_donors(list(todo.values())):
            donors = _donors(config, workers)
        chains = list(todo.values())
        with ExitStack() as opened:
            if rewrites is None:
                results = edits.over(config.input, chains, config.seed, donors, workers)
            else:
                opened.enter_context(rewrites)
                results = rewriting.over(config.input, chains[0], config.seed, donors, rewrites)
            made |= _write(config, results, todo, identities, dropped, rewrites)
    if config.show or config.html:
        for path in targets:
            _show(config, path)
    return {path: counts for path, counts in made.items() if counts is not None}


def _identity(
    config: Config, chain: Chain, inputs: str, givers: str, rewrites: rewriting.Rewrites | None
) -> dict[str, Any]:
    """List what decides the content of an output."""
    fractions = [edit.fraction for edit in chain]
    found: dict[str, Any] = {
        "kind": ",".join(edit.kind for edit in chain),
        "fraction": fractions if len(fractions) > 1 else fractions[0],
        "seed": config.seed,
        "input": inputs,
    }
    if any(edit.options for edit in chain):
        found["options"] = [edit.options for edit in chain]
    if edits.needs_donors([chain]):
        found["donors"] = givers
    if rewrites is not None:
        found |= {"model": rewrites.label, "sampling": rewrites.sampling}
    return found


def _rewrites(config: Config, targets: Mapping[Path, Chain]) -> rewriting.Rewrites | None:
    """Give what asks a model, where an edit wants one."""
    asking = any(
        perturbations.takes(edit.kind, "rewrite") and "rewrite" not in edit.options
        for chain in targets.values()
        for edit in chain
    )
    if not asking:
        return None
    if not config.model:
        raise UserError(
            "who says it in other words? give --model NAME (and --backend-args base_url=URL), or "
            "--options rewrite=package.module:function"
        )
    given = option_texts.read(config.backend_args)
    asked = backends.make(config.backend, config.model, given)
    sampling = Sampling(
        temperature=config.temperature, max_tokens=config.max_tokens, seed=config.seed
    )
    output = next(iter(targets))
    return rewriting.Rewrites(output.with_name(f"{output.name}.rewritten.jsonl"), asked, sampling)


def _donors(config: Config, workers: int) -> list[Trace]:
    """Choose where to take steps from."""
    source = config.donors or config.input
    unusable = _Unusable(stop=config.stop_at_damage)
    chosen = edits.choose_donors(source, config.seed, workers, unusable.add)
    if config.donors and unusable.n:
        progress.say(f"{source}: {unusable}")
    return chosen


class _Unusable:
    """Counts rows that cannot be used."""

    def __init__(self, stop: bool, keep: Callable[[Fault], None] | None = None) -> None:
        self.n, self.first = 0, ""
        self._stop, self._keep = stop, keep

    def add(self, fault: Fault) -> None:
        """Count one, or stop there."""
        told = f"{fault.file}:{fault.line}: {fault.reason}"
        if self._stop:
            raise UserError(told)
        self.first = self.first or told
        self.n += 1
        if self._keep:
            self._keep(fault)

    def __str__(self) -> str:
        return f"rows that cannot be used: {self.n:,}; the first: {self.first}"


def _write(
    config: Config,
    results: Iterator[Done],
    todo: Mapping[Path, Chain],
    identities: Mapping[Path, dict[str, Any]],
    dropped: Path,
    rewrites: rewriting.Rewrites | None,
) -> dict[Path, dict[str, int]]:
    """Write what is made, batch after batch, and put the files in their places at the end."""
    parts = {path: path.with_name(f"{path.name}.part") for path in (*todo, dropped)}
    for part in parts.values():
        part.unlink(missing_ok=True)
    totals: dict[Path, Counter[str]] = {path: Counter() for path in todo}
    try:
        with ExitStack() as opened:
            out = {path: opened.enter_context(store.Appender(parts[path])) for path in parts}
            unusable = _Unusable(
                config.stop_at_damage, lambda fault: out[dropped].add(fault._asdict())
            )
            bar = opened.enter_context(progress.bar("perturb", _count_lines(config.input)))
            for done in results:
                for path, lines, counts in zip(todo, done.lines, done.counts, strict=True):
                    if lines:
                        out[path].add(msgspec.Raw(lines))
                    totals[path].update(counts)
                for fault in done.faults:
                    unusable.add(fault)
                bar.advance(done.read)
        found = {path: _checked(config.input, totals[path], unusable) for path in todo}
        if rewrites is not None and rewrites.failed:
            if not config.keep_failed:
                raise rewrites.refusal()
            found = {
                path: counts | {"failed": len(rewrites.failed)} for path, counts in found.items()
            }
        if unusable.n:
            parts[dropped].replace(dropped)
        else:
            dropped.unlink(missing_ok=True)
        for path, chain in todo.items():
            store.publish(parts[path], path, "perturb", identities[path], found[path])
            progress.say(f"{path}: {describe(chain, found[path])}")
        if unusable.n:
            progress.say(f"{dropped}: {unusable}")
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)
    return found


def _checked(source: Path, totals: Counter[str], unusable: _Unusable) -> dict[str, int]:
    """Give the counts of an output.

    Raises:
        UserError: there was nothing to change.
    """
    named = ("traces", "changed", "without_thought")
    counts = {name: totals[name] for name in named} | {"dropped": unusable.n}
    counts |= {name: n for name, n in sorted(totals.items()) if name not in named}
    if not counts["traces"]:
        raise UserError(unusable.first or f"{source}: holds no traces")
    if counts["traces"] == counts["without_thought"] and not counts["changed"]:
        raise UserError(
            f"{source}: none of {counts['traces']} traces has a thought to change; a thought "
            "stands between <think> and </think>, or in the field `thought`"
        )
    return counts


def describe(chain: Chain, counts: Mapping[str, int]) -> str:
    """Say in one line what was done, and to how many traces nothing was."""
    did = ", ".join(edit.name for edit in chain)
    text = f"{did}, {counts['changed']:,} of {counts['traces']:,} traces changed"
    if counts["without_thought"]:
        text += f"; {counts['without_thought']:,} have no thought"
    if "rewritten" in counts or "kept" in counts:
        text += f"; {counts.get('rewritten', 0):,} texts rewritten, "
        text += f"{counts.get('kept', 0):,} kept as they were"
        why = (f"{key[len(KEPT) :]}: {counts[key]:,}" for key in counts if key.startswith(KEPT))
        text += f" ({', '.join(sorted(why))})" if counts.get("kept") else ""
    if counts.get("failed"):
        text += f"; {counts['failed']:,} could not be had"
    return text


def pairs(source: Path, output: Path, n: int) -> Iterator[tuple[Trace, Trace]]:
    """Yield the first `n` traces of an output, each after the original that is its parent.

    Raises:
        UserError: an original is not in the input.
    """
    made = list(islice(shapes.read_traces(output), n))
    waiting: dict[str, deque[int]] = {}
    for place, new in enumerate(made):
        waiting.setdefault(new.parent, deque()).append(place)
    found: dict[int, Trace] = {}
    for batch in shapes.batches(source):
        for old in map(edits.read_line, batch):
            if isinstance(old, Trace) and waiting.get(old.id):
                found[waiting[old.id].popleft()] = old
        if len(found) == len(made):
            break
    for place, new in enumerate(made):
        if place not in found:
            raise UserError(
                f"{output}: {source} does not hold the parent {new.parent!r} of trace {new.id}; "
                "give the file that it was made from"
            )
        yield found[place], new


def _check_page(config: Config, page: Path) -> None:
    """Refuse a page that would take the place of something else."""
    if config.grid:
        raise UserError("--html shows one file; give it with one of the grid, and without --grid")
    if page.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"--html {page}: give a file called .html")
    if page.is_dir():
        raise UserError(f"--html {page}: give a file; this is a folder")


def _show(config: Config, output: Path) -> None:
    if config.html is not None:
        found = (_change(*pair) for pair in pairs(config.input, output, config.show or SHOWN))
        store.write_whole(config.html, changes.page(output.name, found))
        progress.say(f"{config.html}: what became of the first traces of {output}")
        return
    console = Console()
    for old, new in pairs(config.input, output, config.show):
        terminal.show(console, old, new)


def _change(old: Trace, new: Trace) -> changes.Change:
    """Compare a trace with what became of it, for the page."""
    before, after = plain(old.answer), plain(new.answer)
    return changes.Change(
        name=old.id,
        edits=terminal.done(old, new),
        question="\n\n".join(turn.content for turn in old.messages),
        steps=diff.rows(plain(old.thought), plain(new.thought)),
        answer=diff.row(diff.words(before, after)) if before != after else None,
    )


def _count_lines(source: Path) -> int:
    total = 0
    for path in shapes.files(source):
        with path.open("rb") as file:
            total += sum(1 for _ in file)
    return total
