"""skythought/score.py: what is graded, graded again, and never lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from skythought import cli, score, verifiers
from skythought.core import shapes, store
from skythought.core.errors import UserError
from skythought.core.records import Message, Problem, Trace, Verdict
from skythought.score import Config
from skythought.verifiers import Finding, Verifier

PROBLEMS = [
    Problem(id=f"p{i}", task="toll_roads", question=f"{i} + 1?", answer=str(i + 1))
    for i in range(3)
]


def trace(key: str, problem: Problem, answer: str, **changes: Any) -> Trace:
    made = Trace(
        id=key,
        problem_id=problem.id,
        model="m",
        messages=(Message("user", problem.question),),
        thought="Hm.",
        answer=answer,
    )
    return msgspec.structs.replace(made, **changes)


TRACES = [
    trace("right", PROBLEMS[0], "\\boxed{1}"),
    trace("wrong", PROBLEMS[1], "\\boxed{1}"),
    trace("cut", PROBLEMS[2], "", finish="length"),
    trace("failed", PROBLEMS[2], "", finish="error", error="server said no"),
]
COUNTS = {"correct": 1, "error": 1, "incorrect": 1, "no_answer": 1}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    store.write_records(tmp_path / "run" / "problems.jsonl", PROBLEMS)
    store.write_records(tmp_path / "run" / "traces.jsonl", TRACES)
    return tmp_path / "run"


def verdicts(path: Path) -> list[Verdict]:
    return store.read(path, Verdict)


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_run_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert score.run(Config(run_dir=folder)) == COUNTS
    assert "1 correct, 1 error, 1 incorrect, 1 no_answer" in capsys.readouterr().err
    found = {v.id: v for v in verdicts(folder / "verdicts.jsonl")}
    assert list(found) == ["right", "wrong", "cut", "failed"]
    assert found["wrong"].expected == "2"
    assert found["cut"].rule == "truncated"
    assert {v.verifier for v in found.values()} == {verifiers.get("number").label}


def test_only_errors_are_graded_again(folder: Path) -> None:
    score.run(Config(run_dir=folder))
    path = folder / "verdicts.jsonl"
    whole = path.read_text()
    assert score.run(Config(run_dir=folder)) == COUNTS
    assert path.read_text() == whole  # the same error is written once
    path.write_text(whole.replace("server said no", "server was away"))
    assert score.run(Config(run_dir=folder)) == COUNTS
    assert [v.id for v in verdicts(path)] == ["right", "wrong", "cut", "failed", "failed"]


def test_new_traces_are_graded_and_the_last_of_an_id_holds(folder: Path) -> None:
    score.run(Config(run_dir=folder))
    with store.Appender(folder / "traces.jsonl") as file:
        file.add(trace("failed", PROBLEMS[2], "\\boxed{3}"))
        file.add(trace("new", PROBLEMS[0], "\\boxed{1}"))
    assert score.run(Config(run_dir=folder)) == {"correct": 3, "incorrect": 1, "no_answer": 1}
    assert [v.id for v in verdicts(folder / "verdicts.jsonl")][4:] == ["failed", "new"]


def test_another_version_of_the_verifier_grades_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(problem: Problem, answer: str) -> Finding:
        return Finding("incorrect", rule="strict")

    score.run(Config(run_dir=folder))
    stricter = Verifier(name="number", version=99, check=check)
    monkeypatch.setattr("skythought.verifiers.number.NUMBER", stricter)
    assert score.run(Config(run_dir=folder)) == {"error": 1, "incorrect": 2, "no_answer": 1}
    assert len(verdicts(folder / "verdicts.jsonl")) == 8
    score.run(Config(run_dir=folder))
    assert len(verdicts(folder / "verdicts.jsonl")) == 8  # the same error is written once


def test_a_verifier_of_ones_choice(folder: Path) -> None:
    score.run(Config(run_dir=folder, verifier="math"))
    found = verdicts(folder / "verdicts.jsonl")
    assert {v.verifier for v in found} == {verifiers.get("math").label}
    with pytest.raises(UserError, match=r"unknown verifier 'maths': did you mean 'math'"):
        score.run(Config(run_dir=folder, verifier="maths"))


def test_a_torn_last_line_is_graded_again(folder: Path) -> None:
    score.run(Config(run_dir=folder))
    path = folder / "verdicts.jsonl"
    whole = path.read_bytes()
    for cut in (whole[:-9], whole[:20], b'{"ver'):
        path.write_bytes(cut)
        assert score.run(Config(run_dir=folder)) == COUNTS
        assert {v.id for v in verdicts(path)} == {t.id for t in TRACES}


def test_traces_and_problems_are_not_touched(folder: Path) -> None:
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    score.run(Config(run_dir=folder))
    assert {name: (folder / name).read_bytes() for name in before} == before


def test_what_is_missing_is_named(folder: Path, tmp_path: Path) -> None:
    for config in (Config(), Config(run_dir=folder, input=folder)):
        with pytest.raises(UserError, match=r"what to grade\? give --run-dir FOLDER or --input"):
            score.run(config)
    with pytest.raises(UserError, match="no traces; make some with: skythought generate"):
        score.run(Config(run_dir=tmp_path / "none"))
    store.write_records(folder / "problems.jsonl", PROBLEMS[:2])
    with pytest.raises(UserError, match="trace cut answers problem 'p2', which problems"):
        score.run(Config(run_dir=folder))


ROWS: list[dict[str, Any]] = [
    {"id": "a", "problem": "1 + 1?", "response": "<think>\nHm\n</think>\n2", "answer": "2"},
    {"id": "b", "problem": "1 + 2?", "response": "\\boxed{4}", "reference_answer": "$3$"},
    {"messages": [{"role": "user", "content": "x?"}, {"role": "assistant", "content": "x = 1/2"}]}
    | {"id": "c", "final_answer": ["\\frac12"]},
    {"id": "d", "prompt": "1 + 3?", "completion": "<think>\nnever", "answer": 4},
]


def test_a_file_of_responses(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.jsonl", *ROWS)
    assert score.run(Config(input=path)) == {"correct": 2, "incorrect": 1, "no_answer": 1}
    found = verdicts(shapes.verdicts_beside(path))
    assert [(v.id, v.outcome) for v in found] == [
        ("a", "correct"),
        ("b", "incorrect"),
        ("c", "correct"),
        ("d", "no_answer"),
    ]
    score.run(Config(input=path))
    assert len(verdicts(shapes.verdicts_beside(path))) == 4
    score.run(Config(input=path, output=tmp_path / "deep" / "v.jsonl"))
    assert verdicts(tmp_path / "deep" / "v.jsonl") == found


def test_our_own_traces_in_a_file_need_a_reference_beside_their_answer(tmp_path: Path) -> None:
    row = {**msgspec.to_builtins(TRACES[0]), "reference_answer": "1"}
    path = write(tmp_path / "mine.jsonl", row)
    assert score.run(Config(input=path)) == {"correct": 1}
    path = write(tmp_path / "other.jsonl", msgspec.to_builtins(TRACES[0]))
    with pytest.raises(UserError, match=r"other\.jsonl: no row has a reference answer"):
        score.run(Config(input=path))


def test_rows_without_a_reference_are_errors_and_the_others_are_graded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare: list[dict[str, Any]] = [
        {"id": "none", "problem": "x?", "response": "1"},
        {"id": "null", "problem": "x?", "response": "1", "answer": None},
        {"id": "blank", "problem": "x?", "response": "1", "answer": " "},
        {"id": "cut", "problem": "x?", "response": "<think>\nnever", "reference_answer": []},
    ]
    path = write(tmp_path / "mine.jsonl", *ROWS, *bare)
    counts = {"correct": 2, "error": 4, "incorrect": 1, "no_answer": 1}
    assert score.run(Config(input=path)) == counts
    assert "mine.jsonl: 4 of 8 rows have no reference answer\n" in capsys.readouterr().err
    found = verdicts(shapes.verdicts_beside(path))[4:]
    assert [v.id for v in found] == ["none", "null", "blank", "cut"]
    assert {(v.outcome, v.rule) for v in found} == {("error", "the row has no reference answer")}
    write(path, *ROWS, *({**row, "answer": "1"} for row in bare))  # as soon as there is one
    assert score.run(Config(input=path)) == {"correct": 5, "incorrect": 1, "no_answer": 2}
    with pytest.raises(UserError, match=r"no row has a reference answer; expected one of answer, "):
        score.run(Config(input=write(tmp_path / "bare.jsonl", *bare)))


def test_rows_that_share_an_id_are_all_graded(tmp_path: Path) -> None:
    """As in files that name every sample of a problem with the problem's id."""
    first = {"id": "a", "problem": "1 + 1?", "answer": "2"}
    rows = [{**first, "response": r} for r in ("2", "3", "so 2", "2")]
    path = write(tmp_path / "mine.jsonl", *rows)
    for _ in range(2):
        assert score.run(Config(input=path)) == {"correct": 3, "incorrect": 1}
        assert len({v.id for v in verdicts(shapes.verdicts_beside(path))}) == 4
    before = verdicts(shapes.verdicts_beside(path))
    bare = [{k: v for k, v in row.items() if k != "id"} for row in rows]
    write(path, *rows, rows[1], *bare)  # what was there keeps its verdicts
    assert score.run(Config(input=path)) == {"correct": 6, "incorrect": 3}
    after = verdicts(shapes.verdicts_beside(path))
    assert after[:4] == before
    assert len({v.id for v in after}) == len(after) == 9


def test_each_of_many_alike_samples_counts(tmp_path: Path) -> None:
    row = {"id": "a", "problem": "1 + 1?", "answer": "2"}
    path = write(tmp_path / "mine.jsonl", *({**row, "response": r} for r in ("2", "2", "2", "3")))
    assert score.run(Config(input=path)) == {"correct": 3, "incorrect": 1}


def test_another_reference_is_graded_again(tmp_path: Path) -> None:
    row = {"id": "a", "problem": "1 + 1?", "response": "2", "answer": "3"}
    path = write(tmp_path / "mine.jsonl", row)
    assert score.run(Config(input=path)) == {"incorrect": 1}
    write(path, {**row, "answer": "2"})
    assert score.run(Config(input=path)) == {"correct": 1}
    assert score.run(Config(input=path)) == {"correct": 1}
    assert [v.expected for v in verdicts(shapes.verdicts_beside(path))] == ["3", "2"]


def test_a_failed_request_gives_way_to_a_later_answer() -> None:
    failed, answered = TRACES[3], trace("failed", PROBLEMS[2], "\\boxed{3}")
    taught = shapes.lesson(answered)
    assert shapes.own_id("failed", taught, {"failed": failed.finish}) == "failed"
    again = shapes.own_id("failed", taught, {"failed": answered.finish})
    other = shapes.lesson(trace("failed", PROBLEMS[2], "\\boxed{4}"))
    assert again not in ("failed", shapes.own_id("failed", other, {"failed": "stop"}))
    assert shapes.own_id("failed", taught, {"failed": "stop", again: "stop"}) not in (
        "failed",
        again,
    )


def test_strict_and_lenient_rules(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(verifiers.VERIFIERS, "own", "test_score:OWN")
    monkeypatch.setitem(verifiers.VERIFIERS, "own_strict", "test_score:OWN_STRICT")
    score.run(Config(run_dir=folder, verifier="own", strict=True))
    found = verdicts(folder / "verdicts.jsonl")
    assert {v.verifier for v in found} == {"own_strict@1"}
    assert [v.id for v in found if v.outcome == "correct"] == []
    with pytest.raises(UserError, match=r"verifier 'own' has no lenient rules"):
        score.run(Config(run_dir=folder, verifier="own", lenient=True))
    with pytest.raises(UserError, match=r"verifier 'number' has no strict rules \(those that have"):
        score.run(Config(run_dir=folder, strict=True))
    with pytest.raises(UserError, match="--strict and --lenient: give one of them"):
        score.run(Config(run_dir=folder, strict=True, lenient=True))


def _own(problem: Problem, answer: str) -> Finding:
    return Finding("correct" if problem.answer in answer else "incorrect", answer, "own")


def _strict(problem: Problem, answer: str) -> Finding:
    return Finding("correct" if problem.answer == answer else "incorrect", answer, "strict")


OWN = Verifier(name="own", version=1, check=_own)
OWN_STRICT = Verifier(name="own_strict", version=1, check=_strict)


def test_two_verifiers(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = "test_score:OWN,test_score:OWN_STRICT"
    for _ in range(2):
        assert score.run(Config(run_dir=folder, verifier=names)) == COUNTS
        told = capsys.readouterr().err
        assert "own@1 and own_strict@1: agree on 2 of 3 (66.7 %, 95 % interval 20.8 to 9" in told
        assert "1 not graded by both" in told
    first = verdicts(folder / "verdicts.jsonl")
    second = verdicts(folder / "verdicts.test_score_OWN_STRICT.jsonl")
    assert {v.verifier for v in first} == {"own@1"}
    assert {v.verifier for v in second} == {"own_strict@1"}
    [row] = [json.loads(line) for line in (folder / "disagreements.jsonl").open()]
    assert (row["id"], row["expected"], row["answer"]) == ("right", "1", "\\boxed{1}")
    assert [v["outcome"] for v in row["verdicts"]] == ["correct", "incorrect"]
    assert "| right | 1 | correct: " in (folder / "disagreements.md").read_text()
    for bad in ("math,", "math,math", "math,number,code", ","):
        if bad != "math,":
            with pytest.raises(UserError, match="give one name, or two different ones"):
                score.run(Config(run_dir=folder, verifier=bad))
    assert not [p for p in shapes.files(folder) if "verdicts" in p.name]


def test_nothing_to_grade(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"mine\.jsonl: holds no traces to grade"):
        score.run(Config(input=write(tmp_path / "mine.jsonl")))
    with pytest.raises(UserError, match=r"none\.jsonl: no such file"):
        score.run(Config(input=tmp_path / "none.jsonl"))


@pytest.mark.parametrize("text", ["my notes", "my notes\nmore", '{"trace": 1}\n', "\x00\xff"])
def test_another_file_is_never_appended_to(text: str, tmp_path: Path) -> None:
    path = write(tmp_path / "mine.jsonl", *ROWS)
    notes = tmp_path / "notes.txt"
    notes.write_text(text)
    with pytest.raises(UserError, match=r"notes\.txt: holds no verdicts; choose another --output"):
        score.run(Config(input=path, output=notes))
    assert notes.read_text() == text
    with pytest.raises(UserError, match="--output names a new file"):
        score.run(Config(input=path, output=tmp_path / "deep" / ".." / "mine.jsonl"))
    with pytest.raises(UserError, match="--output names a new file"):
        score.run(Config(run_dir=tmp_path, output=notes))


def test_the_command(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["score", "--run-dir", str(folder)]) == 0
    assert cli.main(["score"]) == 2
    assert "what to grade?" in capsys.readouterr().err


def test_real_traces(shared: Path, tmp_path: Path) -> None:
    """Real rows as they are, with and without a reference."""
    rows = (shared / "traces" / "traces.jsonl").read_text(encoding="utf-8").splitlines()
    some = [*rows[:190], *rows[1285:1295]]
    known = sum(bool(json.loads(row).get("reference_answer")) for row in some)
    path = tmp_path / "traces.jsonl"
    path.write_text("".join(f"{row}\n" for row in some), encoding="utf-8")
    counts = score.run(Config(input=path))
    assert sum(counts.values()) == len(some)
    assert counts["correct"] >= 0.9 * known
    assert counts["error"] == len(some) - known > 0


def test_damage_in_a_run_folder_costs_its_lines(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "traces.jsonl"
    good = path.read_text()
    path.write_text('{"torn\n{"id": "no trace"}\n' + good)
    with pytest.raises(UserError, match=r"traces\.jsonl:1: not valid JSON"):
        score.run(Config(run_dir=folder, stop_at_damage=True))
    assert not (folder / "verdicts.jsonl").exists()
    counts = {**COUNTS, "error": COUNTS.get("error", 0) + 2}
    assert score.run(Config(run_dir=folder)) == counts
    assert "rows that cannot be used: 2; the first: " in capsys.readouterr().err
    told = [v.detail for v in verdicts(folder / "verdicts.jsonl") if v.rule == "row not usable"]
    assert [detail.partition("traces.jsonl:")[2][:2] for detail in told] == ["1:", "2:"]
    path.write_text('{"torn\n')
    with pytest.raises(UserError, match=r"traces\.jsonl:1: not valid JSON"):
        score.run(Config(run_dir=folder))
