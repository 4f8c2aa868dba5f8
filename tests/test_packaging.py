"""What is installed and shipped: names, extras, pins, the wheel, the model in the package."""

from __future__ import annotations

import hashlib
import importlib
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import skythought
from skythought import cli

ROOT = Path(__file__).parents[1]
MODELS = ROOT / "skythought" / "models"
MAX_MODEL_BYTES = 15_000_000


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    whole = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    table: dict[str, Any] = whole["project"]
    return table


def read_pins(name: str) -> dict[str, str]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9.-]+==[\w.]+", row) for row in rows)
    return dict(row.split("==") for row in rows)


@pytest.fixture(scope="module")
def pins() -> dict[str, str]:
    return read_pins("constraints.txt")


def names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(text).name) for text in requirements}


def test_the_version_is_said_once(project: dict[str, Any]) -> None:
    assert project["version"] == skythought.__version__


def test_core_needs_no_extra(project: dict[str, Any]) -> None:
    core = names(project["dependencies"])
    assert core == {"latex2mathml", "math-verify", "msgspec", "numpy", "rich", "tyro"}
    assert not core & set(cli.EXTRAS)


def test_extras(project: dict[str, Any]) -> None:
    extras = {extra: names(rows) for extra, rows in project["optional-dependencies"].items()}
    light = {"openai", "curate", "gym", "ifeval", "parquet", "wandb", "deepspeed"}
    assert set(extras) == {"train", "vllm", "ray", "dev"} | light
    assert {"torch", "transformers", "trl", "peft", "accelerate", "datasets"} <= extras["train"]
    assert {"pytest", "hypothesis", "ruff", "mypy", "pre-commit"} <= extras["dev"]
    for package, extra in cli.EXTRAS.items():
        # transformers brings tokenizers in the version it needs
        known = canonicalize_name(package)
        assert known in extras[extra] or package == "tokenizers", package


def test_pins_hold_what_make_installs(project: dict[str, Any], pins: dict[str, str]) -> None:
    extras = project["optional-dependencies"]
    for text in [
        *(*project["dependencies"], *extras["train"], *extras["dev"]),
        *extras["deepspeed"],  # of `make slow`
    ]:
        row = Requirement(text)
        assert pins[canonicalize_name(row.name)] in row.specifier, text
    # a local label such as +cpu would exist on one index only
    assert re.fullmatch(r"\d+\.\d+\.\d+", pins["torch"])


def test_pins_of_the_engines_hold_what_they_need(project: dict[str, Any]) -> None:
    extras, found = project["optional-dependencies"], read_pins("constraints-engines.txt")
    for text in [*project["dependencies"], *extras["vllm"], *extras["ray"]]:
        row = Requirement(text)
        assert found[canonicalize_name(row.name)] in row.specifier, text
    for text in extras["train"]:  # the backend hf runs there too
        row = Requirement(text)
        if (name := canonicalize_name(row.name)) in found:
            assert found[name] in row.specifier, text


def test_console_scripts(project: dict[str, Any]) -> None:
    assert set(project["scripts"]) == {"skythought", "skythought.train"}
    for target in project["scripts"].values():
        module, _, attribute = target.partition(":")
        assert callable(getattr(importlib.import_module(module), attribute))


def test_the_wheel_holds_models_and_types(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    wheel = next(tmp_path.glob("*.whl"))
    assert wheel.name == f"skythought-{skythought.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    ours = {p for p in (ROOT / "skythought").rglob("*") if p.is_file() and p.suffix != ".pyc"}
    assert {p.relative_to(ROOT).as_posix() for p in ours} <= inside
    assert "skythought/py.typed" in inside
    assert {name.split("/")[0] for name in inside} == {
        "skythought",
        f"skythought-{skythought.__version__}.dist-info",
    }


def model_folders() -> list[Path]:
    return sorted(p for p in MODELS.glob("*") if p.is_dir()) if MODELS.is_dir() else []


def test_shipped_models_match_their_hashes() -> None:
    if not model_folders():
        pytest.skip("no model is shipped yet; make one with: make base-model")
    for folder in model_folders():
        rows = (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
        listed = {name: sha for sha, name in (row.split(maxsplit=1) for row in rows)}
        files = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
        files.pop("SHA256SUMS")
        assert set(listed) == set(files), f"{folder.name}: SHA256SUMS names other files"
        for name, path in files.items():
            found = hashlib.sha256(path.read_bytes()).hexdigest()
            assert listed[name] == found, f"{folder.name}/{name} is not the file that was published"


def test_shipped_models_are_small() -> None:
    if not model_folders():
        pytest.skip("no model is shipped yet; make one with: make base-model")
    assert sum(p.stat().st_size for p in MODELS.rglob("*") if p.is_file()) <= MAX_MODEL_BYTES


def test_the_licence_is_apache_2() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    known = "c71d239df91726fc519c6eb72d318ec65820627232b2f796219e87dcf35d0ab4"
    assert hashlib.sha256(text.encode()).hexdigest() == known


def test_make_refuses_an_old_python(tmp_path: Path) -> None:
    """One line of ours, and no half-made environment."""
    old = tmp_path / "python3.10"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    make = ["make", "-f", str(ROOT / "Makefile"), ".venv/made.stamp", f"PYTHON={old}"]
    done = subprocess.run(
        make, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode != 0
    assert "skythought needs Python 3.11 or newer" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_the_test_command_is_the_one_of_ci() -> None:
    script = ROOT / ".ci" / "run"
    if not script.exists():
        pytest.skip("a source distribution comes without .ci")
    assert os.access(script, os.X_OK)
    assert script.read_text(encoding="utf-8").splitlines()[-1] == "make test"
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"^test:", makefile, re.MULTILINE)
