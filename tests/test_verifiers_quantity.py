"""skythought/verifiers/quantity.py: units, times of day and dates."""

from __future__ import annotations

import pytest

from skythought.verifiers import quantity


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("5", ""),
        ("5 cm", "cm"),
        ("5cm", "cm"),
        ("5\\text{ cm}^2", "cm^2"),
        ("5\\,\\mathrm{cm}^{2}", "cm^2"),
        ("5 square inches", "inch^2"),
        ("864 \\mbox{ inches}^2", "inch^2"),
        ("5 m²", ""),
        ("\\$18.90", "dollar"),
        ("$5$", ""),
        ("18 dollars", "dollar"),
        ("5.4 \\text{ cents}", "cent"),
        ("90^\\circ", "degree"),
        ("90°", "degree"),
        ("\\frac{270}7\\text{ degrees}", "degree"),
        ("120 \\text{ km/h}", ""),
        ("50 miles per hour", "mile per hour"),
        ("3 apples.", "apple"),
        ("5x", ""),
        ("5 x", ""),
        ("2 sin x", ""),
        ("Evelyn", ""),
    ],
)
def test_units(text: str, unit: str) -> None:
    assert quantity.unit(text) == unit


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2:30", (150, False)),
        ("2:30 pm", (870, True)),
        ("2:30\\ \\text{p.m.}", (870, True)),
        ("12 am", (0, True)),
        ("12:15 PM", (735, True)),
        ("14:30", (870, False)),
        ("2", None),
        ("2:75", None),
        ("13:00 pm", None),
        ("25:00", None),
        ("1:2", None),
    ],
)
def test_times(text: str, found: tuple[int, bool] | None) -> None:
    assert quantity.minutes(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("March 5, 2020", (2020, 3, 5)),
        ("\\text{Thursday, March 5th}", (None, 3, 5)),
        ("5 Mar 2020", (2020, 3, 5)),
        ("2020-03-05", (2020, 3, 5)),
        ("March 45", None),
        ("2020-13-05", None),
        ("Smarch 5", None),
        ("5", None),
    ],
)
def test_dates(text: str, found: tuple[int | None, int, int] | None) -> None:
    assert quantity.date(text) == found


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("4 \\text{ boxes, } 0 \\text{ balls}", "4"),
        ("4 boxes and 0 balls", "4"),
        ("4 boxes and 1 ball", ""),
        ("4 boxes and 0 boxes", ""),
        ("4, 0", ""),
        ("4 boxes", ""),
    ],
)
def test_one_quantity_beside_nothing(text: str, number: str) -> None:
    assert quantity.alone(text) == number
