"""Reasons to leave a trace out of a training set, beyond its verdict.

`duplicates` finds traces that are like one kept before, `contamination` those that answer a
problem of a benchmark. Both look at one trace at a time, hold arrays in place of texts, and give a
`Reason` or None.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from skythought.core.records import Message, Trace


class Reason(NamedTuple):
    """Why a trace is left out."""

    kind: str  # what is counted: "near-duplicate"
    text: str  # what is said of this trace: "near-duplicate of 3f2a"
    evidence: Mapping[str, Any] = {}  # more fields for the file of dropped traces


def question_of(trace: Trace) -> str:
    """Give what was asked: the turns of the user, without system prompts and examples' answers."""
    return asked(trace.messages)


def asked(messages: tuple[Message, ...]) -> str:
    """Give the turns of the user as one text."""
    return "\n\n".join(turn.content for turn in messages if turn.role == "user")


def response_of(trace: Trace) -> str:
    """Give what was answered: the thought and the answer after it."""
    return f"{trace.thought}\n\n{trace.answer}" if trace.thought else trace.answer
