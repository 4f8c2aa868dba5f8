"""skythought/score.py on files of responses: which rows can be graded, and what of the others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from skythought import score
from skythought.core import shapes, store
from skythought.core.errors import UserError
from skythought.core.records import Verdict
from skythought.score import Config


def verdicts(path: Path) -> list[Verdict]:
    return store.read(path, Verdict)


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


ROWS: list[dict[str, Any]] = [
    {"id": "a", "problem": "1 + 1?", "response": "<think>\nHm\n</think>\n2", "answer": "2"},
    {"id": "b", "problem": "1 + 2?", "response": "\\boxed{4}", "reference_answer": "$3$"},
]
BAD = [
    ({"id": "x", "problem": "x?", "response": "1", "answer": "#### "}, "answer is empty"),
    ({"id": "x", "problem": "x?", "response": "1", "answer": {"a": 1}}, "must be a text or a numb"),
    ({"id": "x", "problem": "x?", "answer": "1"}, "unknown row with fields answer, id, problem"),
    ({"id": "x", "foo": 1}, "unknown row with fields foo, id; expected"),
    ({"id": "x", "problem": "x?", "response": None, "answer": "1"}, "the row has no response"),
    ({"id": "x", "messages": [], "answer": "1"}, "'messages' must be a list of turns"),
]


@pytest.mark.parametrize(("row", "told"), BAD)
def test_a_row_that_cannot_be_used_is_an_error(
    row: dict[str, Any], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "mine.jsonl", ROWS[0], row, ROWS[1])
    assert score.run(Config(input=path)) == {"correct": 1, "error": 1, "incorrect": 1}
    found = {v.id: v for v in verdicts(shapes.verdicts_beside(path))}
    assert set(found) == {"a", "b", "x"}
    assert (found["x"].outcome, found["x"].rule) == ("error", "row not usable")
    assert found["x"].detail.startswith(f"{path}:2: ")
    assert told in found["x"].detail
    assert f"rows that cannot be used: 1; the first: {path}:2: " in capsys.readouterr().err
    write(path, ROWS[0], {**ROWS[0], "id": "x"}, ROWS[1])  # mended, it is graded
    assert score.run(Config(input=path)) == {"correct": 2, "incorrect": 1}
    with pytest.raises(UserError, match=r"bad\.jsonl:1: "):
        score.run(Config(input=write(tmp_path / "bad.jsonl", row)))


def test_bad_rows_keep_apart_from_good_ones_of_their_id(tmp_path: Path) -> None:
    bad = [row for row, _ in BAD]
    path = write(tmp_path / "mine.jsonl", {**ROWS[0], "id": "x"}, *bad, {**ROWS[1], "id": "x"})
    for _ in range(2):
        assert score.run(Config(input=path)) == {"correct": 1, "error": len(BAD), "incorrect": 1}
    found = verdicts(shapes.verdicts_beside(path))
    assert len({v.id for v in found}) == len(BAD) + 2
    assert len(found) == len(BAD) + 2  # an error that stays the same is written once


DAMAGED = {
    "a list": "[1]",
    "torn": "{",
    "a text": '"text"',
    "zero": "\x00",
    "NaN": '{"response": "1", "answer": NaN}',
    "half a surrogate pair": '{"response": "\\ud800", "answer": "1"}',
    "deep": "[" * 100_000,
}


@pytest.mark.parametrize("line", DAMAGED.values(), ids=DAMAGED)
def test_a_line_that_is_no_row_is_an_error_or_the_end(
    line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "mine.jsonl", ROWS[0])
    path.write_text(f"{path.read_text()}{line}\n{json.dumps(ROWS[1])}\n")
    with pytest.raises(UserError, match=r"mine\.jsonl:2: "):
        score.run(Config(input=path, stop_at_damage=True))
    assert [p.name for p in tmp_path.iterdir()] == ["mine.jsonl"]
    assert score.run(Config(input=path)) == {"correct": 1, "error": 1, "incorrect": 1}
    [found] = [v for v in verdicts(shapes.verdicts_beside(path)) if v.outcome == "error"]
    assert found.rule == "row not usable"
    assert found.detail.startswith(f"{path}:2: ")
    assert "rows that cannot be used: 1; the first: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("ended", "outcome", "rule"),
    [
        ({"finish_reason": "stop"}, "correct", "boxed; text"),
        ({"finish_reason": None, "error": None}, "correct", "boxed; text"),
        ({"finish_reason": "length"}, "no_answer", "truncated"),
        ({"finish_reason": "MAX_TOKENS"}, "no_answer", "truncated"),
        ({"finish": "length"}, "no_answer", "truncated"),
        ({"finish": "error"}, "error", "generation failed"),
        ({"error": "timed out"}, "error", "generation failed"),
        ({"error": {"code": 500}}, "error", "generation failed"),
    ],
)
def test_how_an_answer_ended_counts(
    ended: dict[str, Any], outcome: str, rule: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "mine.jsonl", {"response": "\\boxed{2}", "answer": "2", **ended})
    assert score.run(Config(input=path)) == {outcome: 1}
    [found] = verdicts(shapes.verdicts_beside(path))
    assert found.rule == rule


PROGRAM = "```python\ndef f(x):\n    return x\n```"


@pytest.mark.parametrize(
    ("response", "answer", "verifier"),
    [
        (PROGRAM, "def f(x):\n    return x", "code"),
        (PROGRAM, "7", "code"),
        ("I do not know.", ["def f(x):\n    return x"], "code"),
        ("It is \\boxed{7}.", "7", "math"),
    ],
)
def test_tests_beside_an_answer_grade_programs(
    response: str, answer: object, verifier: str, tmp_path: Path
) -> None:
    row = {"response": response, "answer": answer, "test_list": ["assert f(1) == 1"]}
    path = write(tmp_path / "mine.jsonl", row)
    outcome = "no_answer" if response.startswith("I do") else "correct"
    assert score.run(Config(input=path, allow_unsafe_execution=True)) == {outcome: 1}
    [found] = verdicts(shapes.verdicts_beside(path))
    assert found.verifier.partition("@")[0] == verifier


FAILING: list[dict[str, Any]] = [
    {"func_name": "f", "tests": [{"input": "{[1]: 2}", "output": "1"}]},
    {"input_output": "[" * 100_000},
    {"func_name": "f", "tests": [{"input": "-" * 100_000 + "1", "output": "1"}]},
    {"input_output": {"inputs": 1, "outputs": 2}},
    {"test_list": ["assert f(1) == 1"], "test_imports": 5},
]


@pytest.mark.parametrize("row", FAILING)
def test_a_row_at_which_grading_fails_costs_only_itself(
    row: dict[str, Any], tmp_path: Path
) -> None:
    program = "```python\ndef f(x):\n    return x\n```"
    path = write(tmp_path / "mine.jsonl", ROWS[0], {"id": "x", "response": program, **row})
    found = score.run(Config(input=path, allow_unsafe_execution=True))
    assert found == {"correct": 1, "error": 1}
    [bad] = [v for v in verdicts(shapes.verdicts_beside(path)) if v.id == "x"]
    assert (bad.outcome, bad.rule) == ("error", "verifier failed")


GSM8K = "She sells 9 a day.\n9 * 2 = $<<9*2=18>>18\n#### 18"
MATH = "Since $x = 4$, it is $\\boxed{\\frac{1}{2}}$."


@pytest.mark.parametrize(
    ("row", "outcome"),
    [
        ({"response": "18", "answer": "18"}, "correct"),
        ({"response": 18, "answer": 18}, "correct"),
        ({"response": 18.0, "answer": "$18$"}, "correct"),
        ({"response": "<think>\n19?\n</think>\n\n18.", "answer": GSM8K}, "correct"),
        ({"response": "So \\boxed{17}", "answer": GSM8K}, "incorrect"),
        ({"output": "0.5", "answer": MATH}, "correct"),
        ({"response": "0.5", "solution": MATH}, "correct"),
        ({"response": "0.5", "solution": "It is clear."}, "error"),
        ({"response": "0.5", "ground_truth": "1/2"}, "correct"),
        ({"response": "0.5", "expected_answer": "1/2"}, "correct"),
        ({"response": "B", "answer": "B", "choices": ["oak", "fir"]}, "correct"),
        ({"response": "fir", "answer": "B", "choices": ["oak", "fir"]}, "correct"),
        ({"response": "fir", "answer": 1, "choices": ["oak", "fir"]}, "correct"),
        (
            {
                "response": "(2)",
                "answerKey": "2",
                "choices": {"text": ["oak", "fir"], "label": ["1", "2"]},
            },
            "no_answer",
        ),
        (
            {
                "response": "B",
                "answerKey": "2",
                "choices": {"text": ["oak", "fir"], "label": ["1", "2"]},
            },
            "correct",
        ),
    ],
)
def test_a_response_and_a_reference_are_enough(
    row: dict[str, Any], outcome: str, tmp_path: Path
) -> None:
    other = {"id": "other", "response": "1", "answer": "1"}
    path = write(tmp_path / "mine.jsonl", {"id": "x", **row}, other)
    score.run(Config(input=path))
    found = {v.id: v.outcome for v in verdicts(shapes.verdicts_beside(path))}
    assert found == {"x": outcome, "other": "correct"}


def test_no_text_is_kept_of_what_is_graded(tmp_path: Path) -> None:
    rows = [{**ROWS[0], "id": f"{i}", "response": f"{'x' * 10_000} {i}"} for i in range(300)]
    given = score.read_file(write(tmp_path / "mine.jsonl", *rows))
    size = sum(len(str(value)) for value in vars(given).values() if not callable(value))
    assert size < 100 * len(rows)
    assert len(given) == len(list(given)) == len(list(given)) == 300


def test_a_failed_request_counts_only_where_nothing_came_later(tmp_path: Path) -> None:
    failed = {"id": "x", "problem_id": "p", "model": "m", "messages": [], "thought": ""}
    failed |= {"answer": "", "finish": "error", "error": "server said no", "reference_answer": "3"}
    later = {**failed, "finish": "stop", "error": "", "answer": "3"}
    path = write(tmp_path / "mine.jsonl", failed, later)
    for _ in range(2):
        assert score.run(Config(input=path)) == {"correct": 1}
    assert len(verdicts(shapes.verdicts_beside(path))) == 1
