"""skythought/verifiers/code_{tests,compare,plain}.py: tests are read, values compared."""

from __future__ import annotations

import base64
import json
import pickle
import zlib
from pathlib import Path
from typing import Any

import pytest

from skythought.core.records import Problem
from skythought.verifiers import code, code_compare, code_plain, code_tests
from skythought.verifiers.code_plain import Decoder, Encoder


def problem(extra: dict[str, Any], question: str = "?") -> Problem:
    return Problem(id="p", task="t", question=question, answer="tests", extra=extra)


@pytest.mark.parametrize(
    ("expected", "found", "reason"),
    [
        ("1 2\n3\n", "1 2  \n 3\n\n\n", ""),
        ("0.50", "0.5", ""),
        ("1e3 2", "1000 2.0", ""),
        ("0.3", "0.30000000000000004", "line 1: expected '0.3', found '0.30000000000000004'"),
        ("1\n\n2", "1\n2", "line 2: expected '', found '2'"),
        ("1\n2", "1", "expected 2 lines, found 1"),
        ("YES", "yes", "line 1: expected 'YES', found 'yes'"),
        ("1  2", "1 2", ""),  # decimals; words have to be spaced alike
        ("a  b", "a b", "line 1: expected 'a  b', found 'a b'"),
        ("1 2", "1", "line 1: expected '1 2', found '1'"),
        ("nan", "NaN", "line 1: expected 'nan', found 'NaN'"),
        ("7", "sNaN", "line 1: expected '7', found 'sNaN'"),
        ("7", "1e999999999999999999", "line 1: expected '7', found '1e999999999999999999'"),
        ("", "", ""),
    ],
)
def test_text_is_compared_as_livecodebench_does(expected: str, found: str, reason: str) -> None:
    assert code_compare.differ(expected, found) == reason


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, 1, -(1 << 80), 1.5, "x", [1, [2]], {"a": 1}, {1: (2, 3)}, (1,), {1, 2}),
        *(frozenset({1}), b"x", bytearray(b"x"), 1j, range(2, 9, 3), range(0), float("inf")),
    ],
)
def test_plain_values_come_back(value: Any) -> None:
    back = Decoder()(json.loads(json.dumps(Encoder()(value))))
    assert (type(back), back) == (type(value), value)


@pytest.mark.parametrize(
    ("expected", "found", "equal"),
    [
        ([1, 2], {"tuple": [1, 2]}, True),
        ([[1], 2.0], [{"tuple": [1]}, 2], True),
        (1 << 60, {"int": hex(1 << 60)}, True),
        ({"1": "a"}, {"dict": [[1, "a"]]}, True),
        ({"1": "a"}, {"dict": [["1", "b"]]}, False),
        ([1], {"set": [1]}, False),
        ([1], {"tuple": {"tuple": [1]}}, False),
        ([1], [1, 1], False),
        ("1", 1, False),
        (None, {"object": 0}, False),
        ({}, [], False),
    ],
)
def test_values_are_compared_without_asking_them(expected: Any, found: Any, equal: bool) -> None:
    assert code_plain.same(expected, found) is equal


def test_tests_are_read_in_every_shape() -> None:
    pairs = [{"input": "1\n2", "output": "3", "testtype": "functional"}]
    packed = base64.b64encode(zlib.compress(pickle.dumps(json.dumps(pairs)))).decode()
    call = code_tests.Case([1, 2], (3,))
    name = {"metadata": '{"func_name": "add"}'}
    shapes: tuple[dict[str, Any], ...] = (
        {"public_test_cases": pairs, "func_name": "add"},
        {"public_test_cases": json.dumps(pairs), "private_test_cases": [], **name},
        {"private_test_cases": packed, **name},
        {"tests": pairs, "func_name": "add"},
    )
    for extra in shapes:
        assert code_tests.read(problem(extra)) == ("call", "add", (call,), "", "")
    both = {"public_test_cases": pairs, "private_test_cases": packed, **name}
    assert len(code_tests.read(problem(both)).cases) == 2
    taco = {"input_output": json.dumps({"fn_name": "f", "inputs": [[1]], "outputs": [[[2]]]})}
    assert code_tests.read(problem(taco)).cases == (code_tests.Case([1], ([[2]], [2])),)
    apps = {"input_output": {"inputs": ["1\n", ["1", "2"]], "outputs": ["2\n", ["3"]]}}
    texts = [(case.given, *case.expected) for case in code_tests.read(problem(apps)).cases]
    assert texts == [("1\n", "2\n"), ("1\n2", "3")]
    quoted = {"tests": [{"input": "'a', True", "output": "('b',)"}], "func_name": "f"}
    assert code_tests.read(problem(quoted)).cases[0].expected == (("b",),)
    mbpp = {"test_setup_code": "import math", "test_list": ["assert f(1)", "assert f(2)"]}
    assert code_tests.read(problem(mbpp)).source == "import math\nassert f(1)\nassert f(2)"
    human = problem({"test": "def check(c):\n    assert c(1)\n", "entry_point": "f"}, "def f(x):\n")
    assert code_tests.read(human).source.endswith("check(f)\n")
    assert code_tests.read(human).starter == "def f(x):\n"


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        ({}, "the row has none"),
        ({"tests": [{"input": "1"}]}, 'a test is no {"input": ..., "output": ...}'),
        ({"test_list": ["assert f(1"]}, "the assertions are no Python"),
        ({"input_output": {"inputs": [], "outputs": []}}, "input_output is empty"),
        ({"input_output": "[]"}, "input_output holds no inputs and outputs"),
        ({"private_test_cases": "QUJD"}, "packed tests cannot be read"),
        (
            {"tests": [{"input": "x", "output": "1"}], "func_name": "f"},
            "a test holds no value: 'x'",
        ),
    ],
)
def test_tests_that_cannot_be_read_are_an_error(extra: dict[str, Any], reason: str) -> None:
    found = code.check(problem(extra), "```python\nx = 1\n```")
    assert found.outcome == "error"
    assert found.reason.startswith(f"no usable tests: {reason}")


def test_packed_tests_run_nothing(tmp_path: Path) -> None:
    class Touch:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "touched",))

    packed = base64.b64encode(zlib.compress(pickle.dumps(Touch()))).decode()
    found = code.check(problem({"private_test_cases": packed}), "```python\nx = 1\n```")
    assert "packed tests ask for" in found.reason
    assert not (tmp_path / "touched").exists()
