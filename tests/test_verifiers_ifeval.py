"""skythought/verifiers/ifeval.py: an answer is right if it follows every instruction."""

from __future__ import annotations

from typing import Any

import pytest

from skythought.core.records import Problem
from skythought.verifiers import ifeval, known

pytest.importorskip("if_verifiable", reason="needs skythought[ifeval]")


def asked(*instructions: tuple[str, dict[str, Any]]) -> Problem:
    names, settings = [name for name, _ in instructions], [given for _, given in instructions]
    extra = {"instruction_id_list": names, "kwargs": settings}
    return Problem(id="p", task="ifeval", question="Say something.", answer="follows", extra=extra)


NO_COMMA: tuple[str, dict[str, Any]] = ("punctuation:no_comma", {"num_words": None})
TWICE: tuple[str, dict[str, Any]] = (
    "keywords:frequency",
    {"keyword": "oak", "frequency": 2, "relation": "at least"},
)
JSON: tuple[str, dict[str, Any]] = ("detectable_format:json_format", {})
CAPITAL: tuple[str, dict[str, Any]] = ("change_case:english_capital", {})


@pytest.mark.parametrize(
    ("instructions", "answer", "outcome", "detail"),
    [
        ((NO_COMMA,), "no commas here", "correct", "1 followed"),
        ((NO_COMMA,), "one, two", "incorrect", "not followed: punctuation:no_comma"),
        ((NO_COMMA, TWICE), "oak and oak", "correct", "2 followed"),
        ((NO_COMMA, TWICE), "oak", "incorrect", "not followed: keywords:frequency"),
        ((NO_COMMA, TWICE), ",", "incorrect", "punctuation:no_comma, keywords:frequency"),
        ((JSON,), '{"a": 1}', "correct", "1 followed"),
        ((JSON,), "a: 1", "incorrect", "json_format"),
        ((CAPITAL,), "ALL OF IT IS LOUD AND ENGLISH", "correct", "1 followed"),
    ],
)
def test_instructions(
    instructions: tuple[tuple[str, dict[str, Any]], ...], answer: str, outcome: str, detail: str
) -> None:
    found = ifeval.check(asked(*instructions), answer)
    assert found.outcome == outcome
    assert detail in found.detail


def test_what_cannot_be_checked() -> None:
    found = ifeval.check(asked(("no:such_instruction", {})), "x")
    assert (found.outcome, "no:such_instruction" in found.detail) == ("error", True)
    bare = Problem(id="p", task="ifeval", question="?", answer="follows")
    assert ifeval.check(bare, "x").outcome == "error"


def test_it_is_tried_before_it_is_believed() -> None:
    known.self_test("ifeval")
