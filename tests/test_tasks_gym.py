"""skythought/tasks/gym.py: puzzles that are distinct, split for good, and survive JSON."""

from __future__ import annotations

from fractions import Fraction
from itertools import islice
from typing import Any

import msgspec
import pytest

from skythought import tasks, verifiers
from skythought.core.errors import UserError
from skythought.core.records import Problem
from skythought.tasks import gym
from skythought.verifiers import gym_worker

VALUES: list[Any] = [
    *(None, True, 3, -(2**70), 0.5, float("inf"), "a", [1, [2]], (1, (2, "b")), {1, 2}),
    *(Fraction(1, 3), {"a": (1,)}, {1: "x", (2, 3): [None]}, {"~": "trap", "of": 1}, [], {}),
    {"grid": [[(0, 1)]], "names": {"x": {"y": frozenset({"z"})}}},
]


@pytest.mark.parametrize("value", VALUES, ids=str)
def test_values_survive_json(value: Any) -> None:
    written = msgspec.json.decode(msgspec.json.encode(gym.plain(value)))
    again = gym_worker.restore(written)
    assert again == value
    assert type(again) is type(value)


def test_what_is_no_plain_value_is_refused() -> None:
    with pytest.raises(TypeError, match="an object of the kind object"):
        gym.plain({"a": [object()]})
    entry = {"question": "?", "answer": "1", "metadata": {"a": object()}}
    with pytest.raises(UserError, match=r"dataset 'x' is left out: its metadata cannot be kept"):
        gym._problem("x", "test", entry)


def test_without_the_library_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "reasoning_gym", None)
    monkeypatch.setitem(__import__("sys").modules, "reasoning_gym.factory", None)
    with pytest.raises(UserError, match=r"pip install 'skythought\[gym\]'"):
        tasks.get("reasoning_gym/chain_sum")


def draw(name: str, split: str, n: int, seed: int = 0) -> list[Problem]:
    return list(islice(tasks.get(f"reasoning_gym/{name}").load(split, seed=seed), n))


@pytest.fixture(scope="module")
def factory() -> Any:
    return pytest.importorskip("reasoning_gym.factory", reason="needs skythought[gym]")


@pytest.mark.usefixtures("factory")
def test_problems_are_distinct_and_in_one_split() -> None:
    found = {
        s: [p for seed in range(2) for p in draw("chain_sum", s, 60, seed)] for s in gym.SPLITS
    }
    asked = {split: {p.question for p in problems} for split, problems in found.items()}
    for one in gym.SPLITS:
        assert len({p.id for p in found[one][:60]}) == 60
        for other in gym.SPLITS:
            assert one == other or not asked[one] & asked[other]
    assert draw("chain_sum", "test", 20) == found["test"][:20]
    assert draw("chain_sum", "test", 20, seed=1) != found["test"][:20]
    assert {tasks.verifier_of(p) for p in found["test"]} == {"reasoning_gym"}
    assert {p.task for p in tasks.draw("reasoning_gym/chain_sum", "dev", 0, n=3)} == {
        "reasoning_gym/chain_sum"
    }


@pytest.mark.usefixtures("factory")
def test_a_dataset_with_few_questions_ends(capsys: pytest.CaptureFixture[str]) -> None:
    config = {"min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": 1}
    import reasoning_gym

    before = reasoning_gym.create_dataset
    try:
        reasoning_gym.create_dataset = lambda name, **given: before(name, **given, **config)
        found = draw("chain_sum", "test", 10_000)
    finally:
        reasoning_gym.create_dataset = before
    assert 5 < len(found) < 200
    told = f"reasoning_gym/chain_sum: only {len(found):,} problems in split 'test'"
    assert told in capsys.readouterr().err


@pytest.mark.usefixtures("factory")
def test_names() -> None:
    for name, told in (
        ("chain_sums", r"unknown reasoning_gym dataset 'chain_sums': did you mean 'chain_sum'\?"),
        ("composite", "is left out: it mixes other datasets"),
        ("game_of_life_halting", "its scorer accepts every answer"),
    ):
        with pytest.raises(UserError, match=told):
            tasks.get(f"reasoning_gym/{name}")
    with pytest.raises(UserError, match=r"makes its problems without end; give --limit N"):
        tasks.draw("reasoning_gym/chain_sum", "test", 0)
    with pytest.raises(UserError, match="unknown split of reasoning_gym/chain_sum 'tset'"):
        tasks.get("reasoning_gym/chain_sum").load("tset")


# Their scorers have no reference answer, only a test that an answer passes.
NO_REFERENCE = {"boxnet", "graph_color", "propositional_logic", "rubiks_cube", "rush_hour"}


@pytest.mark.slow
def test_every_dataset_scores_its_own_answers_after_json(factory: Any) -> None:
    """Gold is right, and what another problem, nobody or a fool says is not."""
    check = verifiers.get("reasoning_gym").check
    wrong = []
    for name in sorted(set(factory.DATASETS) - set(gym.REFUSED)):
        problems = draw(name, "train", 3)
        assert problems, name
        for problem in problems:
            again = msgspec.json.decode(msgspec.json.encode(problem), type=Problem)
            assert again == problem
            if problem.answer == gym.ANY:
                assert name in NO_REFERENCE
            else:
                gold = check(again, f"<answer>{problem.answer}</answer>")
                if gold.outcome != "correct":
                    wrong.append((name, "gold", gold))
            for said in ("17 blue", "[]", "nothing of the kind"):
                found = check(again, f"<answer>{said}</answer>")
                if found.outcome != "incorrect":
                    wrong.append((name, said, found))
    assert not wrong, wrong
