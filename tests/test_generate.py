"""skythought/generate.py: every problem asked, every answer kept, nothing asked twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from skythought import generate, tasks
from skythought.core import store
from skythought.core.errors import UserError
from skythought.core.prices import Price
from skythought.core.records import Completion, Message, Problem, Request, Sampling, Trace
from skythought.generating import ask, work
from skythought.generating.budget import Budget
from skythought.generating.found import Found

ROWS = [{"id": f"p{i}", "problem": f"{i} plus {i}?", "answer": str(2 * i)} for i in range(6)]


def write(path: Path, rows: Sequence[object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def script(path: Path, rows: Sequence[dict[str, Any]] = ROWS) -> Path:
    """Write a script that knows these problems, two samples each."""
    return write(
        path,
        [
            {"question": row["problem"], "response": f"<think>\nHm {k}\n</think>\n{row['answer']}"}
            for row in rows
            for k in range(2)
        ],
    )


def config(folder: Path, **values: Any) -> generate.Config:
    if not (folder / "problems.jsonl").exists():
        write(folder / "problems.jsonl", ROWS)
        script(folder / "script.jsonl")
    asked: dict[str, Any] = {
        "result_dir": folder / "run",
        "task": str(folder / "problems.jsonl"),
        "backend": "scripted",
        "model": str(folder / "script.jsonl"),
    }
    return generate.Config(**(asked | values))


def traces(folder: Path) -> list[Trace]:
    return store.read(folder / "run" / "traces.jsonl", Trace)


def manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "run" / "manifest.json").read_text())
    return found


class Counting:
    """A backend that remembers what it was asked; it fails on what it is told to fail on."""

    identity = "counting"

    def __init__(self, failing: Sequence[str] = ()) -> None:
        self.failing = failing
        self.asked: list[str] = []

    def complete(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[Completion]:
        for request in requests:
            question = request.messages[-1].content
            self.asked.append(question)
            if question in self.failing:
                yield Completion(id=request.id, text="", finish="error", error="busy")
            else:
                yield Completion(id=request.id, text="4", finish="stop", completion_tokens=1)


def problems(n: int = 6) -> list[Problem]:
    return [Problem(id=f"p{i}", task="sums", question=f"q{i}", answer="4") for i in range(n)]


def collect(folder: Path, backend: Counting, n: int = 6, **values: Any) -> dict[str, float]:
    return generate.collect(problems(n), backend, Sampling(), folder / "run", **values)


def test_a_run_folder(tmp_path: Path) -> None:
    counts = generate.run(config(tmp_path, n=2))
    assert counts == {"traces": 12, "truncated": 0, "errors": 0, "completion_tokens": 60}
    found = store.read(tmp_path / "run" / "problems.jsonl", Problem)
    assert [p.id for p in found] == [row["id"] for row in ROWS]
    first = traces(tmp_path)[0]
    assert (first.problem_id, first.thought, first.answer) == ("p0", "Hm 0", "0")
    assert first.messages == (
        Message("system", tasks.get(str(tmp_path / "problems.jsonl")).system_prompt),
        Message("user", "0 plus 0?"),
    )
    assert {(t.problem_id, t.sample) for t in traces(tmp_path)} == {
        (row["id"], k) for row in ROWS for k in range(2)
    }
    assert manifest(tmp_path)["done"] is True
    assert manifest(tmp_path)["counts"] == counts
    assert manifest(tmp_path)["config"]["n_problems"] == 6


def test_run_again_asks_nothing(tmp_path: Path) -> None:
    assert collect(tmp_path, backend := Counting(), n=3)["traces"] == 3
    before = (tmp_path / "run" / "traces.jsonl").read_bytes()
    again = Counting()
    assert collect(tmp_path, again, n=3)["traces"] == 3
    assert (len(backend.asked), again.asked) == (3, [])
    assert (tmp_path / "run" / "traces.jsonl").read_bytes() == before


def test_only_what_is_missing_is_asked(tmp_path: Path) -> None:
    collect(tmp_path, Counting())
    path = tmp_path / "run" / "traces.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], lines[3], lines[4][:30]]))  # the last line is torn
    backend = Counting()
    assert collect(tmp_path, backend)["traces"] == 6
    assert sorted(backend.asked) == ["q2", "q4", "q5"]
    assert Counter(t.problem_id for t in traces(tmp_path)) == Counter(f"p{i}" for i in range(6))


def test_errors_are_asked_again(tmp_path: Path) -> None:
    counts = collect(tmp_path, Counting(failing=["q1", "q4"]))
    assert (counts["traces"], counts["errors"]) == (4, 2)
    assert manifest(tmp_path)["done"] is False
    assert {t.error for t in traces(tmp_path) if t.finish == "error"} == {"busy"}
    backend = Counting(failing=["q4"])
    counts = collect(tmp_path, backend)
    assert backend.asked == ["q1", "q4"]
    assert (counts["traces"], counts["errors"]) == (5, 1)
    counts = collect(tmp_path, Counting())
    assert (counts["traces"], counts["errors"]) == (6, 0)
    assert manifest(tmp_path)["done"] is True


def test_too_many_errors_stop_the_run(tmp_path: Path) -> None:
    failing = [f"q{i}" for i in range(1, 60)]
    backend = Counting(failing=failing)
    with pytest.raises(
        UserError, match="19 of the latest 20 samples failed, the last with: busy; mend it"
    ):
        collect(tmp_path, backend, n=60)
    assert len(backend.asked) == 20
    assert len(traces(tmp_path)) == 20
    assert manifest(tmp_path)["done"] is False
    patient = Counting(failing=failing)
    assert collect(tmp_path, patient, n=60, max_error_rate=1)["errors"] == 59
    assert "q0" not in patient.asked


@pytest.mark.parametrize("n_failing", [3, 30])
def test_samples_that_fail_again_do_not_doom_a_finished_run(n_failing: int, tmp_path: Path) -> None:
    failing = [f"q{i}" for i in range(0, 30 * n_failing, 30)]
    for asked in (1000, n_failing):
        backend = Counting(failing=failing)
        assert collect(tmp_path, backend, n=1000)["errors"] == n_failing
        assert len(backend.asked) == asked


@pytest.mark.parametrize(("rate", "stops"), [(0.0, True), (0.32, True), (0.34, False)])
def test_the_error_rate_of_a_short_run_is_judged_at_its_end(
    rate: float, stops: bool, tmp_path: Path
) -> None:
    backend = Counting(failing=["q0"])
    if stops:
        with pytest.raises(UserError, match="1 of 3 samples failed"):
            collect(tmp_path, backend, n=3, max_error_rate=rate)
    else:
        collect(tmp_path, backend, n=3, max_error_rate=rate)
    assert len(backend.asked) == 3


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"seed": 1}, "was made with sampling="),
        ({"sampling_params": "temperature=1"}, "was made with sampling="),
        ({"system_prompt": "Think."}, "was made with system_prompt="),
        ({"assistant_prefill": "So,"}, "was made with prefill=None, now 'So,'"),
        ({"sampling_params": "top_k=5"}, "was made with sampling="),
        ({"backend": "symbolic", "model": ""}, "was made with model="),
    ],
)
def test_a_folder_of_another_run_is_refused(
    change: dict[str, Any], told: str, tmp_path: Path
) -> None:
    generate.run(config(tmp_path))
    before = (tmp_path / "run" / "traces.jsonl").read_bytes()
    with pytest.raises(UserError, match="choose another output folder") as caught:
        generate.run(config(tmp_path, **change))
    assert told in str(caught.value)
    assert (tmp_path / "run" / "traces.jsonl").read_bytes() == before


@pytest.mark.parametrize("name", ["traces.jsonl", "problems.jsonl"])
def test_a_file_of_ones_own_is_not_appended_to(name: str, tmp_path: Path) -> None:
    """Its last line would be cut off where no line break ends it."""
    (tmp_path / "run").mkdir()
    mine = tmp_path / "run" / name
    mine.write_text('{"problem": "1 + 1?", "response": "2"}')
    with pytest.raises(UserError, match=rf"{name}: exists, and not from generate; choose another"):
        collect(tmp_path, Counting())
    assert mine.read_text() == '{"problem": "1 + 1?", "response": "2"}'
    assert [p.name for p in (tmp_path / "run").iterdir()] == [name]


def test_changed_problems_are_another_run(tmp_path: Path) -> None:
    generate.run(config(tmp_path))
    write(tmp_path / "problems.jsonl", [*ROWS[:5], {**ROWS[5], "answer": "11"}])
    with pytest.raises(UserError, match="made with another answer of problem 'p5'; choose"):
        generate.run(config(tmp_path))


@pytest.mark.parametrize(
    ("start", "limit", "expected"),
    [(0, None, 6), (2, None, 4), (0, 4, 4), (2, 3, 3), (4, 10, 2)],
)
def test_start_and_limit(start: int, limit: int | None, expected: int, tmp_path: Path) -> None:
    generate.run(config(tmp_path, start=start, limit=limit))
    assert [t.problem_id for t in traces(tmp_path)] == [
        f"p{i}" for i in range(start, start + expected)
    ]


@pytest.mark.parametrize(("start", "end"), [(0, 4), (2, 3), (4, 100)])
def test_end_is_exclusive(start: int, end: int, tmp_path: Path) -> None:
    generate.run(config(tmp_path, start=start, end=end))
    assert [t.problem_id for t in traces(tmp_path)] == [f"p{i}" for i in range(start, min(end, 6))]


def test_problems_of_ones_own_need_no_answer(tmp_path: Path) -> None:
    made = config(tmp_path)
    rows = [{k: v for k, v in row.items() if k != "answer"} for row in ROWS]
    path = write(tmp_path / "own.jsonl", [*rows, {"question": "7 plus 7?", "level": 3}])
    script(tmp_path / "script.jsonl", [*ROWS, {"problem": "7 plus 7?", "answer": "14"}])
    generate.run(replace(made, task="", input=str(path), limit=3))
    generate.run(replace(made, task="", input=str(path), start=6, result_dir=tmp_path / "last"))
    found = store.read(tmp_path / "run" / "problems.jsonl", Problem)
    assert [(p.id, p.answer) for p in found] == [("p0", ""), ("p1", ""), ("p2", "")]
    [last] = store.read(tmp_path / "last" / "problems.jsonl", Problem)
    assert (last.question, last.task, last.extra) == ("7 plus 7?", "file:own", {"level": 3})
    assert len(traces(tmp_path)) == 3
    with pytest.raises(UserError, match=r"own\.jsonl:1: no reference answer"):
        generate.run(replace(made, task=str(path), result_dir=tmp_path / "other"))


def test_a_begun_answer(tmp_path: Path) -> None:
    """The thought holds it, the trace says so, and it is another request."""
    made = config(tmp_path, limit=1)
    write(tmp_path / "script.jsonl", [{"question": "0 plus 0?", "response": " see.</think>0"}])
    generate.run(made)
    begun = replace(made, assistant_prefill="<think>\nLet me", result_dir=tmp_path / "begun")
    generate.run(begun)
    [plain] = traces(tmp_path)
    [trace] = store.read(tmp_path / "begun" / "traces.jsonl", Trace)
    assert (trace.thought, trace.answer, trace.prefill) == ("Let me see.", "0", "<think>\nLet me")
    assert trace.id != plain.id
    assert trace.messages == plain.messages
    before = (tmp_path / "begun" / "traces.jsonl").read_bytes()
    generate.run(begun)
    assert (tmp_path / "begun" / "traces.jsonl").read_bytes() == before


def test_not_every_backend_goes_on_with_an_answer(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--assistant-prefill: counting cannot go on with a begun"):
        collect(tmp_path, Counting(), prefill="So,")
    assert not (tmp_path / "run").exists()


def test_parts_of_an_endless_task_are_the_whole(tmp_path: Path) -> None:
    def ids(name: str, **values: Any) -> list[str]:
        folder = tmp_path / name
        generate.run(
            generate.Config(task="toll_roads", backend="symbolic", result_dir=folder, **values)
        )
        return [t.id for t in store.read(folder / "traces.jsonl", Trace)]

    assert ids("first", limit=4) + ids("second", start=4, limit=3) == ids("whole", limit=7)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"task": ""}, "which problems? give --task NAME or --task problems.jsonl"),
        ({"task": "gsm8"}, "unknown task 'gsm8': did you mean 'gsm8k'?"),
        ({"task": "tollroads"}, "unknown task 'tollroads': did you mean 'toll_roads'?"),
        ({"task": "none.jsonl"}, "none.jsonl: no such file"),
        ({"task": "toll_roads"}, "makes its problems without end; give --limit N"),
        ({"task": "toll_roads", "limit": 1, "split": "tset"}, "did you mean 'test'?"),
        ({"backend": "script"}, "unknown backend 'script': did you mean 'scripted'?"),
        ({"backend_args": "speed"}, "expected k=v,k=v but found 'speed'"),
        ({"backend_args": "speed=1"}, "unknown option of scripted 'speed': known: none"),
        ({"sampling_params": "temp=1"}, "unknown field `temp`; known: temperature, top_p, max_"),
        ({"sampling_params": "temperature=hot"}, "Expected `float`, got `str`"),
        ({"sampling_params": "temperature=-1"}, "Expected `float` >= 0.0"),
        ({"sampling_params": "temperature=nan"}, "Expected `float` >= 0.0"),
        ({"sampling_params": "top_p=0"}, "Expected `float` > 0.0"),
        ({"sampling_params": "top_p=95"}, "Expected `float` <= 1.0"),
        ({"sampling_params": "max_tokens=0"}, "Expected `int` >= 1"),
        ({"sampling_params": "0.6"}, "expected k=v,k=v but found '0.6'"),
        ({"n": 0}, "--n 0: give 1 or more"),
        ({"start": -1}, "--start -1: give 0 or more"),
        ({"limit": 0}, "--limit 0: give 1 or more"),
        ({"start": 6}, "has no problems in split 'test' from --start 6 on"),
        ({"max_error_rate": 50}, "--max-error-rate 50: give a share from 0 to 1"),
        ({"input": "x.jsonl"}, "--task and --input both name problems"),
        ({"task": "", "input": "none.jsonl"}, "none.jsonl: no such file"),
        ({"start": 2, "end": 2}, "--end 2: give 3 or more"),
        ({"end": 2, "limit": 2}, "--end and --limit both say where to stop"),
        ({"budget": 0}, "--budget 0: give dollars, more than 0"),
        ({"budget": 5}, "--budget: the price is not known; give --price-in and --price-out"),
        ({"price_in": 1}, "--price-out is missing; give both, in dollars for a million tokens"),
        ({"price_in": 1, "price_out": -1}, "--price-out -1: give dollars for a million tokens"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(
    change: dict[str, Any], told: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError) as caught:
        generate.run(config(tmp_path, **change))
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_malformed_problem_is_named(tmp_path: Path) -> None:
    asked = config(tmp_path)
    with (tmp_path / "problems.jsonl").open("a") as file:
        file.write('{"problem": \n')
    with pytest.raises(UserError, match=r"problems\.jsonl:7: not valid JSON"):
        generate.run(asked)


def test_the_preset_of_a_family_is_used_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = config(tmp_path, limit=1, model=str(script(tmp_path / "QwQ-32B")))
    generate.run(made)
    [trace] = traces(tmp_path)
    assert (trace.sampling.temperature, trace.sampling.top_k) == (0.6, 40)
    told = capsys.readouterr().err
    assert "top_k 40, min_p 0 (preset of QwQ, https://huggingface.co/Qwen/QwQ-32B" in told
    assert "warning" not in told
    generate.run(replace(made, sampling_params="temperature=0", result_dir=tmp_path / "greedy"))
    assert "warning: greedy decoding of " in capsys.readouterr().err


def test_progress_says_what_a_person_wants_to_stop_for() -> None:
    found = Found({"a"}, errors=2, truncated=1200, prompt_tokens=10, completion_tokens=100)
    money = Budget(Price(1.0, 10.0), None, 100, found)
    assert ask.note(found, money) == "$0.001, 2 errors, 1,200 truncated"
    assert ask.note(Found(), Budget(None, None, 100, Found())) == ""


def test_truncated_answers_are_counted(tmp_path: Path) -> None:
    counts = generate.run(config(tmp_path, sampling_params="max_tokens=2"))
    assert (counts["traces"], counts["truncated"], counts["errors"]) == (6, 6, 0)
    assert {t.finish for t in traces(tmp_path)} == {"length"}
    assert {(t.thought, t.answer) for t in traces(tmp_path)} == {("Hm", "")}


def test_no_secret_in_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = "class Paid:\n    def __init__(self, model, api_key): self.identity = model\n"
    module += "    def complete(self, requests, sampling): return iter(())\n"
    (tmp_path / "paid_backend.py").write_text(module)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-from-the-environment")
    asked = config(tmp_path, backend="paid_backend:Paid", backend_args="api_key=sk-given")
    generate.run(asked)
    for path in (tmp_path / "run").iterdir():
        assert "sk-" not in path.read_text()


def test_prompts_are_what_a_model_sees(tmp_path: Path) -> None:
    asked = config(tmp_path, system_prompt="Think twice.", limit=1)
    generate.run(asked)
    [trace] = traces(tmp_path)
    assert trace.messages == (Message("system", "Think twice."), Message("user", "0 plus 0?"))
    assert work.prompt(problems()[0], "") == (Message("user", "q0"),)
