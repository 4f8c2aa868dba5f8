"""skythought/verifiers/number.py: one exact number."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skythought.core.records import Problem
from skythought.verifiers import number


def check(reference: str, answer: str) -> tuple[str, str]:
    found = number.check(Problem(id="p", task="t", question="?", answer=reference), answer)
    return found.outcome, found.reason


@pytest.mark.parametrize(
    ("reference", "answer", "outcome", "detail"),
    [
        ("17", "The toll is \\boxed{17}.", "correct", "boxed"),
        ("17", "3 plus 14 is 17.", "correct", "last number"),
        ("17", "17, then 18.", "incorrect", "last number"),
        ("17", "\\boxed{17.0}", "correct", "boxed"),
        ("17", "\\boxed{17.01}", "incorrect", "boxed"),
        ("17", "\\boxed{17 dollars}", "correct", "boxed"),
        ("17 dollars", "\\boxed{\\$17}", "correct", "boxed"),
        ("17", "**17**", "correct", "last number"),
        ("17", "\\boxed{\\text{17}}", "correct", "boxed"),
        ("17", "\\boxed{18}, no: 17", "incorrect", "boxed"),
        ("17", "\\boxed{17} or \\boxed{18}", "incorrect", "boxed"),
        ("17", "\\boxed{16, 17}", "incorrect", "boxed; not one number"),
        ("17", "\\boxed{seventeen}", "incorrect", "boxed; not one number"),
        ("17", "\\boxed{20-3}", "incorrect", "boxed; not one number"),
        ("17", "\\boxed{}, so 17", "no_answer", "empty box"),
        ("17", "I do not know.", "no_answer", "no box and no number"),
        ("17", "", "no_answer", "no box and no number"),
        ("12", "\\boxed{1,2}", "incorrect", "boxed; not one number"),
        ("1200", "\\boxed{1,200}", "correct", "boxed"),
        ("1200", "it is 1,200.", "correct", "last number"),
        ("12000", "\\boxed{1,2000}", "incorrect", "boxed; not one number"),
        ("3", "so 10-3", "correct", "last number"),
        ("-3", "so -3", "correct", "last number"),
        ("-17", "\\boxed{−17}", "correct", "boxed"),
        ("17", "\\boxed{-17}", "incorrect", "boxed"),
        ("0.5", "\\boxed{.5}", "correct", "boxed"),
        ("17", "\\boxed{17", "correct", "last number"),
        ("17", "\\boxed{1²7}", "incorrect", "boxed; not one number"),
        ("1/2", "0.5", "error", "the reference answer is not one number"),
        ("oak", "\\boxed{17}", "error", "the reference answer is not one number"),
        ("17", "1" * 1_000_000, "incorrect", "last number; refused: 20000 characters"),
        ("17", f"\\boxed{{{'1' * 9000}}}", "incorrect", "boxed; refused: 9000 characters"),
        ("17", "x" * 1_000_000 + " 17", "correct", "last number"),
        ("17", "\\boxed{9**9**9}", "incorrect", "boxed; not one number"),
    ],
)
def test_verdicts(reference: str, answer: str, outcome: str, detail: str) -> None:
    assert check(reference, answer) == (outcome, detail)


@given(st.integers(-(10**12), 10**12))
def test_every_number_equals_itself(value: int) -> None:
    for text in (f"{value}", f"{value:,}", f"{value}.0", f"\\${value}$", f"{value} tolls"):
        assert number.value(text) == value
        assert check(str(value), f"So \\boxed{{{text}}}.") == ("correct", "boxed")
        assert check(str(value), f"So it is {text}.") == ("correct", "last number")


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_numbers_differ(one: int, other: int) -> None:
    assert (check(str(one), f"\\boxed{{{other}}}")[0] == "correct") == (one == other)
    assert number.value(f"{one} {other}") is None


@given(st.text(), st.text())
def test_any_text_has_a_verdict(reference: str, answer: str) -> None:
    assert check(reference, answer)[0] in ("correct", "incorrect", "no_answer", "error")


def test_values_are_exact() -> None:
    assert number.value("0.1") == Fraction(1, 10)
    assert number.value("x" * 2_001) is None
