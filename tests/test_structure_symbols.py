from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skythought.core import shapes
from skythought.structure.symbols import mentioned, number_form

CASES = [
    ("", []),
    ("Nothing here, just words.", []),
    # numbers
    ("5 + 3 = 8.", ["5", "3", "8"]),
    ("1,000 and 1{,}000 and 1\\,000", ["1000", "1000", "1000"]),
    ("12,345,678.50", ["12345678.5"]),
    ("1,2,3", ["1", "2", "3"]),
    (".5 and 0.50 and 5.", ["0.5", "0.5", "5"]),
    ("007 of 3.00", ["7", "3"]),
    ("-4 and 1/2 and 50%", ["4", "1", "2", "50"]),
    ("1e5, 2E-03", ["1e5", "2e-3"]),
    ("a 3rd and the 21st", ["3", "21"]),
    # variables
    ("x = 2x + y'", ["x", "2", "x", "y"]),
    ("x_1, x_{1}, x₁, x1 and x₁₂", ["x_1", "x_1", "x_1", "x_1", "x_12"]),
    ("α₁α₂ = c_1x", [r"\alpha_1", r"\alpha_2", "c_1", "x"]),
    (r"T_{\text{max}} and a_{n+1}", ["T_max", "a", "n", "1"]),
    ("r² + x⁴", ["r", "2", "x", "4"]),
    ("𝑥 + 𝐲", ["x", "y"]),
    # a, A and I
    ("a + b = c, (a, b), 2a and |a|", ["a", "b", "c", "a", "b", "2", "a", "a"]),
    ("I think a plan is a must. A man, I say; I'm sure.", []),
    ("I = 5 and A = {1}", ["I", "5", "A", "1"]),
    ("So the option (A)", ["A"]),
    # names
    (r"\theta θ theta \pi π pi", [r"\theta"] * 3 + [r"\pi"] * 3),
    (r"\frac{a}{b} \cdot \text{apples} \left( x \right)", ["a", "b", "x"]),
    (r"\sin x, log_2 8, f'(x), \sqrt2", ["sin", "x", "log_2", "8", "f", "x", "sqrt", "2"]),
    ("gcd(8, 6) apples and apple(s)", ["gcd", "8", "6"]),
    ("max_sum = len(nums)", ["max_sum", "len"]),
    # letters of other alphabets are words
    ("в 的 é", []),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_golden(text: str, expected: list[str]) -> None:
    assert mentioned(text) == expected


def test_the_example_of_the_module() -> None:
    text = r"So 1,000x + 2.50 = f(x_1), with \theta = 3.0"
    assert mentioned(text) == ["1000", "x", "2.5", "f", "x_1", r"\theta", "3"]


@given(st.decimals(min_value=0, max_value=10**9, places=4, allow_nan=False))
def test_numbers_that_are_equal_have_one_form(value: object) -> None:
    written = f"{value:f}"
    grouped = f"{value:,f}"
    assert mentioned(written) == mentioned(grouped) == [number_form(written)]
    assert mentioned(f"the sum {written}0, say") == mentioned(written)
    assert float(number_form(written)) == float(written)


@given(st.text(alphabet="aAIxy_0123456789 ,.'\\{}()=+$αθ₁²\n", max_size=200))
def test_any_text_is_read_and_what_is_found_is_read_again(text: str) -> None:
    for found in mentioned(text):
        assert found
        assert found == found.strip()


@pytest.mark.parametrize(
    "piece",
    [
        "1",
        "1,000",
        "1,",
        ".1",
        "1e",
        "x_",
        "_{",
        "a_",
        "\\text{",
        "a'",
        "a ",
        "(",
        "\\",
        "₁",
        "x_{",
    ],
)
def test_long_hostile_text(piece: str) -> None:
    """Quadratic work would take hours on these; nothing here measures the time."""
    mentioned(piece * (1_000_000 // len(piece)))


def test_real_traces(shared: Path) -> None:
    """In real traces of arithmetic the last number was mostly said before."""
    traces = list(shapes.read_traces(shared / "traces" / "traces.jsonl"))
    chosen = random.Random(0).sample([t for t in traces if len(t.thought) > 500], 100)
    said_before = 0
    for trace in chosen:
        numbers = [m for m in mentioned(trace.thought) if m[0].isdigit()]
        assert numbers
        said_before += numbers[-1] in numbers[:-1]
    assert said_before > 80
