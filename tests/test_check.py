"""skythought/check.py: gold answers against themselves, and against answers made wrong of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from skythought import check, cli, tasks
from skythought.check import Config
from skythought.core.errors import NotHeld, UserError
from skythought.core.records import Problem
from skythought.grading import How
from skythought.verifiers import Finding, Verifier

ROWS: list[dict[str, Any]] = [
    {"id": "a", "problem": "1 + 1?", "answer": "2", "solution": "It is \\boxed{2}."},
    {"id": "b", "problem": "1 + 11?", "answer": "12"},
    {"id": "c", "problem": "Half of 25?", "answer": "-\\frac{25}{2}"},
    {"id": "d", "problem": "Roots?", "answer": "x = 5"},
    {"id": "e", "problem": "Name?", "answer": "\\text{Evelyn}"},
]


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_local_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "mine.jsonl", *ROWS)
    found = check.run(Config(task=str(path)))
    assert {kind: of["held"] for kind, of in found.items()} == {
        **{"empty": 5, "gold": 5, "worked solution": 1, "cut off": 5, "empty place": 5},
        **{"another answer": 5, "changed digit": 4, "changed sign": 3, "half written": 4},
    }
    assert all(of["not held"] == of["error"] == 0 for of in found.values())
    told = capsys.readouterr().err
    assert "5 problems, graded by math" in told
    assert "worked solution" in told


def test_exceptions_are_listed_and_leave_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {"id": "x", "problem": "1 + 1?", "answer": "2", "solution": "It is \\boxed{3}."}
    path = write(tmp_path / "mine.jsonl", row, *ROWS[1:])
    out = tmp_path / "exceptions.jsonl"
    command = ["check", "--task", str(path), "--output", str(out)]
    assert cli.main(command) == 1
    told = capsys.readouterr().err
    assert "1 of 6 gold answers are not accepted; of answers made wrong, 0 are and 0 ca" in told
    [listed] = [json.loads(line) for line in out.open()]
    assert (listed["id"], listed["kind"], listed["reference"]) == ("x", "worked solution", "2")
    assert (listed["outcome"], listed["extracted"]) == ("incorrect", "3")
    assert cli.main([*command, "--limit", "0"]) == 2


def test_what_cannot_be_told_is_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.jsonl", {"problem": "Large?", "answer": "9^{9^{9^9}} + x"})
    with pytest.raises(NotHeld, match="they are in"):
        check.run(Config(task=str(path), output=tmp_path / "out.jsonl"))
    kinds = {json.loads(line)["kind"]: json.loads(line) for line in (tmp_path / "out.jsonl").open()}
    assert kinds["changed digit"]["outcome"] == "error"
    assert "reference refused: a tower of powers" in kinds["changed digit"]["rule"]


def lenient(problem: Problem, answer: str) -> Finding:
    return Finding("correct", answer, "anything")


LENIENT = Verifier(name="lenient", version=1, check=lenient)


def test_a_verifier_that_accepts_all_is_found(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.jsonl", *ROWS)
    with pytest.raises(
        NotHeld, match=r"0 of 6 gold answers are not accepted; .* wrong, 21 are and"
    ):
        check.run(Config(task=str(path), verifier="test_check:LENIENT"))


def test_choices(tmp_path: Path) -> None:
    row = {"problem": "Which?", "choices": ["oak", "fir", "elm", "fir"], "answer": "B"}
    found = check.run(Config(task=str(write(tmp_path / "mine.jsonl", row))))
    held = {kind: of["held"] for kind, of in found.items()}
    assert held == {
        **{"empty": 1, "gold": 1, "cut off": 1, "empty place": 1},
        **{"another choice": 2, "two choices": 2, "denied": 1},
    }


PROGRAMS: list[dict[str, Any]] = [
    {
        "problem": "Write add(a, b).",
        "test_list": ["assert add(5, 7) == 12"],
        "code": "def add(a, b):\n    return a + b",
        "incorrect_solutions": ["def add(a, b):\n    return a - b"],
    },
    {
        "problem": "Print twice the number.",
        "tests": [{"input": "4", "output": "8"}],
        "solutions": '["print(int(input()) * 2)", "n = int(input())\\nprint(n + n)"]',
    },
]


def test_programs(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.jsonl", *PROGRAMS)
    found = check.run(Config(task=str(path), allow_unsafe_execution=True))
    held = {kind: of["held"] for kind, of in found.items()}
    assert held == {
        **{"empty": 2, "gold": 3, "wrong program": 1, "cut off": 2, "half written": 2},
        **{"another answer": 2, "no program": 2},
    }


def test_gold_programs_that_are_missing_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{k: v for k, v in row.items() if k not in ("code", "solutions")} for row in PROGRAMS]
    path = write(tmp_path / "mine.jsonl", *rows)
    check.run(Config(task=str(path), allow_unsafe_execution=True))
    told = capsys.readouterr().err.replace("\n", " ")
    assert "gold answers are missing (2 problems)" in told


def test_puzzles() -> None:
    pytest.importorskip("reasoning_gym", reason="needs skythought[gym]")
    found = check.run(Config(task="reasoning_gym/chain_sum", limit=5))
    assert found["gold"]["held"] == found["another answer"]["held"] == 5
    found = check.run(Config(task="reasoning_gym/graph_color", limit=2))
    assert found["nonsense"]["held"] == 2


def test_a_task_by_name() -> None:
    found = check.run(Config(task="toll_roads", limit=20, seed=3))
    assert found["gold"] == {"held": 20, "not held": 0, "error": 0}
    with pytest.raises(UserError, match="makes its problems without end; give --limit N"):
        check.run(Config(task="toll_roads"))
    with pytest.raises(UserError, match="verifier 'number' has no strict rules"):
        check.run(Config(task="toll_roads", limit=1, strict=True))
    with pytest.raises(UserError, match="give one of them"):
        check.run(Config(task="toll_roads", limit=1, strict=True, lenient=True))


@pytest.mark.parametrize(
    ("name", "kind", "exceptions"),
    [
        ("aime24", "gold", 0),
        ("amc23", "gold", 0),
        ("mmlu_dev", "gold", 0),
        ("mmlu_dev", "two choices", 0),
        ("mmlu_dev", "denied", 0),
        ("aime24", "worked solution", 0),
        ("aime24", "changed digit", 0),
        ("amc23", "another answer", 0),
    ],
)
def test_real_benchmarks(name: str, kind: str, exceptions: int, shared: Path) -> None:
    problems = list(tasks.get(str(shared / "benchmarks" / f"{name}.jsonl")).load("test"))
    counts, _ = check.check(problems, How())
    assert counts[kind]["held"] > 0
    assert counts[kind]["not held"] + counts[kind]["error"] == exceptions


def test_real_programs(shared: Path, sandbox: str) -> None:
    """The first dozen: all programs known to be right pass, none known to be wrong does."""
    problems = list(tasks.get(str(shared / "code" / "problems.jsonl")).load("test"))[:60:5]
    counts, exceptions = check.check(problems, How(workers=2))
    assert counts["gold"]["held"] >= 10, exceptions
    assert not [e for e in exceptions if e["kind"] != "gold"], exceptions
