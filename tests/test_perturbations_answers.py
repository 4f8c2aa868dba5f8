"""skythought/perturbations/answers.py: another answer, everywhere it is stated."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from perturbed import trace

from skythought import perturbations
from skythought.core import formats
from skythought.perturbations import answers


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
    "answer",
    ["\\boxed{x}", "\\boxed{F}", "No number.", "", "It is 12.\n\nThat is all.", "\\boxed{ }"],
)
def test_other_answers_stay(answer: str) -> None:
    old = trace("So it is.", answer)
    new = perturbations.make("answers", fraction=1)(old)
    assert (new.thought, new.answer) == (old.thought, old.answer)


@pytest.mark.parametrize(
    ("thought", "answer", "kept", "gone"),
    [
        # An expression changes in one number, wherever and however it is written.
        (
            "So 3/4 of it. So 3/4.",
            "\\frac{3}{4} = \\boxed{\\dfrac{3}{4}}",
            "So 3/4 of it.",
            "So 3/4.",
        ),
        ("Then 6 - 5i.", "w = 6-5i, so \\boxed{6 - 5i}", "Then", "6-5i"),
        ("It is 2√5 m.", "r is \\sqrt{20} = 2\\sqrt{5}: \\boxed{2\\sqrt{5}}", "20", "2√5"),
        ("At (1, 2).", "\\boxed{(1, 2)}", "At", "(1, 2)"),
        # A letter becomes another.
        ("A man says B. So (B).", "It is **B**: \\boxed{\\text{(B)}}", "A man says B.", "(B)"),
        ("A cat. Hence A.", "\\boxed{A}", "A cat.", "Hence A"),
    ],
)
def test_other_answers_are_replaced_too(thought: str, answer: str, kept: str, gone: str) -> None:
    for seed in range(20):
        new = perturbations.make("answers", fraction=1, seed=seed)(trace(thought, answer))
        assert formats.last_boxed(new.answer) != formats.last_boxed(answer)
        assert kept in new.thought + new.answer
        assert f" {gone}" not in f" {new.thought} {new.answer}"
        assert new.thought != thought


def test_answers_of_loops_take_no_time() -> None:
    """One replacement for each, without copying the text for each."""
    old = trace("is 7. \\boxed{7}. " * 50_000, "\\boxed{7}. " * 50_000)
    new = perturbations.make("answers", fraction=1)(old)
    assert "boxed{7}" not in new.thought + new.answer
    assert new.thought.count("is 7.") == 50_000  # a sentence of the thought without a box stays


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
