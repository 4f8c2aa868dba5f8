"""skythought/core/labels.py: what `--where` keeps."""

from __future__ import annotations

import pytest

from skythought.core.errors import UserError
from skythought.core.labels import Labelled, range_of, within


@pytest.mark.parametrize(
    ("text", "held", "not_held"),
    [
        ("level=4..5", ["4", "5", "Level 5", "4.5"], ["3", "Level 1", "six", ""]),
        ("level=4..", ["4", "99"], ["3.9"]),
        ("level=..0.5", ["-1", "0.5"], ["0.51"]),
        ("level=0..0.1", ["1e-05", "0.1"], ["1e5"]),
        (
            "day=2024-08-01..2024-08-31",
            ["2024-08-01", "2024-08-31T10:00:00"],
            ["2024-09-01", "31", ""],
        ),
        ("day=2024-08-01..", ["2025-01-01"], ["2024-07-31"]),
        ("subject=Algebra, geometry", ["algebra", " Geometry"], ["algebra 2", ""]),
        ("set=GSM8K (test, via MiP)", ["GSM8K (test, via MiP)", "via mip)"], ["GSM8K"]),
    ],
)
def test_labels(text: str, held: list[str], not_held: list[str]) -> None:
    label = Labelled.parse(text)
    assert all(label.holds(value) for value in held)
    assert not any(label.holds(value) for value in not_held)


@pytest.mark.parametrize("text", ["level", "=4..5", "level=", "level=a..b", "level=.."])
def test_labels_that_say_nothing(text: str) -> None:
    with pytest.raises(UserError, match=r"--where .*: give "):
        Labelled.parse(text)


def test_ranges() -> None:
    assert range_of("--pass-rate", "0.1..0.9") == (0.1, 0.9)
    assert within(0.1, 0.1, 0.9)
    assert not within(0.91, 0.1, 0.9)
    with pytest.raises(UserError, match=r"--pass-rate '0.5': give a range such as 0.1..0.9"):
        range_of("--pass-rate", "0.5")
