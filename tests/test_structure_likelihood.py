"""skythought/structure/likelihood.py: what is compared with what, and what is made of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from skythought.core.errors import UserError
from skythought.structure import likelihood
from skythought.structure.likelihood import Comparison

PARTS = [f"step {i} of the thought" for i in range(8)]
QUESTION = "What are the steps?"


class Ordered:
    """Finds a step likelier after the step before it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def logprobs(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        self.asked += pairs
        return [-1.0 if _number(step) - _number(context) == 1 else -2.0 for context, step in pairs]


def _number(text: str) -> int:
    return int(text.split()[1]) if text.startswith("step") else -1


def test_steps_in_order_follow() -> None:
    judged = likelihood.judge(PARTS, Ordered(), question=QUESTION)
    assert len(judged) == len(PARTS)
    assert all(step.best for step in judged)
    assert likelihood.consistency(judged, 0) == 1
    soft = likelihood.consistency(judged, 0.5)
    assert soft == pytest.approx(1 / (1 + math.exp(-2)))


def test_steps_out_of_order_do_not() -> None:
    mixed = [PARTS[i] for i in (0, 4, 1, 5, 2, 6, 3, 7)]
    judged = likelihood.judge(mixed, Ordered(), question=QUESTION, comparison=Comparison(others=6))
    found = likelihood.consistency(judged, 0)
    assert found is not None
    assert found < 0.6
    assert sum(step.best for step in judged) < len(judged)


def test_without_a_question_the_first_step_is_not_judged() -> None:
    assert len(likelihood.judge(PARTS, Ordered())) == len(PARTS) - 1


def test_too_few_steps_are_not_judged() -> None:
    scorer = Ordered()
    assert likelihood.judge(PARTS[:2], scorer) == []
    assert likelihood.judge(PARTS[:1], scorer, question=QUESTION) == []
    assert likelihood.consistency([]) is None
    assert scorer.asked == []


def test_the_same_steps_are_compared_in_a_corrupt_copy() -> None:
    """Each step is tried after its own and others, never after itself, drawn from the seed."""
    first, again, other = Ordered(), Ordered(), Ordered()
    likelihood.judge(PARTS, first, comparison=Comparison(seed=1))
    likelihood.judge([part.upper() for part in PARTS], again, comparison=Comparison(seed=1))
    likelihood.judge(PARTS, other, comparison=Comparison(seed=2))
    assert [(c.upper(), s.upper()) for c, s in first.asked] == again.asked
    assert first.asked != other.asked
    assert len(first.asked) == 7 * 4
    for context, step in first.asked:
        assert context != step + likelihood.BETWEEN
    for start in range(0, len(first.asked), 4):
        assert len(set(first.asked[start : start + 4])) == 4


def test_ties_are_a_half() -> None:
    assert likelihood.Judged(-1, (-1, -1)).follows(0) == 0.5
    assert likelihood.Judged(-1, (-1, -1)).follows(0.1) == 0.5
    assert 0 < likelihood.Judged(-1e9, (0, 0)).follows(0.1) < 1e-9


def test_of_a_long_thought_some_steps_are_judged() -> None:
    """Those that are drawn depend on the seed, and lie in the order of the thought."""
    long = [f"step {i} of the thought" for i in range(200)]
    first, again, other = Ordered(), Ordered(), Ordered()
    assert len(likelihood.judge(long, first, comparison=Comparison(most=20))) == 20
    likelihood.judge(long, again, comparison=Comparison(most=20))
    likelihood.judge(long, other, comparison=Comparison(most=20, seed=1))
    drawn = [_number(step) for _, step in first.asked[::4]]
    assert drawn == sorted(set(drawn))
    assert all(_number(c) == _number(s) - 1 for c, s in first.asked[::4])
    assert first.asked == again.asked
    assert first.asked != other.asked


def test_texts_are_cut_between_words() -> None:
    words = "one two three four"
    cut = Comparison(others=1, context=9, continuation=9)
    pairs = likelihood.ask([words, words, words], "", cut)
    assert pairs[0][0] == ("four\n\n", "one two")  # "hree four", "one two t"
    cut = Comparison(others=1, context=10, continuation=7)
    assert likelihood.ask([words] * 3, "", cut)[0][0] == ("three four\n\n", "one two")
    assert likelihood.ask(["x" * 99] * 3, "", cut)[0][0] == ("x" * 10 + "\n\n", "x" * 7)
    assert likelihood.ask(["  " + "x" * 99] * 3, "", cut)[0][0][1] == "  xxxxx"


@pytest.mark.parametrize("name", ["others", "most", "context", "continuation"])
def test_nothing_is_compared_with_nothing(name: str) -> None:
    with pytest.raises(UserError, match=f"{name}=0: give 1 or more"):
        Comparison(**{name: 0})
