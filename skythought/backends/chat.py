"""The chat completions API on the wire: what is sent, and what an answer says.

`body` writes the request; `read` makes of an answer a `Completion`, or the `Fault` that it is. A
server that keeps the thought apart sends it as `reasoning_content` (DeepSeek, older vLLM) or
`reasoning` (vLLM); it is put back before the answer, as `<think>...</think>`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from http.client import responses
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET

from skythought.core import formats, presets
from skythought.core.errors import UserError, first_line, plain
from skythought.core.records import Completion, Finish, Message, Request, Sampling, digest

FINISHES: dict[str, Finish] = {"stop": "stop", "length": "length"}
# What a request says only where it was asked for.
OPTIONAL = (
    "top_k",
    "min_p",
    "presence_penalty",
    "repetition_penalty",
    "stop",
    "reasoning_effort",
)
NEWER = "max_completion_tokens"  # what newer models of OpenAI call max_tokens
DECIDED = (
    *("model", "messages", "temperature", "top_p", "max_tokens", NEWER, "seed", "n", "stream"),
    *("continue_final_message", "add_generation_prompt"),
)
FINAL = ("content_filter", "tool_calls", "function_call")  # asked again, it would end so again
BUSY = ("insufficient_system_resource",)  # asked again like a 503
RETRIED = (408, 409, 425, 429)  # and 5xx
QUOTA = "insufficient_quota"  # the code of a 429 that no waiting mends
WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
SECRET_NAME = re.compile(
    r"(api|access|private|signing)keys?|secrets?(?!ar)|passw|passphrase|credential|bearer"
    r"|authorization"
)
OF_TEXTS = ("bos", "eos", "pad", "unk", "stop", "start", "end", "begin", "mask", "image", "think")
SECRET = re.compile(  # how the keys of known providers, tokens and headers begin
    r"(?<![\w-])((sk|pk|rk|hf|gsk|xai|nvapi|ghp|github_pat|r8|pplx)[-_][\w-]{16,}"
    r"|AKIA[0-9A-Z]{16}|AIza[\w-]{30}|eyJ[\w-]{8,}\.eyJ|(?i:bearer|basic)\s+[\w+/=.-]{12,})"
)
fixed = cache(presets.fixed)  # asked for every request
SHOWN = 200  # characters of what a server says


class Fault(NamedTuple):
    """Why there is no answer."""

    reason: str
    retry: bool = False  # another attempt may succeed
    status: int = 0  # of HTTP; 0 where there was no whole answer
    stop: bool = False  # no request of this run will succeed
    paid: bool = False  # a whole answer, thrown away: it may have been charged
    prompt_tokens: int = 0  # that the server counted, and charges
    completion_tokens: int = 0


class _Message(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Bill(msgspec.Struct):
    usage: _Usage | None = None

    def tokens(self) -> tuple[int, int]:
        """Give the tokens of prompt and completion; 0 where nobody says."""
        usage = self.usage or _Usage()
        return max(0, usage.prompt_tokens or 0), max(0, usage.completion_tokens or 0)


class _Reply(_Bill):
    choices: list[_Choice] | None = None
    model: str | None = None


REPLY = msgspec.json.Decoder(_Reply)
BILL = msgspec.json.Decoder(_Bill)


def seed_of(request: Request) -> int:
    """Give the seed of a request, 31 bits: the same for the same request, on every machine."""
    return int(digest("seed", request.id)[:8], 16) >> 1


def body(model: str, request: Request, sampling: Sampling, limit: str = "max_tokens") -> bytes:
    """Write the JSON of a request; `limit` is what the server calls the most tokens.

    An answer that is begun is sent as vLLM's server wants it.
    """
    turns = [*request.messages]
    asked: dict[str, Any] = {"model": model, "messages": turns}
    if request.prefill:
        turns.append(Message("assistant", request.prefill))
        asked |= {"continue_final_message": True, "add_generation_prompt": False}
    if not fixed(model):
        asked |= {"temperature": sampling.temperature, "top_p": sampling.top_p}
    asked |= {limit: sampling.max_tokens, "seed": seed_of(request)}
    asked |= {k: v for k in OPTIONAL if (v := getattr(sampling, k)) is not UNSET}
    if sampling.extra is not UNSET:
        asked |= sampling.extra
    return msgspec.json.encode(asked)


def read_extra(text: str) -> dict[str, Any]:
    """Read the option `extra_body`, more fields of every request as JSON.

    Raises:
        UserError: not a JSON object, a field that is decided elsewhere, or one that looks like a
            secret, because extra fields are written into the traces.
    """
    try:
        found = msgspec.json.decode(text or "{}", type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as error:
        raise UserError(
            f"openai backend: extra_body: not a JSON object ({first_line(error)}); expected for "
            'example extra_body={"top_k": 20}'
        ) from error
    for name in found:
        if name in DECIDED:
            raise UserError(
                f"openai backend: extra_body: {name} is no extra field; it is written already, "
                "from --model, --sampling-params or the run itself"
            )
    for name, value in _fields(found):
        if is_secret(name) or (isinstance(value, str) and SECRET.search(value)):
            raise UserError(
                f"openai backend: extra_body: {name} looks like a secret, and extra fields are "
                "written into every trace; a key belongs into an environment variable, named with "
                "api_key_env=NAME"
            )
    return found


def is_secret(name: str) -> bool:
    """Say whether a field of this name may hold a secret.

    >>> [is_secret(name) for name in ("apiKey", "hf-token", "dbPasswd", "max_tokens", "eos_token")]
    [True, True, True, False, False]
    """
    words = [word.lower() for word in WORDS.findall(name)]
    if SECRET_NAME.search("".join(words)):
        return True
    last, before = "".join(words[-1:]), "".join(words[-2:-1])
    return (last in ("key", "pwd", "auth") and before != "cache") or (
        last.endswith("token") and before not in OF_TEXTS
    )


def _fields(value: object, name: str = "") -> Iterator[tuple[str, object]]:
    """List the fields at any depth, and what they hold; a list's parts have its name."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key, inner
            yield from _fields(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield name, inner
            yield from _fields(inner, name)


def read(request: Request, status: int, data: bytes) -> Completion | Fault:
    """Read the answer to a request."""
    if status != 200:
        quota = status == 429 and QUOTA in data.decode("utf-8", "replace")
        retry = (status in RETRIED or status >= 500) and not quota
        told = ": ".join(
            filter(None, (f"{status} {responses.get(status, '')}".strip(), says(data)))
        )
        return Fault(told, retry=retry, status=status, stop=status in (401, 402, 407) or quota)
    try:
        reply = REPLY.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        told = f"an answer that cannot be read ({first_line(error)})"
        return _thrown_away(told, _bill(data), retry=True, paid=True)
    if not reply.choices:  # some servers answer 200 and put an error in
        told = f"an answer without choices: {says(data)}"
        return _thrown_away(told, reply, retry=True)
    choice = reply.choices[0]
    finish = FINISHES.get(choice.finish_reason or "")
    if finish is None:
        ended = f"ended with finish_reason {choice.finish_reason!r}"
        busy = choice.finish_reason in BUSY
        return _thrown_away(ended, reply, retry=choice.finish_reason not in FINAL, paid=not busy)
    said, (prompt_tokens, completion_tokens) = choice.message, reply.tokens()
    thought = said.reasoning_content or said.reasoning or ""
    thought = thought if request.prefill else thought.lstrip()  # what is continued may need a space
    return Completion(
        id=request.id,
        text=join(thought, said.content or "", whole=finish == "stop"),
        finish=finish,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        served_model=reply.model or "",
    )


def _bill(data: bytes) -> _Bill:
    """Read what an answer that is otherwise none used."""
    try:
        return BILL.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Bill()


def _thrown_away(reason: str, bill: _Bill, *, retry: bool, paid: bool = False) -> Fault:
    read, written = bill.tokens()
    counted = bool(read or written)
    return Fault(
        reason,
        retry=retry,
        paid=paid or counted,
        prompt_tokens=read,
        completion_tokens=written,
    )


def join(thought: str, content: str, *, whole: bool) -> str:
    r"""Write thought and content as one text that `formats.parse` takes apart again.

    A content that has a thought of its own keeps it, after the first. Tags of a format inside a
    thought would be read as its end; they lose their brackets.

    >>> join("2 and 2", "4", whole=True)
    '<think>\n2 and 2\n</think>\n\n4'
    >>> join("2 and", "", whole=False)
    '<think>\n2 and'
    """
    if not thought:
        return content
    parts = formats.parse(content)
    inner = "\n\n".join(text for text in (thought.rstrip(), parts.thought) if text)
    for tag in (*formats.TAGS, "<think>", "</think>") if "<" in inner else ():
        inner = inner.replace(tag, tag.strip("<|/>"))
    if not whole and not parts.answer:
        return f"<think>\n{inner}"
    return f"<think>\n{inner}\n</think>\n\n{parts.answer}"


def says(data: bytes) -> str:
    """Give what an error says, on one short line.

    >>> says(b'{"error": {"message": "no such model"}}')
    'no such model'
    """
    text = data[:10_000].decode("utf-8", "replace")
    try:
        found: Any = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = None
    for key in ("error", "message", "detail"):
        if isinstance(found, dict) and found.get(key):
            found = found[key]
    text = found if isinstance(found, str) else text
    line = " ".join(plain(text).split())
    return line if len(line) <= SHOWN else f"{line[:SHOWN]}..."
