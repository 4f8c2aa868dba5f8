"""Files in, their index out: batch after batch, so that it can be stopped and gone on with."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

import msgspec

from skythought.core import jsonl, shapes
from skythought.core.errors import UserError
from skythought.core.records import Problem, Verdict, digest
from skythought.viewing.index import TABLES, VERSION, WAIT_S, connect
from skythought.viewing.sources import Source

MOST_FAULTS = 1_000  # rows that are no traces and are listed, of a file
CUT = 2_000  # characters of a part of a verdict or of a reference that are kept
TITLE = 300  # characters of a question in the list
BLOCK = 2**20
BUSY = "another skythought view makes the index of these files; wait until it is done"


class Entry(NamedTuple):
    """What the index holds of a trace."""

    line: int  # from 1
    at: int  # of its first byte in the file
    length: int  # in bytes
    id: str
    problem: str
    same: str  # hash of the question
    parent: str
    task: str
    model: str
    sample: int
    edit: str
    finish: str
    tokens: int
    title: str
    lesson: str
    text: str  # what is searched


class Fault(NamedTuple):
    """A row that is no trace."""

    line: int
    reason: str


class Batch(NamedTuple):
    """What was made of some lines of a file."""

    file: int
    lines: int
    reached: int  # bytes of the file up to the end of the last of them
    found: list[Entry | Fault]


class Measured(NamedTuple):
    """The structure of a trace, by the columns of the index; None where it was not measured."""

    n: int
    steps: int | None = None
    markers: int | None = None
    roles: str = ""
    consistency: float | None = None
    checkable: int | None = None
    holding: int | None = None
    grounding: float | None = None
    repetition: float | None = None
    loop: bool | None = None
    flag: str = ""
    answer_step: int | None = None


@contextmanager
def writing(db: sqlite3.Connection) -> Iterator[None]:
    """Do all of a block or nothing of it."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def prepare(path: Path, sources: Sequence[Source]) -> sqlite3.Connection:
    """Open the index of these sources for writing, a new one where the old one does not fit them.

    Raises:
        UserError: another process is making it.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.exists():
        try:
            db = connect(path, wait_s=1.0)
            alone(db)
            if _fits(db, sources):
                return db
            db.close()
        except sqlite3.DatabaseError as error:
            if "locked" in str(error):
                raise UserError(f"{path}: {BUSY}") from error
        path.unlink()
    path.touch(mode=0o600)
    db = connect(path)
    db.executescript("BEGIN;" + TABLES + "COMMIT;")
    with writing(db):
        db.execute("INSERT INTO facts VALUES ('version', ?)", (VERSION,))
        for number, source in enumerate(sources):
            row = (number, source.label, str(source.path))
            db.execute("INSERT INTO files (file, label, path) VALUES (?, ?, ?)", row)
    alone(db)
    return db


def alone(db: sqlite3.Connection) -> None:
    """Keep other processes from writing until `shared`."""
    db.execute("PRAGMA locking_mode = EXCLUSIVE")
    db.execute("BEGIN EXCLUSIVE")
    db.execute("COMMIT")


def shared(db: sqlite3.Connection) -> None:
    """Let others read and write."""
    db.execute("PRAGMA locking_mode = NORMAL")
    db.execute(f"PRAGMA busy_timeout = {int(1000 * WAIT_S)}")
    db.execute("SELECT count(*) FROM files").fetchone()


def _fits(db: sqlite3.Connection, sources: Sequence[Source]) -> bool:
    """Say whether an index is of these sources, and of what their files began with."""
    version = db.execute("SELECT value FROM facts WHERE name = 'version'").fetchone()
    if version is None or version[0] != VERSION:
        return False
    files = db.execute("SELECT * FROM files ORDER BY file").fetchall()
    if [(f["label"], f["path"]) for f in files] != [(s.label, str(s.path)) for s in sources]:
        return False
    for source, file in zip(sources, files, strict=True):
        if stamp(source) == file["stamp"]:
            continue
        if file["reached"] and hash_until(source.path, file["reached"]) != file["hash"]:
            return False
    return True


def stamp(source: Source) -> str:
    """Say when the files of a source were changed, and their sizes."""
    return " ".join(_stamp(path) for path in (source.path, source.problems) if path.is_file())


def _stamp(path: Path) -> str:
    known = path.stat()
    return f"{path.name}:{known.st_size}:{known.st_mtime_ns}"


def hash_until(path: Path, end: int) -> str:
    """Hash the first `end` bytes of a file, or all where there are fewer."""
    total = hashlib.sha256()
    with path.open("rb") as file:
        _add(total, file, end)
    return total.hexdigest()


def _add(total: hashlib._Hash, file: IO[bytes], n: int) -> None:
    while n > 0 and (block := file.read(min(n, BLOCK))):
        total.update(block)
        n -= len(block)


def title(question: str) -> str:
    """Give the beginning of a question on one line."""
    return " ".join(question[: 4 * TITLE].split())[:TITLE]


def same(question: str) -> str:
    """Hash a question, so that the same asked of others is found."""
    return digest(" ".join(question.split())) if question.strip() else ""


class Builder:
    """Adds to an index what its files hold beyond it."""

    def __init__(self, db: sqlite3.Connection, sources: Sequence[Source]) -> None:
        self.db, self.sources = db, sources
        self.reached = [row[0] for row in db.execute("SELECT reached FROM files ORDER BY file")]
        self._hashes: dict[int, tuple[hashlib._Hash, IO[bytes]]] = {}

    def changed(self, number: int) -> bool:
        """Say whether a source holds what the index does not."""
        row = self.db.execute("SELECT stamp FROM files WHERE file = ?", (number,)).fetchone()
        return bool(row["stamp"] != stamp(self.sources[number]))

    def lines(self, number: int) -> Iterator[tuple[int, list[shapes.Line]]]:
        """Yield the lines of a source that are not in the index, many at a time."""
        reached = self.reached[number]
        for batch in shapes.batches(self.sources[number].path):
            if left := [line for line in batch if line.offset >= reached]:
                yield number, left

    def add(self, batch: Batch) -> None:
        """Add what was made of some lines."""
        number = batch.file
        total, file = self._hash(number)
        _add(total, file, batch.reached - file.tell())
        with writing(self.db):
            for found in batch.found:
                if isinstance(found, Fault):
                    row = (number, found.line, found.reason[:CUT])
                    self.db.execute("INSERT INTO faults VALUES (?, ?, ?)", row)
                else:
                    self._entry(number, found)
            self.db.execute(
                "UPDATE files SET reached = ?, hash = ? WHERE file = ?",
                (batch.reached, total.hexdigest(), number),
            )

    def _hash(self, number: int) -> tuple[hashlib._Hash, IO[bytes]]:
        if number not in self._hashes:
            total = hashlib.sha256()
            file = self.sources[number].path.open("rb")
            _add(total, file, self.reached[number])
            self._hashes[number] = total, file
        return self._hashes[number]

    def _entry(self, number: int, entry: Entry) -> None:
        """Add a trace; in a run folder it takes the place of an earlier one of its id."""
        key = entry.id
        seen = _Seen(self.db, number)
        if not self.sources[number].run:
            key = shapes.own_id(key, entry.lesson, seen)
        if key in seen:
            n = seen.number(key)
            self.db.execute("DELETE FROM traces WHERE n = ?", (n,))
            self.db.execute("DELETE FROM names WHERE n = ?", (n,))
        added = self.db.execute(
            "INSERT INTO traces (file, line, at, length, task, model, sample, edit, finish,"
            " outcome, tokens) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, '', ?)",
            (
                *(number, entry.line, entry.at, entry.length, entry.task, entry.model),
                *(entry.sample, entry.edit, entry.finish, entry.tokens),
            ),
        )
        names = (key, entry.problem, entry.same, entry.parent, entry.title, entry.lesson)
        self.db.execute(
            "INSERT INTO names VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (added.lastrowid, number, *names)
        )
        said = (added.lastrowid, entry.text)
        self.db.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", said)

    def finish(self, number: int) -> None:
        """Say that all of a source is in the index, and what its problems and verdicts say."""
        source = self.sources[number]
        with writing(self.db):
            if source.run:
                self._problems(number, source)
            self._verdicts(number, source)
            row = (stamp(source), _stamps(source.verdicts), number)
            self.db.execute("UPDATE files SET stamp = ?, verdicts = ? WHERE file = ?", row)

    def graded(self, number: int) -> bool:
        """Say whether the verdicts on a source are those of the index."""
        row = self.db.execute("SELECT verdicts FROM files WHERE file = ?", (number,)).fetchone()
        return bool(row["verdicts"] == _stamps(self.sources[number].verdicts))

    def _problems(self, number: int, source: Source) -> None:
        self.db.execute("DELETE FROM problems WHERE file = ?", (number,))
        for _, row in jsonl.read_rows(source.problems, _pass_over):
            try:
                problem = msgspec.convert(row, Problem)
            except msgspec.ValidationError:
                continue
            asked = problem.question
            values = (problem.task, problem.answer[:CUT], same(asked), title(asked))
            self.db.execute(
                "INSERT OR REPLACE INTO problems VALUES (?, ?, ?, ?, ?, ?)",
                (number, problem.id, *values),
            )
        self.db.execute(
            "UPDATE names SET same = p.same, title = p.title FROM problems p"
            " WHERE names.file = ? AND p.file = names.file AND p.id = names.problem",
            (number,),
        )
        self.db.execute(
            "UPDATE traces SET task = p.task FROM problems p, names s"
            " WHERE traces.file = ? AND s.n = traces.n AND p.file = s.file AND p.id = s.problem",
            (number,),
        )

    def _verdicts(self, number: int, source: Source) -> None:
        self.db.execute("DELETE FROM verdicts WHERE file = ?", (number,))
        for rank, path in enumerate(source.verdicts):
            for _, row in jsonl.read_rows(path, _pass_over):
                try:
                    verdict = _cut(msgspec.convert(row, Verdict))
                except msgspec.ValidationError:
                    continue
                values = (number, verdict.id, rank, verdict.outcome, msgspec.json.encode(verdict))
                self.db.execute("INSERT OR REPLACE INTO verdicts VALUES (?, ?, ?, ?, ?)", values)
        self.db.execute("UPDATE traces SET outcome = '' WHERE file = ?", (number,))
        self.db.execute(
            "UPDATE traces SET outcome = v.outcome FROM verdicts v, names s"
            " WHERE traces.file = ? AND s.n = traces.n AND v.file = s.file AND v.id = s.id"
            " AND v.rank = 0",
            (number,),
        )

    def close(self) -> None:
        """Close the files."""
        for _, file in self._hashes.values():
            file.close()


class _Seen(Mapping[str, str]):
    """How the traces of a file ended, by their ids."""

    def __init__(self, db: sqlite3.Connection, number: int) -> None:
        self._db, self._number = db, number

    def __getitem__(self, key: str) -> str:
        found = self._db.execute(
            "SELECT finish FROM names JOIN traces USING (n) WHERE names.file = ? AND id = ?",
            (self._number, key),
        ).fetchone()
        if found is None:
            raise KeyError(key)
        return str(found[0])

    def number(self, key: str) -> int:
        """Give the number of a trace that is there."""
        found = (self._number, key)
        row = self._db.execute("SELECT n FROM names WHERE file = ? AND id = ?", found).fetchone()
        return int(row[0])

    def __iter__(self) -> Iterator[str]:
        ids = self._db.execute("SELECT id FROM names WHERE file = ?", (self._number,))
        return (row[0] for row in ids)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _cut(verdict: Verdict) -> Verdict:
    parts = ("extracted", "expected", "rule", "detail")
    return msgspec.structs.replace(verdict, **{k: getattr(verdict, k)[:CUT] for k in parts})


def _stamps(paths: Iterable[Path]) -> str:
    return " ".join(map(_stamp, paths))


def _pass_over(number: int, why: str) -> None:
    """Leave a damaged line to the stage that wrote it."""


def measured(db: sqlite3.Connection, rows: Sequence[Measured]) -> None:
    """Write the structure of traces into the index."""
    names = [name for name in Measured._fields if name != "n"]
    sets = ", ".join(f"{name} = :{name}" for name in names)
    with writing(db):
        db.executemany(
            f"UPDATE traces SET measured = 1, {sets} WHERE n = :n", [row._asdict() for row in rows]
        )


def unmeasured(db: sqlite3.Connection, size: int = 64) -> Iterator[list[tuple[int, str, int, int]]]:
    """Yield (number, file, offset, length) of the traces without structure, many at a time."""
    last = 0
    while True:
        rows = db.execute(
            "SELECT n, path, at, length FROM traces JOIN files USING (file)"
            " WHERE measured = 0 AND n > ? ORDER BY n LIMIT ?",
            (last, size),
        ).fetchall()
        if not rows:
            return
        last = rows[-1]["n"]
        yield [tuple(row) for row in rows]
