"""skythought/evaluating/: figures of samples, votes and budgets, exact on known answers."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skythought import evaluate
from skythought.core import metrics
from skythought.core.errors import UserError
from skythought.core.records import Outcome, Problem
from skythought.evaluating import figures, votes
from skythought.evaluating.answers import Answer


def answer(problem: str, sample: int, outcome: Outcome, said: str = "", tokens: int = 9) -> Answer:
    return Answer(f"{problem}/{sample}", problem, sample, outcome, said, "", tokens, False, False)


def marks(problem: str, pattern: str) -> list[Answer]:
    """Make samples of a problem: + right, - wrong, 0 without an answer, e an error."""
    kinds: dict[str, Outcome] = {"+": "correct", "-": "incorrect", "0": "no_answer", "e": "error"}
    return [answer(problem, i, kinds[mark]) for i, mark in enumerate(pattern)]


@pytest.mark.parametrize(("n", "right"), [(4, 0), (4, 1), (4, 4), (7, 3)])
def test_pass_at_k_is_the_share_of_subsets_with_a_right_one(n: int, right: int) -> None:
    samples = [i < right for i in range(n)]
    for k in range(1, n + 1):
        subsets = [*combinations(samples, k)]
        share = sum(any(subset) for subset in subsets) / len(subsets)
        assert metrics.pass_at_k(n, right, k) == pytest.approx(share)


@pytest.mark.parametrize(("n", "right", "k"), [(4, 1, 0), (4, 1, 5), (4, 5, 1), (4, -1, 1)])
def test_pass_at_k_of_nothing(n: int, right: int, k: int) -> None:
    with pytest.raises(ValueError, match=rf"pass@{k} of {right} right among {n}"):
        metrics.pass_at_k(n, right, k)


def test_figures_of_samples() -> None:
    answers = [*marks("a", "++--"), *marks("b", "----"), *marks("c", "+0-+"), *marks("d", "e+++e")]
    found = figures.summarize(answers[:-5] + answers[-5:])
    assert found["accuracy"] == pytest.approx((0.5 + 0 + 0.5 + 1) / 4)
    assert (found["n"], found["problems"], found["errors"], found["complete"]) == (15, 4, 2, False)
    assert found["no_answer"] == 1
    assert [*found["pass_at"]] == ["1", "2", "3"]  # of the problem with the fewest samples
    assert found["pass_at"]["1"][0] == pytest.approx(found["accuracy"])
    at_2 = [1 - 1 / 6, 0, 1 - 1 / 6, 1]
    assert found["pass_at"]["2"][0] == pytest.approx(sum(at_2) / 4)
    assert "cons_at" not in found
    value, low, high = found["pass_at"]["3"]
    assert low <= value <= high


def test_intervals_are_clustered_by_problem() -> None:
    """Two hundred samples of four problems are four problems."""
    answers = [a for i, p in enumerate(("+" * 50, "-" * 50) * 2) for a in marks(str(i), p)]
    found = figures.summarize(answers)
    assert (found["low"], found["high"]) == metrics.wilson(2, 4)
    once = figures.summarize([a for i in range(200) for a in marks(str(i), "+-"[i % 2])])
    assert (once["low"], once["high"]) == metrics.wilson(100, 200)


def test_what_is_right_within_a_budget() -> None:
    lengths = (("a", 20), ("b", 40), ("c", 100))
    found = figures.summarize([answer(p, 0, "correct", tokens=t) for p, t in lengths])
    rows = {row["tokens"]: row["accuracy"] for row in found["at_budget"]}
    assert [*rows] == [16, 32, 64, 128]
    assert [round(v, 3) for v in rows.values()] == [0, 0.333, 0.667, 1]
    assert found["tokens"] == {
        "median": 40,
        "p95": pytest.approx(94),
        "right": pytest.approx(160 / 3),
        "wrong": None,
    }


def test_answers_that_mean_the_same_are_one_vote() -> None:
    same = evaluate.alike(Problem(id="p", task="t", question="?", answer="7"), "math")
    said = ["7", "\\frac12", "0.5", "7.0", "", "1/2", "3"]
    right = [text.startswith("7") for text in said]
    assert votes.number(said, right, same) == [0, 1, 1, 0, votes.NONE, 1, 2]


@pytest.mark.parametrize(
    ("cast", "won"),
    [
        ([0, 0, 1], 1),
        ([0, 1, 1], 0),
        ([0, 1], 0.5),
        ([0, 1, 2, 2, 0], 0.5),
        ([-1, -1, 0], 1),
        ([-1, -1], 0),
        ([1, 2, 0], 1 / 3),
    ],
)
def test_majorities(cast: list[int], won: float) -> None:
    assert votes.majority(cast, len(cast)) == pytest.approx(won)


def test_smaller_votes_are_means_over_subsets() -> None:
    cast = [0, 0, 0, 1, 1, 2]
    subsets = [*combinations(cast, 3)]
    exact = sum(votes.majority(subset, 3) for subset in subsets) / len(subsets)
    assert votes.majority(cast, 3) == pytest.approx(exact)
    assert votes.majority(cast, 1) == 0.5
    many = [0] * 30 + [1] * 20
    assert votes.majority(many, 1) == 0.6
    assert votes.majority(many, 9) == votes.majority(many, 9) == pytest.approx(0.75, abs=0.05)
    for k in (0, 7):
        with pytest.raises(ValueError, match=f"a vote of {k} needs as many samples"):
            votes.majority(cast, k)


@given(st.lists(st.text("ab ", max_size=3), min_size=1), st.data())
def test_votes_do_not_depend_on_order(said: list[str], data: st.DataObject) -> None:
    right = [text == "a" for text in said]
    order = data.draw(st.permutations(range(len(said))))
    before = votes.number(said, right, lambda one, other: False)
    after = votes.number([said[i] for i in order], [right[i] for i in order], lambda a, b: False)
    n = len(said)
    assert votes.majority(before, n) == pytest.approx(votes.majority(after, n))


@given(st.integers(1, 200))
def test_powers(n: int) -> None:
    found = figures.powers(n)
    assert found[-1] == n
    assert found == sorted({*found})
    assert all(k & (k - 1) == 0 for k in found[:-1])


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def config(folder: Path, **values: Any) -> evaluate.Config:
    for name, count in (("easy", 4), ("hard", 2)):
        rows = [
            {"id": str(i), "problem": f"{name} {i}?", "answer": "1", "level": i % 2}
            for i in range(count)
        ]
        write(folder / f"{name}.jsonl", *rows)
    said = [{"question": f"easy {i}?", "response": "\\boxed{1}"} for i in range(3)]
    said += [
        {"question": f"{q}?", "response": "\\boxed{2}"} for q in ("easy 3", "hard 0", "hard 1")
    ]
    asked: dict[str, Any] = {
        "task": f"{folder / 'easy.jsonl'},{folder / 'hard.jsonl'}",
        "backend": "scripted",
        "model": str(write(folder / "said.jsonl", *said)),
        "result_dir": folder / "run",
    }
    return evaluate.Config(**(asked | values))


def test_several_tasks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = evaluate.run(config(tmp_path, by="level"))
    assert [round(result["accuracy"], 3) for result in found.values()] == [0.75, 0]
    saved = json.loads((tmp_path / "run" / "easy" / "scores.json").read_text())
    assert saved["accuracy"] == 0.75
    assert {k: (v["problems"], v["accuracy"]) for k, v in saved["by"].items()} == {
        "0": (2, 1),
        "1": (2, 0.5),
    }
    assert "easy.jsonl: 1: 0.500" in " ".join(capsys.readouterr().err.split())


def test_several_tasks_that_cannot_be(tmp_path: Path) -> None:
    easy = str(tmp_path / "easy.jsonl")
    with pytest.raises(UserError, match="names a task twice"):
        evaluate.run(config(tmp_path, task=f"{easy},{easy}"))
    with pytest.raises(UserError, match=r"--data x\.jsonl: is a copy of one dataset"):
        evaluate.run(config(tmp_path, data="x.jsonl"))
    with pytest.raises(UserError, match=r"unknown field in --by 'levle': did you mean 'level'"):
        evaluate.run(config(tmp_path, task=easy, by="levle"))
    assert not (tmp_path / "run" / "hard").exists()


def test_chance_and_cut_answers_are_told(tmp_path: Path) -> None:
    rows = [
        {"id": str(i), "problem": f"{i}?", "choices": ["x", "y"], "answer": "A"} for i in range(6)
    ]
    said = [
        {"question": f"{i}?\n\nA. x\nB. y", "response": "\\boxed{A}" if i < 2 else "\\boxed{B}"}
        for i in range(6)
    ]
    asked = config(
        tmp_path,
        task=str(write(tmp_path / "two.jsonl", *rows)),
        model=str(write(tmp_path / "script.jsonl", *said)),
    )
    result = evaluate.measure(asked)
    assert result["chance"] == 0.5
    assert "not above chance, which is 0.50" in evaluate.remarks(result)
    cut = result | {"truncated": 3, "loops": 1}
    assert any(line.startswith("50% of the answers were cut off") for line in evaluate.remarks(cut))
    assert "1 answer ends in saying the same again and again" in evaluate.remarks(cut)


def test_what_has_no_spread_still_has_an_interval() -> None:
    found = figures.summarize([*marks("a", "+-"), *marks("b", "-+")])
    assert found["low"] < 0.2 < 0.8 < found["high"]
    assert found["pass_at"]["1"][1] < 0.2


def test_uncounted_tokens_are_no_tokens() -> None:
    found = figures.summarize([answer("a", 0, "correct", tokens=0)])
    assert found["mean_tokens"] is found["tokens"]["p95"] is None
    assert found["at_budget"] == []


def test_the_last_task_is_tried_before_the_first_is_asked(tmp_path: Path) -> None:
    easy = str(tmp_path / "easy.jsonl")
    with pytest.raises(UserError, match="unknown task 'aime42'"):
        evaluate.run(config(tmp_path, task=f"{easy},aime42"))
    assert not (tmp_path / "run").exists()
    assert evaluate.run(config(tmp_path, task=f"{easy},"))["n"] == 4


def test_missing_answers_make_a_score_incomplete(tmp_path: Path) -> None:
    asked = config(tmp_path, task=str(tmp_path / "easy.jsonl"))
    assert evaluate.measure(asked)["complete"]
    verdicts = tmp_path / "run" / "verdicts.jsonl"
    verdicts.write_text("".join(verdicts.read_text().splitlines(keepends=True)[:-1]))
    found = evaluate.summary(tmp_path / "run")
    assert (found["n"], found["ungraded"], found["complete"]) == (3, 1, False)
    assert "incomplete: 1 answers are missing or not graded" in " ".join(evaluate.remarks(found))
    assert evaluate.exit_code(found) == 1
    assert evaluate.exit_code({"easy": evaluate.measure(asked)}) == 0
