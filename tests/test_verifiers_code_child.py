"""skythought/verifiers/code_child.py: what assertions see of what a program did."""

from __future__ import annotations

import pytest

from skythought.core.records import Problem
from skythought.verifiers import code

pytestmark = pytest.mark.usefixtures("sandbox")

CHANGING = {
    "nothing": "def f(x):\n    x.clear()\n    return []",
    "sorted": "def f(x):\n    x.sort()\n    return x",
    "in place": "def f(x):\n    x.sort()",
    "popped": "def f(x): return x.pop()",
    "halves": "def f(x):\n    del x[len(x) // 2:]\n    return len(x)",
}


@pytest.mark.parametrize(
    ("program", "tests", "outcome"),
    [
        # What a test expects is not to be had by changing what it is computed from.
        ("nothing", "a = [3, 1]\nassert f(a) == sorted(a)", "incorrect"),
        ("nothing", "a = [3, 1]\nassert sorted(a) == f(a)", "incorrect"),
        ("nothing", "def g(x): return x[::-1]\na = [3, 1]\nassert f(a) == g(a)", "incorrect"),
        (
            "nothing",
            "def check(f):\n  a = [3, 1]\n  assert f(a) == sorted(a)\ncheck(f)",
            "incorrect",
        ),
        ("nothing", "for a in [[3, 1], [2]]:\n    assert f(a) == sorted(a)", "incorrect"),
        (
            "nothing",
            "a, b = [3, 1], [2]\nassert [f(a), f(b)] == [sorted(a), sorted(b)]",
            "incorrect",
        ),
        ("nothing", "a = [3, 1]\nassert (len(f(a)), 1) == (len(a), 1)", "incorrect"),
        # A program that changes its argument and gives the right value is right.
        ("sorted", "a = [3, 1]\nassert f(a) == sorted(a)", "correct"),
        # Tests of what is changed in place see the change.
        ("in place", "a = [3, 1]\nf(a)\nassert a == [1, 3]", "correct"),
        ("in place", "a = [3, 1]\nassert f(a) is None and a == [1, 3]", "correct"),
        ("in place", "a = [3, 1]\nassert (f(a) or a) == [1, 3]", "correct"),
        ("in place", "a = [3, 1]\nassert (f(a), a)[1] == [1, 3]", "correct"),
        ("in place", "def g(a):\n    f(a)\n    return a\nassert g([3, 1]) == [1, 3]", "correct"),
        ("in place", "a = [3, 1]\ntry:\n    f(a)\nfinally:\n    assert a == [1, 3]", "correct"),
        ("halves", "a = [3, 1]\nk = f(a)\nassert a[:k] == [3] and a == [3]", "correct"),
        ("halves", "a = [3, 1]\nassert f(a) == 1 and a == [3]", "correct"),
        ("halves", "a = [3, 1]\nif f(a):\n    assert a == [3]", "correct"),
        ("halves", "a = [3, 1]\nwhile f(a):\n    assert a == [3]", "correct"),
        ("popped", "a = [3, 1, 2]\nassert [f(a) for _ in range(3)] == [2, 1, 3]", "correct"),
        ("popped", "a = [3, 1, 2]\nassert f(a) + f(a) == 3 and a == [3]", "correct"),
        ("popped", "a = {1: [3, 2]}\nassert f(a[1]) == 2\nassert a == {1: [3]}", "correct"),
    ],
)
def test_arguments_that_are_changed(program: str, tests: str, outcome: str) -> None:
    asked = Problem(id="p", task="t", question="?", answer="tests", extra={"test_list": [tests]})
    found = code.check(asked, f"```python\n{CHANGING[program]}\n```")
    assert found.outcome == outcome, found.detail
