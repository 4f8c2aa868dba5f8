"""The index of what is viewed: one SQLite file of what the list shows, filters and searches.

    traces   one row for each trace: where it lies in its file, verdict, length, structure
    names    its id, title and relations; apart, so that filters read little
    words    full-text search; holds no text, only where words stand
    problems, verdicts, faults, files

Texts stay in the files of the user and are read there when a trace is opened. Rows are added batch
after batch, each batch with how far its file was read and a hash of all before: an index that was
interrupted goes on, one whose file was added to is added to, and one whose file changed in any
other way is made anew.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue

VERSION = "1"  # changes with the tables, so that an old index is not taken for a new one
WAIT_S = 10.0  # for another process or thread that writes

TABLES = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE files (
  file INTEGER PRIMARY KEY, label TEXT, path TEXT, reached INTEGER DEFAULT 0, hash TEXT DEFAULT '',
  stamp TEXT DEFAULT '', verdicts TEXT DEFAULT ''
);
CREATE TABLE traces (
  n INTEGER PRIMARY KEY, file INTEGER, line INTEGER, at INTEGER, length INTEGER,
  task TEXT, model TEXT, sample INTEGER, edit TEXT, finish TEXT, outcome TEXT, tokens INTEGER,
  measured INTEGER DEFAULT 0, steps INTEGER, markers INTEGER, roles TEXT, consistency REAL,
  checkable INTEGER, holding INTEGER, grounding REAL, repetition REAL, loop INTEGER, flag TEXT,
  answer_step INTEGER
);
CREATE INDEX unmeasured ON traces (n) WHERE measured = 0;
CREATE TABLE names (
  n INTEGER PRIMARY KEY, file INTEGER, id TEXT, problem TEXT, same TEXT, parent TEXT, title TEXT,
  lesson TEXT
);
CREATE UNIQUE INDEX by_id ON names (file, id);
CREATE INDEX by_name ON names (id);
CREATE INDEX by_problem ON names (problem);
CREATE INDEX by_question ON names (same);
CREATE INDEX by_parent ON names (parent) WHERE parent <> '';
CREATE TABLE problems (
  file INTEGER, id TEXT, task TEXT, answer TEXT, same TEXT, title TEXT, PRIMARY KEY (file, id)
) WITHOUT ROWID;
CREATE TABLE verdicts (
  file INTEGER, id TEXT, rank INTEGER, outcome TEXT, verdict BLOB, PRIMARY KEY (file, id, rank)
) WITHOUT ROWID;
CREATE TABLE faults (file INTEGER, line INTEGER, reason TEXT);
CREATE VIRTUAL TABLE words USING fts5(text, content='', tokenize='unicode61');
"""


class Index:
    """An index, read by many threads at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._idle: SimpleQueue[sqlite3.Connection] = SimpleQueue()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection."""
        try:
            db = self._idle.get_nowait()
        except Empty:
            db = connect(self.path, readonly=True)
        try:
            yield db
        finally:
            self._idle.put(db)

    def close(self) -> None:
        """Close the connections that nobody uses."""
        while not self._idle.empty():
            self._idle.get().close()

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[sqlite3.Row]:
        """Ask for all rows of a query."""
        with self.reading() as db:
            return db.execute(sql, values).fetchall()

    def row(self, sql: str, values: Sequence[object] = ()) -> sqlite3.Row | None:
        """Ask for the first row of a query."""
        with self.reading() as db:
            found: sqlite3.Row | None = db.execute(sql, values).fetchone()
            return found

    def raw(self, file: str, at: int, length: int) -> bytes:
        """Read a line of the user's file.

        Raises:
            LookupError: it is not there any more.
        """
        try:
            with Path(file).open("rb") as lines:
                lines.seek(at)
                raw = lines.read(length)
        except OSError as error:
            raise LookupError(f"{file}: {error.strerror}") from error
        if len(raw) < length:
            raise LookupError(f"{file}: is shorter than it was; start skythought view again")
        return raw


def connect(path: Path, *, readonly: bool = False, wait_s: float = WAIT_S) -> sqlite3.Connection:
    """Open an index; another one that writes is waited for."""
    where = f"{path.resolve().as_uri()}?mode={'ro' if readonly else 'rwc'}"
    db = sqlite3.connect(where, uri=True, timeout=wait_s, check_same_thread=False)
    db.isolation_level = None
    db.row_factory = sqlite3.Row
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("PRAGMA cache_size = -32000")  # kB
    db.execute(f"PRAGMA mmap_size = {2**30}")
    return db
