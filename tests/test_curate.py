"""skythought/curate.py: what is kept, what is left out and why, and who says so."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from curated import card_of, kept, reasons, run, trace, verdict, write

from skythought import cli, score
from skythought.core import formats, jsonl, shapes, store
from skythought.core.errors import UserError
from skythought.core.records import Example

TRACES = [
    trace("a"),
    trace("b"),
    trace("c", "p2"),
    trace("d", "p2", error="refused", finish="error"),
    trace("e", "p2", finish="length"),
    trace("f", "p3"),
    trace("g", "p3", thought="Short."),
    trace("h", "p3"),
]
VERDICTS = [
    *(verdict(key) for key in "abg"),
    *(verdict(key, "incorrect") for key in "cf"),
    *(verdict(key, "error") for key in "d"),
    *(verdict(key, "no_answer") for key in "e"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    store.write_records(tmp_path / "run" / "traces.jsonl", TRACES)
    store.write_records(tmp_path / "run" / "verdicts.jsonl", VERDICTS)
    return tmp_path / "run"


def test_the_correct_ones_are_kept(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "data" / "correct.jsonl"
    counts = run(folder, out=out)
    assert kept(out) == ["a", "b", "g"]
    assert reasons(out) == {
        "c": "verdict incorrect",
        "d": "error",
        "e": "truncated",
        "f": "verdict incorrect",
        "h": "not graded",
    }
    dropped = {"error": 1, "not graded": 1, "truncated": 1, "verdict incorrect": 2}
    assert counts == {"kept": 3, "dropped": dropped}


def test_a_tag_inside_is_left_out_and_told(tmp_path: Path) -> None:
    """Taught, a student would learn to end its thought in the midst."""
    bad = [
        trace("b", thought="I write <|end_of_thought|>\n\nand go on."),
        trace("c", answer="4 <|end_of_solution|> or 5"),
    ]
    store.write_records(tmp_path / "run" / "traces.jsonl", [trace("a"), *bad])
    out = tmp_path / "out.jsonl"
    assert run(tmp_path / "run", out=out, outcome="any") == {
        "kept": 1,
        "dropped": {"tag inside": 2},
    }
    assert reasons(out) == {"b": "tag inside", "c": "tag inside"}
    with pytest.raises(
        UserError, match=r"traces\.jsonl:2: the thought holds <\|end_of_thought\|>, "
    ):
        list(shapes.read_examples(tmp_path / "run"))


def test_an_example_teaches_its_trace(folder: Path, tmp_path: Path) -> None:
    run(folder, out=tmp_path / "out.jsonl")
    [first, *_] = store.read(tmp_path / "out.jsonl", Example)
    assert first.completion == formats.teach(TRACES[0].thought, TRACES[0].answer)
    assert (first.messages, first.tags) == (TRACES[0].messages, ("correct",))
    assert next(shapes.read_traces(tmp_path / "out.jsonl")).thought == TRACES[0].thought


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ({"outcome": "incorrect"}, ["c", "f"]),
        ({"outcome": "any"}, ["a", "b", "c", "f", "g", "h"]),
        ({"per_problem": 1}, ["a", "g"]),
        ({"limit": 2}, ["a", "b"]),
        ({"min_steps": 2}, ["a", "b"]),
        ({"outcome": "any", "per_problem": 1, "min_steps": 2}, ["a", "c", "f"]),
    ],
)
def test_options(options: dict[str, Any], left: list[str], folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    run(folder, out=out, **options)
    assert kept(out) == left
    assert not set(left) & set(reasons(out))
    assert len(left) + len(reasons(out)) == len(TRACES)


def test_any_keeps_what_the_verdict_was_as_a_tag(folder: Path, tmp_path: Path) -> None:
    run(folder, out=tmp_path / "out.jsonl", outcome="any")
    tags = {e.trace_id: e.tags for e in store.read(tmp_path / "out.jsonl", Example)}
    assert (tags["a"], tags["c"], tags["h"]) == (("correct",), ("incorrect",), ("not graded",))


def test_several_runs_and_the_cap_over_all(folder: Path, tmp_path: Path) -> None:
    store.write_records(tmp_path / "two" / "traces.jsonl", [trace("x"), trace("y", "p9")])
    store.write_records(tmp_path / "two" / "verdicts.jsonl", [verdict("x"), verdict("y")])
    run(folder, tmp_path / "two", out=tmp_path / "out.jsonl", per_problem=2)
    assert kept(tmp_path / "out.jsonl") == ["a", "b", "g", "y"]
    assert reasons(tmp_path / "out.jsonl")["x"] == "per-problem cap"


def test_duplicates_are_dropped(tmp_path: Path) -> None:
    same = {"thought": "Hm.", "answer": "\\boxed{1}"}
    traces = [trace("a", **same), trace("b", **same), trace("c", "p2", **same), trace("d")]
    store.write_records(tmp_path / "run" / "traces.jsonl", traces)
    store.write_records(tmp_path / "run" / "verdicts.jsonl", [verdict(t.id) for t in traces])
    out = tmp_path / "out.jsonl"
    counts = run(tmp_path / "run", out=out)
    assert kept(out) == ["a", "c", "d"]  # c answers another problem
    assert counts["dropped"] == {"duplicate": 1}
    assert "\n| duplicate | 1 |\n" in out.with_name("out.jsonl.card.md").read_text()
    run(tmp_path / "run", out=tmp_path / "all.jsonl", keep_duplicates=True)
    assert kept(tmp_path / "all.jsonl") == ["a", "b", "c", "d"]
    capped = tmp_path / "capped.jsonl"
    run(tmp_path / "run", out=capped, per_problem=2)
    assert kept(capped) == ["a", "c", "d"]  # a duplicate takes no place under the cap


def test_a_trace_asked_again_counts_once(folder: Path, tmp_path: Path) -> None:
    with store.Appender(folder / "traces.jsonl") as file:
        file.add(trace("d", "p2"))
    with store.Appender(folder / "verdicts.jsonl") as file:
        file.add(verdict("d"))
    run(folder, out=tmp_path / "out.jsonl")
    assert kept(tmp_path / "out.jsonl") == ["a", "b", "d", "g"]


ROWS: dict[str, dict[str, Any]] = {
    "messages": {
        "messages": [
            {"role": "user", "content": "1 + 1?"},
            {"role": "assistant", "content": "<think>\nHm\n</think>\n2"},
        ]
    },
    "sharegpt": {
        "conversations": [{"from": "human", "value": "1 + 1?"}, {"from": "gpt", "value": "so 2"}]
    },
    "prompt and completion": {"prompt": "1 + 1?", "completion": "I say 2"},
    "problem and response": {"problem": "1 + 1?", "response": "it is 2"},
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_file_of_any_shape(row: dict[str, Any], tmp_path: Path) -> None:
    path = write(tmp_path / "mine.jsonl", row | {"answer": "2"})
    out = tmp_path / "out.jsonl"
    with pytest.raises(UserError, match=r"not graded yet; run: skythought score --input .*mine"):
        run(path, out=out)
    assert not out.exists()
    run(path, out=tmp_path / "any.jsonl", outcome="any")
    score.run(score.Config(input=path))
    assert run(path, out=out) == {"kept": 1, "dropped": {}}
    [one] = store.read(out, Example)
    assert one.tags == ("correct",)
    assert one.completion == next(shapes.read_examples(path)).completion


def test_alike_samples_of_a_file_are_duplicates_unless_kept(tmp_path: Path) -> None:
    row = {"id": "a", "problem": "1 + 1?", "answer": "2"}
    path = write(tmp_path / "mine.jsonl", *({**row, "response": r} for r in ("2", "2", "so 2")))
    score.run(score.Config(input=path))
    assert run(path, out=tmp_path / "out.jsonl")["dropped"] == {"duplicate": 1}
    assert run(path, out=tmp_path / "all.jsonl", keep_duplicates=True)["kept"] == 3
    examples = store.read(tmp_path / "all.jsonl", Example)
    assert len({e.id for e in examples}) == len({e.trace_id for e in examples}) == 3


def test_samples_that_share_an_id_keep_their_own_verdicts(tmp_path: Path) -> None:
    first = {"id": "a", "problem": "1 + 1?", "answer": "2"}
    rows = [{**first, "response": r} for r in ("it is 3", "so 2", "it is 2", "so 2")]
    path = write(tmp_path / "mine.jsonl", *rows)
    score.run(score.Config(input=path))
    assert run(path, out=tmp_path / "out.jsonl") == {
        "kept": 2,
        "dropped": {"duplicate": 1, "verdict incorrect": 1},
    }
    taught = [e.completion for e in store.read(tmp_path / "out.jsonl", Example)]
    assert taught == [formats.teach("", "so 2"), formats.teach("", "it is 2")]


def test_files_and_folders_together(folder: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "mine.jsonl", ROWS["sharegpt"] | {"answer": "2"})
    score.run(score.Config(input=path))
    assert run(folder, path, out=tmp_path / "out.jsonl")["kept"] == 4


def test_the_card(folder: Path, tmp_path: Path) -> None:
    store.write_records(
        folder / "traces.jsonl", [*TRACES[:7], trace("h", "p3", model="a|b\n# Owned")]
    )
    run(folder, out=tmp_path / "out.jsonl", outcome="any")
    lines = card_of(tmp_path / "out.jsonl")
    assert "# Dataset card: out.jsonl" in lines
    assert "| examples | 6 |" in lines
    assert "| problems | 3 |" in lines
    assert "| teachers | teacher (5), a\\|b # Owned (1) |" in lines
    assert "| verdicts | correct (3), incorrect (2), not graded (1) |" in lines
    assert "| completion tokens: median, longest | 9, 9 |" in lines
    assert "| steps per thought (mean) | 1.8 |" in lines
    assert "| run | 8 | 6 | - | not stated |" in lines
    assert "| outcome | any |" in lines
    assert "| truncated | 1 |" in lines
    assert f"{'9-16':>17}  {'#' * 30} 6" in lines
    assert "| measured on | 6 of 6 examples |" in lines
    assert sum(line.startswith("# ") for line in lines) == 1
    assert lines[0] == lines[lines.index("---", 1)] == "---"  # front matter, as hubs read it
    assert 'size_categories: ["n<1K"]' in lines


def test_the_same_command_again_makes_nothing(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    counts = run(folder, out=out)
    before = out.stat().st_mtime_ns
    assert run(folder, out=out) == counts
    assert out.stat().st_mtime_ns == before


def test_an_output_of_before_a_setting_existed_is_known(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    counts = run(folder, out=out)
    manifest = tmp_path / "out.jsonl.manifest.json"
    made = json.loads(manifest.read_text())
    assert set(made["config"]) == {
        "outcome",
        "inputs",
        "benchmarks",
    }
    del made["config"]["benchmarks"]
    manifest.write_text(json.dumps(made))
    assert run(folder, out=out) == counts
    with pytest.raises(UserError, match="was made with duplicates_by=None, now"):
        run(folder, out=out, duplicates_by=("question",))


@pytest.mark.parametrize("change", ["settings", "verdicts", "traces", "file"])
def test_other_settings_or_inputs_are_refused(change: str, folder: Path, tmp_path: Path) -> None:
    out, options = tmp_path / "out.jsonl", {}
    run(folder, out=out)
    if change == "settings":
        options = {"limit": 1}
    elif change == "verdicts":
        store.write_records(folder / "verdicts.jsonl", [*VERDICTS, verdict("h")])
    elif change == "traces":
        edited = [trace("a", answer="\\boxed{0}"), *TRACES[1:]]
        store.write_records(folder / "traces.jsonl", edited)
    else:
        (tmp_path / "out.jsonl.manifest.json").unlink()
    with pytest.raises(UserError, match=r"was made with |exists, and not from curate"):
        run(folder, out=out, **options)


def test_a_file_changed_by_hand_is_refused(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    run(folder, out=out)
    out.write_text(out.read_text().replace("1", "2"))
    with pytest.raises(UserError, match="was changed after it was made; choose another output"):
        run(folder, out=out)


def test_an_interrupted_run_is_made_anew(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    run(folder, out=out)
    whole = out.read_bytes()
    out.unlink()  # it is written last
    run(folder, out=out)
    assert out.read_bytes() == whole
    (tmp_path / "out.jsonl.manifest.json").write_text("[]")
    with pytest.raises(UserError, match="exists, and not from curate; choose another output"):
        run(folder, out=out)


def test_what_is_missing_is_named(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UserError, match="no traces; make some with: skythought generate"):
        run(empty, out=out)
    with pytest.raises(UserError, match=r"none\.jsonl: no such file"):
        run(tmp_path / "none.jsonl", out=out)
    with pytest.raises(UserError, match=r"no\.jsonl: holds no traces"):
        run(write(tmp_path / "no.jsonl"), out=out, outcome="any")
    with pytest.raises(UserError, match=r"bad\.jsonl:1: unknown row"):
        run(write(tmp_path / "bad.jsonl", {"text": "x"}), out=out, outcome="any")
    with pytest.raises(UserError, match=r"no trace is left of 8: 1 .*, 3 too few steps, "):
        run(folder, out=out, min_steps=9)
    with pytest.raises(UserError, match="choose from what\\? give run folders or JSONL files"):
        run(out=out)
    with pytest.raises(UserError, match="--min-steps -1: give 0 or more"):
        run(folder, out=out, min_steps=-1)
    for flag in ("limit", "per_problem"):
        with pytest.raises(UserError, match=r"--(limit|per-problem) 0: give 1 or more"):
            run(folder, out=out, **{flag: 0})
    (folder / "verdicts.jsonl").unlink()
    with pytest.raises(UserError, match=r"not graded yet; run: skythought score --run-dir"):
        run(folder, out=out)
    assert not out.exists()


def test_the_inputs_are_not_touched(folder: Path, tmp_path: Path) -> None:
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    run(folder, out=tmp_path / "out.jsonl")
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


@pytest.mark.parametrize(
    ("read", "out"),
    [
        ("run/traces.jsonl", "run/traces.jsonl"),
        ("run/traces.jsonl", "run/../run/traces.jsonl"),
        ("run", "run/traces.jsonl"),
        ("run", "run/verdicts.jsonl"),
        ("x.jsonl.dropped.jsonl", "x.jsonl"),
    ],
)
def test_no_input_is_written_over(read: str, out: str, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "x.jsonl.dropped.jsonl").write_bytes((folder / "traces.jsonl").read_bytes())
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    with pytest.raises(UserError, match="is read and would be written over; choose another --out"):
        run(tmp_path / read, out=tmp_path / out, outcome="any")
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize("name", ["out.jsonl", "out.parquet"])
def test_a_full_disk_keeps_nothing_half_written(name: str, small_disk: Path) -> None:
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow", reason="needs skythought[parquet]")
    source = small_disk.parent / "t.jsonl"
    rng = random.Random(0)
    said = [" ".join(f"{rng.random()}" for _ in range(300)) for _ in range(60)]
    write(source, *({"id": str(n), "problem": "?", "response": s} for n, s in enumerate(said)))
    with pytest.raises(UserError, match="no space left on the device"):
        run(source, out=small_disk / name, outcome="any")
    assert [*small_disk.iterdir()] == []


def test_the_command(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.jsonl"
    assert cli.main(["curate", str(folder), "--out", str(out), "--per-problem", "1"]) == 0
    said = capsys.readouterr().err
    assert "kept 2; left out: 1 error, 1 not graded, 1 per-problem cap" in said
    assert cli.main(["curate", str(folder), "--out", str(out), "--per-problem", "1"]) == 0
    assert "out.jsonl: made already with these settings" in capsys.readouterr().err


def test_real_traces(shared: Path, tmp_path: Path) -> None:
    source = shared / "traces" / "traces.jsonl"
    counts = run(source, out=tmp_path / "out.jsonl", outcome="any", per_problem=1)
    assert counts["kept"] + sum(counts["dropped"].values()) == 1423
    asked = {" ".join(row["problem"].split()) for _, row in jsonl.read_rows(source)}
    assert counts["kept"] == len(asked)  # ids of samples differ, questions do not
