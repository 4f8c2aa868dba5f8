"""skythought/verifiers/structure.py, parts.py, spans.py and single.py: answers of several parts."""

from __future__ import annotations

import pytest

from skythought.formulas.algebra import Algebra
from skythought.verifiers import notation, spans, structure
from skythought.verifiers.parts import How, parts
from skythought.verifiers.rules import DEFAULT, LENIENT, STRICT, Rules
from skythought.verifiers.single import scalar


def compare(a: str, b: str, rules: Rules = DEFAULT) -> tuple[bool | None, str]:
    return structure.compare(notation.unify(a), notation.unify(b), rules)


@pytest.mark.parametrize(
    ("text", "kind", "items"),
    [
        ("1", "one", ["1"]),
        ("1,000", "one", ["1,000"]),
        ("1,2", "list", ["1", "2"]),
        ("1,000, 2", "list", ["1000", "2"]),
        ("1\\pm\\sqrt{2}", "list", ["1+\\sqrt{2}", "1-\\sqrt{2}"]),
        ("1\\pm a\\mp b", "list", ["1+ a- b", "1- a+ b"]),
        ("(1,2)", "tuple", ["1", "2"]),
        ("(1,2),(3,4)", "list", ["(1,2)", "(3,4)"]),
        ("(1,2)(3,4)", "one", ["(1,2)(3,4)"]),
        ("[0,1)", "tuple", ["0", "1"]),
        ("\\langle 1,2\\rangle", "tuple", ["1", "2"]),
        ("\\{1,\\{2,3\\}\\}", "set", ["1", "\\{2,3\\}"]),
        ("f(x,y)", "one", ["f(x,y)"]),
        (",,", "one", []),
    ],
)
def test_parts(text: str, kind: str, items: list[str]) -> None:
    found = parts(text)
    assert (found.kind, found.items) == (kind, items)


@pytest.mark.parametrize(
    ("a", "b", "decided"),
    [
        ("1,2", "2,1", (True, "list")),
        ("1,2", "1,3", (False, "list")),
        ("1,2", "1,\\sin 2", (None, "list")),
        ("1,2", "1,2,3", (False, "list")),
        ("1,2", "\\{2,1\\}", (True, "set")),
        ("\\{1,1,2\\}", "\\{2,1\\}", (True, "set")),
        ("(1,2)", "(2,1)", (False, "interval")),
        ("(1,2)", "[1,2]", (False, "interval")),
        ("(1,2,3)", "[1,2,3]", (True, "tuple")),
        ("(1,2)", "1,2", (True, "tuple")),
        ("(1,2)", "2,1", (None, "tuple")),
        ("(1,2)", "y=2, x=1", (True, "tuple")),
        ("2,3", "x=2,y=3", (True, "list")),
        ("2,3", "y=3,x=2", (True, "list")),
        ("3,2", "x=2,y=3", (False, "list")),
        ("(3,2)", "x=2,y=3", (False, "tuple")),
        ("(2,3)", "y=3,x=2", (True, "tuple")),
        ("x=2,y=3", "3,2", (False, "list")),
        ("x=2,y=3", "(3,2)", (False, "tuple")),
        ("3,2", "x=2,y=\\sin 3", (False, "list")),
        ("2,3", "x=2,y=\\sin 3", (None, "list")),
        ("3,2", "x_1=2,x_2=3", (True, "list")),
        ("\\{3,2\\}", "x=2,y=3", (True, "set")),
        ("3,2", "x=2,x=3", (True, "list")),
        ("\\{0,1\\}", "(0,1)", (False, "set")),
        ("[0,1]", "\\{0,1\\}", (False, "set")),
        ("\\{(0,1)\\}", "(0,1)", (True, "tuple")),
        ("\\{0,1\\}", "(0,\\sin 1)", (False, "set")),
        ("[0,1]", "0,1", (False, "interval")),
        ("0,1", "[0,1)", (False, "interval")),
        ("1,2,3", "[1,2,3]", (True, "tuple")),
        ("(0,1)", "]0,1[", (True, "interval")),
        ("[0,1]\\cup(2,3)", "]2;3[\\cup[0,1]", (True, "interval")),
        ("[0,1]", "]0,1[", (False, "interval")),
        ("|x|\\ge 2", "x\\le -2 or x\\ge 2", (True, "interval")),
        ("|x|\\ge 2", "(-\\infty,-2]\\cup[2,\\infty)", (True, "interval")),
        ("|x|<\\sqrt{2}", "(-\\sqrt{2},\\sqrt{2})", (True, "interval")),
        ("|x|<2", "[-2,2]", (False, "interval")),
        ("|x - 1|<3", "-2<x<4", (True, "interval")),
        ("3\\ge \\lvert x + 1\\rvert", "[-4,2]", (True, "interval")),
        ("|x|>0", "(0,\\infty)", (None, "")),
        ("|x|<-2", "(-2,2)", (None, "")),
        ("(1,2),(3,4)", "(3,4),(1,2)", (True, "list")),
        ("(1,2),(3,4)", "(1,2)", (False, "list")),
        ("x=1,y=2", "y=2,x=1", (True, "list")),
        ("x=1,y=2", "x=2,y=1", (False, "list")),
        ("x=1,x=2", "1,2", (True, "list")),
        ("5", "\\{5\\}", (True, "number")),
        ("5", "5,6", (False, "list")),
        ("x>5", "(5,\\infty)", (True, "interval")),
        ("x>5", "x\\ge 5", (False, "interval")),
        ("5<x", "x>5", (True, "interval")),
        ("x>5", "y>5", (None, "interval")),
        ("1<x\\le\\sqrt{4}", "(1,2]", (True, "interval")),
        ("1>x", "1<x", (False, "interval")),
        ("[0,1)\\cup(1,2]", "(1,2]\\cup[0,1)", (True, "interval")),
        ("[0,1)\\cup[1,2]", "[0,2]", (None, "interval")),
        ("(-\\infty,0)\\cup\\{1\\}", "\\{1\\}\\cup(-\\infty,0)", (True, "interval")),
        ("(5,\\infty)", "5", (False, "interval")),
        ("(5,\\infty)", "(6,\\infty)", (False, "interval")),
        ("(5,\\infty)", "(5,6)", (False, "interval")),
        ("x+y=2", "y=2-x", (True, "equation")),
        ("x+y=2", "x+y=3", (False, "equation")),
        ("x^2=4", "x=2", (None, "")),
        ("y=x^2", "y=x^3", (False, "equation")),
        ("y=\\frac{1}{x}", "xy=1", (True, "equation")),
        ("12", "3 \\cdot 4 = 12", (True, "equation")),
        ("7", "2x+3 = 7", (None, "")),
        ("1,2,\\ldots,n", "1,2,n", (None, "")),
        ("p=5 and all primes p \\equiv 1", "5", (False, "words")),
        ("p=5 and all primes p \\equiv 1", "p \\equiv 1", (None, "")),
        (
            "\\begin{pmatrix}1\\\\2\\end{pmatrix}",
            "\\begin{bmatrix}1\\\\2\\end{bmatrix}",
            (True, "matrix"),
        ),
        (
            "\\begin{pmatrix}1\\\\2\\end{pmatrix}",
            "\\begin{pmatrix}1&2\\end{pmatrix}",
            (False, "matrix"),
        ),
        (
            "\\begin{vmatrix}1&0\\\\0&1\\end{vmatrix}",
            "\\begin{vmatrix}1&0\\\\0&1\\end{vmatrix}",
            (None, "matrix"),
        ),
        ("\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}", "[[1,2],[3,4]]", (True, "matrix")),
        ("[[1,2],[3,5]]", "\\begin{bmatrix}1&2\\\\3&4\\end{bmatrix}", (False, "matrix")),
        ("\\begin{pmatrix}1\\\\2\\end{pmatrix}", "[[1],[2]]", (True, "matrix")),
        ("\\begin{pmatrix}1\\\\2\\end{pmatrix}", "[[1,2]]", (False, "matrix")),
        ("\\begin{pmatrix}1\\\\2\\end{pmatrix}", "[1],[2]]", (None, "matrix")),
        ("\\begin{pmatrix}1\\\\2\\end{pmatrix}", "3", (False, "matrix")),
        ("\\begin{pmatrix}1\\\\2\\end{pmatrix}", "(1,2)", (None, "matrix")),
    ],
)
def test_decisions(a: str, b: str, decided: tuple[bool | None, str]) -> None:
    assert compare(a, b) == decided


@pytest.mark.parametrize(
    ("a", "b", "strict", "default", "lenient"),
    [
        ("1,2", "2,1", False, True, True),
        ("[1,2]", "(1,2)", False, False, True),
        ("[1,2]", "1,2", False, False, True),
        ("\\{1,2\\}", "(1,2)", False, False, False),
        ("[1,2]", "(1,3)", False, False, False),
        ("x\\ge 1", "(1,\\infty)", False, False, False),
        ("\\begin{pmatrix}1\\\\2\\end{pmatrix}", "(1,2)", None, None, True),
        ("2\\pi", "6.2832", False, True, True),
        ("2\\pi", "6.283", False, False, True),
        ("2\\pi", "6.28", False, False, False),
    ],
)
def test_rule_sets(
    a: str, b: str, strict: bool | None, default: bool | None, lenient: bool | None
) -> None:
    assert [compare(a, b, r)[0] for r in (STRICT, DEFAULT, LENIENT)] == [strict, default, lenient]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("x > 5", [("x", "5", None, (False, False))]),
        ("-2 \\le x < 7", [("x", "-2", "7", (True, False))]),
        ("7 > x \\ge -2", [("x", "-2", "7", (True, False))]),
        ("(-\\infty, 3]", [("", None, "3", (False, True))]),
        ("2x > 4", None),
        ("|x| < 2", [("x", "-(2)", "2", (False, False))]),
        ("|2x| < 2", None),
        ("]0, 1]", [("", "0", "1", (False, True))]),
        ("1 < x > 0", None),
        ("x < y", None),
        ("5", None),
    ],
)
def test_spans(text: str, found: list[tuple[object, ...]] | None) -> None:
    assert spans.read(text) == found


def test_parts_without_number_are_bounded() -> None:
    many = ",".join(map(str, range(structure.MAX_PARTS + 1)))
    assert compare(many, many + ",1") == (None, "")


@pytest.mark.parametrize(
    ("a", "b", "decided"),
    [
        ("\\pi^2", "9.8696", (True, "number, 4 places")),
        ("\\pi", "3.1415", (False, "number, 4 places")),
        ("\\pi \\cdot e", "8.5397", (True, "number, 4 places")),
        ("\\ln 2", "0.6931", (None, "number, 4 places")),
        ("f(x)", "0.6931", (None, "")),
        ("\\sqrt{12}", "2\\sqrt{3}", (True, "algebra")),
        ("\\sqrt{12}", "3\\sqrt{2}", (False, "algebra")),
    ],
)
def test_values(a: str, b: str, decided: tuple[bool | None, str]) -> None:
    assert scalar(a, b, How(DEFAULT, Algebra())) == decided
    assert scalar(b, a, How(DEFAULT, Algebra())) == decided
