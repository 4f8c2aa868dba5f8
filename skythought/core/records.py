"""The four records that flow through the pipeline, and the request a backend answers.

All are frozen and flat. A teacher's output, a perturbed thought and a student's benchmark answer
are all a `Trace`; data filtering and benchmark grading are both a `Verdict`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

Finish = Literal["stop", "length", "error"]
Outcome = Literal["correct", "incorrect", "no_answer", "error"]


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=False):
    """One turn of a conversation."""

    role: str
    content: str


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A question with a reference answer."""

    id: str
    task: str
    question: str
    answer: str  # reference answer as text; empty where none exists
    extra: dict[str, Any] = {}  # what a verifier or an audit needs beyond the answer


class Sampling(msgspec.Struct, frozen=True, kw_only=True):
    """How a completion is drawn; part of a trace's identity.

    What is not given (UNSET) is in no file and no hash.
    """

    temperature: float = 0.0  # 0 is greedy
    top_p: float = 1.0
    max_tokens: int = 1024  # completion tokens, prompt excluded
    seed: int = 0
    top_k: int | UnsetType = UNSET  # only the k most likely tokens
    min_p: float | UnsetType = UNSET  # only tokens at least so likely, as share of the likeliest
    presence_penalty: float | UnsetType = UNSET  # taken off the logit of a token said before
    repetition_penalty: float | UnsetType = UNSET  # divides the logit of one read or said before
    stop: tuple[str, ...] | UnsetType = UNSET  # texts that end an answer, and are no part of it
    reasoning_effort: str | UnsetType = UNSET  # of servers that have such a thing
    extra: dict[str, Any] | UnsetType = UNSET  # more fields of a chat server's request


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What a backend is asked: one completion of one conversation."""

    id: str
    messages: tuple[Message, ...]
    sample: int = 0  # number of the sample among those of the same problem
    prefill: str = ""  # how the answer begins; what comes back goes on from there


class Completion(msgspec.Struct, frozen=True, kw_only=True):
    """What a backend gives back for the request of the same id."""

    id: str
    text: str
    finish: Finish
    prompt_tokens: int = 0
    completion_tokens: int = 0
    error: str = ""
    wasted: tuple[int, int] = (
        0,
        0,
    )  # prompt and completion tokens of attempts thrown away, paid too
    served_model: str = ""  # the name a server reports, which may say more than the one asked for


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """One answer of one model to one problem: a thought and the answer text after it."""

    id: str  # hash of the request: see `trace_id`
    problem_id: str
    model: str  # a local checkpoint is named with a hash of its weights
    messages: tuple[Message, ...]  # the prompt
    thought: str  # steps separated by blank lines; empty where the model did not think
    answer: str  # what follows the thought (the solution shown to a reader)
    sampling: Sampling = Sampling()
    sample: int = 0
    finish: Finish = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    error: str = ""
    parent: str = ""  # id of the trace this one was derived from
    edits: tuple[str, ...] = ()  # what was done to the parent, in order
    served_model: str | UnsetType = UNSET  # what a server calls it; left out where none was asked
    prefill: str | UnsetType = UNSET  # how the answer was begun for the model; part of it
    wasted: tuple[int, int] | UnsetType = UNSET  # tokens, in and out, of attempts thrown away


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a verifier says of one trace."""

    verifier: str  # name and version; first, so that a torn first line is known for a verdict's
    id: str  # of the trace
    outcome: Outcome  # no_answer counts as wrong; error counts as neither
    extracted: str = ""  # what was taken as the answer
    expected: str = ""
    rule: str = ""  # what decided: how the answer was found, then how it was compared
    detail: str = ""  # why, where the rule does not say it: an error, a limit, the failing test

    @property
    def reason(self) -> str:
        """Rule and detail on one line."""
        return ": ".join(filter(None, (self.rule, self.detail)))


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """One training example: a prompt, the completion to learn, and where it came from."""

    id: str
    trace_id: str
    messages: tuple[Message, ...]
    completion: str
    rejected: str = ""  # preference data: the completion to avoid
    tags: tuple[str, ...] = ()


def digest(*parts: object, length: int = 16) -> str:
    """Hash any JSON-able parts to a hex string that is the same on every machine."""
    return hashlib.sha256(_plain(parts)).hexdigest()[:length]


def digest_all(items: Iterable[object], length: int = 16) -> str:
    """Hash many items as `digest(list(items))` does, without writing them all out at once."""
    sha = hashlib.sha256(b"[[")
    for number, item in enumerate(items):
        sha.update(b"," + _plain(item) if number else _plain(item))
    sha.update(b"]]")
    return sha.hexdigest()[:length]


def trace_id(
    problem_id: str,
    messages: tuple[Message, ...],
    model: str,
    sampling: Sampling,
    sample: int,
    parent: str = "",
    edits: tuple[str, ...] = (),
    prefill: str = "",
) -> str:
    """Hash the request that makes a trace, so that asking twice is seen before paying."""
    asked = (problem_id, messages, model, sampling, sample, parent, edits)
    return digest(*asked, prefill) if prefill else digest(*asked)


def sample_ids(
    problem_id: str,
    messages: tuple[Message, ...],
    model: str,
    sampling: Sampling,
    n: int,
    prefill: str = "",
) -> Iterator[str]:
    """Give the `trace_id` of `n` samples of one problem, writing the problem out only once."""
    whole = _plain((problem_id, messages, model, sampling))
    begun = hashlib.sha256(whole[:-1])  # without the bracket that closes it
    rest = b',"",[]' + (b"," + _plain(prefill) if prefill else b"") + b"]"
    for sample in range(n):
        sha = begun.copy()
        sha.update(b",%d" % sample + rest)
        yield sha.hexdigest()[:16]


def _plain(value: object) -> bytes:
    return msgspec.json.encode(value, order="deterministic")
