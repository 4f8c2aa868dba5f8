"""Read traces and training data in the shapes people have them, as they are.

| shape | recognised by |
|---|---|
| our records | `problem_id` + `thought` (Trace), `trace_id` + `completion` (Example) |
| messages | `messages`, the last turn is the assistant's |
| ShareGPT | `conversations` with `from` and `value` |
| prompt and completion | `prompt` + `completion`, each a string or a list of messages |
| problem, response | `problem`, `question`, `instruction` or `prompt`; `response` or `output` |
| preference pairs | `chosen` + `rejected` beside one of these prompts; examples only |

A thought may stand apart, as servers give it: `reasoning_content`, `reasoning` or `thinking`, in
the assistant's message or beside the response.

All become `Trace` records: the completion is taken apart by `formats.parse`; an `error` of the row
is a failed request, a `finish_reason` (or `finish`) of `length` an answer cut off. A row
of another shape is refused with file:line and what was expected.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from skythought.core import formats, jsonl
from skythought.core.errors import UserError
from skythought.core.records import Example, Finish, Message, Trace, digest

EXPECTED = (
    "expected messages, conversations, prompt + completion, problem (or question, prompt) + "
    "response, or skythought's own traces or examples"
)
QUESTIONS = ("problem", "question", "instruction", "prompt")
RESPONSES = ("response", "output")
THOUGHTS = ("reasoning_content", "reasoning", "thinking")
# What score, curate and perturb put beside their traces, and the tables of analyze.
NOT_TRACES = re.compile(
    r"(?:^|.*\.)(?:verdicts(?:\.[\w-]+)?|dropped|disagreements|rewritten|contamination)\.jsonl"
    r"|(?:measures|steps|statements|unparsed|likelihoods)\.jsonl"
)
TRUNCATED = ("length", "max_tokens")  # as `finish_reason`, of OpenAI's, Google's, Anthropic's APIs
BATCH = 256  # lines handed to a worker at once
BATCH_BYTES = 2**22
ROLES = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "system": "system",
}


def files(path: Path) -> list[Path]:
    """List the JSONL files a path stands for: itself, or those of a folder (a run's traces first).

    Raises:
        UserError: nothing is there.
    """
    if path.is_dir():
        for name in ("traces.jsonl", "examples.jsonl", "train.jsonl"):
            if (path / name).exists():
                return [path / name]
        found = sorted(p for p in path.glob("*.jsonl") if not NOT_TRACES.fullmatch(p.name))
        if not found:
            raise UserError(f"{path}: no .jsonl file in this folder")
        return found
    if not path.exists():
        raise UserError(f"{path}: no such file")
    return [path]


def rows(
    path: Path, damaged: Callable[[Path, int, str], None] | None = None
) -> Iterator[tuple[Path, int, dict[str, Any]]]:
    """Yield (file, line number, row) of every row of a file or folder, in order.

    A line that is not a JSON object goes to `damaged`, where that is given.

    Raises:
        UserError: nothing there, or a line that is not a JSON object (named as file:line).
    """
    for file in files(path):
        told = partial(damaged, file) if damaged else None
        for number, row in jsonl.read_rows(file, told):
            yield file, number, row


class Line(NamedTuple):
    """A line of a file of traces as it is, to be decoded elsewhere."""

    file: Path
    number: int  # from 1
    raw: bytes
    offset: int = 0  # of its first byte in the file

    @property
    def place(self) -> str:
        """Name it for people: file:line."""
        return f"{self.file}:{self.number}"


def batches(path: Path, size: int = BATCH) -> Iterator[list[Line]]:
    """Yield the lines of a file or folder in order, many at a time: so many, or so many bytes.

    Raises:
        UserError: nothing there.
    """
    batch: list[Line] = []
    held = 0
    for file in files(path):
        for number, offset, raw in jsonl.read_lines(file):
            batch.append(Line(file, number, raw, offset))
            held += len(raw)
            if len(batch) >= size or held >= BATCH_BYTES:
                yield batch
                batch, held = [], 0
    if batch:
        yield batch


def read_line(line: Line) -> Trace:
    """Turn a line into a Trace.

    Raises:
        ValueError: it is not JSON or has no known shape; the message says what was expected.
    """
    return trace(jsonl.decode_row(line.raw))


def verdicts_beside(path: Path) -> Path:
    """Name the file of verdicts that belongs to a file of traces or to a run folder."""
    return (
        path / "verdicts.jsonl" if path.is_dir() else path.with_name(f"{path.name}.verdicts.jsonl")
    )


def read_traces(path: Path) -> Iterator[Trace]:
    """Yield every row of a file or folder as a Trace, in order.

    Raises:
        UserError: nothing there, or a row of no known shape (named as file:line).
    """
    for file, number, row in rows(path):
        try:
            yield trace(row)
        except ValueError as error:  # msgspec's errors are ValueErrors
            raise UserError(f"{file}:{number}: {error}") from error


def read_examples(path: Path) -> Iterator[Example]:
    """Yield every row as an Example ready for training, in order; failed requests teach nothing.

    Raises:
        UserError: as `read_traces`.
    """
    for file, number, row in rows(path):
        try:
            if "trace_id" in row and "completion" in row:
                yield msgspec.convert(row, Example)
            elif "chosen" in row and "rejected" in row:
                yield pair(row)
            elif not (found := trace(row)).error:
                yield example(found)
        except ValueError as error:  # msgspec's errors are ValueErrors
            raise UserError(f"{file}:{number}: {error}") from error


def example(source: Trace, tags: tuple[str, ...] = ()) -> Example:
    """Make the training example that teaches a trace.

    Raises:
        ValueError: its thought or answer holds the tag that closes it.
    """
    completion = formats.teach(source.thought, source.answer)
    return Example(
        id=digest(source.id, completion),
        trace_id=source.id,
        messages=source.messages,
        completion=completion,
        tags=tags,
    )


def pair(row: dict[str, Any]) -> Example:
    """Make the example of a preference pair: a prompt, and two answers to it.

    An answer is a text or turns. Turns may begin with the prompt, as in TRL's pairs without one.

    Raises:
        ValueError: an answer has no known shape, or the two answer different prompts.
    """
    chosen, rejected = _side(row, "chosen"), _side(row, "rejected")
    if chosen.messages != rejected.messages:
        raise ValueError("'chosen' and 'rejected' must answer the same prompt")
    preferred = example(chosen)
    other = formats.teach(rejected.thought, rejected.answer)
    return msgspec.structs.replace(preferred, id=digest(preferred.id, other), rejected=other)


def _side(row: dict[str, Any], field: str) -> Trace:
    """Read a pair's row as one that has no answer but this."""
    try:
        return trace(_answered(row, row[field]))
    except ValueError as error:
        raise ValueError(f"{field!r}: {error}") from error


def _answered(row: dict[str, Any], said: Any) -> dict[str, Any]:
    rest = {k: v for k, v in row.items() if k not in ("chosen", "rejected")}
    if "conversations" in row:
        last = said if isinstance(said, dict) else {"from": "gpt", "value": said}
        return {**rest, "conversations": [*_list(row["conversations"]), last]}
    if isinstance(said, list) and (len(said) > 1 or "prompt" not in row):
        return {**rest, "messages": said}
    return {**rest, "completion" if "prompt" in row else "response": said}


def _list(turns: Any) -> list[Any]:
    return turns if isinstance(turns, list) else []


def lesson(of: Trace) -> str:
    """Name what a trace teaches: its prompt and completion, without where they came from."""
    return digest(of.messages, of.thought, of.answer)


def own_id(key: str, taught: str, seen: Mapping[str, str]) -> str:
    """Give a row another id where an earlier row of a file has its id.

    Files often name all samples of a problem with the problem's id, and samples may be alike: each
    row counts. The new id holds what the row teaches (`lesson`) and how often that was met before.
    A failed request is no sample: what came later takes its place. `seen` has the `finish` of each
    id.
    """
    own, before = key, 0
    while own in seen and seen[own] != "error":
        before += 1
        own = digest(key, taught, before)
    return own


def trace(row: dict[str, Any]) -> Trace:
    """Turn one row of any known shape into a Trace.

    Raises:
        ValueError: the row has no known shape; the message says what was expected.
    """
    if "problem_id" in row and "thought" in row:
        return msgspec.convert(row, Trace)
    messages, text = _conversation(row)
    if not messages or messages[-1].role != "user":
        raise ValueError("the completion must follow a user turn")
    parts = formats.parse(text)
    key = digest(messages, text)
    error = row.get("error") or ""
    ended = str(row.get("finish_reason") or row.get("finish") or "").lower()
    finish: Finish = "stop" if parts.closed else "length"
    if error or ended == "error":
        finish = "error"
    elif ended in TRUNCATED:
        finish = "length"
    return Trace(
        id=str(row.get("id") or row.get("trace_id") or key),
        problem_id=str(row.get("problem_id") or row.get("id") or digest(messages)),
        model=str(row.get("teacher") or row.get("model") or "unknown"),
        messages=messages,
        thought=parts.thought,
        answer=parts.answer,
        finish=finish,
        error=error if isinstance(error, str) else json.dumps(error),
    )


def _conversation(row: dict[str, Any]) -> tuple[tuple[Message, ...], str]:
    """Find the prompt's messages and the completion's text in a row."""
    if "conversations" in row:
        turns = [
            Message(ROLES.get(t["from"], t["from"]), t["value"])
            for t in _turns(row, "conversations", ("from", "value"))
        ]
        return _last(turns)
    if "messages" in row and "completion" not in row:
        return _last(_messages(row, "messages"))
    if "completion" in row:
        where = "messages" if "messages" in row else "prompt"
        prompt = _said(row, where, "user")
        return _last([*prompt, *_said(row, "completion", "assistant")])
    question = next((row[k] for k in QUESTIONS if isinstance(row.get(k), str)), None)
    response = next((row[k] for k in RESPONSES if isinstance(row.get(k), str)), None)
    if question is None or response is None:
        empty = next((k for k in (*QUESTIONS, *RESPONSES) if k in row and row[k] is None), "")
        if empty:
            raise ValueError(f"the row's {empty} is null")
        raise ValueError(f"unknown row with fields {', '.join(sorted(row)[:8])}; {EXPECTED}")
    if isinstance(row.get("input"), str) and row["input"]:
        question = f"{question}\n\n{row['input']}"
    system = row.get("system")
    start = (Message("system", system),) if isinstance(system, str) and system else ()
    return (*start, Message("user", question)), _whole(row, response)


def _whole(holder: dict[str, Any], said: str) -> str:
    """Put a thought that stands apart before what was said, unless a thought is in it already."""
    apart = next((holder[k] for k in THOUGHTS if isinstance(holder.get(k), str)), "").strip()
    if len(apart.split()) < 2 or formats.parse(said).thought:  # a single word is a label
        return said
    return f"<think>\n{apart}\n</think>\n\n{said}"


def _said(row: dict[str, Any], field: str, role: str) -> list[Message]:
    """Read a field that holds one text or a list of turns."""
    if isinstance(row.get(field), str):
        return [Message(role, row[field])]
    return _messages(row, field)


def _messages(row: dict[str, Any], field: str) -> list[Message]:
    """Read turns; a thought that an assistant's turn holds apart is put before what it says."""
    return [
        Message(t["role"], _whole(t, t["content"]) if t["role"] == "assistant" else t["content"])
        for t in _turns(row, field, ("role", "content"))
    ]


def _turns(row: dict[str, Any], field: str, keys: tuple[str, str]) -> list[dict[str, Any]]:
    turns = row.get(field)
    if not isinstance(turns, list) or not turns:
        raise ValueError(f"{field!r} must be a list of turns; {EXPECTED}")
    for turn in turns:
        if not isinstance(turn, dict) or not all(isinstance(turn.get(k), str) for k in keys):
            raise ValueError(f"every turn of {field!r} needs the texts {keys[0]!r} and {keys[1]!r}")
    return turns


def _last(turns: list[Message]) -> tuple[tuple[Message, ...], str]:
    if turns[-1].role != "assistant":
        raise ValueError(f"the last turn must be the assistant's, found {turns[-1].role!r}")
    return tuple(turns[:-1]), turns[-1].content
