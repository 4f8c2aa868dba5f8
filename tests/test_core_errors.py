"""skythought/core/errors.py: one line that names the next step."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from skythought.core.errors import UserError, first_line, nearest, plain, require, unknown

ARMS = ["base", "correct", "digits_20", "digits_50", "shuffled_67"]


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("digit_50", "digits_50"), ("shuffled67", "shuffled_67"), ("corect", "correct")],
)
def test_unknown_suggests_the_nearest(name: str, nearest: str) -> None:
    told = str(unknown("arm", name, ARMS))
    assert told.startswith(f"unknown arm {name!r}: did you mean {nearest!r}? known: base, correct")


def test_unknown_far_from_all_suggests_nothing() -> None:
    told = str(unknown("arm", "zzzzzz", ARMS))
    assert "did you mean" not in told
    assert told.endswith("known: base, correct, digits_20, digits_50, shuffled_67")


def test_nearest() -> None:
    assert nearest("mni", ["mini", "max"]) == "mini"
    assert nearest("tiny", ["mini"]) == "mini"
    assert nearest("tiny", ["mini"], cutoff=0.6) is None
    assert nearest("mni", []) is None


def test_first_line() -> None:
    assert first_line(ValueError("\nno such model\nhere is a long story")) == "no such model"
    assert first_line(OSError()) == "OSError"


def test_plain_text_steers_nothing() -> None:
    assert plain("a\tb\n\x1b[31mc\x9b\u202ed é") == "a\tb\n\ufffd[31mc\ufffd\ufffdd é"


def test_require_gives_the_module() -> None:
    assert require("json", "train") is sys.modules["json"]


def test_require_names_the_install_command() -> None:
    with pytest.raises(UserError, match=r"run: pip install 'skythought\[train\]'$"):
        require("no_such_package_anywhere", "train")


def test_require_does_not_hide_a_broken_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is missing inside the package is told as it is, not as the package."""
    (tmp_path / "half_installed.py").write_text("import no_such_part\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_part"):
        require("half_installed", "train")
