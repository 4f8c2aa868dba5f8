"""Traces in, a local web page to read them out.

    skythought view runs/teacher
    skythought view r1-traces.jsonl digits_50.jsonl

Takes run folders and files of any known shape, and changes nothing in them. The page lists, filters
and searches; a trace is shown step by step, beside its verdict, what it was made from and what
others answered. It is served to this machine only, needs no network, and keeps an index in the
cache folder, so that opening the same files again is immediate. Ctrl-C ends it.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import webbrowser
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from skythought import structure
from skythought.core import jsonl, progress, shapes, spread
from skythought.core.errors import UserError
from skythought.core.records import Trace, digest
from skythought.perturbations import diff
from skythought.structure.roles import LETTERS
from skythought.tasks import benchmarks
from skythought.viewing import building, query, sources
from skythought.viewing.building import Batch, Builder, Entry, Fault, Measured
from skythought.viewing.index import Index, connect
from skythought.viewing.marked import Statement
from skythought.viewing.reading import Reading, Step
from skythought.viewing.server import Server
from skythought.viewing.site import Site, Tools

PORT = 8731
SMALL = 2**24  # bytes of files that are indexed without other processes
LONGEST = 1_000_000  # characters of a trace; a longer one is not measured for the list
NICE = 10  # workers give way to the page
TASK = ("task", "dataset")  # fields of a row that say what it is of
TELL_S = 5.0


@dataclass(frozen=True, kw_only=True)
class Config:
    """Read traces in a browser."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Run folders, folders of run folders, or JSONL files of traces of any known shape."""
    port: int = PORT
    """Of this machine's loopback interface; 0 for any that is free."""
    cache: Path | None = None
    """Folder of the index; ~/.cache/skythought/view where not given."""
    open: bool = False
    """Open the page in a browser."""
    workers: int = 0
    """Processes that index and measure; 0 is one for each core."""


def run(config: Config) -> None:
    """Index what is new, then serve until Ctrl-C.

    Raises:
        UserError: nothing to show, a port that is taken, or an index that is being made.
    """
    if config.workers < 0:
        raise UserError(f"--workers {config.workers}: give 0 (one for each core) or more")
    path = index(config.runs, cache_folder(config.cache), config.workers)
    with closing(Index(path)) as held:
        site = Site(held, TOOLS)
        server = Server(site, config.port)
        measuring = Measuring(path, site, config.workers)
        progress.say(f"{site.every:,} traces: {server.address} (Ctrl-C ends)")
        measuring.start()
        if config.open:
            webbrowser.open(server.address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            progress.say("ended")
        finally:
            measuring.stop()
            server.server_close()


def cache_folder(given: Path | None) -> Path:
    """Name the folder of indexes."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return given or (Path(base) if base else Path.home() / ".cache") / "skythought" / "view"


def index(paths: Sequence[Path], folder: Path, workers: int = 0) -> Path:
    """Bring the index of some files up to date and name it.

    Raises:
        UserError: nothing there, no trace in it, or another process is making the same index.
    """
    if not paths:
        raise UserError("which traces? give run folders, or JSONL files of traces")
    found = sources.find(paths)
    path = folder / f"{digest([str(source.path) for source in found])}.sqlite"
    with closing(building.prepare(path, found)) as db:
        builder = Builder(db, found)
        changed = [number for number in range(len(found)) if builder.changed(number)]
        if changed:
            _fill(builder, changed, workers)
        for number in range(len(found)):
            if number in changed or not builder.graded(number):
                builder.finish(number)
        if db.execute("SELECT 1 FROM traces").fetchone() is None:
            fault = db.execute("SELECT path, line, reason FROM faults JOIN files USING (file)")
            first = fault.fetchone()
            told = f"; {first[0]}:{first[1]}: {first[2]}" if first else ""
            raise UserError(f"{', '.join(map(str, paths))}: no traces to show{told}")
        building.shared(db)
    return path


def _fill(builder: Builder, changed: Sequence[int], workers: int) -> None:
    """Add the lines of these sources that the index does not have yet."""
    small = sum(builder.sources[number].path.stat().st_size for number in changed) < SMALL
    tasks = {str(source.path): source.label for source in builder.sources}
    work = spread.Spread("skythought.view:opener", {"tasks": tasks}, 1 if small else workers)
    lines = sum(_count_lines(builder.sources[number].path) for number in changed)
    with closing(builder), work, progress.bar("index", lines) as bar:
        for batch in work.over(item for number in changed for item in builder.lines(number)):
            builder.add(batch)
            bar.advance(batch.lines)


def _count_lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)


def opener(tasks: Mapping[str, str]) -> Callable[[tuple[int, list[shapes.Line]]], Batch]:
    """Make the function that reads lines for the index, in a worker.

    Args:
        tasks: by file, the name of its task where no row says one.
    """

    def read(item: tuple[int, list[shapes.Line]]) -> Batch:
        number, lines = item
        reached = lines[0].offset
        found: list[Entry | Fault] = []
        for line in lines:
            try:
                found.append(entry(line, tasks[str(line.file)]))
            except ValueError as error:  # msgspec's errors are ValueErrors
                if not line.raw.endswith(b"\n"):
                    break  # still being written
                found.append(Fault(line.number, str(error)))
            reached = line.offset + len(line.raw)
        return Batch(number, len(lines), reached, found)

    return read


def entry(line: shapes.Line, task: str) -> Entry:
    """Read what the index holds of a line.

    Raises:
        ValueError: it is no trace.
    """
    row = jsonl.decode_row(line.raw)
    trace = shapes.trace(row)
    asked = structure.question_of(trace)
    texts = (asked, trace.thought, trace.answer)
    named = next((row[name] for name in TASK if isinstance(row.get(name), str)), task)
    parent = trace.parent or (str(row.get("trace_id") or "") if "completion" in row else "")
    return Entry(
        line=line.number,
        at=line.offset,
        length=len(line.raw),
        id=trace.id,
        problem=trace.problem_id,
        same=building.same(asked),
        parent=parent,
        task=named,
        model=trace.model,
        sample=trace.sample,
        edit=", ".join(trace.edits),
        finish=trace.finish,
        tokens=trace.completion_tokens or sum(map(structure.count_signs, texts[1:])),
        title=building.title(asked),
        lesson=shapes.lesson(trace),
        text=query.words("\n".join(texts)),
    )


class Measuring(threading.Thread):
    """Measures the structure of what is in an index, while it is looked at."""

    def __init__(self, path: Path, site: Site, workers: int) -> None:
        super().__init__(name="measuring", daemon=True)
        self._path, self._site, self._ending = path, site, False
        # Never in this process, where it would be in the way of the page.
        size = max(2, workers or spread.cores())
        self._work = spread.Spread("skythought.view:measurer", {"nice": NICE}, size)

    def run(self) -> None:
        """Measure batch after batch, until all is measured or `stop` was called."""
        try:
            with closing(connect(self._path)) as db, self._work:
                for rows in self._work.over(building.unmeasured(db)):
                    building.measured(db, rows)
                    self._site.measured += len(rows)
        except (UserError, sqlite3.Error) as error:
            if not self._ending:
                progress.say(f"structure is not measured any further: {error}")

    def stop(self) -> None:
        """End it at once; what is measured is kept."""
        self._ending = True
        self._work.close()
        self.join(TELL_S)


def measurer(nice: int = 0) -> Callable[[list[tuple[int, str, int, int]]], list[Measured]]:
    """Make the function that measures traces by their places in files, in a worker.

    Args:
        nice: how much the process gives way to others.
    """
    if nice and hasattr(os, "nice"):
        os.nice(nice)

    def measure(places: list[tuple[int, str, int, int]]) -> list[Measured]:
        return [_measure(n, Path(path), at, length) for n, path, at, length in places]

    return measure


def _measure(n: int, path: Path, at: int, length: int) -> Measured:
    """Measure one trace; one that is gone or very long has no structure."""
    try:
        with path.open("rb") as file:
            file.seek(at)
            trace = shapes.trace(jsonl.decode_row(file.read(length)))
    except (OSError, ValueError):
        return Measured(n)
    if len(trace.thought) + len(trace.answer) > LONGEST or trace.error:
        return Measured(n)
    return row_of(n, structure.measure(trace))


def row_of(n: int, m: structure.Measures) -> Measured:
    """Take what the index holds from what was measured."""
    return Measured(
        n=n,
        steps=m.steps,
        markers=m.markers,
        roles=m.roles,
        consistency=m.consistency,
        checkable=m.checkable,
        holding=m.holding,
        grounding=m.grounding,
        repetition=m.repetition,
        loop=m.loop,
        flag=m.flag,
        answer_step=m.answer_step,
    )


def read(trace: Trace) -> Reading:
    """Read the steps of a trace, with what they state and whether it holds."""
    parts = structure.read(trace)
    steps = [
        Step(part.role, LETTERS[part.role], part.start, part.end, tuple(_statements(part)))
        for part in parts
    ]
    measured = row_of(0, structure.measure(trace, parts))
    return Reading(structure.text_of(trace), steps, measured)


def _statements(step: structure.Step) -> Iterator[Statement]:
    for said, truth in zip(step.statements, step.truths, strict=True):
        if truth != "unknown":
            read = f"{said.left} {said.relation} {said.right}"
            yield Statement(said.start, said.end, truth, read)


def reference(row: Mapping[str, object]) -> str:
    """Give the reference answer of a row, "" where it has none."""
    if "thought" in row:  # our own Trace: `answer` is what the model said
        return ""
    field = benchmarks.reference_field(row)
    return str(row[field])[: building.CUT] if field else ""


TOOLS = Tools(
    roles={letter: role for role, letter in LETTERS.items()},
    read=read,
    rows=diff.rows,
    reference=reference,
)
