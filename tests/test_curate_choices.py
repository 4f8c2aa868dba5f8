"""skythought/curate.py: pairs, shapes, labels, pass rates, and rows that cannot be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from curated import card_of, graded, kept, reasons, run, trace, write

from skythought import curate
from skythought.core import formats, jsonl, shapes, store
from skythought.core.errors import UserError
from skythought.core.records import Example


def test_problems_of_a_pass_rate(tmp_path: Path) -> None:
    """p1 is solved by all, p2 by one of two, p3 by one of three, and one answer was not graded."""
    given = [
        *[(trace(f"a{i}"), "correct") for i in range(2)],
        (trace("b0", "p2"), "correct"),
        (trace("b1", "p2"), "incorrect"),
        (trace("c0", "p3"), "correct"),
        (trace("c1", "p3"), "no_answer"),
        (trace("c2", "p3"), "incorrect"),
        (trace("c3", "p3"), "error"),
    ]
    out = tmp_path / "out.jsonl"
    run(graded(tmp_path, *given), out=out, pass_rate="0.4..0.9")
    assert kept(out) == ["b0"]
    assert reasons(out)["c0"] == "other pass rate"


def test_rows_by_a_field_of_their_own_or_of_their_problem(tmp_path: Path) -> None:
    row = {"problem": "1 + 1?", "response": "2", "level": "Level 4", "subject": "Algebra"}
    other = {**row, "problem": "2 + 2?", "level": "Level 2"}
    path = write(tmp_path / "mine.jsonl", row, other, {"problem": "3?", "response": "3"})
    out = tmp_path / "out.jsonl"
    run(path, out=out, outcome="any", where=("level=3..5", "subject=algebra"))
    assert [e.messages[0].content for e in store.read(out, Example)] == ["1 + 1?"]
    assert sorted(reasons(out).values()) == ["no level", "other level"]
    folder = graded(tmp_path, (trace("a"), "correct"), (trace("b", "p2"), "correct"))
    problems = [{"id": "p1", "extra": {"level": 1}}, {"id": "p2", "extra": {"level": 5}}]
    write(folder / "problems.jsonl", *problems)
    run(folder, out=tmp_path / "hard.jsonl", where=("level=4..",))
    assert kept(tmp_path / "hard.jsonl") == ["b"]


def test_the_shortest_of_each_problem(tmp_path: Path) -> None:
    lengths = {"a": 30, "b": 10, "c": 20}
    given = [(trace(key, completion_tokens=n), "correct") for key, n in lengths.items()]
    folder = graded(tmp_path, *given, (trace("d", "p2", completion_tokens=99), "correct"))
    out = tmp_path / "out.jsonl"
    run(folder, out=out, per_problem=1, prefer="shortest")
    assert kept(out) == ["b", "d"]
    run(folder, out=tmp_path / "two.jsonl", select=2, by="longest")
    assert kept(tmp_path / "two.jsonl") == ["a", "d"]
    assert set(reasons(tmp_path / "two.jsonl").values()) == {"not selected"}
    run(folder, out=tmp_path / "window.jsonl", min_tokens=15, max_tokens=40)
    assert kept(tmp_path / "window.jsonl") == ["a", "c"]


def test_pairs_of_the_shortest_and_the_longest(tmp_path: Path) -> None:
    lengths = {"a": 30, "b": 10, "c": 20}
    given = [(trace(key, completion_tokens=n), "correct") for key, n in lengths.items()]
    folder = graded(tmp_path, *given, (trace("d", "p2"), "correct"))
    out = tmp_path / "pairs.jsonl"
    counts = run(folder, out=out, pairs="shortest")
    assert counts == {"kept": 1, "dropped": {"not in a pair": 2}}
    assert reasons(out) == {"c": "not in a pair", "d": "not in a pair"}
    assert "| run | 4 | 1 | - | not stated |" in card_of(out)
    [pair] = store.read(out, Example)
    assert pair.completion == formats.teach("Hm.\n\nWait, b.", "\\boxed{b}")
    assert pair.rejected == formats.teach("Hm.\n\nWait, a.", "\\boxed{a}")
    assert pair.tags == ("correct", "pair shortest", "rejected a")
    with pytest.raises(UserError, match="--pairs compares correct traces"):
        run(folder, out=tmp_path / "x.jsonl", pairs="shortest", outcome="any")


def test_a_trace_without_a_thought_makes_no_pair(tmp_path: Path) -> None:
    bare = trace("a", thought="", answer="So 22.\n\nAgain \\boxed{22}")
    folder = graded(tmp_path, (bare, "correct"))
    with pytest.raises(UserError, match="no trace is left of 1: 1 no shorter solution"):
        run(folder, out=tmp_path / "pairs.jsonl", pairs="first_solution")


def test_the_card_counts_problems_of_files_and_names_files_shortly(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"id": f"r{i}", "problem": f"{i % 2} + 1?", "response": f"{i}"} for i in range(4)
    ]
    rows[3]["problem_id"] = None  # says nothing
    held_out = write(tmp_path / "deep" / "held-out.jsonl", {"id": "x", "problem": "a b c d e f g?"})
    out = tmp_path / "out.jsonl"
    source = write(tmp_path / "in.jsonl", *rows)
    run(source, out=out, outcome="any", decontaminate=(str(held_out),), duplicates_by=("response",))
    assert "| problems | 2 |" in card_of(out)
    assert "| decontaminate | held-out.jsonl |" in card_of(out)
    assert "| duplicates_by | response |" in card_of(out)
    assert "| | |" in card_of(out)


def test_pairs_of_the_first_solution_and_all_of_it(tmp_path: Path) -> None:
    parts = ["Let me add 17 and 5.", "17 + 5 = 22, so it is 22."]
    checks = [f"Wait, let me check again. {i} times, it is still 22." for i in range(9)]
    long = trace("a", thought="\n\n".join([*parts, *checks]), answer="\\boxed{22}")
    folder = graded(tmp_path, (long, "correct"), (trace("b", "p2"), "correct"))
    out = tmp_path / "pairs.jsonl"
    counts = run(folder, out=out, pairs="first_solution")
    assert counts == {"kept": 1, "dropped": {"no shorter solution": 1}}
    [pair] = store.read(out, Example)
    assert pair.completion == formats.teach("\n\n".join([*parts, checks[0]]), "\\boxed{22}")
    assert pair.rejected == formats.teach(long.thought, long.answer)


@pytest.mark.parametrize("to", ["messages", "sharegpt"])
def test_other_shapes_can_be_trained_on(to: Any, tmp_path: Path) -> None:
    folder = graded(tmp_path, (trace("a"), "correct"), (trace("b", "p2"), "correct"))
    run(folder, out=tmp_path / "ours.jsonl")
    run(folder, out=tmp_path / "theirs.jsonl", to=to)
    [ours, theirs] = (
        [(e.messages, e.completion) for e in shapes.read_examples(tmp_path / f"{name}.jsonl")]
        for name in ("ours", "theirs")
    )
    assert ours == theirs


def test_parquet_is_written(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    folder = graded(tmp_path, *((trace(key), "correct") for key in "abg"))
    run(folder, out=tmp_path / "out.parquet", to="messages")
    rows = parquet.read_table(tmp_path / "out.parquet").to_pylist()
    assert [row["trace_id"] for row in rows] == ["a", "b", "g"]
    assert not list(tmp_path.glob("*.part"))


def test_rows_that_cannot_be_used_are_left_out_and_told(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text('{"problem": "1?", "response": "2"}\n{"text": 1}\nnot json\n')
    out = tmp_path / "out.jsonl"
    assert run(path, out=out, outcome="any") == {"kept": 1, "dropped": {"cannot be used": 2}}
    rows = [row for _, row in jsonl.read_rows(out.with_name("out.jsonl.dropped.jsonl"))]
    assert [row["place"] for row in rows] == [f"{path}:2", f"{path}:3"]
    assert "unknown row with fields text" in rows[0]["reason"]
    with pytest.raises(UserError, match=r"mine\.jsonl:2: unknown row with fields text"):
        run(path, out=tmp_path / "no.jsonl", outcome="any", stop_at_damage=True)


def test_workers_change_nothing(shared: Path, tmp_path: Path) -> None:
    source = shared / "traces" / "traces.jsonl"
    for n in (1, 3):
        run(source, out=tmp_path / f"{n}.jsonl", outcome="any", workers=n, select=50)
    for end in ("", ".dropped.jsonl"):
        one, three = ((tmp_path / f"{n}.jsonl{end}").read_bytes() for n in (1, 3))
        assert one == three


def test_a_tokenizer_counts(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    folder = graded(tmp_path, (trace("a"), "correct"))
    mini = Path(curate.__file__).parent / "models" / "mini"
    run(folder, out=tmp_path / "out.jsonl", tokenizer=str(mini), min_tokens=10)
    with pytest.raises(UserError, match=r"--tokenizer .*nowhere: "):
        run(folder, out=tmp_path / "no.jsonl", tokenizer=str(tmp_path / "nowhere"))
