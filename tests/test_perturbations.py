"""skythought/perturbations/: each kind changes what it says, as much as it says, and no more."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skythought import formats, perturbations, shapes, steps
from skythought.errors import UserError
from skythought.perturbations import answers, diff
from skythought.records import Message, Trace

GOLDEN = Path(__file__).parent / "cases" / "perturbations.jsonl"
CASES = [json.loads(line) for line in GOLDEN.read_text(encoding="utf-8").splitlines()]
KINDS = tuple(perturbations.PERTURBATIONS)
FRACTIONS = st.floats(0, 1)
# Paragraphs, all different, of words, digits and keywords.
WORD = st.sampled_from(["seven", "12", "Wait,", "but", "so x = 3.", "Hmm.", "maybe", "ok,", "A4"])
PARTS = st.lists(st.lists(WORD, min_size=1, max_size=6).map(" ".join), max_size=12).map(
    lambda parts: [f"{'abcdefghijkl'[i]}: {part}" for i, part in enumerate(parts)]
)


def trace(thought: str, answer: str = "It is \\boxed{7}.", name: str = "t") -> Trace:
    asked = (Message("user", f"What is {name}?"),)
    return Trace(
        id=name,
        problem_id=f"p-{name}",
        model="m",
        messages=asked,
        thought=thought,
        answer=answer,
        completion_tokens=9,
    )


DONORS = tuple(
    trace(f"foreign {name} one\n\nforeign {name} two", name=f"d{name}") for name in "abcde"
)


def apply(kind: str, parts: list[str], fraction: float, seed: int = 0) -> list[str]:
    options: dict[str, Any] = {"donors": DONORS} if kind == "insert" else {}
    made = perturbations.make(kind, fraction=fraction, seed=seed, **options)
    return steps.split(made(trace(steps.join(parts))).thought)


@pytest.mark.parametrize("case", CASES, ids=[f"{c['kind']} {c['fraction']}" for c in CASES])
def test_golden_perturbations(case: dict[str, Any]) -> None:
    options: dict[str, Any] = {"donors": DONORS} if case["kind"] == "insert" else {}
    made = perturbations.make(case["kind"], fraction=case["fraction"], **options)
    new = made(trace(case["thought"], case["answer"]))
    assert (new.thought, new.answer) == (case["new_thought"], case["new_answer"])


def test_the_golden_table_holds_every_kind() -> None:
    assert {case["kind"] for case in CASES} == set(KINDS)


@given(PARTS, FRACTIONS)
def test_shuffle_moves_so_many_steps(parts: list[str], fraction: float) -> None:
    new = apply("shuffle", parts, fraction)
    assert Counter(new) == Counter(parts)
    n = round(fraction * len(parts))
    moved = sum(a != b for a, b in zip(parts, new, strict=True))
    assert moved == (n if n != 1 else min(2, len(parts)) if len(parts) > 1 else 0)


@given(PARTS, FRACTIONS)
def test_swap_adjacent_moves_by_one(parts: list[str], fraction: float) -> None:
    new = apply("swap_adjacent", parts, fraction)
    shifts = [new.index(part) - i for i, part in enumerate(parts)]
    assert Counter(new) == Counter(parts)
    assert set(shifts) <= {-1, 0, 1}
    assert abs(sum(map(abs, shifts)) - fraction * len(parts)) <= 1


@given(PARTS, FRACTIONS)
def test_delete_keeps_the_order(parts: list[str], fraction: float) -> None:
    new = apply("delete", parts, fraction)
    assert new == [part for part in parts if part in new]
    assert len(new) == len(parts) - round(fraction * len(parts))


@given(PARTS, FRACTIONS)
def test_truncate_leaves_a_beginning(parts: list[str], fraction: float) -> None:
    new = apply("truncate", parts, fraction)
    assert new == parts[: len(parts) - round(fraction * len(parts))]


@given(PARTS, FRACTIONS)
def test_insert_keeps_the_steps_and_adds_foreign_ones(parts: list[str], fraction: float) -> None:
    new = apply("insert", parts, fraction)
    assert [step for step in new if not step.startswith("foreign")] == parts
    assert len(new) == len(parts) + round(fraction * len(parts))


@given(st.text(st.sampled_from("0123456789٣²x. \n")), FRACTIONS)
def test_digits_change_nothing_else(thought: str, fraction: float) -> None:
    new = perturbations.make("digits", fraction=fraction)(trace(thought)).thought
    assert re.sub("[0-9]", "#", new) == re.sub("[0-9]", "#", thought)
    n = len(re.findall("[0-9]", thought))
    assert sum(a != b for a, b in zip(thought, new, strict=True)) <= round(fraction * n)


def test_digits_chosen_are_redrawn_uniformly() -> None:
    thought = "5" * 20_000
    new = perturbations.make("digits", fraction=0.5)(trace(thought)).thought
    assert sum(c != "5" for c in new) == pytest.approx(9_000, abs=300)  # one in ten stays
    assert set(new) == set("0123456789")
    whole = Counter(perturbations.make("digits", fraction=1)(trace(thought)).thought)
    assert all(count == pytest.approx(2_000, abs=200) for count in whole.values())


@given(PARTS)
def test_no_keyword_is_left(parts: list[str]) -> None:
    new = perturbations.make("keywords", fraction=1)(trace(steps.join(parts))).thought
    assert steps.count_keywords(new) == 0
    assert words(new) == words(steps.KEYWORD.sub(" ", steps.join(parts)))


@given(PARTS, FRACTIONS)
def test_keywords_are_removed_by_their_number(parts: list[str], fraction: float) -> None:
    thought = steps.join(parts)
    new = perturbations.make("keywords", fraction=fraction)(trace(thought)).thought
    n = steps.count_keywords(thought)
    assert abs(steps.count_keywords(new) - (n - fraction * n)) <= 0.5 + 1e-9
    if round(fraction * n) < n:
        gone = Counter(words(thought)) - Counter(words(new))
        assert set(gone) <= {"wait", "but", "hmm", "maybe"}


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


@pytest.mark.parametrize(
    ("thought", "left"),
    [
        (
            "Wait, but the sum is 7. Hmm. Let me check: it is, however, odd.",
            "The sum is 7. It is, odd.",
        ),
        ("So 7. Wait, no. x is 8.", "So 7. No. x is 8."),
        ("It is 7, but odd.", "It is 7, odd."),
        ("(Wait, 7 is odd.)", "(7 is odd.)"),
        ("**Wait**\n\nIt is 7.", "It is 7."),
        ("One.\n\nHmm.\n\nTwo.", "One.\n\nTwo."),
        ("- Wait, x\n- But y", "- x\n- y"),
        ("Hmm...", ""),
        ("Wait — it is 7.", "It is 7."),
        ("await the button", "await the button"),
        ("Wait, x = 3.", "x = 3."),
        ('He said "Wait, it is 7."', 'He said "It is 7."'),
    ],
)
def test_what_hangs_on_a_keyword_goes_too(thought: str, left: str) -> None:
    assert perturbations.make("keywords", fraction=1)(trace(thought)).thought == left


@pytest.mark.parametrize(
    ("thought", "answer", "old"),
    [
        ("9 plus 3 is 12. So 12.", "The toll is \\boxed{12}.", "12"),
        ("So it costs $1,200.", "That is = \\$1{,}200. **Answer:** \\boxed{1,200}", "1,200"),
        ("So 2.50.", "It is 2.50 dollars.", "2.50"),
    ],
)
def test_answers_are_replaced_everywhere_they_are_stated(
    thought: str, answer: str, old: str
) -> None:
    new = perturbations.make("answers", fraction=1)(trace(thought, answer))
    said = answers.final(new.answer)
    assert said is not None
    assert answers._value(said) != answers._value(old)
    assert answers._value(old) not in map(answers._value, answers.NUMBER.findall(new.answer))
    assert said in new.thought
    assert ("," in said) == ("," in old)
    assert len(said.partition(".")[2]) == len(old.partition(".")[2])


@pytest.mark.parametrize(
    "answer", ["\\boxed{(1, 2)}", "\\boxed{x}", "\\boxed{C}", "No number.", ""]
)
def test_other_answers_stay(answer: str) -> None:
    old = trace("So it is.", answer)
    new = perturbations.make("answers", fraction=1)(old)
    assert (new.thought, new.answer) == (old.thought, old.answer)


@given(st.integers(0, 10**9), st.integers(0, 10**6))
def test_another_number_is_another(value: int, seed: int) -> None:
    rng = random.Random(seed)
    assert int(answers.another(str(value), rng)) not in (value, -1)
    assert int(answers.another(str(value), rng)) >= 0
    assert re.fullmatch(r"\d+\.\d\d", answers.another(f"{value}.25", rng))


def test_answers_are_changed_with_the_probability_asked_for() -> None:
    made = perturbations.make("answers", fraction=0.3)
    old = [trace("So 12.", "\\boxed{12}", name=str(i)) for i in range(1000)]
    assert sum(made(t).answer != t.answer for t in old) == pytest.approx(300, abs=60)


@pytest.mark.parametrize("kind", KINDS)
@given(parts=PARTS)
def test_nothing_is_nothing(kind: str, parts: list[str]) -> None:
    old = trace("\n\n\n".join(parts))
    options: dict[str, Any] = {"donors": DONORS} if kind == "insert" else {}
    new = perturbations.make(kind, fraction=0.0, **options)(old)
    assert (new.thought, new.answer) == (old.thought, old.answer)
    assert new.completion_tokens == 9


@pytest.mark.parametrize("kind", KINDS)
@given(parts=PARTS, fraction=FRACTIONS)
def test_lineage(kind: str, parts: list[str], fraction: float) -> None:
    old = trace(steps.join(parts))
    options: dict[str, Any] = {"donors": DONORS} if kind == "insert" else {}
    made = perturbations.make(kind, fraction=fraction, seed=5, **options)
    new = made(old)
    assert new == made(old)
    assert new.parent == old.id
    assert new.id != old.id
    assert len(new.edits) == 1
    assert new.edits[0].startswith(f"{kind} fraction={fraction:g} seed=5")
    if kind != "answers":
        assert new.answer == old.answer
    if new.thought != old.thought:
        assert new.completion_tokens == 0
    again = made(new)
    assert (again.parent, len(again.edits)) == (new.id, 2)
    changed = {"id", "parent", "edits", "thought", "answer", "completion_tokens"}
    for field in set(Trace.__struct_fields__) - changed:
        assert getattr(new, field) == getattr(old, field)


@pytest.mark.parametrize("kind", [k for k in KINDS if k not in ("truncate", "answers")])
def test_seeds_and_traces_draw_differently(kind: str) -> None:
    parts = [f"step {i}: 1{i} plus 2{i}. Wait, hmm, but {i}." for i in range(12)]
    assert apply(kind, parts, 0.5) != apply(kind, parts, 0.5, seed=1)
    options: dict[str, Any] = {"donors": DONORS} if kind == "insert" else {}
    made = perturbations.make(kind, fraction=0.5, **options)
    one, other = (made(trace(steps.join(parts), name=name)) for name in "xy")
    assert one.thought != other.thought


def test_insert_needs_another_problem() -> None:
    old = trace("one\n\ntwo")
    same = msgspec.structs.replace(DONORS[0], problem_id="p-t")
    asked = msgspec.structs.replace(DONORS[0], messages=old.messages)
    empty = msgspec.structs.replace(DONORS[0], thought=" ")
    made = perturbations.make("insert", fraction=1, donors=(same, asked, empty))
    with pytest.raises(UserError, match=r"trace t: no thought of another problem .* with --donors"):
        made(old)
    made = perturbations.make("insert", fraction=1, donors=(same,) * 400 + DONORS[1:2])
    assert "foreign b" in made(old).thought


def test_bad_requests() -> None:
    with pytest.raises(UserError, match=r"unknown perturbation 'shufle': did you mean 'shuffle'\?"):
        perturbations.make("shufle", fraction=1)
    for fraction in (-0.1, 1.1, 50, float("nan")):
        with pytest.raises(UserError, match=r"give a number from 0 to 1 \(50 % is 0\.5\)"):
            perturbations.make("digits", fraction=fraction)


def test_options_are_part_of_the_lineage() -> None:
    one, two = (perturbations.make("insert", fraction=1, donors=d) for d in (DONORS, DONORS[:2]))
    assert one(trace("a")).edits != two(trace("a")).edits


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


@pytest.mark.parametrize("kind", KINDS)
def test_real_traces(kind: str, shared: Path) -> None:
    """On every tenth real trace: the right amount changes, and the result reads back."""
    old = list(shapes.read_traces(shared / "traces" / "traces.jsonl"))[::10]
    options: dict[str, Any] = {"donors": tuple(old)} if kind == "insert" else {}
    made = perturbations.make(kind, fraction=0.5, **options)
    changed = 0
    for one in old:
        new = made(one)
        changed += (new.thought, new.answer) != (one.thought, one.answer)
        assert (new.answer == one.answer) or kind == "answers"
        before, after = len(steps.split(one.thought)), len(steps.split(new.thought))
        if kind in ("delete", "truncate"):
            assert after == before - round(0.5 * before)
        elif kind == "insert":
            assert after == before + round(0.5 * before)
        elif kind in ("digits", "shuffle", "swap_adjacent", "answers"):
            assert after == before
        assert formats.parse(formats.teach(new.thought, new.answer)).answer == new.answer.strip(
            "\n"
        )
    assert changed >= (0.3 if kind in ("answers", "swap_adjacent") else 0.8) * len(old)
