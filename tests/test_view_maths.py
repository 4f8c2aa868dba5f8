"""Formulas of a page, and the marks in its texts."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skythought.viewing import maths
from skythought.viewing.marked import DRAWN, Drawing, Statement, safe, shown


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("so $x^2 = 4$ holds", ["x^2 = 4"]),
        ("\\(a\\) and \\[b\\] and $$c$$", ["a", "b", "c"]),
        ("is \\boxed{\\frac{1}{2}}.", ["\\boxed{\\frac{1}{2}}"]),
        ("\\begin{align*}a&=b\\end{align*}", ["\\begin{align*}a&=b\\end{align*}"]),
        ("it costs $5 and $10 more", []),
        ("$5, or US$10, or $$60 each day, $$30 less", []),
        ("$\\$20 + \\$30$", ["\\$20 + \\$30"]),
        ("\\$20 is $20$", ["20"]),
        ("$open and never closed", []),
        ("\\( one\n\ntwo \\)", []),
        ("\\boxed{ never closed", []),
        ("", []),
    ],
)
def test_find(text: str, found: list[str]) -> None:
    formulas = maths.find(text)
    assert [f.latex for f in formulas] == found
    assert all(f.latex in text[f.start : f.end] for f in formulas)


def test_to_mathml() -> None:
    drawn = maths.to_mathml("\\frac{1}{2}", False)
    assert drawn == (
        "<math><mrow><mfrac><mrow><mn>1</mn></mrow><mrow><mn>2</mn></mrow></mfrac></mrow></math>"
    )
    assert maths.to_mathml("x", True).startswith('<math display="block">')
    assert "<mi>%</mi>" in maths.to_mathml("50% of x", False)  # is no comment
    assert "$" in maths.to_mathml("\\text{\\$5}", False)
    assert "\\" not in maths.to_mathml("\\text{\\$5}", False)


@pytest.mark.parametrize(
    "latex",
    [
        "x" * 2001,
        "{" * 25 + "x" + "}" * 25,
        "\\newcommand{\\a}{\\b\\b}\\a",
        "\\frac" * 300,
        "\\left(" * 300,
        "^",
        "\\begin{matrix}",
    ],
)
def test_what_cannot_be_drawn_is_not(latex: str) -> None:
    assert maths.to_mathml(latex, False) == ""
    assert shown(f"\\({latex}\\)", drawing=Drawing()).count("<math") == 0


def check(drawn: str) -> None:
    """Assert that MathML is well-formed and made of known parts."""
    for element in ElementTree.fromstring(drawn).iter():
        assert element.tag in maths.ELEMENTS
        for name, value in element.attrib.items():
            assert name == "display" or maths.ATTRIBUTES[name].fullmatch(value)


@pytest.mark.parametrize(
    "latex",
    [
        "\\text{<script>alert(1)</script>}",
        "\\text{&lt;script&gt;}",
        "\\href{javascript:alert(1)}{x}",
        "\\hspace{-50em}x\\hspace{5000em}",
        "\\raise{9em}{x}",
        "\\color{red}x \\colorbox{url(x)}{y} \\textcolor{red}{z}",
        "\\style{position:fixed}{x}\\class{top}{x}",
    ],
)
def test_hostile_formulas(latex: str) -> None:
    drawn = maths.to_mathml(latex, False)
    check(drawn or "<math/>")
    for bad in ("script>", "javascript", "-50", "5000", "9em", "url", "red", "position"):
        assert bad not in re.sub(r">[^<]*<", "><", drawn)


PIECES = st.sampled_from(
    [
        *(
            "\\frac",
            "\\sqrt",
            "{",
            "}",
            "^",
            "_",
            "\\left(",
            "\\right)",
            "&",
            "\\\\",
            "a",
            "1",
            "'",
        ),
        *("\\text{", "\\sum", "\\not", "[", "]", "<b>", "\\verb|", "|", "%", "\\hspace{", "9em"),
        *("\\begin{matrix}", "\\end{matrix}", "\\binom", "\\mathbb{", "\\href{", '"', "\\limits"),
    ]
)


@given(st.lists(PIECES, max_size=40).map("".join))
def test_any_formula_is_harmless(latex: str) -> None:
    drawn = maths.to_mathml(latex, False)
    if drawn:
        check(drawn)


def untagged(html: str) -> str:
    return re.sub(r"<[^>]+>", "", html)


TEXT = "Wait, 2+2=5. So $3+4=7=7$ but hold on \\( 1+1=3 \\)."


def test_marks() -> None:
    statements = [
        Statement(6, 11, "fails", "2+2 = 5"),
        Statement(17, 22, "holds", "3+4 = 7"),
        Statement(21, 24, "holds", "7 = 7"),
    ]
    html = shown(TEXT, statements, Drawing(on=False), keywords=True)
    assert '<mark>Wait</mark>, <span class="said fails" title="✗ 2+2 = 5 fails">2+2=5<' in html
    assert html.count('class="said holds"') == 1  # those that overlap are one
    assert "<mark>but</mark> <mark>hold on</mark>" in html
    drawn = shown(TEXT, statements, Drawing(), keywords=True)
    assert (
        '<span class="said holds" title="✓ 3+4 = 7 holds\n✓ 7 = 7 holds"><span class="formula"'
        in drawn
    )
    assert drawn.count("<math>") == 2


@given(
    st.text(alphabet="a $\\()=2<&wait but\n[]", max_size=60),
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=5),
    st.booleans(),
)
def test_no_text_is_lost(text: str, places: list[tuple[int, int]], drawn: bool) -> None:
    """Whatever is marked, what can be read is the text, and tags are closed."""
    statements = [
        Statement(a, min(len(text), a + n), "holds", "x") for a, n in places if a < len(text)
    ]
    html = shown(text, statements, Drawing(on=drawn), keywords=True)
    ElementTree.fromstring(f"<p>{html}</p>")
    if not drawn:
        assert untagged(html).replace("✓", "") == safe(text)


def test_only_so_much_is_drawn() -> None:
    one = "$" + "x+" * 490 + "x$ "
    html = shown(one * 100, drawing=Drawing())
    assert 0 < html.count("<math>") <= DRAWN / 981 + 1
