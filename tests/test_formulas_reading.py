"""skythought/formulas/reading.py: what is read, and what is refused."""

from __future__ import annotations

import pytest

from skythought.formulas import reading
from skythought.formulas.algebra import Algebra
from skythought.formulas.polynomial import TooLarge, TooLong, Undefined


@pytest.mark.parametrize(
    "text",
    [
        *("f(x)", "1/2x", "2 3", "x2", "1\\frac{4}{5}\\pi", "a^b^c", "\\sin(x)^2", "\\sin x/2"),
        *("\\sin^{-1} x", "|x|", "abc", "\\int x", "\\sum_{k=1}^n k", "x=1", "1,2", "x'", ""),
        *("(1", "1)", "\\frac{1}", "2^", "\\sqrt", "__import__", "x.y", "1" * 501, "\\text{a}"),
    ],
)
def test_what_is_not_certain_is_not_read(text: str) -> None:
    with pytest.raises(reading.Unread):
        reading.read(text, Algebra())


@pytest.mark.parametrize(
    "text",
    [
        *("9^{9 \\cdot 99999}", "2^{10^{10}}", "(10^{4999})^{4999}", "(a+b)^{65}", "2501!"),
        *("(a+b+c+d+e+f)^{60}", "\\sqrt{1000003 \\cdot 1000033}", "\\binom{10001}{2}"),
        *("(" * 31 + "x" + ")" * 31, "1" * 301, "(x+y)^{x}"),
    ],
)
def test_what_is_too_large_is_not_computed(text: str) -> None:
    with pytest.raises(TooLarge):
        reading.read(text, Algebra())


def test_numbers_too_long_are_told_apart() -> None:
    with pytest.raises(TooLong):
        reading.read("9^{9^{9}}", Algebra())


@pytest.mark.parametrize("text", ["\\frac{1}{0}", "1/(x-x)", "0^{-1}", "\\ln 0"])
def test_what_does_not_exist(text: str) -> None:
    with pytest.raises(Undefined):
        reading.read(text, Algebra())
