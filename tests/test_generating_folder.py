"""skythought/generating/folder.py: a folder is asked for more or less, and never mixed up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from skythought import generate, tasks
from skythought.core import store
from skythought.core.errors import UserError
from skythought.core.records import Problem, Trace


def config(folder: Path, **values: Any) -> generate.Config:
    asked: dict[str, Any] = {
        "task": "toll_roads",
        "backend": "symbolic",
        "result_dir": folder / "run",
        "limit": 4,
    }
    return generate.Config(**(asked | values))


def traces(folder: Path) -> list[Trace]:
    return store.read(folder / "run" / "traces.jsonl", Trace)


def manifest(folder: Path) -> dict[str, Any]:
    return store.manifest(folder / "run")


def samples(folder: Path) -> set[tuple[int, int]]:
    """Give the samples on disk as numbers of problem and sample; none is there twice."""
    numbers = {p.id: i for i, p in enumerate(tasks.draw("toll_roads", "test", 0, 0, 10))}
    found = [(numbers[t.problem_id], t.sample) for t in traces(folder)]
    assert len(found) == len(set(found))
    return set(found)


def wanted(values: dict[str, Any]) -> set[tuple[int, int]]:
    """Give the samples that flags ask for."""
    begin = values.get("start", 0)
    end = values.get("end") or begin + values.get("limit", 4)
    return {(i, k) for i in range(begin, end) for k in range(values.get("n", 1))}


@pytest.mark.parametrize(
    ("first", "then", "n_problems", "n"),
    [
        ({}, {"n": 3}, 4, 3),
        ({}, {"limit": 7}, 7, 1),
        ({"start": 2, "limit": None, "end": 5}, {"limit": None, "end": 8, "n": 2}, 8, 2),
        ({"limit": None, "end": 5}, {"start": 3, "limit": 4, "n": 2}, 7, 2),
    ],
)
def test_more_is_asked_for_and_nothing_twice(
    first: dict[str, Any],
    then: dict[str, Any],
    n_problems: int,
    n: int,
    tmp_path: Path,
) -> None:
    generate.run(config(tmp_path, **first))
    path = tmp_path / "run" / "traces.jsonl"
    before = path.read_bytes()
    generate.run(config(tmp_path, **then))
    assert path.read_bytes().startswith(before)
    assert samples(tmp_path) == wanted(first) | wanted(then)
    held = store.read(tmp_path / "run" / "problems.jsonl", Problem)
    assert len({p.id for p in held}) == len(held) == n_problems
    said = manifest(tmp_path)["config"]
    assert (said["n_problems"], said["n"]) == (n_problems, n)
    whole = len(wanted(first) | wanted(then)) == n_problems * n
    assert manifest(tmp_path)["done"] is whole
    after = path.read_bytes()
    generate.run(config(tmp_path, **then))
    generate.run(config(tmp_path, **first))
    assert path.read_bytes() == after


def test_less_changes_nothing_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    generate.run(config(tmp_path, limit=6, n=2))
    before = {p.name: p.read_bytes() for p in (tmp_path / "run").iterdir()}
    capsys.readouterr()
    for less in ({"limit": 3, "n": 2}, {"limit": 6, "n": 1}, {"limit": 2}):
        counts = generate.run(config(tmp_path, **less))
        assert counts["traces"] == 12
        told = capsys.readouterr().err.splitlines()
        assert told[0] == (
            f"{tmp_path}/run: is for more than this asks for (6 problems, 2 samples of each); what "
            "it holds of that stays"
        )
        assert len(told) == 2
    after = {p.name: p.read_bytes() for p in (tmp_path / "run").iterdir()}
    assert {k: v for k, v in after.items() if k != ".lock"} == {
        k: v for k, v in before.items() if k != ".lock"
    }


def test_less_of_a_run_that_is_not_finished_does_not_finish_it(tmp_path: Path) -> None:
    generate.run(config(tmp_path, limit=6))
    path = tmp_path / "run" / "traces.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    generate.run(config(tmp_path, limit=4))
    assert (len(traces(tmp_path)), manifest(tmp_path)["done"]) == (4, False)
    generate.run(config(tmp_path, limit=6))
    assert (len(traces(tmp_path)), manifest(tmp_path)["done"]) == (6, True)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"split": "train"}, "was made with other problems (task toll_roads, from "),
        ({"start": 4}, "or a range that begins in this one's"),
        ({"n": 3, "seed": 1}, "was made with sampling="),
        ({"n": 3, "system_prompt": "Hi."}, "was made with system_prompt="),
        ({"n": 3, "backend_args": "slip=0.5"}, "was made with model="),
    ],
)
def test_another_run_is_refused_however_large(
    change: dict[str, Any], told: str, tmp_path: Path
) -> None:
    generate.run(config(tmp_path))
    before = {p.name: p.read_bytes() for p in (tmp_path / "run").iterdir()}
    with pytest.raises(UserError, match="choose another output folder") as caught:
        generate.run(config(tmp_path, **change))
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert {p.name: p.read_bytes() for p in (tmp_path / "run").iterdir()} == before


def test_killed_between_problems_and_manifest(tmp_path: Path) -> None:
    """The problems of the larger run are there, its manifest is not."""
    generate.run(config(tmp_path))
    path = tmp_path / "run" / "manifest.json"
    small = path.read_bytes()
    generate.run(config(tmp_path, limit=6))
    path.write_bytes(small)
    generate.run(config(tmp_path))
    generate.run(config(tmp_path, limit=6))
    assert len(traces(tmp_path)) == 6
    assert manifest(tmp_path)["config"]["n_problems"] == 6


def test_killed_before_the_first_problem_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(store, "write_records", killed)
        with pytest.raises(KeyboardInterrupt):
            generate.run(config(tmp_path))
    assert not (tmp_path / "run" / "problems.jsonl").exists()
    generate.run(config(tmp_path))
    assert len(traces(tmp_path)) == 4


def test_problems_that_are_gone(tmp_path: Path) -> None:
    generate.run(config(tmp_path))
    path = tmp_path / "run" / "problems.jsonl"
    before = path.read_bytes()
    for lose in (path.unlink, lambda: path.write_bytes(b"")):
        lose()
        with pytest.raises(UserError, match=r"problems\.jsonl: is missing or empty, and these are"):
            generate.run(config(tmp_path, limit=6))
        generate.run(config(tmp_path))
        assert path.read_bytes() == before


@pytest.mark.parametrize("left", [0, 40, None])
def test_a_manifest_that_a_power_loss_cut_off_is_written_anew(
    left: int | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    generate.run(config(tmp_path, n=2))
    path = tmp_path / "run" / "manifest.json"
    before = manifest(tmp_path)
    lines = (tmp_path / "run" / "traces.jsonl").read_bytes()
    if left is None:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:left])
    for change in ({"n": 1}, {"n": 2, "system_prompt": "Hi."}, {"n": 2, "split": "train"}):
        with pytest.raises(UserError, match="choose another output folder") as caught:
            generate.run(config(tmp_path, **change))
        assert "\n" not in str(caught.value)
        assert left is None or not path.read_bytes()[left:]
    capsys.readouterr()
    counts = generate.run(config(tmp_path, n=2))
    told = capsys.readouterr().err.splitlines()
    assert told[0].startswith(f"{path}: ")
    assert told[0].endswith("it is written anew: its samples are of this command")
    assert (counts["traces"], len(told)) == (8, 2)
    assert (tmp_path / "run" / "traces.jsonl").read_bytes() == lines
    del before["engines"]  # what made the samples is known no more
    assert manifest(tmp_path) == before
    generate.run(config(tmp_path, n=2))
    assert "written anew" not in capsys.readouterr().err


def test_a_torn_manifest_and_more_is_asked_for(tmp_path: Path) -> None:
    generate.run(config(tmp_path))
    (tmp_path / "run" / "manifest.json").write_bytes(b"")
    generate.run(config(tmp_path, limit=6, n=2))
    assert samples(tmp_path) == wanted({"limit": 6, "n": 2})
    assert len(store.read(tmp_path / "run" / "problems.jsonl", Problem)) == 6
    assert manifest(tmp_path)["config"]["n_problems"] == 6


def test_a_torn_manifest_among_files_of_others(tmp_path: Path) -> None:
    generate.run(config(tmp_path))
    path = tmp_path / "run" / "manifest.json"
    path.write_bytes(b"{")
    (tmp_path / "run" / "traces.jsonl").write_text('{"question": "mine"}\n')
    with pytest.raises(UserError, match=r"manifest\.json: .* delete it; else choose another"):
        generate.run(config(tmp_path))
    (tmp_path / "run" / "traces.jsonl").unlink()
    (tmp_path / "run" / "problems.jsonl").unlink()
    with pytest.raises(UserError, match=r"manifest\.json: .* delete it; else choose another"):
        generate.run(config(tmp_path))
    path.unlink()
    generate.run(config(tmp_path))
    assert len(traces(tmp_path)) == 4
