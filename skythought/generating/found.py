"""What a run folder holds already: which samples are finished, and what they used.

A row counts where `score` takes it too, as a whole Trace. Only what is counted is kept of it, and a
million rows are read in seconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from skythought.core import progress, store
from skythought.core.errors import UserError, first_line
from skythought.core.records import Finish, Trace

ASIDE = "traces.damaged"  # where damaged lines are kept; no .jsonl, so that nothing reads it
SHOWN = 3  # damaged lines that are told one by one
FEW = 10  # damaged lines that are believed to be an accident in a file of any size
TEMPLATE = 64  # tokens that a chat template may put around one message, at most
BYTES_PER_TOKEN = 3  # where nobody counts: formulas and digits have fewer than English, which has 4
SHARE = 0.01  # and in a large file, this share of its lines


@dataclass
class Found:
    """What the rows of a run add up to; kept up while the run goes on."""

    finished: set[str] = field(default_factory=set)  # ids of traces that are no errors
    failed: set[str] = field(default_factory=set)  # ids of which there are errors only
    errors: int = 0  # samples that failed in this run
    truncated: int = 0
    prompt_tokens: int = 0  # of all rows, errors and rows twice included: all are paid for
    completion_tokens: int = 0
    uncounted: int = 0  # answers of which nobody said how many tokens they have
    guessed: tuple[int, int] = (0, 0)  # prompt and completion tokens of these, by their length
    longest: int = 0  # tokens, which no answer has more of; 0: not known
    damaged: dict[int, str] = field(default_factory=dict)  # line number, from 1 -> why
    lines: int = 0
    torn: bool = False  # the last line has no end

    wasted: tuple[int, int] = (0, 0)  # prompt and completion tokens of answers thrown away

    def add(
        self,
        key: str,
        finish: Finish,
        prompt_tokens: int,
        completion_tokens: int,
        wasted: tuple[int, int] = (0, 0),
        size: tuple[int, int] = (0, 0),
    ) -> None:
        """Count one row; `size` is the bytes of prompt and answer, where tokens are not said."""
        self.wasted = self.wasted[0] + wasted[0], self.wasted[1] + wasted[1]
        self.prompt_tokens += prompt_tokens
        self.completion_tokens += completion_tokens
        if key in self.finished:
            return
        if finish == "error":
            self.failed.add(key)
            return
        self.failed.discard(key)
        self.finished.add(key)
        self.truncated += finish == "length"
        if not (prompt_tokens or completion_tokens):
            self.uncounted += 1
            read, written = guess(*size, self.longest)
            self.guessed = self.guessed[0] + read, self.guessed[1] + written


def guess(read: int, written: int, longest: int = 0) -> tuple[int, int]:
    """Guess the tokens of prompt and answer from their bytes, rather too many than too few."""
    tokens = -(-written // BYTES_PER_TOKEN)
    return -(-read // BYTES_PER_TOKEN), min(tokens, longest) if longest else tokens


def prompt_bytes(texts: Iterable[str]) -> int:
    """Count the bytes of a prompt's texts, with what a template may add to each."""
    return sum(len(text.encode()) + TEMPLATE for text in texts)


def _size(trace: Trace) -> tuple[int, int]:
    """Count the bytes of prompt and answer."""
    begun = trace.prefill or ""
    written = len(trace.thought.encode()) + len(trace.answer.encode())
    return prompt_bytes([*(turn.content for turn in trace.messages), begun]), written


def read(path: Path, longest: int = 0) -> Found:
    """Read a file of traces; a missing one holds none, and a torn last line is passed over.

    No answer has more tokens than `longest`, where that is known.
    """
    found = Found(longest=longest)
    if not path.exists():
        return found
    decode, add = msgspec.json.Decoder(Trace).decode, found.add
    number = 0
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.endswith(b"\n"):
                number -= 1
                found.torn = True
                break
            try:
                row = decode(line)
                if not line.isascii():
                    line.decode()
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                if line.strip():
                    found.damaged[number] = first_line(error)
                continue
            counted = row.prompt_tokens or row.completion_tokens
            size = (0, 0) if counted else _size(row)
            wasted = row.wasted or (0, 0)
            add(row.id, row.finish, row.prompt_tokens, row.completion_tokens, wasted, size)
    found.lines = number
    return found


def refuse_damaged(path: Path, found: Found, *, strict: bool) -> None:
    """Stop at a file with damaged lines where that is wanted, or where they are too many.

    Raises:
        UserError: so; the first is named as file:line.
    """
    if not found.damaged:
        return
    number, why = next(iter(found.damaged.items()))
    told = f"{path}:{number}: not a trace ({why})"
    if strict:
        raise UserError(f"{told}; mend or delete the line, or run without --strict")
    if len(found.damaged) > max(FEW, SHARE * found.lines):
        raise UserError(
            f"{told}, and so are {len(found.damaged):,} of {found.lines:,} lines, too many for an "
            "accident; look at the file"
        )


def put_aside(path: Path, found: Found) -> None:
    """Move the damaged lines of a file into another beside it, and say so.

    The rest stays as it is, and is at no moment missing. A torn last line, which is cut off when
    the file is written on, is told too.

    Raises:
        UserError: the disk is full or the place may not be written.
    """
    if found.torn:
        progress.say(
            f"{path}:{found.lines + 1}: the last line is not whole; it is cut off and its sample "
            "asked again"
        )
    if not found.damaged:
        return
    part, aside = path.with_name(path.name + ".part"), path.with_name(ASIDE)
    try:
        with path.open("rb") as lines, part.open("wb") as kept, aside.open("ab") as bad:
            for number, line in enumerate(lines, 1):
                (bad if number in found.damaged else kept).write(line)
        part.replace(path)
    except OSError as error:
        raise store.disk_error(error, path) from error
    for number, why in [*found.damaged.items()][:SHOWN]:
        progress.say(
            f"{path}:{number}: not a trace ({why}); moved to {aside}, its sample is asked again"
        )
    if len(found.damaged) > SHOWN:
        progress.say(f"{path}: and {len(found.damaged) - SHOWN:,} more lines")
