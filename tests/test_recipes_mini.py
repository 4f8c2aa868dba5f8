"""recipes/mini/corpus.py: what the base model reads holds single moves and no search."""

from __future__ import annotations

import importlib
import re
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pytest

from skythought.tasks import toll_roads

RECIPE = Path(__file__).parents[1] / "recipes" / "mini"


Turns = list[tuple[str, str]]


@pytest.fixture(scope="module")
def documents() -> Iterator[Callable[[int], Iterator[Turns]]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(RECIPE))
        yield importlib.import_module("corpus").documents


@pytest.fixture(scope="module")
def read(documents: Callable[[int], Iterator[Turns]]) -> list[Turns]:
    return list(islice(documents(7), 600))


def test_the_same_seed_gives_the_same_documents(
    documents: Callable[[int], Iterator[Turns]], read: list[Turns]
) -> None:
    assert list(islice(documents(7), 20)) == read[:20]
    assert list(islice(documents(8), 20)) != read[:20]


def test_the_roads_are_those_of_training_problems(read: list[Turns]) -> None:
    held_out = {
        _roads(problem.question)
        for split in ("dev", "test")
        for problem in islice(toll_roads.load(split), 1000)
    }
    assert not held_out & {_roads(turns[0][0]) for turns in read}


def test_nothing_is_searched(read: list[Turns]) -> None:
    """No response opens a question and visits a place, or visits one, arrives and answers."""
    marks = {"open": "I need the toll", "visit": "I am at", "arrive": "wanted to go|asked for"}
    marks |= {"check": "let me (check|verify)", "answer": "boxed"}
    kinds: Counter[tuple[str, ...]] = Counter()
    for turns in read:
        for ask, said in turns:
            kinds[tuple(kind for kind, mark in marks.items() if re.search(mark, said))] += 1
            goal = re.search(r"and want (\w+)", ask)
            visited = re.findall(r"I am at (\w+)", said)
            if goal and len(visited) > 1:
                assert goal[1] not in visited
    assert set(kinds) == {(), ("open",), ("visit",), ("visit", "arrive"), ("check",), ("answer",)}


def test_a_walk_goes_on_anywhere(read: list[Turns]) -> None:
    """The place visited next is not always the one a depth-first search would take."""
    first = []
    for turns in read:
        for _, said in turns:
            for out in re.findall(
                r"[A-Z][a-z]+: (\w+) \d[^.]*\. So .*? (?:go|road) to (\w+) at", said
            ):
                first.append(out[0] == out[1])
    assert len(first) > 500
    assert 0.2 < sum(first) / len(first) < 0.8


def _roads(question: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+: [^.]*\.", question.split(" You start")[0]))
