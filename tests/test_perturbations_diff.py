"""skythought/perturbations/diff.py: right whatever the texts, and safe to put on a page."""

from __future__ import annotations

import html
import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skythought.core import steps
from skythought.perturbations import diff

WORD = st.sampled_from(["seven", "12", "Wait,", "but", "so x = 3.", "<b>&", "maybe", "A4"])
PARTS = st.lists(st.lists(WORD, min_size=1, max_size=6).map(" ".join), max_size=12).map(
    lambda parts: [f"{'abcdefghijkl'[i]}: {part}" for i, part in enumerate(parts)]
)
TAG = re.compile(r"</?(?:ins|del)>")


@given(PARTS, PARTS)
def test_a_diff_holds_both_texts(old: list[str], new: list[str]) -> None:
    pieces = [p for step in diff.thoughts(steps.join(old), steps.join(new)) for p in step]
    for sign, parts in (("-", old), ("+", new)):
        kept = "".join(text for mark, text in pieces if mark in (" ", sign))
        assert Counter(kept) == Counter("".join(parts))


def test_a_diff_shows_words() -> None:
    assert diff.words("3 plus 4 is 7", "3 plus 9 is 7") == [
        (" ", "3 plus "),
        ("-", "4"),
        ("+", "9"),
        (" ", " is 7"),
    ]
    assert list(diff.thoughts("a\n\nb\n\nc", "b\n\nc\n\na")) == [
        [("-", "a")],
        [(" ", "b")],
        [(" ", "c")],
        [("+", "a")],
    ]


@given(PARTS, PARTS)
def test_rows_hold_both_texts(old: list[str], new: list[str]) -> None:
    """Without its tags each side is the text of its steps, in their order."""
    rows = list(diff.rows(steps.join(old), steps.join(new)))
    for side, parts in (("before", old), ("after", new)):
        shown = [html.unescape(TAG.sub("", text)) for row in rows if (text := getattr(row, side))]
        assert sorted(shown) == sorted(steps.split(steps.join(parts)))
    for row in rows:
        assert "<ins>" not in row.before
        assert "<del>" not in row.after
        assert (row.change == "kept") == (row.before == row.after)
        assert (row.change == "added") == (row.before == "")
        assert (row.change == "removed") == (row.after == "")


def test_rows_show_words() -> None:
    assert list(diff.rows("3 plus 4 is 7\n\nb\n\nc", "3 plus 9 is 7\n\nc\n\nd")) == [
        ("changed", "3 plus <del>4</del> is 7", "3 plus <ins>9</ins> is 7"),
        ("removed", "<del>b</del>", ""),
        ("kept", "c", "c"),
        ("added", "", "<ins>d</ins>"),
    ]


@pytest.mark.parametrize(
    "bad",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "</del></td></table><script>",
        "<!-- <ins> -->",
        "&lt;script&gt; &#60;",
        "\x00\x1b[2J<b>",
    ],
)
def test_nothing_of_a_text_is_markup(bad: str) -> None:
    """Tags of the text itself are shown, not obeyed, whether they stay, come or go."""
    for old, new in (
        (f"say {bad} so 1", f"say {bad} so 2"),
        (f"say so {bad}", "say so"),
        ("say so", f"say so {bad}"),
        (bad, f"other {bad[::-1]}"),
    ):
        for row in diff.rows(old, new):
            for side in (row.before, row.after):
                assert not set("<>\"'") & set(TAG.sub("", side))
                assert html.unescape(TAG.sub("", side)) in (old, new, "")


@pytest.mark.parametrize("n", [30_000])
def test_loops_take_no_time(n: int) -> None:
    """A word or a step again and again is compared in place, or as a whole."""
    text = "the 12 is 34. " * n
    new = text.replace("12", "15", n // 2)
    pieces = diff.words(text, new)
    assert "".join(t for mark, t in pieces if mark in " -") == text
    assert "".join(t for mark, t in pieces if mark in " +") == new
    assert Counter(mark for mark, _ in pieces)["-"] == n // 2
    shorter = "the 12 is 34. " * (n - 1) + "And so on"
    pieces = diff.words(text, shorter)
    assert "".join(t for mark, t in pieces if mark in " -") == text
    assert "".join(t for mark, t in pieces if mark in " +") == shorter
    assert diff.words(text, "x " + "the 13 is 34 " * n)
    looped = "wait 12.\n\n" * n
    assert sum(1 for _ in diff.thoughts(looped, looped.replace("12", "13", 7))) >= n
