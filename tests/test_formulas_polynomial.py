"""skythought/formulas/polynomial.py: what is known of values without computing."""

from __future__ import annotations

from skythought.formulas import polynomial, reading
from skythought.formulas.algebra import Algebra


def test_names_and_degrees() -> None:
    value = reading.read("\\sqrt{x+1} + \\sin y + 2^n", Algebra())
    assert polynomial.names(value) == {"x", "y", "n"}
    assert polynomial.degree(reading.read("x^2 y + 1", Algebra()).top) == 3
    assert polynomial.degree(reading.read("2^n", Algebra()).top) == -1
    two = reading.read("2x+2", Algebra()).top
    assert polynomial.proportional(two, reading.read("-3x-3", Algebra()).top)
    assert not polynomial.proportional(two, reading.read("x+2", Algebra()).top)
