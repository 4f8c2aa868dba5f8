"""Backends: what answers requests.

A backend is made with `Backend(model, **options)`, has an `identity` (the model's name in traces; a
local checkpoint's holds a hash of its weights), and

    complete(requests, sampling) -> Iterator[Completion]

yields a completion as soon as it is finished, in any order. A backend may also have:

| attribute | meaning | if not there |
|---|---|---|
| `render(request)` | the prompt as the model reads it, to be shown | roles and texts are shown |
| `continues` | True: goes on after `Request.prefill`, and gives back only what follows | refused |
| `lazy` | True: takes requests one by one as it can, and never asks how many there are | a list |
| `own_samples` | True: samples of a problem differ, whatever the temperature | greedy ones do not |
| `host` | who is paid; its prices are in `core/prices.py` | costs nothing that we know of |
| `extra_body` | more fields of every request, kept in the sampling of the traces | none |
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from skythought.core import options as option_texts
from skythought.core import registry
from skythought.core.errors import UserError
from skythought.core.records import Completion, Finish, Request, Sampling

BACKENDS = {
    "hf": "skythought.backends.hf:HuggingFace",  # transformers, on this machine
    "openai": "skythought.backends.openai:OpenAI",  # any OpenAI-compatible chat server
    "vllm": "skythought.backends.vllm:VLLM",  # vLLM, on this machine
    "ray": "skythought.backends.ray:Ray",  # any of these on the machines of a Ray cluster
    "symbolic": "skythought.backends.symbolic:SymbolicTeacher",  # a teacher that needs no model
    "scripted": "skythought.backends.scripted:Scripted",  # answers from a file
}


class Backend(Protocol):
    """What every backend offers; `runs_on`, where there is one, says what moves last digits."""

    identity: str

    def complete(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[Completion]:
        """Yield one completion per request, as they finish."""
        ...


def make(name: str, model: str, options: dict[str, Any] | None = None) -> Backend:
    """Build a backend by name.

    Raises:
        UserError: no such backend, a missing extra, or an option it does not know or cannot read.
    """
    kind = registry.resolve("backend", name, BACKENDS)
    wanted = inspect.signature(kind)
    given = option_texts.typed(wanted, options or {}, "backend", name)
    try:
        wanted.bind(model, **given)
    except TypeError as error:
        raise UserError(f"backend {name!r}: {error}") from error
    try:
        built: Backend = kind(model, **given)
    except ValueError as error:
        raise UserError(f"backend {name!r}: {error}") from error
    return built


def cut(text: str, max_tokens: int) -> tuple[str, Finish, int]:
    """Cut a text after so many words, for backends without a tokenizer: (text, finish, words)."""
    ends = [word.end() for word in re.finditer(r"\S+", text)]
    if len(ends) <= max_tokens:
        return text, "stop", len(ends)
    return text[: ends[max_tokens - 1]], "length", max_tokens
