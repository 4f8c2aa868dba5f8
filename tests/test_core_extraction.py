"""skythought/core/extraction.py: where the answer stands in a text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skythought.core import extraction

PLAIN = st.text(st.characters(exclude_characters="\\{}", exclude_categories=["Cs"]), min_size=1)


@pytest.mark.parametrize(
    ("text", "found", "rule"),
    [
        ("so \\boxed{\\frac{14}{3}}.", "\\frac{14}{3}", "boxed"),
        ("\\boxed{3}, no: \\boxed{5}", "5", "boxed"),
        ("\\fbox{5}", "5", "boxed"),
        ("boxed{no}", "no", "boxed"),
        ("\x08oxed{no}", "no", "boxed"),
        ("\\boxed 5.", "5", "boxed"),
        ("\\boxed{\\{1, 2\\}}", "\\{1, 2\\}", "boxed"),
        ("\\boxed{\\left\\{x\\right.}", "\\left\\{x\\right.", "boxed"),
        ("\\boxed{a \\\\{b}}", "a \\\\{b}", "boxed"),
        ("\\boxed{7", "7", "last number"),
        ("$\\boxed{1}$ and $\\boxed{2}$", "1, 2", "boxes"),
        ("$x = \\boxed{1}$, $y = \\boxed{2}$", "1, 2", "boxes"),
        ("\\boxed{1}, \\boxed{2} or \\boxed{3}", "1, 2, 3", "boxes"),
        ("\\boxed{5} and \\boxed{5}", "5", "boxed"),
        ("\\boxed{3}, and therefore \\boxed{5}", "5", "boxed"),
        ("\\boxed{\\boxed{5}}", "5", "boxed"),
        ("It is \\boxed{6}. I put it in \\boxed{} as requested.", "6", "boxed"),
        ("It is \\boxed{6}, in the form \\boxed{answer}.", "6", "boxed"),
        ("It is \\boxed{6}. " + "\\boxed{}" * 2_000, "6", "boxed"),
        ("It is \\boxed{1}, \\boxed{2}, \\boxed{\\text{...}}", "1, 2", "boxes"),
        ("The answer is 6. Its form is \\boxed{\\ldots}.", "6", "answer is"),
        ("<answer>6</answer>, in <answer></answer> as asked", "6", "answer tag"),
        ("Answer: 6\n\n**Answer:** \\boxed{}", "6", "answer is"),
        ("#### 6\n#### your answer", "6", "####"),
        ("It is 6: \\boxed{answer}", "answer", "boxed"),
        ("\\boxed{}", "", "boxed"),
        ("\\boxed{<} and not \\boxed{}", "<", "boxed"),
        ("the answer is therefore $7+14=21$.", "7+14=21", "answer is"),
        ("The answer is $69$, $84$ and $7$.", "69, 84, 7", "answer is"),
        ("So.\n\n## Final answer\n\n$7$", "7", "answer is"),
        ("所以答案是28,800种。", "28800", "answer is, last number"),
        (
            "\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}",
            "\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}",
            "whole text",
        ),
        ("864 \\mbox{ inches}^2", "864 \\mbox{ inches}^2", "whole text"),
        ("sandboxed{3} 4", "4", "last number"),
        ("<answer>42</answer>", "42", "answer tag"),
        ("<answer>42", "42", "answer tag"),
        ("<answer>The total is 42 apples.</answer>", "42", "answer tag, last number"),
        ("<answer>The answer is $x$.</answer>", "x", "answer tag"),
        ("The answer is $x=5$, as wanted.", "x=5", "answer is"),
        ("The answer is \\(x\\).", "x", "answer is"),
        ("The answer is 3.5. Thus half of 7.", "3.5", "answer is"),
        ("The answer is $5 and not $3.", "$5", "answer is, beginning"),
        ("**Final Answer:** 73", "73", "answer is"),
        ("Then.\n\n**Final Answer**\n$$w = 6 - 5i$$", "w = 6 - 5i", "answer is"),
        ("answer: 4 x 4 = 16 boxes", "4 x 4 = 16 boxes", "answer is"),
        ("**Answer**: 73", "73", "answer is"),
        ("**Answer:** He pays **\\$75.00** in 30 days.", "\\$75.00", "answer is, emphasis"),
        ("The answer is **75** dollars in 30 days, not less.", "75", "answer is, emphasis"),
        ("**Answer:** **Ann** and **Bob** pay for 30 days.", "30", "answer is, last number"),
        ("**Answer:** First **60**, then **15 packs** of 4.", "15 packs", "answer is, emphasis"),
        ("**Answer**: 3 loaves cost \\$4 more than 2 bagels.", "4", "answer is, last number"),
        ("The answer is no number lower than 7 or so", "no number lower than 7 or so", "answer is"),
        (
            "The answer is 42 fish with red and also with blue stripes",
            "42",
            "answer is, last number",
        ),
        ("16 - 3 - 4 = 9 ... #### 18", "18", "####"),
        ("#### 18\nThat was easy.", "18", "####"),
        ("The answer is " + "not 1 but " * 1_500, "not 1 but", "answer is"),
        ("The answer isn't 12.", "not 12", "answer is"),
        ("The answer is not 12 but 13 apples.", "13 apples", "answer is"),
        ("The answer is 12 of the 20 apples.", "12", "answer is, beginning"),
        ("Answer: 13. My first answer was 12.", "13", "answer is"),
        ("My first answer was 12.", "12", "answer is"),
        ("p - q", "p - q", "whole text"),
        ("**73**", "73", "whole text"),
        ("Yes.", "Yes", "whole text"),
        ("$\\frac12$", "\\frac12", "whole text"),
        ("18 dollars", "18 dollars", "whole text"),
        ("14 is it", "14", "last number"),
        ("so she makes 18 dollars a day.", "18", "last number"),
        ("she has 1,200 of them", "1200", "last number"),
        ("so 16/27 of it", "16/27", "last number"),
        ("on 1/2/2020 he came", "2020", "last number"),
        ("So the radius is sqrt(5) meters.", "sqrt(5)", "last number"),
        ("So it is $2\\sqrt{5}$ in all.", "2\\sqrt{5}", "last number"),
        ("so r is -2 * sqrt(5)/3 here", "-2 * sqrt(5)/3", "last number"),
        ("so r must be 2sqrt(5) then", "2sqrt(5)", "last number"),
        ("so r must be 3√(2) then", "3√(2)", "last number"),
        ("so r must be sqrt(5) and s is 4", "4", "last number"),
        ("so r must be 1+sqrt(5) then", "1+sqrt(5)", "last number"),
        ("so r must be 1 - sqrt(5) then", "1 - sqrt(5)", "last number"),
        ("so r must be x - √5 or so", "x - √5", "last number"),
        ("so it is 10-7", "7", "last number"),
        ("so it is -7", "-7", "last number"),
    ],
)
def test_rules(text: str, found: str, rule: str) -> None:
    assert extraction.extract(text) == (found, rule)


@pytest.mark.parametrize("text", ["", " \n", "I do not know this at all.", "word " * 300])
def test_nothing_to_find(text: str) -> None:
    assert extraction.extract(text) is None


@settings(deadline=None)
@given(PLAIN, st.text())
def test_a_box_at_the_end_is_found(inside: str, before: str) -> None:
    found = extraction.extract(f"{before}\\boxed{{{inside}}}")
    assert found == (inside.strip(), "boxed")


@settings(deadline=None)
@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    found = extraction.extract(text)
    assert found is None or len(found.text) <= len(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "...", "\\ldots", "\\dots", "…", "?", "\\_\\_", "$ $", "\\text{ }", "\\boxed{}"),
        *("answer", "Your answer", "\\text{final answer}", "the final answer here", "**answer**"),
        *("[answer]", "<answer>", "(your final answer)", "insert your answer here", "\\cdot"),
    ],
)
def test_placeholders(text: str) -> None:
    assert extraction.is_placeholder(text)


@pytest.mark.parametrize(
    "text",
    [
        *("0", "x", "correct", "here", "final", "<", "*", "+", "\\{\\}", "()", "\\emptyset", "-"),
        *("answer 6", "\\text{none}", "no answer", "\\dotsc x", "." * 61),
    ],
)
def test_answers_that_are_no_placeholders(text: str) -> None:
    assert not extraction.is_placeholder(text)


def test_only_the_end_is_read() -> None:
    assert extraction.extract("\\boxed{5}" + " so" * extraction.TAIL_CHARS) is None
