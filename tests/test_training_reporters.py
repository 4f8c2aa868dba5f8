"""skythought/training/reporters.py: where a run is logged, and that nothing asks for a login."""

from __future__ import annotations

from pathlib import Path

import pytest

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
