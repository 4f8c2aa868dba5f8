"""The one owner of how a thought and an answer are written, shown to a model, and read back.

    <|begin_of_thought|>

    step one

    step two

    <|end_of_thought|>

    <|begin_of_solution|>

    The answer is \\boxed{4}.

    <|end_of_solution|>

`teach` writes this format (Sky-T1's), `parse` reads it and the other ways teachers write:
`<think>...</think>` with or without the opening tag, and plain text. `parse(teach(t, a)) == (t, a)`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from skythought.errors import UserError
from skythought.records import Message

BEGIN_THOUGHT, END_THOUGHT = "<|begin_of_thought|>", "<|end_of_thought|>"
BEGIN_SOLUTION, END_SOLUTION = "<|begin_of_solution|>", "<|end_of_solution|>"
TAGS = (BEGIN_THOUGHT, END_THOUGHT, BEGIN_SOLUTION, END_SOLUTION)

class Parts(NamedTuple):
    """A completion taken apart."""

    thought: str  # "" where there is none
    answer: str  # "" where the thought never ended
    closed: bool  # False where a tag was opened and not closed: cut off


def teach(thought: str, answer: str) -> str:
    """Write a thought and an answer in the format the student learns; no thought, no thought tags."""
    solution = f"{BEGIN_SOLUTION}\n\n{answer}\n\n{END_SOLUTION}"
    if not thought:
        return solution
    return f"{BEGIN_THOUGHT}\n\n{thought}\n\n{END_THOUGHT}\n\n{solution}"


def parse(text: str) -> Parts:
    """Take a completion apart, whichever of the known ways it is written in."""
    if BEGIN_THOUGHT in text or END_THOUGHT in text or BEGIN_SOLUTION in text:
        return _parse_tagged(text, TAGS)
    if "<think>" in text or "</think>" in text:
        return _parse_tagged(text, ("<think>", "</think>", "", ""))
    return Parts("", text.strip("\n"), closed=True)


def _parse_tagged(text: str, tags: tuple[str, str, str, str]) -> Parts:
    begin, end, begin_solution, end_solution = tags
    thought, rest, closed = "", text, True
    if end in text:
        thought, _, rest = text.partition(end)
        thought = thought.partition(begin)[2] if begin in thought else thought
    elif begin in text:
        return Parts(text.partition(begin)[2].strip("\n"), "", closed=False)
    if begin_solution and begin_solution in rest:
        rest = rest.partition(begin_solution)[2]
        closed = end_solution in rest
        rest = rest.partition(end_solution)[0]
    return Parts(thought.strip("\n"), rest.strip("\n"), closed)


def last_boxed(text: str) -> str | None:
    r"""Return the content of the last `\boxed{...}`, nested braces included, or None."""
    start = text.rfind("\\boxed{")
    if start < 0:
        return None
    depth = 0
    for i in range(start + len("\\boxed"), len(text)):
        depth += {"{": 1, "}": -1}.get(text[i], 0)
        if depth == 0:
            return text[start + len("\\boxed{") : i]
    return None


def final_number(text: str) -> str | None:
    """Return the last number in a text without thousands separators, or None."""
    found = re.findall(r"-?\d[\d,]*(?:\.\d+)?", text)
    return found[-1].replace(",", "").rstrip(".") if found else None


def require_chat_template(tokenizer: Any, model: str) -> None:
    """Refuse a tokenizer without a chat template.

    Raises:
        UserError: it has none; the message says how to give it one.
    """
    if not tokenizer.chat_template:
        raise UserError(
            f"model {model!r} has no chat template; put a chat_template.jinja file into its folder "
            "(an instruct model of the same family has one)"
        )


def prompt_ids(tokenizer: Any, messages: Sequence[Message]) -> list[int]:
    """Render a conversation up to where the assistant begins, as token ids."""
    turns = [{"role": m.role, "content": m.content} for m in messages]
    text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


def completion_ids(tokenizer: Any, messages: Sequence[Message], completion: str) -> list[int]:
    """Render what the assistant says after `prompt_ids`, up to and with the token that ends its turn.

    Raises:
        UserError: the template rewrites the prompt when an answer follows, so training would not
            see what inference sees.
    """
    turns = [{"role": m.role, "content": m.content} for m in messages]
    prompt = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    turns.append({"role": "assistant", "content": completion})
    whole = tokenizer.apply_chat_template(turns, tokenize=False)
    if not whole.startswith(prompt):
        raise UserError("the chat template does not continue its own generation prompt")
    ids: list[int] = tokenizer(whole[len(prompt) :], add_special_tokens=False)["input_ids"]
    if tokenizer.eos_token_id in ids:
        last = len(ids) - ids[::-1].index(tokenizer.eos_token_id)
        return ids[:last]
    return [*ids, tokenizer.eos_token_id]
