"""skythought/verifiers/letters.py: which of the lettered choices an answer names."""

from __future__ import annotations

import pytest

from skythought.verifiers import exact, letters
from skythought.verifiers.rules import STRICT


@pytest.mark.parametrize(
    "text",
    [
        *("A or B", "A and B", "(A) or (B)", "A B", "A, B", "A;B", "A / B", "A & B", "A (or B)"),
        *(
            "A \\text{ or } B",
            "\\textbf{A} or \\textbf{B}",
            "A or maybe C",
            "A. or B.",
            "A or none",
        ),
        *("A, or perhaps C", "A and possibly (C)", "(A) 12 or (B) 13", "A is right or B", "A ~ B"),
        *("B. 5 or C. 6", "I and II", "I, IV"),
    ],
)
def test_a_second_choice(text: str) -> None:
    assert letters.several(text)


@pytest.mark.parametrize(
    "text",
    [
        *("A", "(A)", "A.", "A, not B", "A; not (B)", "A rather than B", "A because B is wrong"),
        *(
            "(A) Vitamin B",
            "A. Hepatitis B",
            "A: B and C",
            "D. Both A and B",
            "D) both (A) and (B)",
        ),
        *("A. x or y", "B, I think", "A (B is wrong)", "(A) A", "A) one or two", "12", ""),
        *("A. vitamin D or E.", "I. Or so", "A, in 5 of 6 cases"),
    ],
)
def test_one_choice(text: str) -> None:
    assert not letters.several(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A, C", ("A", "C")),
        ("AC", ("A", "C")),
        ("(A), (C)", ("A", "C")),
        ("\\text{A and C}", ("A", "C")),
        ("C,A", ("C", "A")),
        ("CA", ()),
        ("A", ()),
        ("A, A", ()),
        ("A, x", ()),
        ("A, K", ()),
        ("12", ()),
        ("", ()),
    ],
)
def test_selections(text: str, found: tuple[str, ...]) -> None:
    assert letters.selection(text) == found


def test_the_text_of_a_choice_may_name_others() -> None:
    options = {"A": "B or (C)", "B": "none", "C": "all"}
    assert exact.decide("A", "(A) B or (C)", options=options) == (True, "choice")
    assert exact.decide("A", "(A) B or (C)") == (False, "choice, several")
    assert exact.decide("A", "(A) 1 or (C)", options=options) == (False, "choice, several")


def test_selections_in_order_where_lists_are() -> None:
    assert exact.decide("A, C", "C, A") == (True, "choices")
    assert exact.decide("A, C", "C, A", STRICT) == (False, "choices")
    assert exact.decide("A, C", "A or C") == (False, "choices")
    assert exact.decide("A or C", "A, C") == (True, "choices")
