"""skythought/verifiers/units.py: answers in units of one kind are compared by value."""

from __future__ import annotations

from fractions import Fraction

import pytest

from skythought.verifiers import exact, units
from skythought.verifiers import math as verifier
from skythought.verifiers.rules import STRICT

ONES = {
    **{"1 km": "1000 m", "1 m": "100 cm", "1 cm": "10 mm", "1 inch": "2.54 cm", "1 ft": "12 in"},
    **{"1 yd": "3 ft", "1 mile": "5280 feet", "1 kg": "1000 g", "1 g": "1000 mg", "1 lb": "16 oz"},
    **{"1 pound": "0.45359237 kg", "1 min": "60 s", "1 hour": "60 min", "1 day": "24 h"},
    **{"1 week": "7 days", "1 year": "12 months", "1 century": "100 years", "1 L": "1000 mL"},
    **{"1 gallon": "4 quarts", "1 quart": "2 pints", "1 pint": "2 cups", "1 gal": "231 in^3"},
    **{"1 m^3": "1000 liters", "1 hectare": "10000 m^2", "1 acre": "43560 square feet"},
    **{"1 square foot": "144 square inches", "1 cubic yard": "27 cubic feet", "\\$1": "100 cents"},
    **{"1 cm^2": "100 mm²", "36 km/h": "10 m/s", "60 mph": "88 feet per second", "1 kN": "1000 N"},
    **{"1 kph": "1000 meters per hour", "1 N": "1000 g*m/s^2", "1 kJ": "1000 N*m"},
    **{"1 kWh": "3600 kJ", "1 kHz": "1000 Hz", "1 kPa": "1000 Pa", "1 V": "1000 mV"},
    **{
        "20^\\circ C": "68 °F",
        "0 °C": "273.15 K",
        "32^\\circ\\text{F}": "0 \\text{ degrees Celsius}",
    },
    **{"\\frac12\\text{ m}": "50\\text{ cm}", "25\\pi\\text{ cm}^2": "0.0025\\pi\\text{ m}^2"},
    **{"45^\\circ": "x = \\frac{\\pi}{4} rad", "180 degrees": "\\pi \\text{ radians}"},
    **{"3千米": "3000米", "$5$ cm": "$50$ mm", "\\$1 million": "100 million cents"},
}


@pytest.mark.parametrize(("one", "other"), ONES.items())
def test_the_same_in_two_units(one: str, other: str) -> None:
    assert verifier.compare(one, other) == (True, "unit")
    assert verifier.compare(other, one) == (True, "unit")
    assert verifier.compare(f"7{one.lstrip('$')}", other)[0] is False


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        *(("5 m", "5 cm"), ("3 kg", "3 g"), ("5 km", "5 miles"), ("5 lb", "5 kg"), ("5 m", "5 kg")),
        *(("5 min", "5 s"), ("5 min", "5 hours"), ("5 years", "5 days"), ("5 m", "5 m^2")),
        *(("5\\text{ cm}^2", "5\\text{ m}^2"), ("5 square feet", "5 square inches")),
        *(("\\$5", "€5"), ("\\$5", "5 euros"), ("5 dollars", "5 cents"), ("60 mph", "60 km/h")),
        *(("20^\\circ C", "20^\\circ F"), ("45^\\circ", "45 radians"), ("60^\\circ", "60 cm")),
        *(("5公里", "5米"), ("25\\pi\\text{ cm}", "25\\pi\\text{ m}"), ("5m", "5 cm")),
    ],
)
def test_the_same_number_in_another_unit(expected: str, said: str) -> None:
    assert verifier.compare(expected, said)[0] is False
    assert verifier.compare(said, expected)[0] is False


@pytest.mark.parametrize(
    ("expected", "said", "back"),
    [
        ("5 m", "5", True),
        ("12 m^2", "12", True),
        ("10 N", "10", True),
        ("9.8 m/s^2", "9.8", True),
        ("20^\\circ C", "20", True),
        ("20^\\circ C", "20^\\circ", True),
        ("\\$5", "5", True),
        ("5 dollars an hour", "\\$5", True),
        ("5 dollars per hour", "\\$5", True),
        ("5 apples", "5 cm", True),
        ("5m", "5", False),
        ("6x", "6", False),
        ("5N", "5", False),
    ],
)
def test_one_side_without_a_unit(expected: str, said: str, back: bool) -> None:
    """As the answer, 5m is 5; as the reference, it is m five times."""
    assert verifier.compare(expected, said)[0] is back
    assert verifier.compare(said, expected)[0] is (back or expected == "5m")


@pytest.mark.parametrize(
    ("expected", "said", "equal"),
    [
        ("5m", "5m", True),
        ("5m", "m \\cdot 5", True),
        ("5 m", "m + 4m", True),
        ("5m + 2", "2 + 5m", True),
        ("5m", "5n", False),
        ("5m", "5s", False),
        ("2mg", "2 m g", True),
        ("3h", "h + 2h", True),
        ("\\frac{m}{2} g", "\\frac{mg}{2}", True),
        ("5m^2", "5 m \\cdot m", True),
        ("5m^2", "5m", False),
        ("5 m/s", "\\frac{5m}{s}", True),
    ],
)
def test_names_that_are_no_units(expected: str, said: str, equal: bool) -> None:
    assert verifier.compare(expected, said)[0] is equal


@pytest.mark.parametrize(
    ("text", "value", "sure"),
    [
        ("5 cm", "5", True),
        ("5cm", "5", False),
        ("5 m", "5", False),
        ("5\\text{ m}", "5", True),
        ("5\\,\\mathrm{m}^{2}", "5", True),
        ("x = 5 km.", "x = 5", True),
        ("5\\text{ meters long}", "5", True),
        ("1,200 kg", "1,200", True),
        ("2 million dollars", "2 million", True),
        ("-\\$5", "-5", True),
        ("5¢", "5", True),
    ],
)
def test_values(text: str, value: str, sure: bool) -> None:
    found = units.measured(text)
    assert found is not None
    assert (found.value, found.sure) == (value, sure)


@pytest.mark.parametrize(
    "text",
    [
        *("5", "5 apples", "cm", "m", "5x", "2, 3 cm", "3 hours and 15 minutes", "5 feet 6 inches"),
        *("x > 5 cm", "\\sin 30^\\circ", "5 m^9", "5 m^0", "5 cm per apple", "2:30 h", "5 gs"),
        *("$5 and $6", "5 kg °C", "5\\%", "5 °C/s", "", "1" * 290 + " kilometers"),
    ],
)
def test_texts_without_a_known_unit(text: str) -> None:
    assert units.measured(text) is None


def test_names_are_of_one_unit_each() -> None:
    assert units.measured("5 Kilometers") == units.measured("5 km")
    assert units.UNITS["mile"].size == Fraction("1609.344")
    assert all(unit.size > 0 for unit in units.UNITS.values())


def test_strict_wants_the_unit() -> None:
    assert exact.decide("5 m", "5", STRICT) == (False, "unit missing")
    assert exact.decide("5 m", "500 cm", STRICT) == (True, "unit")
    assert exact.decide("5 m", "5 kg", STRICT) == (False, "another unit")
    assert exact.decide("5 m", "5 apples", STRICT) == (False, "another unit")
    assert exact.decide("5m", "5", STRICT) is None
