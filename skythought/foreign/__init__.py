"""Logs of other tools: samples of lm-evaluation-harness and lighteval, SkyThought's results.json.

    read(Path("samples_gsm8k_2026-11-01.jsonl"))  -> Logged(id="0", question="...", text="...", ...)

Only what a model wrote can be graded again; where a log holds log-likelihoods of choices and no
text, there is nothing to read, and that is said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from skythought.core import registry
from skythought.core.errors import UserError, first_line, unknown
from skythought.core.records import Message, Sampling

FORMATS = {
    "lm-eval": "skythought.foreign.lm_eval:read",  # samples_*.jsonl
    "lighteval": "skythought.foreign.lighteval:read",  # details_*.parquet
    "skythought": "skythought.foreign.original:read",  # results.json of the first SkyThought
}
KIND = re.compile(r"^(?:samples|details)_")
# The time of a run, and how many examples were shown, as lighteval has it.
TIME = re.compile(r"(?:\|\d+)?_\d{4}-\d\d-\d\d(?:T[\d.:-]+)?$")
NO_TEXT = "holds log-likelihoods and no text that a model wrote; there is nothing to grade again"


class Logged(NamedTuple):
    """One answer as another tool logged it."""

    where: str  # file and place, for messages
    id: str  # of the problem
    row: dict[str, Any]  # the problem, in its dataset's own fields
    answer: str  # the reference; "" where the row has it
    messages: tuple[Message, ...]
    text: str  # what the model said
    sample: int
    correct: bool | None  # their verdict; None where they have none
    why: str  # the metric or reason
    tokens: int = 0
    prompt_tokens: int = 0
    sampling: Sampling = Sampling()  # as far as the log tells


def task_of(path: Path) -> str:
    """Tell the task by the name of a file.

    >>> task_of(Path("samples_gsm8k_2026-11-29T14-06-15.100407.jsonl"))
    'gsm8k'
    """
    return TIME.sub("", KIND.sub("", path.stem)) or path.stem


def format_of(path: Path) -> str:
    """Tell the format by the name of a file.

    Raises:
        UserError: the name tells none.
    """
    if path.suffix == ".parquet":
        return "lighteval"
    if path.name.startswith("samples_") and path.suffix == ".jsonl":
        return "lm-eval"
    if path.suffix == ".json":
        return "skythought"
    raise UserError(f"{path}: of which tool is it? give --format {', '.join(FORMATS)}")


def read(path: Path, form: str = "") -> Iterator[Logged]:
    """Yield the answers of a log.

    Raises:
        UserError: no such file or format, or a row that cannot be read.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    name = form or format_of(path)
    if name not in FORMATS:
        raise unknown("format", name, FORMATS)
    reader: Callable[[Path], Iterator[Logged]] = registry.resolve("format", name, FORMATS)
    return _guarded(reader(path), path, name)


def _guarded(rows: Iterator[Logged], path: Path, name: str) -> Iterator[Logged]:
    """Turn what a damaged log leads to into one line.

    Raises:
        UserError: a row cannot be read.
    """
    last = "before the first answer"
    try:
        for row in rows:
            last = f"after {row.where}"
            yield row
    except (
        *(ValueError, TypeError, AttributeError, LookupError, OSError, RecursionError),
        msgspec.ValidationError,
    ) as error:
        raise UserError(
            f"{path}: no log of {name} that can be read, {last} ({first_line(error)})"
        ) from error


def conversation(prompt: object) -> tuple[Message, ...]:
    """Read a prompt that is a text, or a conversation as a list or as JSON."""
    if isinstance(prompt, list) and len(prompt) == 1 and isinstance(prompt[0], str):
        prompt = prompt[0]  # lm-eval's chats
    if isinstance(prompt, str) and prompt.lstrip().startswith("[{"):
        try:
            prompt = msgspec.json.decode(prompt)
        except msgspec.DecodeError:
            return (Message("user", str(prompt)),)
    if isinstance(prompt, list):
        turns = [turn for turn in prompt if isinstance(turn, dict) and "content" in turn]
        return tuple(Message(str(turn.get("role", "user")), str(turn["content"])) for turn in turns)
    return (Message("user", str(prompt)),)


def verdict_of(metrics: dict[str, Any]) -> tuple[bool | None, str]:
    """Take the first metric that is 0 or 1: whether the answer was right, and the metric's name."""
    for name, value in metrics.items():
        if isinstance(value, bool | int | float) and value in (0, 1):
            return bool(value), name
    return None, ""
