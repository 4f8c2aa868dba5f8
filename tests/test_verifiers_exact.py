"""skythought/verifiers/exact.py: equality without algebra; cases/verdicts.jsonl has more."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skythought.verifiers import exact

FRACTIONS = st.fractions(max_denominator=999).filter(lambda f: abs(f) < 10**9)


@pytest.mark.parametrize(
    ("expected", "said", "decided"),
    [
        ("18", "18", (True, "text")),
        ("18", "19", (False, "number")),
        ("x=5", "5", (True, "text")),
        ("5 = x", "x = 5", (True, "text")),
        ("x=5", "y=5", None),
        ("f(x)=x^2", "x^2", (True, "text")),
        ("p - q", "-q + p", None),
        ("C", "(C)", (True, "choice")),
        ("C", "\\text{(D) } 12", (False, "choice")),
        ("yes", "Yes!", (True, "words")),
        ("yes", "no", (False, "words")),
        ("50\\%", "0.5", (True, "number, percent")),
        ("0.5", "50\\%", (True, "number, percent")),
        ("50\\%", "50", (True, "text")),
        ("20", "0.2", (False, "number")),
        ("50\\%", "5\\%", (False, "number")),
        ("21_8", "17_{10}", (True, "base")),
        ("21_8", "21_9", (False, "base")),
        ("21_8", "21", (True, "base left out")),
        ("a_1", "a_2", (False, "base")),
        ("2:4:6", "1:2:3", (True, "ratio")),
        ("2:4:6", "1:2:4", (False, "ratio")),
        ("1:2:3", "1:2", (False, "ratio")),
        ("0:4", "0:3", (True, "ratio")),
        ("0.3333", "\\frac{1}{3}", (True, "number, 4 places")),
        ("0.333", "\\frac{1}{3}", (False, "number")),
        ("0.0001", "0.00014", (False, "number")),
        ("2.5 million", "2500000", (True, "text")),
        ("\\frac{1}{0}", "2", None),
    ],
)
def test_decisions(expected: str, said: str, decided: tuple[bool, str] | None) -> None:
    assert exact.decide(expected, said) == decided


@settings(deadline=None)
@given(FRACTIONS, FRACTIONS)
def test_fractions_are_equal_when_they_are(one: Fraction, other: Fraction) -> None:
    for text in (f"{one}", f"\\frac{{{one.numerator}}}{{{one.denominator}}}"):
        assert exact.decide(f"{one}", text) in ((True, "text"), (True, "number"))
        decided = exact.decide(text, f"{other.numerator}/{other.denominator}")
        assert decided is not None
        assert decided[0] == (one == other)


@settings(deadline=None)
@given(st.integers(0, 10**12))
def test_thousands(value: int) -> None:
    for mark in (",", "{,}", ",\\!", "\\,", " "):
        assert exact.decide(f"{value:,}".replace(",", mark), str(value)) == (True, "text")


@settings(deadline=None)
@given(st.text(max_size=50))
def test_any_text_equals_itself(text: str) -> None:
    assert exact.decide(text, text) == (True, "text")


@settings(deadline=None)
@given(st.text(max_size=30), st.text(max_size=30))
def test_decisions_do_not_depend_on_the_order_of_numbers(one: str, other: str) -> None:
    there, back = exact.decide(one, other), exact.decide(other, one)
    if there and there[1].startswith(("text", "number")):
        assert back == there
