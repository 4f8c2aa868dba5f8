"""skythought/tasks/hub.py and reshaping.py: datasets of the hub, their rows, and local copies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from skythought import evaluate, generate, tasks
from skythought.core.errors import UserError
from skythought.core.labels import Labelled
from skythought.core.records import Problem
from skythought.tasks import reshaping
from skythought.verifiers import code_tests

HUB = [name for name in tasks.TASKS if name != "toll_roads"]


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def only(name: str, row: dict[str, Any], tmp_path: Path) -> Problem:
    [found] = tasks.get(name).load("test", path=write(tmp_path / "copy.jsonl", row))
    return found


@pytest.mark.parametrize("name", HUB)
def test_datasets_of_the_hub_are_pinned(name: str) -> None:
    task = tasks.get(name)
    assert len(task.revision) == 40
    assert set(task.revision) <= set("0123456789abcdef")
    if task.verifier != "ifeval":
        assert ("```python" if task.verifier == "code" else "\\boxed{}") in task.system_prompt
    assert 0 <= task.chance < 0.5


def test_no_hub_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets", reason="needs skythought[train]")

    def fail(*_: object, **__: object) -> None:
        raise ConnectionError("offline\nmode")

    monkeypatch.setattr(datasets, "load_dataset", fail)
    with pytest.raises(UserError, match=r"cannot load openai/gsm8k .*\(offline\); give a local"):
        list(tasks.get("gsm8k").load("test"))


class Hub:
    """Stands for `datasets.load_dataset`: gives rows, and keeps what it was asked."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        self.rows, self.asked = rows, list[Any]()

    def __call__(self, *names: object, **options: object) -> list[dict[str, Any]]:
        self.asked.append((names, options))
        return [*self.rows]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    datasets = pytest.importorskip("datasets", reason="needs skythought[train]")
    made = Hub({"question": "1 + 1?", "answer": "1 + 1 = 2\n#### 2"})
    monkeypatch.setattr(datasets, "load_dataset", made)
    return made


def test_rows_of_the_hub_get_ids(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    [problem] = tasks.get("gsm8k").load("test")
    assert (problem.id, problem.answer) == ("gsm8k-test-0", "2")
    revision = tasks.get("gsm8k").revision
    assert hub.asked == [(("openai/gsm8k", "main"), {"split": "test", "revision": revision})]
    told = " ".join(capsys.readouterr().err.split())
    assert "warning: gsm8k has 1 problems in test, expected 1,319: openai/gsm8k has changed" in told


def test_a_release_is_its_files(hub: Hub) -> None:
    list(tasks.get("livecodebench").load("release_v2"))
    revision = tasks.get("livecodebench").revision
    begin = f"hf://datasets/livecodebench/code_generation_lite@{revision}"
    files = [f"{begin}/test.jsonl", f"{begin}/test2.jsonl"]
    assert hub.asked == [(("json",), {"data_files": files, "split": "train"})]


def test_a_file_of_another_place(hub: Hub) -> None:
    list(tasks.get("minerva_math").load("test"))
    [(_, asked)] = hub.asked
    place = "https://raw.githubusercontent.com/LWL-cpu/Question-Free-Fine-Tuning"
    revision = tasks.get("minerva_math").revision
    assert asked["data_files"] == [f"{place}/{revision}/eval/data/minerva/test.jsonl"]


def test_proofs_are_no_prompts(hub: Hub) -> None:
    hub.rows = (
        {"source": "olympiads", "problem": "Prove it.", "solution": "Clear.", "messages": []},
        {"source": "math", "problem": "1 + 1?", "solution": "\\boxed{2}", "messages": []},
    )
    [problem] = tasks.get("numina").load("train")
    assert (problem.id, problem.answer, problem.extra) == (
        "numina-train-1",
        "2",
        {"source": "math"},
    )


def test_a_local_copy_of_a_benchmark(tmp_path: Path) -> None:
    problem = only("math500", {"problem": "1 + 1?", "answer": 2}, tmp_path)
    assert (problem.task, problem.answer) == ("math500", "2")


def test_live_code(tmp_path: Path) -> None:
    row = {
        "question_id": "abc1",
        "question_content": "Print the sum.",
        "starter_code": "",
        "public_test_cases": json.dumps([{"input": "1 2", "output": "3", "testtype": "stdin"}]),
        "private_test_cases": "[]",
        "difficulty": "easy",
    }
    found = only("livecodebench", row, tmp_path)
    assert (found.id, found.question) == ("abc1", f"Print the sum.\n\n{reshaping.READS}")
    assert code_tests.read(found).cases == (code_tests.Case("1 2", ("3",)),)
    method = row | {"starter_code": "class Solution:\n    def f(self, a):"}
    asked = only("livecodebench", method, tmp_path).question
    assert asked.endswith(
        "Begin with this:\n\n```python\nclass Solution:\n    def f(self, a):\n```"
    )


def test_human_eval(tmp_path: Path) -> None:
    row = {
        "task_id": "HumanEval/0",
        "prompt": "def add(a, b):\n",
        "test": "def check(candidate):\n    assert candidate(1, 2) == 3\n",
        "entry_point": "add",
    }
    found = only("humaneval", row, tmp_path)
    assert found.id == "HumanEval/0"
    assert "```python\ndef add(a, b):\n" in found.question
    tests = code_tests.read(found)
    assert (tests.kind, tests.name, tests.starter) == ("assert", "add", "def add(a, b):\n")


def test_mbpp(tmp_path: Path) -> None:
    row = {"task_id": 11, "text": "Write add.", "test_list": ["assert add(1, 2) == 3"]}
    found = only("mbpp", row, tmp_path)
    assert found.id == "11"
    assert found.question.startswith("Write add.\n\nYour program has to pass these tests:")
    assert "assert add(1, 2) == 3" in found.question


def test_contests(tmp_path: Path) -> None:
    tests = json.dumps({"inputs": ["1 2"], "outputs": ["3"]})
    row = {"question": "Print the sum.", "input_output": tests, "starter_code": ""}
    for name, key in (("apps", {"problem_id": 4}), ("taco", {"id": 4})):
        found = only(name, row | key, tmp_path)
        assert (found.id, found.question) == ("4", f"Print the sum.\n\n{reshaping.READS}")


def test_a_contest_whose_tests_name_no_function_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = {"inputs": ["n = 2\narr[] = {5,10}"], "outputs": ["35"]}
    head = (
        "#User function Template for python3\n\nclass Solution:\n    def minTime (self, arr, n):\n"
    )
    row = {"question": "Paint.", "input_output": json.dumps(asked), "starter_code": head}
    path = tmp_path / "copy.jsonl"
    good = row | {"id": "7", "starter_code": ""}
    path.write_text(json.dumps(row) + "\n" + json.dumps(good) + "\n")
    assert [p.id for p in tasks.get("taco").load("test", path=path)] == ["7"]
    said = " ".join(capsys.readouterr().err.split())
    assert "1 rows are left out; line 1: the program has to fill in a function, and the" in said
    named = row | {
        "input_output": json.dumps(
            {"fn_name": "minTime", "inputs": ["2\n[5, 10]"], "outputs": ["35"]}
        )
    }
    assert code_tests.read(only("taco", named, tmp_path)).name == "minTime"


def test_mmlu_pro(tmp_path: Path) -> None:
    row = {
        "question_id": 7,
        "question": "Which?",
        "options": [f"tree {n}" for n in range(10)],
        "answer": "J",
        "category": "biology",
    }
    found = only("mmlu_pro", row, tmp_path)
    assert (found.id, found.answer) == ("mmlu_pro-7", "J")
    assert found.question.endswith("\nJ. tree 9")
    assert found.extra["subject"] == "biology"


def test_gpqa_hides_the_right_place(tmp_path: Path) -> None:
    wrong = {f"Incorrect Answer {n}": f"wrong {n}" for n in (1, 2, 3)}
    places = set()
    for number in range(30):
        row = {"Record ID": f"r{number}", "Question": "Which?", "Correct Answer": "right", **wrong}
        found = only("gpqa_diamond", row, tmp_path)
        assert found == only("gpqa_diamond", row, tmp_path)
        assert f"\n{found.answer}. right" in found.question
        places.add(found.answer)
    assert places == {*"ABCD"}


def test_ifeval(tmp_path: Path) -> None:
    row = {
        "key": 1000,
        "prompt": "Write a line without commas.",
        "instruction_id_list": ["punctuation:no_comma"],
        "kwargs": [{"num_words": None}],
    }
    found = only("ifeval", row, tmp_path)
    assert (found.id, found.question) == ("1000", "Write a line without commas.")
    assert found.answer == "follows punctuation:no_comma"
    assert found.extra["kwargs"] == [{"num_words": None}]
    assert tasks.verifier_of(found) == "ifeval"


def test_olympiad_context(tmp_path: Path) -> None:
    row = {"question": "What is x?", "final_answer": ["$2$"], "context": "Let x = 2."}
    found = only("olympiadbench", row, tmp_path)
    assert (found.question, found.answer) == ("Let x = 2.\n\nWhat is x?", "2")


def fields(*texts: str, rows: int = 4) -> list[str]:
    """Draw of a file whose rows have a level 1 to 4 and a day in four months."""
    where = [Labelled.parse(text) for text in texts]
    return [p.id for p in tasks.draw("levels.jsonl", "test", 0, 0, rows, where=where)]


def test_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [
        {"id": str(n), "problem": "?", "answer": "1", "level": n, "day": f"2024-0{n}-01"}
        for n in range(1, 5)
    ]
    write(tmp_path / "levels.jsonl", *rows)
    assert fields("level=2..3") == ["2", "3"]
    assert fields("level=2..", "day=..2024-03-31") == ["2", "3"]
    assert fields("level=2..", rows=1) == ["2"]
    with pytest.raises(UserError, match=r"unknown field in --where 'levle': did you mean 'level'"):
        fields("levle=2")
    with pytest.raises(UserError, match="has no problems"):
        fields("level=9")
    with pytest.raises(UserError, match=r"--where level: the problems of 'toll_roads' have no"):
        tasks.draw("toll_roads", "test", 0, 0, 3, where=[Labelled.parse("level=2")])


def test_a_copy_belongs_to_a_benchmark(tmp_path: Path) -> None:
    config = generate.Config(result_dir=tmp_path, task="mine.jsonl", data="copy.jsonl")
    with pytest.raises(UserError, match=r"--data copy\.jsonl: is a copy of a benchmark's dataset"):
        generate.run(config)


REAL = {
    "math500": "math500",
    "aime24": "aime24",
    "aime25": "aime25",
    "amc23": "amc23",
    "olympiadbench": "olympiadbench_math_en",
    "gsm8k": "gsm8k_test",
    "mmlu": "mmlu_sample",
}


@pytest.mark.parametrize("name", REAL)
def test_real_benchmarks_score_exactly(name: str, shared: Path, tmp_path: Path) -> None:
    """A model that knows every second answer of 30 scores one half."""
    copy = shared / "benchmarks" / f"{REAL[name]}.jsonl"
    problems = tasks.draw(name, "test", 0, 0, 30, path=copy)
    wrong = ["\\boxed{Z}", "It is \\boxed{123456789}.", "I do not know."]
    said = [
        {
            "question": p.question,
            "response": wrong[i % 3]
            if i % 2
            else f"<think>\nHm.\n</think>\n\n\\boxed{{{p.answer}}}",
        }
        for i, p in enumerate(problems)
    ]
    config = evaluate.Config(
        task=name,
        data=str(copy),
        limit=30,
        backend="scripted",
        model=str(write(tmp_path / "said.jsonl", *said)),
        result_dir=tmp_path / "run",
    )
    result = evaluate.run(config)
    assert (result["accuracy"], result["n"], result["errors"]) == (0.5, 30, 0)


def test_real_programs_score_exactly(shared: Path, sandbox: str, tmp_path: Path) -> None:
    """Of six problems of each kind, every second program is a known right one."""
    rows = [json.loads(line) for line in (shared / "code" / "problems.jsonl").open()]
    rows = [r for r in rows if r["solution_verified"] and r["correct_solutions"]]
    rows = [r for kind in ("stdin", "functional", "assert") for r in rows if r["kind"] == kind][::9]
    mine = write(tmp_path / "mine.jsonl", *({**r, "correct_solutions": []} for r in rows))
    said = [
        {
            "question": r["problem"],
            "response": f"```python\n{'pass' if i % 2 else r['correct_solutions'][0]}\n```",
        }
        for i, r in enumerate(rows)
    ]
    config = evaluate.Config(
        task=str(mine),
        backend="scripted",
        model=str(write(tmp_path / "said.jsonl", *said)),
        result_dir=tmp_path / "run",
    )
    result = evaluate.run(config)
    assert result["n"] == len(rows)
    assert result["accuracy"] == pytest.approx(-(-len(rows) // 2) / len(rows))
