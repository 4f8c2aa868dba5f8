r"""The one owner of how a thought and an answer are written, shown to a model, and read back.

    <|begin_of_thought|>

    step one

    step two

    <|end_of_thought|>

    <|begin_of_solution|>

    The answer is \boxed{4}.

    <|end_of_solution|>

`teach` writes this format (Sky-T1's), `parse` reads it and the other ways teachers write:
`<think>...</think>` with or without the opening tag, the answer after it bare or in `<answer>`; the
lines `think` and `answer` (s1); a heading "Final Answer" behind the thought (QwQ, LIMO); and plain
text, which is all answer. `parse(teach(t, a)) == (t, a)`, to the last line
break, for all texts but those that `teach` refuses: a thought or an answer that holds its own
closing tag would be read as ended there.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from skythought.core.errors import UserError
from skythought.core.records import Message

BEGIN_THOUGHT, END_THOUGHT = "<|begin_of_thought|>", "<|end_of_thought|>"
BEGIN_SOLUTION, END_SOLUTION = "<|begin_of_solution|>", "<|end_of_solution|>"
TAGS = (BEGIN_THOUGHT, END_THOUGHT, BEGIN_SOLUTION, END_SOLUTION)

# What `teach` writes before, between and after the texts.
OPEN_THOUGHT, OPEN_SOLUTION = f"{BEGIN_THOUGHT}\n\n", f"{BEGIN_SOLUTION}\n\n"
TURN = f"\n\n{END_THOUGHT}\n\n{OPEN_SOLUTION}"
CLOSE_SOLUTION = f"\n\n{END_SOLUTION}"

S1 = re.compile(
    r"\Athink\n(?P<thought>.*?)(?:^answer\n(?P<answer>.*))?\Z", re.DOTALL | re.MULTILINE
)
# A heading or a label of its own: **Final Answer**, ### Final Answer, Final Answer: ...
FINAL = re.compile(
    r"^[ \t]*(?:#{1,6}[ \t]+)?(?:\*\*|__)?(?:the |my )?final (?:answer|solution)"
    r"[ \t]*(?::[ \t]*(?:\*\*|__)?|(?:\*\*|__)[ \t]*:?|(?=\n|\Z))",
    re.IGNORECASE | re.MULTILINE,
)
# A thought that a template opens, or leaves out, where the assistant begins.
OPENED = re.compile(r"<think>\s*(?P<closed></think>\s*)?\Z")
MARK = "ffe1c5a0"  # stands for an answer, in a text that a template writes
BRACE = re.compile(r"\\.|[{}]", re.DOTALL)  # a backslash takes the next character with it


class Parts(NamedTuple):
    """A completion taken apart."""

    thought: str  # "" where there is none
    answer: str  # "" where the thought never ended
    closed: bool  # False where a tag was opened and not closed: cut off


def closing(thought: str, answer: str) -> str:
    """Name the closing tag that one of two texts holds inside, "" where none does.

    >>> closing("Then I write <|end_of_thought|>.", "4")
    'the thought holds <|end_of_thought|>'
    """
    if END_THOUGHT in thought:
        return f"the thought holds {END_THOUGHT}"
    return f"the answer holds {END_SOLUTION}" if END_SOLUTION in answer else ""


def teach(thought: str, answer: str) -> str:
    """Write a thought and an answer as the student learns them; no thought, no thought tags.

    Raises:
        ValueError: one of them holds the tag that closes it: `parse` could not read it back.
    """
    if held := closing(thought, answer):
        raise ValueError(
            f"{held}, which would be read as its end; take it out or leave the row out"
        )
    if not thought:
        return f"{OPEN_SOLUTION}{answer}{CLOSE_SOLUTION}"
    return f"{OPEN_THOUGHT}{thought}{TURN}{answer}{CLOSE_SOLUTION}"


def parse(text: str) -> Parts:
    """Take a completion apart, whichever of the known ways it is written in."""
    if taught := _parse_taught(text):
        return taught
    if BEGIN_THOUGHT in text or END_THOUGHT in text or BEGIN_SOLUTION in text:
        return _parse_tagged(text)
    if "<think>" in text or "</think>" in text:
        return _parse_think(text)
    if s1 := S1.match(text):
        thought, answer = s1["thought"].strip(), s1["answer"]
        return Parts(thought, (answer or "").strip(), closed=answer is not None)
    return _parse_headed(text) or Parts("", text.strip("\n"), closed=True)


def _parse_headed(text: str) -> Parts | None:
    """Take apart a text whose last heading "Final Answer" has more before it than behind."""
    heading = max(FINAL.finditer(text), key=lambda found: found.start(), default=None)
    if heading is None or not text[heading.end() :].strip():
        return None
    thought, answer = text[: heading.start()].strip("\n"), text[heading.start() :].strip("\n")
    if not thought.strip() or len(answer) >= len(thought):
        return None
    return Parts(thought, answer, closed=True)


def _parse_taught(text: str) -> Parts | None:
    """Take apart what `teach` wrote, leaving every line break of thought and answer its own."""
    if not text.endswith(CLOSE_SOLUTION):
        return None
    body = text.removesuffix(CLOSE_SOLUTION)
    thought, answer = "", body.removeprefix(OPEN_SOLUTION)
    if body.startswith(OPEN_THOUGHT):
        thought, turn, answer = body.removeprefix(OPEN_THOUGHT).partition(TURN)
        if not turn:
            return None
    elif not body.startswith(OPEN_SOLUTION):
        return None
    return None if closing(thought, answer) else Parts(thought, answer, closed=True)


def _parse_tagged(text: str) -> Parts:
    thought, end, rest = text.partition(END_THOUGHT)
    if not end:  # a thought that goes straight into the solution was ended too
        thought, begin, rest = text.partition(BEGIN_SOLUTION)
        rest = begin + rest
    if BEGIN_THOUGHT in thought:
        thought = thought.partition(BEGIN_THOUGHT)[2]
    elif not end:
        thought = ""
    if not rest and not end:
        return Parts(thought.strip("\n"), "", closed=False)
    closed = True
    if BEGIN_SOLUTION in rest:
        rest, solved, _ = rest.partition(BEGIN_SOLUTION)[2].partition(END_SOLUTION)
        closed = bool(solved)
    return Parts(thought.strip("\n"), rest.strip("\n"), closed)


def _parse_think(text: str) -> Parts:
    thought, end, rest = text.partition("</think>")
    if "<think>" in thought:
        thought = thought.partition("<think>")[2]
    rest = rest.strip()
    if rest.startswith("<answer>"):  # often cut before </answer>, which is used as a stop word
        rest = rest.removeprefix("<answer>").partition("</answer>")[0].strip()
    return Parts(thought.strip(), rest, closed=bool(end))


def continued(prefill: str, text: str) -> str:
    r"""Put the beginning that a model was given before what it went on with.

    A server that keeps thoughts apart gives the rest of one as a thought of its own; the two are
    one.

    >>> continued("<think>\nLet me", "<think>\n see.\n</think>\n\n4")
    '<think>\nLet me see.\n</think>\n\n4'
    """
    opened = "<think>\n"
    if not prefill or not text.startswith(opened) or "</think>" in prefill:
        return prefill + text
    begun = prefill if "<think>" in prefill else opened + prefill
    return begun + text.removeprefix(opened)


def show(messages: Sequence[Message], prefill: str = "") -> str:
    """Write a conversation for people, each turn under its role."""
    turns = [*messages, Message("assistant", prefill)] if prefill else messages
    return "\n".join(f"[{turn.role}]\n{turn.content}" for turn in turns)


def last_boxed(text: str) -> str | None:
    r"""Return the content of the last `\boxed{...}`; None where there is none or it never ends.

    Braces inside are nested; the escaped ones of a set, `\{1, 2\}`, are text and need not balance.
    """
    start = text.rfind("\\boxed{")
    if start < 0:
        return None
    depth = 1
    for found in BRACE.finditer(text, start + len("\\boxed{")):
        depth += {"{": 1, "}": -1}.get(found[0], 0)
        if depth == 0:
            return text[start + len("\\boxed{") : found.start()]
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


def prompt_text(tokenizer: Any, messages: Sequence[Message], prefill: str = "") -> str:
    """Render a conversation up to where the assistant begins, or goes on after `prefill`.

    Raises:
        UserError: the chat template does not leave the prefill as it is.
    """
    turns = [{"role": m.role, "content": m.content} for m in messages]
    if not prefill:
        text: str = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        return text
    turns.append({"role": "assistant", "content": prefill})
    begun = prefill.rstrip()  # a template may strip what follows: it is put back
    try:
        text = tokenizer.apply_chat_template(turns, tokenize=False, continue_final_message=True)
        at = text.rindex(begun)
    except ValueError as error:
        raise UserError(
            f"--assistant-prefill {prefill!r}: the model's chat template does not leave it as it "
            "is; give another"
        ) from error
    return text[:at] + prefill


def prompt_ids(tokenizer: Any, messages: Sequence[Message], prefill: str = "") -> list[int]:
    """Render as `prompt_text` does, as token ids.

    Raises:
        UserError: as `prompt_text`.
    """
    text = prompt_text(tokenizer, messages, prefill)
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


class Rendered(NamedTuple):
    """What the assistant says after a prompt, as the model sees it."""

    ids: list[int]
    text: str
    offsets: list[tuple[int, int]] | None  # of every token in the text; None where unknown


def completion_ids(
    tokenizer: Any, messages: Sequence[Message], completion: str, stops: Collection[int] = ()
) -> list[int]:
    """Give the ids of `render_completion`."""
    return render_completion(tokenizer, messages, completion, stops).ids


def render_completion(
    tokenizer: Any, messages: Sequence[Message], completion: str, stops: Collection[int] = ()
) -> Rendered:
    """Render what the assistant says after `prompt_ids`, up to the token that ends its turn.

    That token is the last id given back: it is learned too. It is the first of `stops` that the
    template writes behind the completion: Gemma and Phi end a turn with one token and a
    conversation with another. Where it writes none of them it is the tokenizer's `eos_token_id`.

    Args:
        tokenizer: of the model, with its chat template.
        messages: what the assistant answers to.
        completion: what it says, without what the template puts around it.
        stops: ids at which an engine ends a turn, beside the `eos_token_id`.

    Raises:
        UserError: as `completion_text`.
    """
    text, end = completion_text(tokenizer, messages, completion)
    located = bool(getattr(tokenizer, "is_fast", False))
    read = tokenizer(text, add_special_tokens=False, return_offsets_mapping=located)
    ids: list[int] = read["input_ids"]
    offsets: list[tuple[int, int]] | None = read["offset_mapping"] if located else None
    known = {*stops, tokenizer.eos_token_id}
    # A stop is a special token, at which texts are cut: what follows is read alike in both.
    behind = tokenizer(end, add_special_tokens=False)["input_ids"]
    at = next((i for i, token in enumerate(behind) if token in known), len(behind))
    last = len(ids) - len(behind) + at + 1
    if 0 < last <= len(ids) and ids[last - 1] == behind[at]:
        return Rendered(ids[:last], text, offsets and offsets[:last])
    return Rendered(
        [*ids, tokenizer.eos_token_id], text, offsets and [*offsets, (len(text), len(text))]
    )


def completion_text(
    tokenizer: Any, messages: Sequence[Message], completion: str
) -> tuple[str, str]:
    """Write what the assistant says after `prompt_text`, and what the template puts behind it.

    Only the end of the turn is the template's. A completion that the template rendered itself may
    have lost its thought (R1, QwQ) or been given an empty one (Qwen3), which inference never sees.
    Where the prompt opens a thought, the completion goes on inside it.

    Returns:
        The text, and the part of it that the template puts behind.

    Raises:
        UserError: the template writes something else before an answer than its generation prompt.
    """
    prompt = prompt_text(tokenizer, messages)
    turns = (*messages, Message("assistant", MARK))
    answered = [{"role": m.role, "content": m.content} for m in turns]
    whole: str = tokenizer.apply_chat_template(answered, tokenize=False)
    before, _, end = whole.rpartition(MARK)
    opened = OPENED.search(prompt)
    begun = prompt[: opened.start()] if opened else prompt
    between = OPENED.sub("", before.removeprefix(begun))
    if not before.startswith(begun) or between.strip():
        raise UserError(
            "the chat template does not continue its own generation prompt; give the model a "
            "chat_template.jinja in which an answer begins where the prompt ended"
        )
    if opened and not opened["closed"]:
        return ("" if prompt.endswith("\n") else "\n") + inside_thought(completion) + end, end
    return between + completion + end, end


def inside_thought(completion: str) -> str:
    r"""Write a completion that goes on in a thought which the prompt has opened with `<think>`.

    >>> inside_thought(teach("2 and 2.", "4"))
    '2 and 2.\n</think>\n\n4'

    Raises:
        UserError: the thought holds the tag that would close it.
    """
    thought, answer, _ = parse(completion)
    if "</think>" in thought:
        raise UserError(
            "a thought holds </think>, which would be read as its end; leave the row out "
            f"(it begins {thought[:60]!r})"
        )
    return f"{thought}\n</think>\n\n{answer}"
