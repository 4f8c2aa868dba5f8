"""skythought/core/provenance.py: what is written beside every number."""

from __future__ import annotations

from pathlib import Path

import pytest

from skythought import __version__
from skythought.core import provenance


def test_a_machine_without_git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provenance.code_revision() == ""


def test_versions_of_what_is_installed() -> None:
    found = provenance.versions()
    assert found["skythought"] == __version__
    assert set(found) <= {"skythought", "python", *provenance.PACKAGES}
