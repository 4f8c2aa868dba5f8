"""skythought/train.py: a run that is killed, or whose disk fills up, goes on where it was."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from forked_runs import run_all

from skythought import train
from skythought.core import jsonl
from skythought.core.errors import UserError

torch: Any = pytest.importorskip("torch", reason="needs skythought[train]")
pytest.importorskip("trl", reason="needs skythought[train]")

METHODS: dict[str, dict[str, Any]] = {
    "lora": {"lora_r": 4, "lora_dropout": 0.2, "lr": 1e-2},
    "full": {"full": True, "lr": 1e-3, "epochs": 4, "max_steps": -1},
    "simpo": {"objective": "simpo", "lora_r": 4, "lora_dropout": 0.2, "lr": 1e-2},
}
MOMENTS = ("after step 5", "after step 7", "in a checkpoint", "after the last step")


def values(tiny_model: Path, folder: Path, method: str, name: str) -> dict[str, Any]:
    rows = [
        {"problem": f"what is {i} plus {j}?", "response": f"wait, {i + j}."}
        for i in range(5)
        for j in range(2 + i)
    ]
    if METHODS[method].get("objective"):
        rows = [{**row, "chosen": row["response"][6:], "rejected": row["response"]} for row in rows]
    dataset = folder / f"{method}.jsonl"
    dataset.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return {
        "base_model": str(tiny_model),
        "dataset": dataset,
        "output_dir": folder / method / name,
        "batch_size": 8,
        "micro_batch_size": 4,
        "max_steps": 10,
        "save_every": 2,
        **METHODS[method],
    }


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    [path] = folder.glob("*model.safetensors")
    found: dict[str, Any] = load_file(path)
    return found


def steps(folder: Path) -> list[dict[str, Any]]:
    """Give the rows of the log without what a clock says."""
    clock = ("seconds", "tokens_per_s", "tokens_per_s_device", "mfu", "eta_s", "peak_memory_gib")
    return [
        {k: v for k, v in row.items() if k not in clock}
        for _, row in jsonl.read_rows(folder / "log.jsonl")
    ]


@pytest.fixture(scope="module")
def killed(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with runs of every method killed at every moment."""
    folder = tmp_path_factory.mktemp("killed")
    jobs = [
        {"moment": moment, "values": values(tiny_model, folder, method, moment)}
        for method in METHODS
        for moment in MOMENTS
    ]
    assert set(run_all(jobs)) == {1}
    return folder


@pytest.mark.parametrize("method", METHODS)
def test_a_killed_run_ends_in_the_same_weights(
    method: str, killed: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bit for bit, with the same losses and the same count of tokens."""
    torch.set_num_threads(1)
    whole = values(tiny_model, killed, method, "whole")
    result = train.run(train.Config(**whole))
    expected = weights(whole["output_dir"])
    assert len(steps(whole["output_dir"])) == result["steps"] > 8
    for moment in MOMENTS:
        again = values(tiny_model, killed, method, moment)
        folder = again["output_dir"]
        assert json.loads((folder / "manifest.json").read_text())["done"] is False
        left = [p.name for p in (folder / "checkpoints").glob("checkpoint-*")]
        if moment == "in a checkpoint":
            assert sorted(left) == ["checkpoint-4", "checkpoint-6"]
        before = len(steps(folder))
        assert (
            before
            == {
                "after step 5": 5,
                "after step 7": 7,  # goes on from step 6, the end of an epoch
                "in a checkpoint": 6,
                "after the last step": result["steps"],
            }[moment]
        )
        found = train.run(train.Config(**again))
        for name in ("steps", "loss", "tokens"):
            assert found[name] == result[name], moment
        assert steps(folder) == steps(whole["output_dir"]), moment
        for key, tensor in weights(folder).items():
            assert torch.equal(tensor, expected[key]), (moment, key)
        assert not (folder / "checkpoints").exists()
        assert json.loads((folder / "manifest.json").read_text())["done"] is True
    assert "Traceback" not in capsys.readouterr().err


def test_a_log_torn_by_the_kill_goes_on(tiny_model: Path, tmp_path: Path) -> None:
    asked = values(tiny_model, tmp_path, "lora", "torn") | {"max_steps": 2, "save_every": 1}
    folder = asked["output_dir"]
    train.run(train.Config(**asked))
    rows = steps(folder)
    manifest = folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"done": true', '"done": false'))
    (folder / "log.jsonl").write_text('{"step": 1, "lo')
    train.run(train.Config(**asked))
    assert steps(folder) == rows


def test_a_run_that_is_not_resumed_begins_again(tiny_model: Path, tmp_path: Path) -> None:
    asked = values(tiny_model, tmp_path, "lora", "again") | {"max_steps": 2, "save_every": 1}
    folder = asked["output_dir"]
    train.run(train.Config(**asked))
    rows, before = steps(folder), weights(folder)
    for path in folder.glob("*.safetensors"):
        path.unlink()
    (folder / "checkpoints" / "checkpoint-9").mkdir(parents=True)
    (folder / "checkpoints" / "checkpoint-9" / "trainer_state.json").write_text("{}")
    assert train.run(train.Config(**asked))["steps"] == 2  # was done: nothing is made anew
    assert not list(folder.glob("*.safetensors"))
    train.run(train.Config(**asked, resume=False))
    assert steps(folder) == rows
    assert all(torch.equal(before[k], v) for k, v in weights(folder).items())
    assert not (folder / "checkpoints").exists()


@pytest.mark.parametrize(
    ("method", "change"),
    [
        ("full", {"save_every": 0}),  # at the end, where safetensors says it
        ("lora", {"save_every": 1, "lora_r": 4}),  # in a checkpoint, where torch says it
    ],
)
def test_a_full_disk_is_one_line_and_loses_nothing(
    method: str, change: dict[str, Any], tiny_model: Path, tmp_path: Path, small_disk: Path
) -> None:
    asked = values(tiny_model, tmp_path, method, "x") | change
    asked |= {"output_dir": small_disk / "out", "max_steps": 3}
    with pytest.raises(UserError, match="no space left on the device; free some and run the same"):
        train.run(train.Config(**asked))
    done = subprocess.run(
        ["mount", "-o", "remount,size=64m", str(small_disk)], check=False, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    found = train.run(train.Config(**asked))
    whole = train.run(train.Config(**(asked | {"output_dir": tmp_path / "whole"})))
    for name in ("steps", "loss", "tokens"):
        assert found[name] == whole[name]
    for key, tensor in weights(tmp_path / "whole").items():
        assert torch.equal(weights(small_disk / "out")[key], tensor), key


def test_two_processes_train_as_one(tiny_model: Path, tmp_path: Path) -> None:
    """The global batch is that of the command, however many processes share it."""
    asked = values(tiny_model, tmp_path, "full", "one") | {"max_steps": 2}
    asked |= {"batch_size": 19}  # of 20 samples: in the second step a process has none
    train.run(train.Config(**asked))
    command = ["--standalone", "--nproc_per_node", "2", "-m", "skythought", "train", "--full"]
    flags = {"base_model": tiny_model, "dataset": asked["dataset"], "output_dir": tmp_path / "two"}
    flags |= {k: asked[k] for k in ("batch_size", "micro_batch_size", "max_steps", "lr")}
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", *command]
        + [str(word) for name, value in flags.items() for word in (f"--{name}", value)],
        env={**os.environ, "ACCELERATE_USE_CPU": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr.count("two: 2 steps, loss ") == 1
    one, two = steps(asked["output_dir"]), steps(tmp_path / "two")
    assert [row["tokens"] for row in two] == [row["tokens"] for row in one]
    for key in ("loss", "grad_norm", "loss_structural", "loss_content"):
        assert [row[key] for row in two] == pytest.approx([row[key] for row in one], rel=1e-3)
    for _, row in jsonl.read_rows(tmp_path / "two" / "log.jsonl"):
        assert row["tokens_per_s"] == pytest.approx(2 * row["tokens_per_s_device"], abs=0.11)
    assert json.loads((tmp_path / "two" / "manifest.json").read_text())["done"] is True


def test_a_checkpoint_that_not_all_have_written_is_not_gone_on_from(tmp_path: Path) -> None:
    from skythought.training import checkpoints

    assert checkpoints.last(tmp_path, "none") is None
    for step, whole in ((2, True), (10, True), (12, False)):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        (folder / "trainer_state.json").write_text("{}")
        if whole:
            (folder / checkpoints.MARK).write_text(
                json.dumps({"step": step, "of": 10, "sharding": "none"})
            )
    assert checkpoints.last(tmp_path, "none") == (tmp_path / "checkpoint-10", True)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("method", METHODS)
def test_a_run_killed_at_random_moments_ends_in_the_same_weights(
    method: str, processes: int, tiny_model: Path, tmp_path: Path
) -> None:
    """Ten times, in whatever it does: beginning, steps, checkpoints that all processes write."""

    def job(name: str) -> dict[str, Any]:
        asked = values(tiny_model, tmp_path, method, name) | {"save_every": 1, "max_steps": 40}
        return {"values": asked, "processes": processes}

    whole, often = job("whole"), job("often") | {"kills": 10, "between": (0.02, 0.35)}
    _, killed = run_all([whole, often])
    assert killed >= 3, killed
    one, other = (j["values"]["output_dir"] for j in (whole, often))
    assert steps(other) == steps(one)
    expected = weights(one)
    for key, tensor in weights(other).items():
        assert torch.equal(tensor, expected[key]), key
