"""What choosing among traces needs to know of each: small, so that millions fit into memory."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from skythought.core import jsonl
from skythought.core.errors import UserError
from skythought.curating.contamination import Hit

HASH = 8  # bytes of a hash


def packed(digest: str) -> bytes:
    """Hold a hash of hex digits (`records.digest`) as the bytes it writes."""
    return bytes.fromhex(digest)


class Facts(msgspec.Struct, gc=False):
    """One trace, without its text."""

    file: int  # which of the input files
    offset: int  # of the line's first byte
    size: int  # of the line in bytes
    id: str
    problem: str  # its id; of a row that names none, a hash of the question
    lesson: bytes  # hash of what it teaches: `shapes.lesson`
    lessons: bytes  # hashes of what is compared for duplicates, `HASH` bytes for each field
    finish: str
    given: int = 0  # which of the inputs
    prompt: bytes = b""  # hash of the prompt, where pairs are made
    tokens: int = 0  # of the completion
    score: float = 0.0  # structure score; 0 where it was not measured
    early: str = ""  # why it is left out whatever its verdict
    late: str = ""  # why it is left out by its own text
    labels: tuple[str, ...] = ()  # what the row says in the fields asked for
    topic: bytes = b""  # sketch of the question: `topics.sketch`
    keys: bytes = b""  # for `screening.Twins`: the keys of each field
    hit: Hit | None = None  # the problem of a benchmark that it answers
    outcome: str = ""  # of its verdict; "" where it has none


class Unusable(NamedTuple):
    """A line that is no trace."""

    place: str  # file:line
    why: str


class _Verdict(msgspec.Struct, gc=False):
    id: str
    outcome: str


def outcomes(path: Path) -> dict[str, str]:
    """Read what a file of verdicts says of each id: the last one counts; a missing file is empty.

    Raises:
        UserError: a line is not a verdict (named as file:line).
    """
    if not path.exists():
        return {}
    found: dict[str, str] = {}
    decoder = msgspec.json.Decoder(_Verdict)
    for number, _, line in jsonl.read_lines(path):
        try:
            verdict = decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UserError(f"{path}:{number}: not a Verdict record: {error}") from error
        found[verdict.id] = sys.intern(verdict.outcome)
    return found


class Place(NamedTuple):
    """Where a line lies, and the id of the trace in it."""

    file: Path
    offset: int
    size: int
    id: str
    outcome: str
    problem: str  # as in `Facts`

    def read(self) -> bytes:
        """Read the line.

        Raises:
            UserError: the file cannot be read any more.
        """
        try:
            with self.file.open("rb") as lines:
                lines.seek(self.offset)
                return lines.read(self.size)
        except OSError as error:
            raise UserError(f"{self.file}: {error.strerror}; was it moved?") from error


def histogram(lengths: array[int]) -> Iterator[tuple[str, int]]:
    """Count lengths in classes that double: ("257-512", 31), ...; empty classes inside too."""
    counts: dict[int, int] = {}
    for length in lengths:
        key = max(length - 1, 0).bit_length()
        counts[key] = counts.get(key, 0) + 1
    for key in range(min(counts, default=0), max(counts, default=-1) + 1):
        low = (1 << (key - 1)) + 1 if key else 0
        yield f"{low:,}-{1 << key:,}", counts.get(key, 0)
