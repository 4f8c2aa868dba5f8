"""skythought/steps.py: paragraphs and reflection keywords."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skythought import steps

PARAGRAPH = st.text(st.characters(exclude_characters="\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"))


@pytest.mark.parametrize(
    ("thought", "expected"),
    [
        ("", []),
        ("\n\n\n", []),
        ("one", ["one"]),
        ("one\n\ntwo", ["one", "two"]),
        ("\n\none\n\n\n\ntwo\n", ["one", "two"]),
        ("one\nstill one\n\ntwo", ["one\nstill one", "two"]),
        ("one  \n \t\ntwo", ["one  ", "two"]),
        ("one\n\n    indented\n\ntwo", ["one", "indented", "two"]),
    ],
)
def test_split(thought: str, expected: list[str]) -> None:
    assert steps.split(thought) == expected


@given(st.lists(PARAGRAPH.map(str.strip).filter(bool)))
def test_what_is_joined_is_split_again(parts: list[str]) -> None:
    assert steps.split(steps.join(parts)) == parts


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("Wait, that is wrong. But no.", 2),
        ("WAIT", 1),
        ("await the waiter, a button, Butter", 0),
        ("On second thought, let me double-check.", 2),
        ("Let me check again", 2),
        ("hold on", 1),
        ("the holder", 0),
    ],
)
def test_count_keywords(text: str, count: int) -> None:
    assert steps.count_keywords(text) == count


def test_longer_keywords_win() -> None:
    """`let me double-check` is one keyword, and no shorter one is left in its place."""
    found = [m.group().lower() for m in steps.KEYWORD.finditer("Let me double-check this.")]
    assert found == ["let me double-check"]
