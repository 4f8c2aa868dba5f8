"""What each kind of perturbation keeps, over thoughts made of the pieces that real ones have."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skythought import perturbations
from skythought.core import formats, steps
from skythought.core.records import Message, Trace
from skythought.perturbations import paraphrase

FRACTIONS = st.sampled_from([0.0, 0.2, 0.33, 0.5, 0.67, 0.7, 1.0]) | st.floats(0, 1)
PIECES = (
    "Okay, 3 boxes of 12.",
    "Wait, let me check: 3 * 12 = 36, but 4 are broken.",
    "**Final Answer**\n\\boxed{32}",
    "```python\ndef f(n):\n\n    return n + 1\n```",
    "~~~\nnever closed",
    "\\[\n\nx^2 + 3 = 12\n\n\\]",
    "$$ 1 + 1 = 2 $$",
    "$$\n\\frac{1}{2}",
    "\\begin{align}\na &= 1 \\\\\n\nb &= 22\n\\end{align}",
    "1. first\n2. second\n\n3. third",
    "1. again from 1",
    "- a\n- b\n\n- c",
    "   indented, after a list",
    "Hmm... (maybe) “actually” — however,",
    "x = ٣ + ² and 3½ apples, 1,234.5 in all; naïve café 数学 是 7 🙂",
    "| a | b |\n|---|---|\n| 1 | 2 |",
    "So, but. But wait, wait! Hold on",
    "<script>alert('1')</script> & \\\\ \\",
    "let me maybe check again\u2028another line\x0b2",
    "word " * 50,
)
GAPS = st.sampled_from(["\n\n", "\n\n", "\n\n\n", "\n \t\n", "\n\n\n\n", "\n"])
NAMED = st.tuples(st.sampled_from(PIECES), st.integers(0, 99)).map(
    lambda pair: f"{pair[0]}\nof {pair[1]}" if pair[1] > 60 else pair[0]
)
THOUGHTS = st.lists(st.tuples(NAMED, GAPS), max_size=14).map(
    lambda pieces: "".join(piece + gap for piece, gap in pieces)
)
DONORS = tuple(
    Trace(
        id=f"d{i}",
        problem_id=f"p-d{i}",
        model="m",
        messages=(Message("user", f"Of {i}?"),),
        thought=f"foreign {i}\n\n```\nforeign\n\ncode\n```\n\n1. foreign item\n\n2. and next",
        answer="",
    )
    for i in range(4)
)
PARTS_OF_DONORS = {part for donor in DONORS for part in steps.split(donor.thought)}


def roles(trace: Trace, parts: list[str]) -> list[str]:
    return [str(sum(map(ord, part)) % 3) for part in parts]


def odd_reword(text: str) -> str:
    """Reword most texts rightly, and some as a bad model would."""
    said = {
        0: f"Put otherwise,\n\n{text}",
        1: "Something quite different, 99.",
        2: "",
        3: f"{text} Also 12345.",
    }
    return said.get(len(text) % 9, f"In other words: {text}")


OPTIONS: dict[str, dict[str, Any]] = {
    "insert": {"donors": DONORS},
    "swap_roles": {"roles": roles},
    "paraphrase": {"rewrite": odd_reword},
}
KINDS = tuple(perturbations.PERTURBATIONS)


def trace(thought: str, answer: str = "So \\boxed{32}.") -> Trace:
    asked = (Message("user", "How many?"),)
    return Trace(id="t", problem_id="p", model="m", messages=asked, thought=thought, answer=answer)


def changed(kind: str, thought: str, fraction: float, **options: Any) -> str:
    given = {**OPTIONS.get(kind, {}), **options}
    new = perturbations.make(kind, fraction=fraction, **given)(trace(thought))
    assert kind == "answers" or new.answer == "So \\boxed{32}."
    return new.thought


def within_one(n: int, fraction: float, of: int) -> bool:
    """Say whether a number is the fraction of another, but for less than one."""
    return abs(n - fraction * of) < 1


@given(THOUGHTS, FRACTIONS)
def test_digits_keep_the_length_and_all_else(thought: str, fraction: float) -> None:
    new = changed("digits", thought, fraction)
    assert len(new) == len(thought)
    assert re.sub("[0-9]", "0", new) == re.sub("[0-9]", "0", thought)
    n = len(re.findall("[0-9]", thought))
    assert sum(a != b for a, b in zip(thought, new, strict=True)) < fraction * n + 1


@given(THOUGHTS, FRACTIONS)
def test_keywords_go_within_one(thought: str, fraction: float) -> None:
    new = changed("keywords", thought, fraction)
    n, left = steps.count_keywords(thought), steps.count_keywords(new)
    if fraction == 1:
        assert left == 0
    elif "maybe check" not in thought:  # a keyword inside of another
        assert within_one(n - left, fraction, n)
    # Nothing comes that was not there, but for capitals and line breaks.
    assert not Counter(new.lower().split("\n")[0]) - Counter(thought.lower())
    assert not Counter("".join(new.split()).lower()) - Counter("".join(thought.split()).lower())


@given(THOUGHTS, FRACTIONS)
def test_shuffle_keeps_the_multiset_of_steps(thought: str, fraction: float) -> None:
    old, new = steps.split(thought), steps.split(changed("shuffle", thought, fraction))
    assert Counter(new) == Counter(old)
    if len(set(old)) == len(old) > 1:
        moved = sum(a != b for a, b in zip(old, new, strict=True))
        assert within_one(moved, fraction, len(old)) or (fraction * len(old) < 2 and moved == 2)


@given(THOUGHTS, FRACTIONS)
def test_swap_adjacent_moves_steps_by_one(thought: str, fraction: float) -> None:
    old, new = steps.split(thought), steps.split(changed("swap_adjacent", thought, fraction))
    assert Counter(new) == Counter(old)
    if len(set(old)) == len(old):
        shifts = [abs(new.index(part) - i) for i, part in enumerate(old)]
        assert set(shifts) <= {0, 1}
        assert abs(sum(shifts) - fraction * len(old)) <= 1


@given(THOUGHTS, FRACTIONS)
def test_swap_roles_keeps_steps_and_changes_roles(thought: str, fraction: float) -> None:
    old, new = steps.split(thought), steps.split(changed("swap_roles", thought, fraction))
    assert Counter(new) == Counter(old)
    had, has = roles(trace(""), old), roles(trace(""), new)
    assert Counter(had) == Counter(has)
    moved = [i for i, (a, b) in enumerate(zip(old, new, strict=True)) if a != b]
    assert all(had[i] != has[i] for i in moved)
    most = 2 * (len(old) - max(Counter(had).values(), default=0))
    assert abs(len(moved) - min(fraction * len(old), most)) <= 1
    assert len(moved) % 2 == 0


@given(THOUGHTS, FRACTIONS)
def test_delete_keeps_the_order(thought: str, fraction: float) -> None:
    old, new = steps.split(thought), steps.split(changed("delete", thought, fraction))
    rest = iter(old)
    assert all(part in rest for part in new)  # a subsequence
    assert within_one(len(old) - len(new), fraction, len(old))


@given(THOUGHTS, FRACTIONS)
def test_truncate_leaves_a_beginning(thought: str, fraction: float) -> None:
    old, new = steps.split(thought), steps.split(changed("truncate", thought, fraction))
    assert new == old[: len(new)]
    assert within_one(len(old) - len(new), fraction, len(old))


@given(THOUGHTS, FRACTIONS)
def test_insert_keeps_all_steps_and_adds_foreign_ones(thought: str, fraction: float) -> None:
    old, new = steps.split(thought), steps.split(changed("insert", thought, fraction))
    assert [part for part in new if part not in PARTS_OF_DONORS] == old
    assert within_one(len(new) - len(old), fraction, len(old))


@given(THOUGHTS, FRACTIONS)
def test_paraphrase_keeps_numbers_and_formulas_of_every_step(thought: str, fraction: float) -> None:
    counts: Counter[str] = Counter()
    text = changed("paraphrase", thought, fraction, counts=counts)
    old, new = steps.split(thought), steps.split(text)
    assert len(new) == len(old)
    for before, after in zip(old, new, strict=True):
        assert paraphrase.numbers(after) == paraphrase.numbers(before)
        assert all(f in "".join(after.split()) for f in paraphrase.formulas(before))
    assert counts["rewritten"] == sum(a != b for a, b in zip(old, new, strict=True))
    asked = sum(n for name, n in counts.items() if ":" not in name)  # reasons are counted beside
    assert within_one(asked, fraction, len(old))


@given(THOUGHTS, st.booleans())
def test_answers_change_nothing_but_the_answer(thought: str, stated: bool) -> None:
    thought = f"{thought}\n\nSo the answer is 32." if stated else thought
    new = perturbations.make("answers", fraction=1.0)(trace(thought))
    said = formats.last_boxed(new.answer)
    assert said is not None
    assert said != "32"
    assert new.answer == f"So \\boxed{{{said}}}."
    assert re.sub(rf"\b(?:32|{said})\b", "#", new.thought) == re.sub(
        rf"\b(?:32|{said})\b", "#", thought
    )
    assert not stated or new.thought.endswith(f"So the answer is {said}.")


@pytest.mark.parametrize("kind", KINDS)
@given(thought=THOUGHTS, fraction=FRACTIONS, seed=st.integers(0, 5))
def test_the_same_again_is_the_same(kind: str, thought: str, fraction: float, seed: int) -> None:
    made = [
        perturbations.make(kind, fraction=fraction, seed=seed, **OPTIONS.get(kind, {}))
        for _ in range(2)
    ]
    old = trace(thought)
    one, other = (make(old) for make in made)
    assert one == other
    assert (one.parent, len(one.edits)) == (old.id, 1)
    if fraction == 0:
        assert (one.thought, one.answer) == (old.thought, old.answer)


@given(st.lists(st.sampled_from(KINDS), min_size=1, max_size=4), THOUGHTS, FRACTIONS)
def test_any_kinds_make_a_chain(kinds: list[str], thought: str, fraction: float) -> None:
    made = [perturbations.make(k, fraction=fraction, **OPTIONS.get(k, {})) for k in kinds]
    new = old = trace(thought)
    for change in made:
        new = change(new)
    whole = perturbations.chain(made)(old)
    assert (whole.id, whole.thought, whole.answer) == (new.id, new.thought, new.answer)
    assert [edit.split()[0] for edit in whole.edits] == kinds
    assert whole.parent == old.id
    assert "answers" in kinds or whole.answer == old.answer
