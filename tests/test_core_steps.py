r"""skythought/core/steps.py: paragraphs, what is kept whole, and reflection keywords."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skythought.core import shapes, steps

PARAGRAPH = st.text(st.characters(exclude_characters="\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"))
# What opens, closes, lists and parts, in any order.
PIECES = st.sampled_from(
    [
        *("```", "```py", "~~~", "````", "$$", "$$x$$", r"\[", r"\]", r"\begin{align}"),
        *(r"\end{align}", r"\\[4pt]", "1. ", "2. ", "3) ", "- ", "* ", "**1.** ", "a", "So x = 3."),
        *("\n", "\n\n", "\n \n", "\n\n\n", "\n\n\n\n", "  ", "\t", "\r", "\x0b"),
    ]
)
WILD = st.lists(PIECES, max_size=24).map("".join)
PLAIN = st.lists(
    st.sampled_from(["So x = 3.", "a\nb", "12", "\n", "\n\n", "\n \n", "\n\n\n\n", " "]),
    max_size=24,
).map("".join)
CODE = "```python\ndef f():\n    return 1\n\n\nprint(f())\n```"
MATHS = "\\[\nx = 1\n\n\\]"
ALIGNED = "\\begin{align*}\nx &= 1 \\\\[4pt]\n\ny &= 2\n\\end{align*}"
NUMBERED = "1. **Trains**: 2 of them.\n\n2. Cars:\n\n   they are 3.\n\n3. Ships."
BULLETS = "- one\n- two\n\n- three"


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
        ("one\r\n\r\ntwo\r\n", ["one\r", "two\r"]),
        ("  one\n\n two \n  \n", ["one", "two "]),
    ],
)
def test_split(thought: str, expected: list[str]) -> None:
    assert steps.split(thought) == expected


@pytest.mark.parametrize("whole", [CODE, MATHS, ALIGNED, NUMBERED, BULLETS, "$$\nx\n\ny\n$$"])
def test_whole(whole: str) -> None:
    """A block is a step, among paragraphs, and beside another one."""
    assert steps.split(whole) == [whole]
    assert steps.split(f"First.\n\n{whole}\n\nSo it is.") == ["First.", whole, "So it is."]
    assert steps.split(steps.join([whole, whole])) == [whole, whole]


@pytest.mark.parametrize(
    ("thought", "n_steps"),
    [
        (f"As code:\n{CODE}\n\nIt prints 1.", 2),
        ("```\na\n\n~~~\n\nb\n```", 1),  # other marks do not close it
        ("````\na\n\n```\n\nb\n````", 1),
        ("```python\na\n\n```python\n\nb\n```", 1),  # one that names a language closes nothing
        ("```python\na\n\nb\n\nc", 3),  # never closed: keeps nothing together
        ("$$\na\n\nb", 2),
        ("It costs $$5 more.\n\nAnd $$7 then.", 2),
        ("Let $$x = 1$$\n\nand $$y = 2$$\n\nbe.", 3),
        ("  $$x$$\n\n  $$y$$", 2),
        (r"So \[" + "\n\n" + r"x \\[4pt] y" + "\n\n" + r"\]", 1),
        (r"Or \\[" + "\n\n" + r"x\]", 2),
        ("\\[\n" + "x" * steps.LONGEST_MATHS + "\n\n\\]", 2),
        ("\\[\na\n\n\n\n\\]", 2),  # three blank lines end anything
        ("1. a\n\n2. b\n\n4. d", 1),
        ("1. a\n\n2. b\n\n1024. d", 2),
        ("1. a\n\n2) b", 2),
        ("1. a\n\n\n2. b", 2),  # two blank lines end a list
        ("1. a\n\ntext\n\n2. b", 3),
        ("1. a\n\n  text\n\n2. b", 1),
        ("We have:\n1. a\n2. b\n\n3. c", 1),
        ("- a\n\n* b", 2),
        ("3 - 1\n\n- a", 2),
        ("**1.** a\n\n**2.** b", 1),
        ("**Step 1:** a\n\n**Step 2:** b", 2),
        ("2024. a\n\n2025. b", 2),
    ],
)
def test_what_is_whole_and_what_is_not(thought: str, n_steps: int) -> None:
    assert len(steps.split(thought)) == n_steps


@given(st.lists(PARAGRAPH.map(str.strip).filter(bool)))
def test_what_is_joined_is_split_again(parts: list[str]) -> None:
    parts = [step for part in parts for step in steps.split(part)]
    assert steps.split(steps.join(parts)) == parts


@given(WILD, WILD, st.randoms(use_true_random=False))
def test_steps_in_any_order_stay_the_same(one: str, other: str, rng: random.Random) -> None:
    """Steps of two thoughts, some of them left out, in any order."""
    parts = [*steps.split(one), *steps.split(other)]
    rng.shuffle(parts)
    parts = parts[: rng.randint(0, len(parts))]
    assert steps.split(steps.join(parts)) == parts


@given(WILD)
def test_spans_leave_out_white_space_only(thought: str) -> None:
    at, outside = 0, ""
    for start, end in steps.spans(thought):
        assert at <= start < end
        outside += thought[at:start]
        at = end
    assert not (outside + thought[at:]).strip()
    once = steps.join(steps.split(thought))
    assert re.sub(r"\s+", " ", once).strip() == re.sub(r"\s+", " ", thought).strip()
    assert steps.split(once) == steps.split(thought)


@given(WILD, st.randoms(use_true_random=False))
def test_corrupted_digits_leave_steps_as_they_are(thought: str, rng: random.Random) -> None:
    corrupted = re.sub(r"\d", lambda _: rng.choice("0123456789"), thought)
    assert steps.spans(corrupted) == steps.spans(thought)


@given(PLAIN)
def test_texts_without_blocks_are_cut_at_blank_lines(thought: str) -> None:
    """What `split` was before it kept blocks whole."""
    thought = thought.strip()
    before = re.split(r"\n[ \t]*\n\s*", thought)
    assert steps.split(thought) == [step for step in before if step.strip()]


def test_real_steps_in_any_order_stay_the_same(shared: Path) -> None:
    rng = random.Random(0)
    held: list[str] = []
    whole = 0
    for trace in shapes.read_traces(shared / "traces" / "traces.jsonl"):
        text = trace.thought or trace.answer
        parts = steps.split(text)
        whole += any("\n\n" in part for part in parts)
        assert steps.split(steps.join(parts)) == parts
        held = [*parts, *rng.sample(held, min(3, len(held)))]  # and some of another trace
        rng.shuffle(held)
        assert steps.split(steps.join(held)) == held
    assert whole > 100


@pytest.mark.parametrize(
    "text",
    [
        "```python\nx\n\n" * 50_000,
        "```\n\n" * 50_001,
        "\\[ \n\n" * 100_000,
        "$$\nx\n\n" * 50_001,
        "$$" * 500_000,
        "$$a$b" * 200_000,
        "\\begin{a}\n\n" * 100_000,
        "- a\n\n" * 100_000,
        "".join(f"{i}. a\n\n" for i in range(100_000)),
        "a" * 1_000_000,
        " " * 1_000_000 + "a",
        "\n" * 500_000 + "a" + "\n" * 500_000,
        "\n \n" * 200_000 + "a\n",
        "\t" * 500_000 + "\n\n" + "\t" * 500_000 + "b",
        "1. a\n\n" + "\t" * 500_000 + "b",
        "`" * 1_000_000,
    ],
    ids=range(16),
)
def test_hostile_texts_are_cut(text: str) -> None:
    """Megabytes that would take hours were anything here quadratic."""
    parts = steps.split(text)
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
