"""skythought train --look: all is looked at, no weights are loaded, nothing is written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from skythought import train
from skythought.core.errors import UserError
from skythought.training import presets, skeleton

torch: Any = pytest.importorskip("torch", reason="needs skythought[train]")
pytest.importorskip("trl", reason="needs skythought[train]")


@pytest.fixture
def config(tiny_model: Path, tmp_path: Path) -> Any:
    """Give a function that makes a look of a base without weights."""
    base = shutil.copytree(tiny_model, tmp_path / "base")
    (base / "model.safetensors").unlink()
    rows = [{"problem": f"what is {i}?", "response": "\\boxed{7}"} for i in range(10)] * 10
    data = tmp_path / "data.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def make(**values: Any) -> train.Config:
        plain: dict[str, Any] = {"base_model": str(base), "dataset": data, "look": True}
        return train.Config(**(plain | {"output_dir": tmp_path / "out"} | values))

    return make


def test_a_base_without_weights(
    config: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(tmp_path.rglob("*"))
    assert train.run(config(lora_r=4)) == {}
    said = capsys.readouterr().err
    assert "sample 1 of 100, the loss is on what is marked:" in said
    assert "lint: 100 samples" in said
    # 14 adapters of rank 4: in and out of q, k, v, o, gate, up and down, twice
    n_lora = 2 * 4 * (2 * 32 + (32 + 16) * 2 + 2 * 32 + 3 * (32 + 64))
    assert f"{n_lora:,} of " in said
    assert "in 6 steps of 96 samples" in said  # 96 and 4 samples, three times
    assert said.rstrip().endswith("nothing was written")
    assert sorted(tmp_path.rglob("*")) == before


def test_all_weights(config: Any, capsys: pytest.CaptureFixture[str]) -> None:
    train.run(config(full=True, epochs=1, show_mask=0))
    told = capsys.readouterr().err.splitlines()[-1].split()
    assert told[0] == told[2]  # of all that many are trained
    assert "⟦" not in told


def test_what_a_run_would_refuse(config: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unknown lora_target 'q_poj'"):
        train.run(config(lora_target="q_poj"))
    with pytest.raises(UserError, match="all 100 samples are longer than --max-length 6"):
        train.run(config(max_length=6))
    with pytest.raises(UserError, match="cannot be loaded"):
        train.run(config(look=False))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [((96, 96, 2, -1), 2), ((97, 96, 2, -1), 4), ((1, 96, 0.5, -1), 1), ((97, 96, 2, 3), 3)],
)
def test_steps(arguments: tuple[int, int, float, int], expected: int) -> None:
    n, batch_size, epochs, max_steps = arguments
    chosen = presets.choose("", {"batch_size": batch_size, "epochs": epochs})
    assert skeleton.steps(n, chosen, max_steps) == expected
