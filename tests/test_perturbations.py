"""skythought/perturbations/: each kind changes what it says, as much as it says, and no more."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from perturbed import trace

from skythought import perturbations
from skythought.core import formats, shapes, steps
from skythought.core.errors import UserError
from skythought.core.records import Trace

GOLDEN = Path(__file__).parent / "cases" / "perturbations.jsonl"
CASES = [json.loads(line) for line in GOLDEN.read_text(encoding="utf-8").splitlines()]
KINDS = tuple(perturbations.PERTURBATIONS)
FRACTIONS = st.floats(0, 1)
# Paragraphs, all different, of words, digits and keywords.
WORD = st.sampled_from(["seven", "12", "Wait,", "but", "so x = 3.", "Hmm.", "maybe", "ok,", "A4"])
PARTS = st.lists(st.lists(WORD, min_size=1, max_size=6).map(" ".join), max_size=12).map(
    lambda parts: [f"{'abcdefghijkl'[i]}: {part}" for i, part in enumerate(parts)]
)


DONORS = tuple(
    trace(f"foreign {name} one\n\nforeign {name} two", name=f"d{name}") for name in "abcde"
)


def role(trace: Trace, parts: Sequence[str]) -> list[str]:
    """Give each step one of three roles, whatever it says."""
    return [str(sum(map(ord, part)) % 3) for part in parts]


def reword(text: str) -> str:
    """Say it otherwise, as a model might: with more words and the same numbers."""
    return f"In other words, {text}"


OPTIONS: dict[str, dict[str, Any]] = {
    "insert": {"donors": DONORS},
    "swap_roles": {"roles": role},
    "paraphrase": {"rewrite": reword},
}


def apply(kind: str, parts: list[str], fraction: float, seed: int = 0) -> list[str]:
    made = perturbations.make(kind, fraction=fraction, seed=seed, **OPTIONS.get(kind, {}))
    return steps.split(made(trace(steps.join(parts))).thought)


@pytest.mark.parametrize("case", CASES, ids=[f"{c['kind']} {c['fraction']}" for c in CASES])
def test_golden_perturbations(case: dict[str, Any]) -> None:
    options = OPTIONS.get(case["kind"], {})
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


def test_keywords_of_ones_own() -> None:
    made = perturbations.make("keywords", fraction=1, words="so|let us see")
    assert made(trace("So, wait. Let us see: 7.")).thought == "Wait. 7."
    assert made(trace("x")).edits == ("keywords fraction=1 seed=0 words=so|let us see",)
    with pytest.raises(UserError, match=r"words: give keywords with \| between them"):
        perturbations.make("keywords", fraction=1, words=" | ")(trace("x"))


@pytest.mark.parametrize("text", ["wait, ", "let me maybe check ", "wait wait\n\n", "(hmm) "])
def test_keywords_without_end_take_no_time(text: str) -> None:
    """Each is cut out of what stands around it, not out of a copy of the whole."""
    long = text * 40_000
    assert steps.count_keywords(apply_text("keywords", long, 1.0)) == 0
    n = len(re.findall("wait|hmm|maybe", long))
    left = len(re.findall("wait|hmm|maybe", apply_text("keywords", long, 0.5)))
    assert left == n - round(0.5 * n)


def apply_text(kind: str, thought: str, fraction: float) -> str:
    return perturbations.make(kind, fraction=fraction)(trace(thought)).thought


@pytest.mark.parametrize("kind", KINDS)
@given(parts=PARTS)
def test_nothing_is_nothing(kind: str, parts: list[str]) -> None:
    old = trace("\n\n\n".join(parts))
    new = perturbations.make(kind, fraction=0.0, **OPTIONS.get(kind, {}))(old)
    assert (new.thought, new.answer) == (old.thought, old.answer)
    assert new.completion_tokens == 9


@pytest.mark.parametrize("kind", KINDS)
@given(parts=PARTS, fraction=FRACTIONS)
def test_lineage(kind: str, parts: list[str], fraction: float) -> None:
    old = trace(steps.join(parts))
    made = perturbations.make(kind, fraction=fraction, seed=5, **OPTIONS.get(kind, {}))
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
    made = perturbations.make(kind, fraction=0.5, **OPTIONS.get(kind, {}))
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


def test_options_are_read() -> None:
    with pytest.raises(UserError, match=r"unknown option of digits 'word': known: none"):
        perturbations.make("digits", fraction=1, word="x")
    with pytest.raises(UserError, match=r"unknown option of keywords 'word': did you mean 'words'"):
        perturbations.make("keywords", fraction=1, word="x")
    with pytest.raises(UserError, match="kind 'paraphrase': whole=yes: give a whole number"):
        perturbations.make("paraphrase", fraction=1, whole="yes", rewrite=reword)
    with pytest.raises(UserError, match="kind 'paraphrase': it needs the option rewrite"):
        perturbations.make("paraphrase", fraction=1)
    with pytest.raises(UserError, match="rewrite 'math:pi': expected a function"):
        perturbations.make("paraphrase", fraction=1, rewrite="math:pi")
    made = perturbations.make("paraphrase", fraction=1, rewrite="textwrap:dedent")
    assert made(trace("x")).edits == ("paraphrase fraction=1 seed=0 rewrite=textwrap:dedent",)
    made = perturbations.make("swap_roles", fraction=1, roles=role)
    assert made(trace("x")).edits == (f"swap_roles fraction=1 seed=0 roles={__name__}:role",)


def test_a_chain_is_one_after_another() -> None:
    one = perturbations.make("digits", fraction=0.5, seed=3)
    two = perturbations.make("shuffle", fraction=1, seed=3)
    old = trace("1 is 2.\n\n3 is 4.\n\n5 is 6.")
    new = perturbations.chain([one, two])(old)
    assert new == msgspec.structs.replace(two(one(old)), parent=old.id)
    assert new.edits == ("digits fraction=0.5 seed=3", "shuffle fraction=1 seed=3")
    assert perturbations.chain([])(old) is old


def test_options_are_part_of_the_lineage() -> None:
    one, two = (perturbations.make("insert", fraction=1, donors=d) for d in (DONORS, DONORS[:2]))
    assert one(trace("a")).edits != two(trace("a")).edits


@pytest.mark.parametrize("kind", KINDS)
def test_real_traces(kind: str, shared: Path) -> None:
    """On every tenth real trace: the right amount changes, and the result reads back."""
    old = list(shapes.read_traces(shared / "traces" / "traces.jsonl"))[::10]
    options = {**OPTIONS.get(kind, {}), **({"donors": old} if kind == "insert" else {})}
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
        elif kind in ("shuffle", "swap_adjacent", "swap_roles", "paraphrase"):
            assert after == before
        elif kind == "digits":  # a list item of another number may be a step of its own
            assert len(new.thought) == len(one.thought)
        assert formats.parse(formats.teach(new.thought, new.answer)).answer == new.answer.strip(
            "\n"
        )
    assert changed >= (0.3 if kind in ("answers", "swap_adjacent") else 0.8) * len(old)
