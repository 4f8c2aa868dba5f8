"""skythought/formulas/enclosure.py: bounds that hold the value."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skythought.formulas import enclosure, reading
from skythought.formulas.algebra import Algebra


@settings(deadline=None)
@given(st.integers(1, 5000), st.integers(2, 5))
def test_enclosures_hold_the_root(value: int, degree: int) -> None:
    found = enclosure.enclose(reading.read(f"\\sqrt[{degree}]{{{value}}}", Algebra()))
    assert found is not None
    low, high = found
    assert low**degree <= value <= high**degree
    assert high - low < Fraction(1, 10**60)


def test_enclosures_of_constants() -> None:
    for text, digits in (("\\pi", "3.14159265358979323846"), ("e", "2.71828182845904523536")):
        low, high = enclosure.enclose(reading.read(text, Algebra())) or (0, 0)
        assert low < high
        assert abs(low - Fraction(digits)) < Fraction(1, 10**20)


@pytest.mark.parametrize("text", ["\\ln 2", "\\sqrt{1-\\sqrt{2}}", "2^{\\pi}", "x"])
def test_what_has_no_enclosure(text: str) -> None:
    assert enclosure.enclose(reading.read(text, Algebra())) is None
