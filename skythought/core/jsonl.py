"""Read JSONL files line by line, as lines or as rows; what is no row is named as file:line."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from skythought.core.errors import UserError


class Line(NamedTuple):
    """A line of a JSONL file as it is, to be decoded elsewhere."""

    number: int  # from 1
    offset: int  # of its first byte in the file
    raw: bytes


def read_lines(path: Path) -> Iterator[Line]:
    """Yield the lines of a JSONL file that hold something; a byte order mark is passed over.

    Raises:
        UserError: the file is missing, UTF-16, or one JSON array.
    """
    if path.is_dir():
        raise UserError(f"{path}: is a folder; give a JSONL file")
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    begun = False
    following = 0
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            following += len(line)
            if number == 1:
                line = line.removeprefix(codecs.BOM_UTF8)
                if line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                    raise UserError(f"{path}: is UTF-16; save it as UTF-8")
            if not line.strip():
                continue
            if not begun and line.lstrip().startswith(b"["):
                raise UserError(
                    f"{path}: a JSON array; expected one object per line; rewrite it with: "
                    f"jq -c '.[]' {path.name}"
                )
            begun = True
            yield Line(number, following - len(line), line)


def read_rows(
    path: Path, damaged: Callable[[int, str], None] | None = None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number, row) of a JSONL file.

    A line that is not a JSON object is refused, or, where `damaged` is given, told to it by its
    number with what is wrong, and passed over.

    Raises:
        UserError: the file is missing or one JSON array, or a line is not a JSON object (named as
            file:line).
    """
    for number, _, line in read_lines(path):
        try:
            row = decode_row(line)
        except ValueError as error:
            if damaged is None:
                raise UserError(f"{path}:{number}: {error}") from error
            damaged(number, str(error))
            continue
        yield number, row


def decode_row(line: bytes) -> dict[str, Any]:
    """Decode one line of a JSONL file.

    Raises:
        ValueError: it is not a JSON object; the message says what to do.
    """
    try:
        row = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"not valid JSON ({error}); mend or delete the line") from error
    if not isinstance(row, dict):
        raise ValueError(f"expected a JSON object, found {type(row).__name__}")
    return row
