"""The tables of an analysis: rows of traces, steps and so on, as JSONL or Parquet.

A row is written under a name that ends in `.part`; `publish` gives the file its name, so a table
that is there is whole. Parquet is written a row group for each batch, so memory stays flat.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import msgspec

from skythought.core import store
from skythought.core.errors import require
from skythought.structure import Measures

Format = Literal["jsonl", "parquet"]
Rows = list[dict[str, Any]]


class StepRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the table of steps; the text is `thought[start:end]` of the trace."""

    trace_id: str
    step: int  # from 0
    start: int
    end: int
    role: str
    markers: tuple[str, ...]
    introduces: tuple[str, ...]
    uses: tuple[str, ...]


class StatementRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the table of statements; `thought[start:end]` is where it is said."""

    trace_id: str
    step: int  # from 0
    start: int
    end: int
    left: str  # as it is checked: without units, with operators for words
    relation: str
    right: str
    truth: str  # holds, fails or unknown


# name -> (what a row is, name of the file)
TABLES: dict[str, tuple[type[msgspec.Struct], str]] = {
    "traces": (Measures, "measures"),
    "steps": (StepRow, "steps"),
    "statements": (StatementRow, "statements"),
}
ARROW = {str: "string", int: "int64", float: "float64", bool: "bool_"}


def encode(rows: Sequence[msgspec.Struct], form: Format) -> bytes | Rows:
    """Make rows ready to be written, in a worker: lines of JSON, or plain values for Parquet."""
    if form == "jsonl":
        return msgspec.json.Encoder().encode_lines(rows)
    return [dict(msgspec.to_builtins(row)) for row in rows]


class Table:
    """A file of rows that is being written; closed at the end of the block."""

    def __init__(self, folder: Path, name: str, form: Format) -> None:
        kind, stem = TABLES[name]
        self.path = folder / f"{stem}.{form}"
        self._part = self.path.with_name(self.path.name + ".part")
        self._kind = kind
        self._writer: Any = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if form == "parquet":
                parquet = require("pyarrow.parquet", "parquet")
                self._writer = parquet.ParquetWriter(self._part, schema(kind))
            else:
                self._writer = self._part.open("wb")
        except OSError as error:
            raise store.disk_error(error, self.path) from error

    def add(self, rows: bytes | Rows) -> None:
        """Write what `encode` made of rows.

        Raises:
            UserError: the disk is full.
        """
        if not rows:
            return
        try:
            if isinstance(rows, bytes):
                self._writer.write(rows)
            else:
                arrow = require("pyarrow", "parquet")
                self._writer.write_table(arrow.Table.from_pylist(rows, schema=schema(self._kind)))
        except OSError as error:
            raise store.disk_error(error, self.path) from error

    def publish(self) -> None:
        """Give the whole table its name.

        Raises:
            UserError: the disk is full, or the place may not be written.
        """
        try:
            self._writer.close()
            self._part.replace(self.path)
        except OSError as error:
            raise store.disk_error(error, self.path) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._writer.close()
        except OSError as failed:  # told already by `add`
            if error is None:
                raise store.disk_error(failed, self.path) from failed
        self._part.unlink(missing_ok=True)


def schema(kind: type[msgspec.Struct]) -> Any:
    """Write the fields of a record as a schema of Arrow."""
    arrow = require("pyarrow", "parquet")
    fields = []
    for field in msgspec.structs.fields(kind):
        plain = [t for t in getattr(field.type, "__args__", (field.type,)) if t in ARROW]
        of = getattr(arrow, ARROW[plain[0]])()
        if getattr(field.type, "__origin__", None) is tuple:
            of = arrow.list_(of)
        fields.append(arrow.field(field.name, of))
    return arrow.schema(fields)
