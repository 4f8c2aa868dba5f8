"""skythought/analyze.py: any shape in, tables and a summary out; no row lost."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from skythought import analyze, cli, structure
from skythought.analyze import Config
from skythought.core import shapes, steps, store
from skythought.core.errors import UserError
from skythought.core.records import Trace
from skythought.reporting import anatomy
from skythought.structure.tables import TABLES

THOUGHT = (
    "3 boxes of 12 apples, 4 broken.\n\n3 * 12 = 36.\n\n36 - 4 = 32.\n\nWait, let me check. Yes."
)
SAID = f"<think>\n{THOUGHT}\n</think>\n\nSo \\boxed{{32}}."
ROWS: list[dict[str, Any]] = [
    {"problem": "3 boxes of 12 apples. 4 are broken. How many are not?", "response": SAID},
    {"messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": SAID}]},
    {"problem": "How many?", "response": f"<think>\n{'Wait, no. Again. ' * 99}"},
    {"problem": "How many?", "response": "", "error": "timeout"},
    {"text": "of no known shape"},
]


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + "not JSON\n")
    return path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write(tmp_path / "in.jsonl", *ROWS)


def run(source: Path, out: Path, **values: Any) -> dict[str, Any]:
    return analyze.run(Config(**{"input": source, "out": out, "workers": 1, **values}))


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_row_is_measured_or_has_a_reason(source: Path, tmp_path: Path) -> None:
    found = run(source, tmp_path / "out")
    measures = read(tmp_path / "out" / "measures.jsonl")
    left = read(tmp_path / "out" / "unparsed.jsonl")
    assert len(measures) + len(left) == 6
    assert [row["steps"] for row in measures] == [4, 4, 1]
    assert [row["truncated"] for row in measures] == [False, False, True]
    assert [row["loop"] for row in measures] == [False, False, True]
    assert [row["answer_step"] for row in measures] == [2, 2, None]
    assert [row["place"].rpartition(":")[2] for row in left] == ["4", "5", "6"]
    assert left[0]["reason"] == "the request failed: timeout"
    assert "expected messages" in left[1]["reason"]
    assert "not valid JSON" in left[2]["reason"]
    assert (found["all"]["traces"], found["unparsed"]) == (3, 3)
    assert (found["all"]["loops"], found["all"]["truncated"]) == (1, 1)
    assert found["all"]["reached"] == 2


def test_a_row_of_measures_is_what_measure_gives(source: Path, tmp_path: Path) -> None:
    run(source, tmp_path / "out")
    trace = shapes.trace(ROWS[0])
    [row, *_] = store.read(tmp_path / "out" / "measures.jsonl", structure.Measures)
    assert row == structure.measure(trace)


def test_steps_are_places_in_the_thought(source: Path, tmp_path: Path) -> None:
    run(source, tmp_path / "out")
    rows = read(tmp_path / "out" / "steps.jsonl")[:4]
    assert [row["step"] for row in rows] == [0, 1, 2, 3]
    assert [THOUGHT[row["start"] : row["end"]] for row in rows] == steps.split(THOUGHT)
    assert [row["role"] for row in rows] == ["restate", "compute", "compute", "verify"]
    assert rows[3]["markers"] == ["wait", "let me check"]
    assert rows[2]["introduces"] == ["32"]


def test_statements_are_places_in_the_thought_with_their_truth(tmp_path: Path) -> None:
    thought = "3 * 12 = 36.\n\n36 - 4 = 31 and x + 1 = 3."
    source = write(tmp_path / "in.jsonl", {**ROWS[0], "response": f"<think>{thought}</think>31"})
    found = run(source, tmp_path / "out")
    rows = read(tmp_path / "out" / "statements.jsonl")
    assert [(row["step"], row["truth"]) for row in rows] == [
        *((0, "holds"), (1, "fails"), (1, "unknown"))
    ]
    assert thought[rows[1]["start"] : rows[1]["end"]] == "36 - 4 = 31"
    [row] = read(tmp_path / "out" / "measures.jsonl")
    assert (row["checkable"], row["holding"], row["grounding"]) == (2, 1, 0.5)
    assert (found["all"]["checkable"], found["all"]["holding"]) == (2, 1)


def test_form_without_ground_is_flagged(tmp_path: Path) -> None:
    """The same thought with right and with wrong sums."""
    right = "\n\n".join(f"Then {i} + {i} = {2 * i}." for i in range(3, 12))
    wrong = right.replace("= 1", "= 4").replace("= 2", "= 3")
    rows = [{**ROWS[0], "response": f"<think>{text}</think>22"} for text in (right, wrong)]
    found = run(write(tmp_path / "in.jsonl", *rows), tmp_path / "out")
    one, other = read(tmp_path / "out" / "measures.jsonl")
    assert (one["grounding"], one["flag"]) == (1, "")
    assert other["grounding"] < structure.LOW_GROUNDING
    assert other["flag"] == (
        structure.UNGROUNDED if other["consistency"] >= structure.HIGH_FORM else ""
    )
    assert found["all"]["ungrounded"] == bool(other["flag"])
    assert sum(n for _, _, n in found["all"]["plane"]) == 2
    assert (tmp_path / "out" / "plane.svg").exists()


@pytest.mark.parametrize(
    ("form", "grounding", "checkable", "flag"),
    [
        (0.9, 0.5, 10, "ungrounded"),
        (0.9, 0.9, 10, ""),
        (0.1, 0.5, 10, ""),
        (0.9, 0.5, 2, ""),
        (None, 0.5, 10, ""),
        (0.9, None, 0, ""),
    ],
)
def test_flag(form: float | None, grounding: float | None, checkable: int, flag: str) -> None:
    assert structure.flag(form, grounding, checkable) == flag


def test_tables_can_be_chosen(source: Path, tmp_path: Path) -> None:
    run(source, tmp_path / "out", tables="traces")
    made = {path.name for path in (tmp_path / "out").iterdir()}
    assert made == {
        *("manifest.json", "measures.jsonl", "unparsed.jsonl", "summary.json", "summary.md"),
        *("roles.svg", "transitions.svg", "after_answer.svg"),
    }
    run(source, tmp_path / "none", tables="")
    assert not (tmp_path / "none" / "measures.jsonl").exists()


def test_parquet_holds_the_same_rows(source: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs skythought[parquet]")
    run(source, tmp_path / "jsonl")
    run(source, tmp_path / "parquet", format="parquet")
    for _, name in TABLES.values():
        table = parquet.read_table(tmp_path / "parquet" / f"{name}.parquet")
        assert table.to_pylist() == read(tmp_path / "jsonl" / f"{name}.jsonl")


def test_parquet_is_written_batch_after_batch(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs skythought[parquet]")
    source = write(tmp_path / "in.jsonl", *(ROWS[0] for _ in range(3 * shapes.BATCH)))
    run(source, tmp_path / "out", format="parquet")
    file = parquet.ParquetFile(tmp_path / "out" / "measures.parquet")
    assert file.num_row_groups == 3
    assert file.metadata.num_rows == 3 * shapes.BATCH


def test_workers_change_nothing(tmp_path: Path) -> None:
    rows = [{**ROWS[i % 5], "id": str(i), "model": f"m{i % 3}"} for i in range(3 * shapes.BATCH)]
    source = write(tmp_path / "in.jsonl", *rows)
    run(source, tmp_path / "one")
    run(source, tmp_path / "two", workers=2)
    for name in ("measures.jsonl", "steps.jsonl", "unparsed.jsonl", "summary.json", "summary.md"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_the_same_command_again_makes_nothing(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = run(source, tmp_path / "out")
    (tmp_path / "out" / "measures.jsonl").unlink()
    assert run(source, tmp_path / "out") == json.loads(json.dumps(first))
    assert "made already" in capsys.readouterr().err
    assert not (tmp_path / "out" / "measures.jsonl").exists()


def test_a_run_that_was_cut_off_is_made_again(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written under its name before the end is written again, whole."""

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(anatomy, "page", stopped)
        with pytest.raises(KeyboardInterrupt):
            run(source, tmp_path / "out")
    assert not store.is_done(tmp_path / "out")
    run(source, tmp_path / "out")
    assert store.is_done(tmp_path / "out")
    assert not list((tmp_path / "out").glob("*.part"))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"tables": "traces,words"}, "no table 'words'; known: traces, steps, statements"),
        ({"workers": -1}, "give 0"),
        ({"input": Path("no/such/file")}, "no such file"),
        ({"tokenizer": "no/such/folder"}, "--tokenizer no/such/folder: no tokenizer there"),
    ],
)
def test_mistakes(values: dict[str, Any], told: str, source: Path, tmp_path: Path) -> None:
    if "tokenizer" in values:
        pytest.importorskip("transformers", reason="needs skythought[train]")
    with pytest.raises(UserError, match=told):
        run(source, tmp_path / "out", **values)
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_another_input_is_refused(source: Path, tmp_path: Path) -> None:
    run(source, tmp_path / "out")
    before = (tmp_path / "out" / "summary.json").read_bytes()
    other = write(tmp_path / "other.jsonl", ROWS[0])
    with pytest.raises(UserError, match="was made with input="):
        run(other, tmp_path / "out")
    with pytest.raises(UserError, match="was made with tables="):
        run(source, tmp_path / "out", tables="traces")
    assert (tmp_path / "out" / "summary.json").read_bytes() == before


def test_the_folder_of_the_input_is_refused(source: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the input lies there"):
        run(source, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


def test_a_file_without_traces_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    bad = write(tmp_path / "bad.jsonl", ROWS[4])
    with pytest.raises(UserError, match=r"none of 2 rows can be analyzed; .*bad.jsonl:1: unknown"):
        run(bad, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(UserError, match="holds no traces"):
        run(tmp_path / "empty.jsonl", tmp_path / "out")


def test_a_full_disk_is_told(small_disk: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", *(ROWS[0] for _ in range(400)))
    with pytest.raises(UserError, match="no space left"):
        run(source, small_disk / "out")
    assert not list((small_disk / "out").glob("*.part"))


def test_a_tokenizer_counts(source: Path, tmp_path: Path, tiny_model: Path) -> None:
    found = run(source, tmp_path / "out", tokenizer=str(tiny_model))
    assert found["all"]["counted_by_tokenizer"] == 3
    assert "counted by the tokenizer given" in (tmp_path / "out" / "summary.md").read_text()


def test_the_tables_are_not_taken_for_traces(source: Path, tmp_path: Path) -> None:
    run(source, tmp_path / "out")
    with pytest.raises(UserError, match=r"no \.jsonl file"):
        shapes.files(tmp_path / "out")


def test_plots_are_whole_files_in_which_names_are_text(tmp_path: Path) -> None:
    rows = [{**ROWS[0], "model": f"<b>{name} & sons"} for name in ("ant", "bee") for _ in range(12)]
    run(write(tmp_path / "in.jsonl", *rows), tmp_path / "out")
    for name in ("roles", "transitions", "after_answer"):
        svg = (tmp_path / "out" / f"{name}.svg").read_text()
        assert ET.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"
        assert "<b>" not in svg
    assert "&lt;b>ant & sons" in (tmp_path / "out" / "summary.md").read_text()


def test_a_set_that_reaches_no_answer_has_no_plot_of_it(tmp_path: Path) -> None:
    run(write(tmp_path / "in.jsonl", ROWS[2]), tmp_path / "out")
    assert not (tmp_path / "out" / "after_answer.svg").exists()
    assert "after_answer" not in (tmp_path / "out" / "summary.md").read_text()


def test_the_command(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    args = ["analyze", str(source), "--out", str(tmp_path / "out"), "--workers", "1"]
    assert cli.main(args) == 0
    told = capsys.readouterr().err
    assert "all: 3 traces, 4 steps" in told
    assert "3 rows were not analyzed" in told
    assert cli.main(["analyze", str(tmp_path / "none"), "--out", str(tmp_path / "x")]) == 2


def test_thoughts_of_the_study_are_cut_as_before(tmp_path: Path) -> None:
    """Blocks are kept whole without a change to any thought of the recorded study."""
    command = ["generate", "--task", "toll_roads", "--split", "train", "--backend", "symbolic"]
    args = [*command, "--limit", "50", "--n", "2", "--result-dir", str(tmp_path / "runs")]
    assert cli.main(args) == 0
    for trace in store.read(tmp_path / "runs" / "traces.jsonl", Trace):
        assert steps.split(trace.thought) == trace.thought.split("\n\n")
