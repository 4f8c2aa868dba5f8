"""skythought/perturb.py on large, damaged and finished files: workers, dropped rows, --show."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from perturbed import ANSWERED, run, traces, write

from skythought import edits, perturb
from skythought.core import jsonl, store
from skythought.core.errors import UserError
from skythought.core.records import Trace
from skythought.perturb import Config

ROW = {
    "problem": "How many?",
    "response": ANSWERED,
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    store.write_records(tmp_path / "traces.jsonl", traces())
    return tmp_path / "traces.jsonl"


def damaged(path: Path) -> Path:
    """Write four traces, and between them a line that is torn and a row of no known shape."""
    good = [json.dumps(ROW | {"id": f"g{i}"}) for i in range(4)]
    lines = [good[0], '{"torn', good[1], '{"text": "x"}', "", good[2], good[3]]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("workers", [1, 2])
def test_a_bad_row_costs_itself_only(
    workers: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = damaged(tmp_path / "in.jsonl"), tmp_path / "out.jsonl"
    counts = run(path, out, workers=workers)
    assert counts == {"traces": 4, "changed": 4, "without_thought": 0, "dropped": 2}
    assert [t.parent for t in store.read(out, Trace)] == ["g0", "g1", "g2", "g3"]
    dropped = [row for _, row in jsonl.read_rows(tmp_path / "out.jsonl.dropped.jsonl")]
    assert [(row["file"], row["line"]) for row in dropped] == [(str(path), 2), (str(path), 4)]
    assert "not valid JSON" in dropped[0]["reason"]
    assert "unknown row with fields text" in dropped[1]["reason"]
    told = capsys.readouterr().err
    assert f"rows that cannot be used: 2; the first: {path}:2: not valid JSON" in told
    assert run(path, out, workers=workers) == counts


def test_a_bad_row_can_stop_it(tmp_path: Path) -> None:
    path = damaged(tmp_path / "in.jsonl")
    with pytest.raises(UserError, match=r"in\.jsonl:2: not valid JSON"):
        run(path, tmp_path / "out.jsonl", stop_at_damage=True)
    with pytest.raises(UserError, match=r"in\.jsonl:2: not valid JSON"):
        run(path, tmp_path / "out.jsonl", kind="insert", stop_at_damage=True)
    bad = write(tmp_path / "bad.jsonl", {"text": "x"})
    with pytest.raises(UserError, match=r"bad\.jsonl:1: unknown row"):
        run(bad, tmp_path / "out.jsonl")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad.jsonl", "in.jsonl"]


def test_old_dropped_rows_go_with_their_output(tmp_path: Path) -> None:
    path, out = damaged(tmp_path / "in.jsonl"), tmp_path / "out.jsonl"
    run(path, out)
    out.unlink()
    write(path, ROW)
    run(path, out)
    assert not (tmp_path / "out.jsonl.dropped.jsonl").exists()


def test_show(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(source, tmp_path / "out.jsonl", kind="delete", fraction=0.25, show=2)
    shown = capsys.readouterr().out
    assert shown.count("delete fraction=0.25 seed=0") == 2
    assert "t0 " in shown
    assert "t2 " not in shown
    assert shown.count("[-") == 2
    assert "as before]" in shown
    run(source, tmp_path / "out.jsonl", kind="delete", fraction=0.25, show=1)
    assert capsys.readouterr().out.count("[-") == 1
    run(source, tmp_path / "a.jsonl", kind="answers", fraction=1.0, show=1)
    assert "solution: " in capsys.readouterr().out


def test_a_trace_cannot_steer_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = "\x1b]0;owned\x07\x1b[2J\x9b1m\r[red]"
    row = {"id": f"t{bad}", "problem": "x?", "response": f"<think>\n1 {bad}\n</think>\n{bad}"}
    run(write(tmp_path / "in.jsonl", row), tmp_path / "o.jsonl", "digits", fraction=1.0, show=1)
    shown = capsys.readouterr().out
    assert not set("\x1b\x07\x9b\r") & set(shown)
    assert "[red]" in shown


def big(path: Path, n: int = 700) -> Path:
    """Write more rows than one batch holds, some of them damaged."""
    with path.open("w", encoding="utf-8") as file:
        for i, trace in zip(range(n), traces(n), strict=True):
            file.write(msgspec.json.encode(trace).decode() + "\n")
            if i % 100 == 50:
                file.write("torn\n")
    return path


@pytest.mark.parametrize("kind", ["digits,shuffle", "insert"])
def test_any_number_of_workers_writes_the_same(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = big(tmp_path / "in.jsonl")
    monkeypatch.setattr(edits, "ALONE_S", 0.0)  # as with an input that takes long
    for workers in (1, 2, 3):
        run(path, tmp_path / f"{workers}.jsonl", kind=kind, workers=workers)
    for suffix in ("", ".dropped.jsonl", ".manifest.json"):
        one, *others = ((tmp_path / f"{w}.jsonl{suffix}").read_bytes() for w in (1, 2, 3))
        assert others == [one, one]
    with pytest.raises(UserError, match="--workers 0: give 1 or more"):
        run(path, tmp_path / "x.jsonl", workers=0)


def test_what_a_worker_refuses_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    same = [msgspec.structs.replace(t, problem_id="p") for t in traces(600)]
    store.write_records(tmp_path / "in.jsonl", same)
    monkeypatch.setattr(edits, "ALONE_S", 0.0)
    with pytest.raises(UserError, match="give a file that holds other problems with --donors"):
        run(tmp_path / "in.jsonl", tmp_path / "out.jsonl", kind="insert", workers=2)
    assert [p.name for p in tmp_path.iterdir()] == ["in.jsonl"]


def test_a_finished_file_is_shown_by_its_parents(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.jsonl"
    run(source, out, kind="digits,shuffle", fraction="1,1")
    made = store.read(out, Trace)
    store.write_records(tmp_path / "some.jsonl", made[::-1][:3])  # another order, and not all
    capsys.readouterr()
    perturb.run(Config(input=source, output=tmp_path / "some.jsonl", show=2))
    shown = capsys.readouterr().out
    assert [line.split()[1] for line in shown.splitlines() if line[:2] == "──"] == ["t5", "t4"]
    assert shown.count("\ndigits fraction=1 seed=0\nshuffle fraction=1 seed=0\n") == 2
    other = tmp_path / "other.jsonl"
    store.write_records(other, traces()[:1])
    with pytest.raises(UserError, match="does not hold the parent 't5' of trace"):
        perturb.run(Config(input=other, output=tmp_path / "some.jsonl", show=1))
    with pytest.raises(UserError, match=r"none\.jsonl: no such file"):
        perturb.run(Config(input=source, output=tmp_path / "none.jsonl", show=1))


def test_rows_of_one_id_are_paired_in_their_order(tmp_path: Path) -> None:
    """Samples of one problem are often named alike."""
    same = [msgspec.structs.replace(t, id="same") for t in traces(3)]
    store.write_records(tmp_path / "in.jsonl", same)
    run(tmp_path / "in.jsonl", tmp_path / "out.jsonl", kind="truncate")
    found = perturb.pairs(tmp_path / "in.jsonl", tmp_path / "out.jsonl", 3)
    assert [(old.problem_id, new.problem_id) for old, new in found] == [
        (f"p{i}", f"p{i}") for i in range(3)
    ]
