"""What a text states: found in prose and in LaTeX, with places; and what it does not state."""

from __future__ import annotations

import pytest

from skythought.structure.scan import scan
from skythought.structure.statements import Statement, find


def said(text: str) -> list[str]:
    """List what is found, as it stands in the text, of what has a plain reading."""
    return [text[s.start : s.end] for s in find(text)]


FOUND = [
    # prose
    ("So 5 trees × 6 lemons/tree = 30 lemons.", ["5 trees × 6 lemons/tree = 30 lemons"]),
    ("12 plus 9 is 21.", ["12 plus 9 is 21"]),
    (
        "He has 61 seats minus 8 broken seats equals 53 seats.",
        ["61 seats minus 8 broken seats equals 53 seats"],
    ),
    ("That is 40 - 12 = 28 plates.", ["40 - 12 = 28 plates"]),
    ("3/4 of 20 is 15, fine.", ["3/4 of 20 is 15"]),
    ("20% of the 50 = 10", ["20% of the 50 = 10"]),
    ("Five times two is ten.", ["Five times two is ten"]),
    ("square root of 49 is 7", ["square root of 49 is 7"]),
    ("The sum of 3 and 4 is 7.", ["The sum of 3 and 4 is 7"]),
    ("It costs 6*7, which is 42 dollars.", ["6*7, which is 42 dollars"]),
    ("She pays $5 × 3 = $15.", ["5 × 3 = $15"]),
    ("That leaves \\$5 × 3 = \\$15.", ["5 × 3 = \\$15"]),
    ("so 7 < 9 and 9 ≥ 2 * 4", ["7 < 9", "9 ≥ 2 * 4"]),
    ("half of 40 is 20", ["half of 40 is 20"]),
    ("9 divided by 3/4 is 12", ["9 divided by 3/4 is 12"]),
    ("20% is 0.2 in decimals", ["20% is 0.2"]),
    # chains
    ("a = 2 * 3 = 6", ["a = 2 * 3", "2 * 3 = 6"]),
    ("Total cost = 5 * 3 = 15", ["5 * 3 = 15"]),
    ("= 4 * 5\n= 20", ["4 * 5\n= 20"]),
    (
        "\\begin{align*} x &= 3 \\cdot 4 \\\\ &= 12 \\end{align*}",
        ["x &= 3 \\cdot 4", "3 \\cdot 4 \\\\ &= 12"],
    ),
    ("\\[x = 3 + 4\\]\n\\[= 7\\]", ["x = 3 + 4", "3 + 4\\]\n\\[= 7"]),
    ("(-4)^2 = 16\\] \\[(-1)^2 = 1", ["(-4)^2 = 16", "(-1)^2 = 1"]),
    # LaTeX
    ("$\\frac{1}{2} \\cdot 8 = 4$", ["\\frac{1}{2} \\cdot 8 = 4"]),
    (
        "$24 \\times \\$125/\\text{hour} = \\$3,\\!000$",
        ["24 \\times \\$125/\\text{hour} = \\$3,\\!000"],
    ),
    ("41 \\equiv 6 \\pmod{7}", ["41 \\equiv 6 \\pmod{7}"]),
    # lists, numbers, code
    (
        "1. 5 + 3 = 8\n2) 3*4 = 12\n* 2 + 2 = 4\n- 1 + 1 = 2",
        ["5 + 3 = 8", "3*4 = 12", "2 + 2 = 4", "- 1 + 1 = 2"],
    ),
    ("**5 × 6 = 30**", ["5 × 6 = 30"]),
    ("```\nx = 3 + 4 == 7\ny = 1 + 1 = 3\n```\nand 2 + 2 = 4", ["2 + 2 = 4"]),
    # equations
    ("So 2x + 3 = 7.", ["2x + 3 = 7"]),
]
NOT_FOUND = [
    # asked, supposed, denied, refuted
    *("Is 7*8 = 54?", "if 3*4 = 13, then", "Suppose 2 + 2 = 5.", "25 is not 36"),
    *("That would give 2 = 3, a contradiction.", "so 2 + 1 = 4, which is impossible."),
    *("Check whether 3 * 5 = 16.", "Maybe 2 * 7 = 15.", "Earlier I thought 3 * 9 = 28."),
    *("We get 9 = 0. Wait, that's not possible.", "1 + 2 > 3: no"),
    *("Multiply both sides by 3:\n\n√5 + 1 = 4", "For equality: 12 = 40 = 7. Impossible."),
    # parts of something larger
    *("x + ... + 5 = 8", "It was 7:30 + 2 = 9.", "on the 3rd 5 = 6", "multiplied by 5 + 3 = 16"),
    *("Week 1 + 5 = 9", "chairs (12) + stools (9) = 21", "log₂(8) = 3", "= 12 × the rest"),
    *("the first prime ≡ 1 mod 6 is 7", "12 numbers ≡ 3 mod 7", "700, +50 = 750"),
    *("0.333 = 0.(3)", "30:45 = 2:3", "the hour 3-4 is $25", "map(1)=(2)"),
    # units, shares and labels
    *("2 hours = 120 minutes", "1 franc = 1/5 dollars", "1/4 is 90", "3/4 hour = 45 minutes"),
    *("a dozen rolls is 2 pounds", "Question 3 = 5", "20 times 40 is four times that"),
    *("no formula at all", "", "=", "= = =", "5 =", "= 5", "<think>", "a -> b => c"),
]


@pytest.mark.parametrize(("text", "expected"), FOUND)
def test_found(text: str, expected: list[str]) -> None:
    assert said(text) == expected


@pytest.mark.parametrize("text", NOT_FOUND)
def test_not_found(text: str) -> None:
    assert said(text) == []


@pytest.mark.parametrize(
    ("text", "left", "relation", "right"),
    [
        ("5 trees × 6 lemons/tree = 30 lemons", "5*6", "=", "30"),
        ("20% of 50 is about 10", "20%*50", "≈", "10"),
        ("1,000 + 2{,}500 \\ge 3\\,000", "1000+2500", "≥", "3000"),
        ("√49 ≠ 8", "\\sqrt{49}", "≠", "8"),
        ("5 choose 2 = 10", "\\binom{5}{2}", "=", "10"),
        ("2 1/2 * 2 = 5", "(2+1/2)*2", "=", "5"),
        ("3² × 2³ = 72", "3^{2}*2^{3}", "=", "72"),
        ("2**3 = 8", "2^3", "=", "8"),
        ("6 dozen cups is 72", "6¤12", "=", "72"),
        ("38/9 = 4 with remainder 2", "floor(38/9)", "=", "4"),
        ("5 cm × 4 cm = 20 cm^2", "5*4", "=", "20"),
        ("-6 - (-2) = -4", "-6-(-2)", "=", "-4"),
        ("AB + BC = AC", "X_{AB}+X_{BC}", "=", "X_{AC}"),
    ],
)
def test_sides(text: str, left: str, relation: str, right: str) -> None:
    found = find(text)
    assert [(s.left, s.relation, s.right) for s in found] == [(left, relation, right)]


def test_what_stands_around() -> None:
    (first,) = find("17 + 24 ≡ 6 (mod 7)")
    assert (first.relation, first.modulus) == ("≡", "7")
    congruence = find("Work modulo 31. Then 32² = 125.")[0]
    assert (congruence.modulus, congruence.near) == ("", "31")
    assert find("1 hour + 30 minutes = 90 minutes")[0].mixed
    assert find("4 × 25 cents = $1")[0].mixed
    chain = find("x = 2 + 3 = 5")
    assert [s.shown for s in chain] == [False, True]


def test_places_are_in_the_text() -> None:
    text = "First 2 + 3 = 5, then $7 \\times 8 = 56$.\n\n```\n1 = 2\n```\nSo 9 - 4 = 5."
    assert said(text) == ["2 + 3 = 5", "7 \\times 8 = 56", "9 - 4 = 5"]
    assert all(isinstance(s, Statement) for s in find(text))
    for token in scan(text):
        assert 0 <= token.start < token.end <= len(text)


HOSTILE = {
    "long line": "1=" * 100_000,
    "many": "1=1 is 1\n" * 30_000,
    "brackets": "(" * 40_000 + "1 = 1",
    "closed": "1" + ")" * 40_000 + " = 1",
    "dashes": "1 " + "-" * 40_000 + " 1 = 1",
    "arrows": "=" * 40_000,
    "words": "five times " * 4_000,
    "roots": "√" * 40_000 + "2 = 1",
    "thousands": "1" + ",111" * 12_000 + "1 = 1",
    "digits": "9" * 40_000 + " = 1",
    "text": "\\text{" * 8_000,
    "subscripts": "x_{" * 13_000,
    "fences": "```\n" * 10_000,
    "if": "if " * 13_000 + "3 = 4",
    "announced": "a:\n" * 10_000 + "1 = 2",
    "rows": "1" + "\n" * 40_000 + "= 1",
    "spaces": "1" + " " * 40_000 + "= 2",
    "stars": "*" * 40_000 + "2 = 3",
    "signs": "\x00\ud7ff\U0001f600\u202e = \u0661 + \u0662",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_are_read(name: str) -> None:
    for found in find(HOSTILE[name]):
        assert found.start < found.end <= len(HOSTILE[name])
