"""skythought/training/reporters.py: where a run is logged, and that nothing asks for a login."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
from typing import Any

import pytest

from skythought import train
from skythought.core.errors import UserError
from skythought.training import reporters


@pytest.mark.parametrize(
    ("values", "env", "netrc", "installed", "expected"),
    [
        ({}, {}, "", True, "none"),
        ({}, {"WANDB_API_KEY": "k"}, "", True, "none"),
        ({"wandb_run": "r"}, {}, "", True, "none"),
        ({"wandb_run": "r"}, {"WANDB_API_KEY": "k"}, "", True, "wandb"),
        ({"wandb_run": "r"}, {"WANDB_API_KEY": "k"}, "", False, "none"),
        ({"wandb_run": "r"}, {"WANDB_MODE": "offline"}, "", True, "wandb"),
        ({"wandb_run": "r"}, {"WANDB_MODE": "disabled", "WANDB_API_KEY": "k"}, "", True, "none"),
        ({"wandb_run": "r"}, {}, "machine api.wandb.ai login user", True, "wandb"),
        ({"wandb_run": "r", "report_to": "none"}, {"WANDB_API_KEY": "k"}, "", True, "none"),
        ({"report_to": "tensorboard"}, {}, "", True, "tensorboard"),
    ],
)
def test_where_a_run_is_logged(
    values: dict[str, str],
    env: dict[str, str],
    netrc: str,
    installed: bool,
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("WANDB_MODE", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {**env, "HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    (tmp_path / ".netrc").write_text(netrc)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: "found" if installed else None)
    assert reporters.choose(values.get("report_to", ""), values.get("wandb_run", "")) == expected
    told = capsys.readouterr().err
    if not installed:
        assert "pip install 'skythought[wandb]'" in told


def test_a_reporter_that_is_asked_for_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(UserError, match="--report_to trackio: is not installed; run: pip install"):
        reporters.choose("trackio", "")


def test_wandb_without_a_login_stays_on_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with reporters.places("wandb", tmp_path):
        assert os.environ["WANDB_MODE"] == "offline"
        assert os.environ["WANDB_PROJECT"] == "skythought"
    assert "WANDB_MODE" not in os.environ
    assert "the run is kept in the folder wandb; wandb sync uploads it" in capsys.readouterr().err
    monkeypatch.setenv("WANDB_API_KEY", "k")
    monkeypatch.setenv("WANDB_PROJECT", "mine")
    with reporters.places("wandb", tmp_path):
        assert "WANDB_MODE" not in os.environ
        assert os.environ["WANDB_PROJECT"] == "mine"
    assert os.environ["WANDB_PROJECT"] == "mine"
    assert capsys.readouterr().err == ""


def test_every_reporter_writes_what_it_should(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each that is installed here, without a login and without a network."""
    pytest.importorskip("trl", reason="needs skythought[train]")
    installed = [name for name in reporters.INSTALL if importlib.util.find_spec(name)]
    if not installed:
        pytest.skip("none of wandb, tensorboard and trackio is installed")
    for name in ("WANDB_MODE", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    rows = [{"problem": f"{i}?", "response": "\\boxed{7}"} for i in range(8)]
    data = tmp_path / "data.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name in installed:
        config: dict[str, Any] = {"base_model": str(tiny_model), "dataset": data, "report_to": name}
        train.run(train.Config(**config, output_dir=tmp_path / name, batch_size=8, max_steps=2))
    if "tensorboard" in installed:
        assert list((tmp_path / "tensorboard" / "tensorboard").rglob("events.out.tfevents*"))
    if "wandb" in installed:
        assert list((tmp_path / "wandb").glob("offline-run-*"))
