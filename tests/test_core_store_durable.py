"""skythought/core/store.py and the moment at which the power goes."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from skythought.core import store


def test_a_file_is_on_disk_before_it_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a power loss may leave the new name with nothing in it."""
    done: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def noted(file: int) -> None:
        done.append("fsync " + Path(f"/proc/self/fd/{file}").readlink().name)
        fsync(file)

    def moved(self: Path, target: Path) -> Path:
        done.append("replace")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.setattr(Path, "replace", moved)
    store.write_whole(tmp_path / "manifest.json", "x")
    assert done == ["fsync manifest.json.part", "replace", f"fsync {tmp_path.name}"]


def test_a_file_system_that_cannot_wait_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(file: int) -> None:
        raise OSError(errno.EINVAL, "no")

    monkeypatch.setattr(os, "fsync", cannot)
    store.write_whole(tmp_path / "manifest.json", "x")
    assert (tmp_path / "manifest.json").read_text() == "x"


def test_lines_are_on_disk_when_their_file_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a manifest says that all are there."""
    sizes: list[int] = []

    def noted(file: int) -> None:
        sizes.append(os.fstat(file).st_size)

    monkeypatch.setattr(os, "fsync", noted)
    with store.Appender(tmp_path / "rows.jsonl") as rows:
        rows.add({"a": 1})
        assert sizes == []
    assert sizes == [(tmp_path / "rows.jsonl").stat().st_size]
