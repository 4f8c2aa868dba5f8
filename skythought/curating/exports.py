"""Write examples in the shapes that trainers read, as JSONL or Parquet.

| shape | read by | fields |
|---|---|---|
| `examples` | skythought | those of `records.Example` |
| `messages` | TRL, LLaMA-Factory, Axolotl | `messages`; pairs: `prompt`, `chosen`, `rejected` |
| `sharegpt` | LLaMA-Factory, Axolotl | `conversations`; pairs: also `chosen`, `rejected` |

All carry the id of the trace and the tags. The last part of the file's name decides: `.parquet` or
JSONL.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import msgspec

from skythought.core import store
from skythought.core.errors import require
from skythought.core.records import Example

Shape = Literal["examples", "messages", "sharegpt"]
GROUP = 4096  # rows of a Parquet file that are written at once
SPEAKERS = {"system": "system", "user": "human", "assistant": "gpt"}


def examples(example: Example) -> dict[str, Any]:
    """Write our own record."""
    row: dict[str, Any] = msgspec.to_builtins(example)
    return row


def messages(example: Example) -> dict[str, Any]:
    """Write chat messages; a pair as TRL's conversational preference format."""
    prompt = [{"role": turn.role, "content": turn.content} for turn in example.messages]
    said = {"role": "assistant", "content": example.completion}
    row = {"id": example.id, "trace_id": example.trace_id, "tags": list(example.tags)}
    if not example.rejected:
        return {**row, "messages": [*prompt, said]}
    other = {"role": "assistant", "content": example.rejected}
    return {**row, "prompt": prompt, "chosen": [said], "rejected": [other]}


def sharegpt(example: Example) -> dict[str, Any]:
    """Write ShareGPT's conversations; a pair as LLaMA-Factory's ranking format."""
    prompt = [
        {"from": SPEAKERS.get(turn.role, turn.role), "value": turn.content}
        for turn in example.messages
    ]
    said = {"from": "gpt", "value": example.completion}
    row = {"id": example.id, "trace_id": example.trace_id, "tags": list(example.tags)}
    if not example.rejected:
        return {**row, "conversations": [*prompt, said]}
    other = {"from": "gpt", "value": example.rejected}
    return {**row, "conversations": prompt, "chosen": said, "rejected": other}


def encode(example: Example, shape: Shape) -> bytes:
    """Write an example in a shape, as JSON."""
    return msgspec.json.encode(SHAPES[shape](example))


SHAPES: dict[str, Callable[[Example], dict[str, Any]]] = {
    "examples": examples,
    "messages": messages,
    "sharegpt": sharegpt,
}


class Writer:
    """Writes rows to a file, as its name says; Parquet in groups of rows.

    Args:
        path: the file, new.
        parquet: whether it is Parquet.

    Raises:
        UserError: pyarrow is not installed, the disk is full, or the place may not be written.
    """

    def __init__(self, path: Path, *, parquet: bool) -> None:
        self.path, self.rows = path, 0
        self._group: list[dict[str, Any]] = []
        self._table: Any = None
        self._lines: store.Appender | None = None
        path.unlink(missing_ok=True)
        if parquet:
            require("pyarrow", "parquet")
        else:
            self._lines = store.Appender(path)

    def add(self, row: bytes) -> None:
        """Write a row, which is JSON."""
        self.rows += 1
        if self._lines is not None:
            self._lines.add(msgspec.Raw(row))
            return
        self._group.append(msgspec.json.decode(row))
        if len(self._group) >= GROUP:
            self._flush()

    def _flush(self) -> None:
        import pyarrow
        from pyarrow import parquet

        table = pyarrow.Table.from_pylist(
            self._group, schema=self._table.schema if self._table is not None else None
        )
        try:
            if self._table is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._table = parquet.ParquetWriter(self.path, table.schema, compression="zstd")
            self._table.write_table(table)
        except OSError as error:
            raise store.disk_error(error, self.path) from error
        self._group = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._lines is not None:
            self._lines.__exit__(kind, error, trace)
            return
        if error is None and self._group:
            self._flush()
        if self._table is not None:
            self._table.close()


class Listing:
    """A JSONL file beside an output, of which nothing is held, put in its place when all is done.

    Args:
        path: the file; what is written lies in `<path>.part` until `publish`.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.counts = path, Counter[str]()
        self._part = path.with_name(path.name + ".part")
        self._part.unlink(missing_ok=True)
        self._file: store.Appender | None = None

    def add(self, row: object, kind: str = "") -> None:
        """Write a row, and count it as one of its kind.

        Raises:
            UserError: the disk is full or the place may not be written.
        """
        self.counts[kind] += 1
        if self._file is None:
            self._file = store.Appender(self._part)
        self._file.add(row)

    def publish(self) -> None:
        """Put the file in its place."""
        if self._file is None:
            store.write_whole(self.path, b"")
            return
        self._file.__exit__(None, None, None)
        self._part.replace(self.path)

    def discard(self) -> None:
        """Leave nothing of what was not published."""
        self._part.unlink(missing_ok=True)
