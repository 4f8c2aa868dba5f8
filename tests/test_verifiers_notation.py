"""skythought/verifiers/notation.py: one way of writing, and reading numbers."""

from __future__ import annotations

from fractions import Fraction

import pytest

from skythought.verifiers import notation
from skythought.verifiers.rules import STRICT


@pytest.mark.parametrize(
    ("text", "unified"),
    [
        ("\\dfrac12", "\\frac{1}{2}"),
        ("\\frac{14}3", "\\frac{14}{3}"),
        ("2\\sqrt3", "2\\sqrt{3}"),
        ("2√3", "2\\sqrt{3}"),
        ("sqrt(5)", "\\sqrt{5}"),
        ("x²", "x^{2}"),
        ("10⁻³", "10^{-3}"),
        ("½", "\\frac{1}{2}"),
        ("3½", "3\\frac{1}{2}"),
        ("9**2", "9^2"),
        ("**9**", "9"),
        ("5 \\text{ cm}^2", "5"),
        ("5 miles per hour.", "5"),
        ("2 sin x", "2 sin x"),
        ("5 x", "5 x"),
        ("\\$5", "5"),
        ("90^{\\circ}", "90"),
        ("\\left( 1, 2 \\right)", "( 1, 2 )"),
        ("\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}", "\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}"),
        ("9\\text{:}30", "9:30"),
        ("\\varnothing", "\\emptyset"),
        ("\\text{Evelyn}", "Evelyn"),
        ("\\mathbf{3 6}", "36"),
        ("\\mathbf{x}", "x"),
        ("\\sin 30^\\circ", "\\sin (\\frac{30\\pi}{180})"),
        ("x \\leqslant 2", "x \\le 2"),
        ("4 x 3", "4\\times 3"),
        ("\\text{no solution}", "\\emptyset"),
        ("\\{ \\}", "\\emptyset"),
        ("5 = x", "x=5"),
        ("f(x)=x", "f(x)=x"),
        ("\\binom52", "\\binom{5}{2}"),
        ("\\dbinom{5}2", "\\binom{5}{2}"),
        ("–5", "-5"),
        ("(–5, –x)", "(-5, -x)"),
        ("3–5", "3–5"),
        ("p – q", "p – q"),
        ("twenty\u2011one", "twenty-one"),
        ("€5", "5"),
        ("5 £", "5"),
        ("2nd", "2nd"),
        ("≈ 5", "5"),
        ("x ≈ 5", "x \\approx  5"),
        ("5个", "5"),
        ("5 \\text{元}", "5"),
        ("5平方千米", "5"),
        ("5万", "5\\times 10^{4}"),
        ("5万元", "5\\times 10^{4}"),
        ("5个半", "5个半"),
        ("5十", "5十"),
        ("", ""),
    ],
)
def test_unify(text: str, unified: str) -> None:
    assert notation.unify(text) == unified


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("18", Fraction(18)),
        ("-1.50", Fraction(-3, 2)),
        (".5", Fraction(1, 2)),
        ("14/3", Fraction(14, 3)),
        ("-\\frac{14}{3}", Fraction(-14, 3)),
        ("1\\frac{1}{2}", Fraction(3, 2)),
        ("-1 1/2", Fraction(-3, 2)),
        ("1.2\\times10^{5}", Fraction(120_000)),
        ("1.2e-1", Fraction(3, 25)),
        ("0.1\\overline{6}", Fraction(1, 6)),
        ("-.\\overline{3}", Fraction(-1, 3)),
        ("0.(3)", Fraction(1, 3)),
        ("-0.1(6)", Fraction(-1, 6)),
        ("0.\\dot{3}", Fraction(1, 3)),
        ("0.\\overline3", Fraction(1, 3)),
        ("5(3)", None),
        ("60th", Fraction(60)),
        ("60^{th}", Fraction(60)),
        ("1^\\text{st}", Fraction(1)),
        ("112^{\\text{th}}", Fraction(112)),
        ("1/60th", Fraction(1, 60)),
        ("\\frac{1}{60th}", None),
        ("2^{nd}", Fraction(2)),
        ("3^{nd}", None),
        ("three", Fraction(3)),
        ("thirteen", Fraction(13)),
        ("1/0", None),
        ("1 2", None),
        ("x", None),
        ("", None),
        ("1e999999999", None),
    ],
)
def test_number(text: str, value: Fraction | None) -> None:
    found = notation.number(text)
    assert (found.value if found else None) == value


@pytest.mark.parametrize(
    ("a", "b", "left"),
    [
        ("x=5", "5", ("5", "5")),
        ("x=5", "x=6", ("5", "6")),
        ("x=5", "y=5", ("x=5", "y=5")),
        ("f(x)=2x", "y=2x", ("2x", "2x")),
        ("f(x)=2x", "g(x)=2x", ("f(x)=2x", "g(x)=2x")),
        ("x+y=2", "y=2-x", ("x+y=2", "y=2-x")),
        ("x=1,y=2", "x=2,y=1", ("x=1,y=2", "x=2,y=1")),
        ("(x,y)=(1,2)", "(1,2)", ("(1,2)", "(1,2)")),
        ("x \\in [1,2]", "[1,2]", ("[1,2]", "[1,2]")),
    ],
)
def test_names_that_do_not_matter(a: str, b: str, left: tuple[str, str]) -> None:
    assert notation.without_names(a, b) == left


def test_places() -> None:
    assert notation.places("2\\pi", "6.2832") == 4
    assert notation.places("2\\pi", "6.28") == 6
    assert notation.places("2\\pi", "6.2832", STRICT) == notation.EXACT_PLACES


def test_fractions_know_whether_they_are_reduced() -> None:
    found = {text: notation.number(text) for text in ("2/4", "1/2", "\\frac{0.5}{2}", "4/2")}
    assert {t: n.reduced for t, n in found.items() if n} == {
        "2/4": False,
        "1/2": True,
        "\\frac{0.5}{2}": True,
        "4/2": False,
    }
