"""skythought/core/options.py: k=v,k=v, with JSON in it."""

from __future__ import annotations

import pytest

from skythought.core import options
from skythought.core.errors import UserError


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {}),
        ("a=1, b = x=y ,", {"a": "1", "b": "x=y"}),
        ('a={"b": 1, "c": [2, 3]},d=4', {"a": '{"b": 1, "c": [2, 3]}', "d": "4"}),
        ('stop=["a,b", "]"],n=1', {"stop": '["a,b", "]"]', "n": "1"}),
        ('a={"b": "\\"}, "},c=1', {"a": '{"b": "\\"}, "}', "c": "1"}),
        ("stop=a[,b=1", {"stop": "a[", "b": "1"}),  # a bracket inside a value is a sign like others
        ("stop=</answer>", {"stop": "</answer>"}),
    ],
)
def test_read(text: str, found: dict[str, str]) -> None:
    assert options.read(text) == found


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("speed", "expected k=v,k=v but found 'speed'"),
        ('a={"b": 1,c=2', "the bracket is never closed"),
        ("a=1,a=2", "a is given twice: 1 and 2"),
    ],
)
def test_mistakes(text: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        options.read(text)
