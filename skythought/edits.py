"""The edits that a command asks for, done to lines of traces: here, or in workers on all cores.

    chain = read("digits,shuffle", "0.5,0.67", "")  -> two edits, done in this order
    for done in over(path, [chain], seed=0):
        done.lines[0]                               -> what to write to the output of that chain

`perturb` reads and writes; all between is here. Each line is worked on by itself, so what comes out
does not depend on how many workers there are. A line that is no trace is among the `faults`.
"""

from __future__ import annotations

import heapq
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from skythought import perturbations, structure
from skythought.core import options as option_texts
from skythought.core import shapes, spread
from skythought.core.errors import UserError
from skythought.core.records import Trace, digest
from skythought.structure import roles

MAX_DONORS = 2000  # traces held in memory to take steps from
ALONE_S = 1.0  # of work in this process, before workers are worth their start


class Edit(NamedTuple):
    """One change: its kind, how much, and the kind's own options as they were written."""

    kind: str
    fraction: float
    options: dict[str, str]

    @property
    def name(self) -> str:
        """Say it in a few words."""
        return f"{self.kind} {self.fraction:.0%}"


Chain = Sequence[Edit]


class Fault(NamedTuple):
    """A line that cannot be used."""

    file: str
    line: int
    reason: str


class Done(NamedTuple):
    """What became of some lines."""

    lines: list[bytes]  # for each chain, the traces as they are written
    counts: list[Counter[str]]  # for each chain
    faults: list[Fault]
    read: int  # how many lines there were


def read(kinds: str, fractions: float | str | None, given: str = "") -> tuple[Edit, ...]:
    """Read what a command asks for: kinds, and a fraction for each or one for all.

    An option belongs to every kind that has it; `KIND.name=value` to that kind alone.

    Raises:
        UserError: nothing is asked for, an unknown kind or option, a fraction that is none, or more
            or fewer fractions than kinds.
    """
    names = [name.strip() for name in kinds.split(",") if name.strip()]
    texts = [text.strip() for text in str("" if fractions is None else fractions).split(",")]
    if not names or not texts[0]:
        raise UserError("what to change? give --kind and --fraction, or --grid paper")
    try:
        shares = [float(text) for text in texts]
    except ValueError as error:
        raise UserError(
            f"--fraction {fractions}: give a number from 0 to 1, or one for each kind, as in "
            "0.5,0.67"
        ) from error
    if len(shares) not in (1, len(names)):
        raise UserError(
            f"--fraction {fractions}: {len(shares)} fractions for {len(names)} kinds; give one, or "
            "one for each kind"
        )
    shares = shares * len(names) if len(shares) == 1 else shares
    written = option_texts.read(given)
    made = [
        Edit(name, share, _own(name, names, written))
        for name, share in zip(names, shares, strict=True)
    ]
    for edit in made:
        perturbations.check(edit.kind, edit.fraction, edit.options)
    return tuple(made)


def _own(kind: str, kinds: Sequence[str], written: Mapping[str, str]) -> dict[str, str]:
    """Choose the options of one kind; one that no kind has is refused by the last."""
    own = {}
    for key, value in written.items():
        whose, dot, option = key.rpartition(".")
        if dot and whose not in kinds:
            raise UserError(f"--options {key}={value}: {whose} is none of --kind")
        if whose == kind or (
            not dot
            and (
                perturbations.takes(kind, option)
                or (kind == kinds[-1] and not any(perturbations.takes(k, option) for k in kinds))
            )
        ):
            own[option] = value
    return own


def bind(
    chain: Chain,
    seed: int,
    donors: Sequence[Trace] = (),
    given: Mapping[str, Any] | None = None,
) -> perturbations.Perturbed:
    """Make the function that does the edits of a chain to a trace.

    Args:
        chain: what to do, in this order.
        seed: of all that is drawn.
        donors: where `insert` takes steps from.
        given: more options, for those kinds that have them.
    """
    made = []
    for edit in chain:
        options: dict[str, Any] = dict(edit.options)
        for key, value in {"donors": donors, "roles": roles_of, **(given or {})}.items():
            if key not in options and perturbations.takes(edit.kind, key):
                options[key] = value
        made.append(perturbations.make(edit.kind, fraction=edit.fraction, seed=seed, **options))
    return perturbations.chain(made)


def roles_of(trace: Trace, parts: Sequence[str]) -> list[str]:
    """Name the roles of the steps of a trace, as `structure` does."""
    asked = roles.Question(structure.question_of(trace))
    return [roles.name(part, asked, number, len(parts)) for number, part in enumerate(parts)]


def needs_donors(chains: Sequence[Chain]) -> bool:
    """Say whether any edit takes steps of other traces."""
    return any(perturbations.needs_donors(edit.kind) for chain in chains for edit in chain)


def worker(
    chains: Sequence[Chain], seed: int, donors: Sequence[Trace]
) -> Callable[[Sequence[shapes.Line]], Done]:
    """Make the function that a worker does: lines in, lines of every chain out."""
    counts: Counter[str] = Counter()
    changes = [bind(chain, seed, donors, {"counts": counts}) for chain in chains]

    def work(lines: Sequence[shapes.Line]) -> Done:
        written: list[list[bytes]] = [[] for _ in changes]
        found = [Counter[str]() for _ in changes]
        faults = []
        for line in lines:
            trace = read_line(line)
            if isinstance(trace, Fault):
                faults.append(trace)
                continue
            for change, out, count in zip(changes, written, found, strict=True):
                counts.clear()
                new = change(trace)
                out.append(msgspec.json.encode(new))
                count.update(counts)
                count.update(tally(trace, new))
        return Done([b"\n".join(out) for out in written], found, faults, len(lines))

    return work


def read_line(line: shapes.Line) -> Trace | Fault:
    """Turn a line into a trace, or say why it is none."""
    try:
        return shapes.read_line(line)
    except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
        return Fault(str(line.file), line.number, str(error))


def tally(old: Trace, new: Trace) -> dict[str, int]:
    """Count one trace in the counts of an output."""
    return {
        "traces": 1,
        "changed": int((new.thought, new.answer) != (old.thought, old.answer)),
        "without_thought": int(not old.thought.strip()),
    }


def over(
    source: Path, chains: Sequence[Chain], seed: int, donors: Sequence[Trace], workers: int
) -> Iterator[Done]:
    """Do all chains to every line of a file or folder, in order.

    Raises:
        UserError: as `Spread.over`, and what an edit refuses.
    """
    options = {"chains": chains, "seed": seed, "donors": tuple(donors)}
    size = max(
        1, shapes.BATCH // len(chains)
    )  # what is held is as much for many outputs as for one
    yield from spread_over(f"{__name__}:worker", options, source, workers, size)


def spread_over(
    target: str, options: Mapping[str, Any], source: Path, workers: int, size: int = shapes.BATCH
) -> Iterator[Any]:
    """Work on batches of lines: in this process, and in workers once that is quicker."""
    total = sum(file.stat().st_size for file in shapes.files(source))
    batches = shapes.batches(source, size)
    here = spread.make(target, options)
    began, done = time.monotonic(), 0
    for batch in batches:
        yield here(batch)
        done += sum(len(line.raw) for line in batch)
        spent = time.monotonic() - began
        if workers > 1 and spent * (total - done) / done > ALONE_S:
            break
    else:
        return
    with spread.Spread(target, options, workers) as cores:
        yield from cores.over(batches)


Place = tuple[str, str, int]  # what orders donors; the file and line of one


def keys(seed: int) -> Callable[[Sequence[shapes.Line]], tuple[list[Place], list[Fault]]]:
    """Make the function that finds traces which may be donors, and what orders them."""

    def work(lines: Sequence[shapes.Line]) -> tuple[list[Place], list[Fault]]:
        found, faults = [], []
        for line in lines:
            trace = read_line(line)
            if isinstance(trace, Fault):
                faults.append(trace)
            elif trace.thought.strip() and trace.finish == "stop":
                key = digest(seed, trace.id, trace.thought)
                found.append((key, str(line.file), line.number))
        return found, faults

    return work


def choose_donors(
    source: Path, seed: int, workers: int = 1, fault: Callable[[Fault], None] = lambda _: None
) -> list[Trace]:
    """Choose traces to take steps from: finished ones, with a thought, in any order of the file.

    Args:
        source: where to choose from.
        seed: another one chooses others, where there are more than enough.
        workers: processes that work.
        fault: is told of the lines that cannot be used.

    Raises:
        UserError: nothing there.
    """
    best: list[Place] = []
    for found, faults in spread_over(f"{__name__}:keys", {"seed": seed}, source, workers):
        best = heapq.nsmallest(MAX_DONORS, [*best, *found])
        for each in faults:
            fault(each)
    order = {(file, number): place for place, (_, file, number) in enumerate(best)}
    chosen: dict[int, Trace] = {}
    for batch in shapes.batches(source) if order else ():
        for line in batch:
            place = order.get((str(line.file), line.number))
            if place is not None:
                chosen[place] = shapes.read_line(line)
    return [chosen[place] for place in sorted(chosen)]
