"""skythought/verifiers/numerals.py: whole numbers in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skythought.verifiers import numerals


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("zero", 0),
        ("seven", 7),
        ("Thirteen", 13),
        ("twenty-one", 21),
        ("twentyone", 21),
        ("one hundred and twenty", 120),
        ("onehundredandtwenty", 120),
        ("nineteen hundred", 1900),
        ("two thousand five", 2005),
        ("one million two hundred thousand", 1_200_000),
        ("minus eight", -8),
        ("thirty", 30),
    ],
)
def test_numbers(text: str, value: int) -> None:
    assert numerals.spelled(text) == value


@pytest.mark.parametrize(
    "text",
    [
        *("", "and", "hundred", "thousand", "twenty thirteen", "one two", "five and", "and five"),
        *(
            "one hundred and and one",
            "two hundred hundred",
            "two thousand three thousand",
            "zero one",
        ),
        *("thirteen apples", "minus", "5", "x", "seventh", "ten" * 60, "five and six"),
    ],
)
def test_no_numbers(text: str) -> None:
    assert numerals.spelled(text) is None


def said(number: int) -> str:
    """Write a number below a million in words."""
    for size, name in ((1000, "thousand"), (100, "hundred")):
        if number >= size:
            rest = f" and {said(number % size)}" if number % size else ""
            return f"{said(number // size)} {name}{rest}"
    if number < 20:
        return numerals.SMALL[number]
    ones = f"-{numerals.SMALL[number % 10]}" if number % 10 else ""
    return numerals.TENS[number // 10 - 2] + ones


@given(st.integers(0, 999_999))
def test_what_is_said_is_read(number: int) -> None:
    assert numerals.spelled(said(number)) == number
    assert numerals.spelled(said(number).replace(" ", "")) == number
