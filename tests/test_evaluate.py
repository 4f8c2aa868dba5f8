"""skythought/evaluate.py: a score is exact, has its interval, and says what it leaves out."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from skythought import cli, evaluate, score, tasks
from skythought.core import formats, metrics, store
from skythought.core.errors import UserError
from skythought.core.records import Completion, Problem, Request, Sampling, Trace, Verdict
from skythought.verifiers import code_sandbox, known

# answers of a model to ten problems: 5 right, 2 wrong, 3 without an answer, one of them cut off
SAID = {
    "1": "<think>\n1 is 3? No, 1.\n</think>\n\nIt is \\boxed{1}.",
    "2": "\\boxed{2}",
    "3": "The answer is \\boxed{\\frac{6}{2}}.",
    "4": formats.teach("4, or 5?", "\\boxed{4}"),
    "5": "So we get \\boxed{5.0}.",
    "6": "\\boxed{7}",
    "7": "<think>\n7\n</think>\n\n\\boxed{8}",  # the right number only in the thought
    "8": "<think>\nI never stop.",
    "9": "<think>\n9\n</think>\n\n",
    "10": " ".join(["so"] * 99) + " \\boxed{10}",
}
FIELDS = {"accuracy", "low", "high", "n", "no_answer", "truncated", "errors", "mean_tokens"}


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def config(folder: Path, said: dict[str, str] | None = None, **values: Any) -> evaluate.Config:
    said = SAID if said is None else said
    rows = [{"id": k, "problem": f"Write {k}.", "answer": k} for k in SAID]
    asked: dict[str, Any] = {
        "task": str(write(folder / "problems.jsonl", *rows)),
        "backend": "scripted",
        "model": str(
            write(
                folder / "script.jsonl",
                *({"question": f"Write {k}.", "response": text} for k, text in said.items()),
            )
        ),
        "sampling_params": "max_tokens=50",
        "result_dir": folder / "run",
    }
    return evaluate.Config(**(asked | values))


def saved(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "run" / "scores.json").read_text())
    return found


def test_known_answers_give_the_exact_score(tmp_path: Path) -> None:
    result = evaluate.run(config(tmp_path))
    low, high = metrics.wilson(5, 10)
    lengths = [min(50, len(text.split())) for text in SAID.values()]
    assert result == {
        "accuracy": 0.5,
        "low": low,
        "high": high,
        "n": 10,
        "problems": 10,
        "no_answer": 3,
        "truncated": 1,
        "errors": 0,
        "mean_tokens": sum(lengths) / 10,
        "complete": True,
        "loops": 0,
        "tokens": {
            "median": statistics.median(lengths),
            "p95": pytest.approx(np.quantile(lengths, 0.95)),
            "right": statistics.mean(lengths[:5]),
            "wrong": statistics.mean(lengths[5:]),
        },
        "at_budget": result["at_budget"],
        "ungraded": 0,
        "chance": 0.0,
        "inspected": {},
    }
    assert result["at_budget"][-1]["accuracy"] == 0.5
    assert (round(low, 3), round(high, 3)) == (0.237, 0.763)
    assert saved(tmp_path) == result
    verdicts = store.read(tmp_path / "run" / "verdicts.jsonl", Verdict)
    traces = {t.id: t for t in store.read(tmp_path / "run" / "traces.jsonl", Trace)}
    assert {traces[v.id].problem_id for v in verdicts if v.outcome == "correct"} == {*"12345"}


def test_a_dry_run_grades_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate.run(config(tmp_path, dry_run=True)) == {}
    assert "run: 10 requests to scripted@" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_what_a_task_counts_in_thoughts_is_in_the_score(tmp_path: Path) -> None:
    teacher: dict[str, Any] = {
        "backend": "symbolic",
        "backend_args": "slip=0",
        "limit": 20,
        "result_dir": tmp_path,
    }
    result = evaluate.run(evaluate.Config(task="toll_roads", split="dev", **teacher))
    assert result["inspected"] == {"in_order": 1.0, "additions_true": 1.0}


def test_an_error_is_neither_right_nor_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known = {k: v for k, v in SAID.items() if k not in ("5", "6")}
    result = evaluate.run(config(tmp_path, known))
    assert (result["n"], result["errors"], result["accuracy"]) == (8, 2, 0.5)
    assert (result["low"], result["high"]) == metrics.wilson(4, 8)
    assert result["complete"] is False
    assert saved(tmp_path)["complete"] is False
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["done"] is False
    assert "incomplete: 2 answers could not be had" in capsys.readouterr().err
    known = {k: v for k, v in SAID.items() if k != "5"}
    evaluate.run(config(tmp_path, known, result_dir=tmp_path / "one"))
    told = " ".join(capsys.readouterr().err.split())
    assert "incomplete: 1 answer could not be had or graded and is in no score" in told
    graded = [t.completion_tokens for t in store.read(tmp_path / "run" / "traces.jsonl", Trace)]
    assert result["mean_tokens"] == sum(graded) / 8  # the errors have none and do not count


class Flaky:
    """Answers right, but fails every question the first time it is asked."""

    identity = "flaky"
    asked: list[str] = []  # noqa: RUF012  lives as long as the test
    broken: set[str] = set()  # noqa: RUF012

    def __init__(self, model: str) -> None:
        pass

    def complete(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[Completion]:
        for request in requests:
            name = request.messages[-1].content.removeprefix("Write ").rstrip(".")
            self.asked.append(name)
            if name in self.broken:
                yield Completion(id=request.id, text="", finish="error", error="busy")
            else:
                yield Completion(id=request.id, text=f"\\boxed{{{name}}}", finish="stop")


def test_errors_are_asked_again_and_the_rest_is_not(tmp_path: Path) -> None:
    Flaky.asked, Flaky.broken = [], {"3", "4"}
    asked = config(tmp_path, backend=f"{__name__}:Flaky", model="")
    first = evaluate.measure(asked)
    assert (first["n"], first["errors"], first["complete"]) == (8, 2, False)
    Flaky.asked, Flaky.broken = [], set()
    second = evaluate.measure(asked)
    assert Flaky.asked == ["3", "4"]
    assert (second["n"], second["errors"], second["complete"]) == (10, 0, True)
    assert second["accuracy"] == 1.0
    Flaky.asked = []
    assert evaluate.measure(asked) == second == saved(tmp_path)
    assert Flaky.asked == []


def test_nothing_but_errors_is_no_score(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="10 of 10 samples failed, the last with: question not in"):
        evaluate.run(config(tmp_path, {"other": "x"}))
    patient = config(tmp_path, {"other": "x"}, max_error_rate=1)
    with pytest.raises(UserError, match="no answer could be graded; the first: generation failed"):
        evaluate.run(patient)
    assert not (tmp_path / "run" / "scores.json").exists()


def test_another_verifier_grades_again(tmp_path: Path) -> None:
    before = evaluate.measure(config(tmp_path))
    number = evaluate.measure(config(tmp_path, verifier="number"))
    assert number["accuracy"] < before["accuracy"]  # a fraction is no number to it
    assert evaluate.measure(config(tmp_path)) == before


def test_a_wrong_verifier_is_found_before_anything_is_asked(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unknown verifier 'maths': did you mean 'math'"):
        evaluate.run(config(tmp_path, verifier="maths"))
    assert not (tmp_path / "run").exists()


def test_programs_are_asked_for_where_they_can_be_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a sandbox nothing is asked, as nothing could be graded; or it is allowed."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(known, "_tested", set())
    code_sandbox.choose.cache_clear()
    try:
        tests = [{"input": "2", "output": "4"}, {"input": "3", "output": "6"}]
        row = {"id": "1", "problem": "Write 1.", "tests": tests}
        asked = str(write(tmp_path / "programs.jsonl", row))
        said = {"1": "```python\nprint(int(input()) * 2)\n```"}
        with pytest.raises(UserError, match="'code' runs programs in a sandbox, and none works"):
            evaluate.run(config(tmp_path, said, task=asked))
        assert not (tmp_path / "run").exists()
        unsafe = config(tmp_path, said, task=asked, allow_unsafe_execution=True)
        assert evaluate.run(unsafe)["accuracy"] == 1
        assert "cannot be graded" not in capsys.readouterr().err
    finally:
        code_sandbox.choose.cache_clear()


def test_samples_of_one_problem_are_not_so_many_problems(tmp_path: Path) -> None:
    """Ten samples of each of ten problems say little more than ten problems."""
    result = evaluate.measure(config(tmp_path, n=10))
    assert (result["n"], result["problems"], result["accuracy"]) == (100, 10, 0.5)
    narrow = metrics.wilson(50, 100)
    assert result["low"] < narrow[0] - 0.05
    assert result["high"] > narrow[1] + 0.05


def test_every_number_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = config(tmp_path)
    flags = ["--task", asked.task, "--backend", "scripted", "--model", asked.model]
    flags += ["--sampling-params", "max_tokens=50", "--result-dir", str(tmp_path / "run")]
    assert cli.main(["evaluate", *flags]) == 0
    told = capsys.readouterr().err
    assert set(saved(tmp_path)) >= FIELDS
    for name in FIELDS:
        for word in name.split("_"):
            assert word in told
    for number in ("0.500", "0.237", "0.763", "10", "3", "1", "0"):
        assert f" {number} " in told
    assert cli.main(["evaluate", *flags, "--limit", "3"]) == 2


def test_names_are_shown_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task = write(tmp_path / "[red]a.jsonl", {"problem": "Write 1.", "answer": "1"})
    evaluate.run(config(tmp_path, task=str(task), model=str(tmp_path / "script.jsonl")))
    assert "[red]a.jsonl" in "".join(capsys.readouterr().err.split())


def test_the_symbolic_teacher_is_nearly_right(tmp_path: Path) -> None:
    result = evaluate.measure(
        evaluate.Config(task="toll_roads", limit=100, backend="symbolic", result_dir=tmp_path)
    )
    assert 0.7 < result["low"] < result["accuracy"] < result["high"] < 1


def test_real_problems_with_known_answers(shared: Path, tmp_path: Path) -> None:
    """The reference solution of a problem is right, that of the next problem is wrong."""
    source = shared / "benchmarks" / "gsm8k_test.jsonl"
    rows = [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines()][:60]

    def box(row: dict[str, Any]) -> str:
        return f"<think>\nHm.\n</think>\n\nThe answer is \\boxed{{{row['answer']}}}."

    script = []
    wrong = 0
    for i, row in enumerate(rows):
        said = box(row) if i % 3 else box(rows[(i + 1) % 60])
        wrong += said != box(row)
        script.append({"question": row["problem"], "response": said})
    result = evaluate.measure(
        evaluate.Config(
            task=str(source),
            limit=60,
            backend="scripted",
            model=str(write(tmp_path / "script.jsonl", *script)),
            result_dir=tmp_path / "run",
        )
    )
    assert wrong > 15
    assert (result["n"], result["errors"], result["no_answer"]) == (60, 0, 0)
    assert result["accuracy"] == (60 - wrong) / 60
    assert (result["low"], result["high"]) == metrics.wilson(60 - wrong, 60)


SUMS = """
from skythought.core.records import Problem
from skythought.tasks import Task

def load(split, seed=0, **options):
    for i in range(3):
        yield Problem(id=f"s{i}", task="sums", question=f"{i} plus 1?", answer=str(i + 1))

def counted(split, seed=0, **options):
    i = 0
    while True:
        yield Problem(id=f"c{i}", task="sums", question=f"{i}?", answer=str(i))
        i += 1

facts = dict(source="mine", revision="", licence="mine", chance=0.0, system_prompt="")
TASK = Task(name="sums", verifier="number", load=load, **facts)
ENDLESS = Task(name="sums", verifier="number", load=counted, endless=True, **facts)
"""


def test_a_task_of_ones_own_from_end_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A finite one needs no limit, and its run folder knows what grades it."""
    (tmp_path / "my_sums.py").write_text(SUMS)
    monkeypatch.syspath_prepend(tmp_path)
    said = ({"question": f"{i} plus 1?", "response": "2"} for i in range(3))
    script = write(tmp_path / "script.jsonl", *said)
    asked = ["--task", "my_sums:TASK", "--backend", "scripted", "--model", str(script)]
    folder = tmp_path / "run"
    assert cli.main(["generate", *asked, "--result-dir", str(folder)]) == 0
    found = store.read(folder / "problems.jsonl", Problem)
    assert [(p.id, p.task) for p in found] == [(f"s{i}", "my_sums:TASK") for i in range(3)]
    assert score.run(score.Config(run_dir=folder)) == {"correct": 1, "incorrect": 2}
    assert cli.main(["evaluate", *asked, "--result-dir", str(tmp_path / "scored")]) == 0
    scores = json.loads((tmp_path / "scored" / "scores.json").read_text())
    assert (scores["n"], scores["accuracy"]) == (3, pytest.approx(1 / 3))
    assert [p.id for p in tasks.draw("my_sums:TASK", "test", 0, start=1, n=1)] == ["s1"]
    assert len(tasks.draw("my_sums:ENDLESS", "test", 0, n=5)) == 5
    with pytest.raises(UserError, match="makes its problems without end; give --limit N"):
        tasks.draw("my_sums:ENDLESS", "test", 0)
