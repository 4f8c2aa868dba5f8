"""skythought/doctor.py: what works is said to work, what does not is mended by what is said."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from skythought import cli, doctor
from skythought.core.errors import UserError
from skythought.verifiers import code_sandbox, known


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at nothing that takes seconds."""
    for name in ("devices", "verifiers", "sandbox"):
        monkeypatch.setitem(doctor.LOOKS, name, lambda: iter(()))


def test_this_environment(quick: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor"]) == 0
    told = capsys.readouterr().err
    for name in ("python", "disk", "extra openai", "model mini", "login to OpenAI"):
        assert name in told


def test_something_broken_is_exit_code_1(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Iterator[doctor.Finding]:
        yield doctor.Finding("GPU", "broken", "no driver", "install one")

    monkeypatch.setitem(doctor.LOOKS, "devices", broken)
    assert cli.main(["doctor"]) == 1


def test_missing_packages_have_their_command(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = ["msgspec>=0.20", "no-such-package>=1; extra == 'ray'", 'rich[x]>=1; extra == "gym"']
    monkeypatch.setattr(doctor, "requires", lambda name: wanted)
    found = {row.what: row for row in doctor.extras()}
    assert found["extra ray"].state == "missing"
    assert found["extra ray"].mend == "pip install 'skythought[ray]'"
    assert found["extra gym"].state == "works"
    assert found["extra gym"].told.startswith("rich ")


def test_a_changed_model_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    [row] = doctor.mini()
    assert row.state == "works"
    package = Path(doctor.__file__).parent
    shutil.copytree(package / "models" / "mini", tmp_path / "models" / "mini")
    with (tmp_path / "models" / "mini" / "config.json").open("a") as file:
        file.write(" ")
    monkeypatch.setattr(doctor, "__file__", str(tmp_path / "doctor.py"))
    [row] = doctor.mini()
    assert (row.state, row.told) == ("broken", "config.json is missing or changed")


def test_verifiers_that_grade_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    def test(name: str) -> None:
        if name == "math":
            raise known.Broken("verifier 'math' gives wrong verdicts")
        if name == "reasoning_gym":
            raise UserError("this needs reasoning_gym, which is not installed; run: pip install x")

    monkeypatch.setattr(known, "self_test", test)
    found = {row.what.split()[-1]: row for row in doctor.graders()}
    assert found["number"].state == "works"
    assert found["math"].state == "broken"
    assert (found["reasoning_gym"].state, found["reasoning_gym"].mend) == (
        "missing",
        "pip install x",
    )


def test_no_sandbox(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    code_sandbox.choose.cache_clear()
    try:
        [row] = doctor.sandbox()
    finally:
        code_sandbox.choose.cache_clear()
    assert row.state == "missing"
    assert row.told.startswith("bwrap: not installed")
    assert row.mend == "apt-get install bubblewrap"


def test_logins_are_named_and_not_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    (tmp_path / ".netrc").write_text("machine api.wandb.ai password secret")
    found = {row.what: row for row in doctor.logins()}
    assert found["login to OpenAI"].told == "OPENAI_API_KEY"
    assert found["login to Weights & Biases"].state == "works"
    assert found["login to the hub"].state == "missing"
    assert found["the hub"].mend == "unset HF_HUB_OFFLINE"  # the tests set it
    assert "secret" not in str(found)
