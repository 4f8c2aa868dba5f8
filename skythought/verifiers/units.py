r"""Units of measurement: answers in units of one kind are compared by value.

    readings("500 cm", "5 m")    -> ("500", "500"), converted
    readings("5 m", "5 kg")      -> (): units of two kinds, so the answers differ
    readings("5", "5 cm")        -> ("5", "5")
    readings("5m", "5")          -> ("5m", "5"): m may be a name, and nothing says that it is none

Only the units of the tables below are known. One letter, and what touches its number, is sure to
be a unit only in `\text{}` or where the other answer has a sure one; where nothing is sure, there
is a second reading, of the texts as they are. Money per anything is money.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from skythought.verifiers import notation

MAX_CHARS = 300  # longer texts have no unit that is looked for
MAX_POWER = 4

Kind = tuple[tuple[str, int], ...]  # what is measured, with its power: (("length", 2),)


class Unit(NamedTuple):
    """What a unit measures, and its size in the unit that all of its kind are written in."""

    kind: Kind
    size: Fraction
    zero: Fraction = Fraction(0)  # of a temperature: what is added before it is multiplied


class Quantity(NamedTuple):
    """A value and its unit."""

    value: str
    unit: Unit
    sure: bool = True  # that it is a unit and no name
    spaced: bool = True


class Reading(NamedTuple):
    """Two answers in one unit, which is left out."""

    expected: str
    said: str
    converted: bool = False


def _table(kind: Kind, sizes: Mapping[str, int | str]) -> Iterator[tuple[str, Unit]]:
    """List the units of a kind under each of their names."""
    for names, size in sizes.items():
        for name in names.split():
            yield name, Unit(kind, Fraction(size))


def _tables(*tables: Iterable[tuple[str, Unit]]) -> dict[str, Unit]:
    return {name: unit for table in tables for name, unit in table}


# Long names are in the singular and small letters; short ones as they are written.
UNITS = _tables(
    _table(
        (("length", 1),),
        {
            "nm nanometer nanometre": "1/1000000000",
            "mm millimeter millimetre 毫米": "1/1000",
            "cm centimeter centimetre 厘米": "1/100",
            "dm decimeter decimetre": "1/10",
            "m meter metre 米": 1,
            "km kilometer kilometre 千米 公里": 1000,
            "in inch": "254/10000",
            "ft foot feet": "3048/10000",
            "yd yard": "9144/10000",
            "mi mile": "1609344/1000",
        },
    ),
    _table(
        (("length", 2),),
        {"ha hectare 公顷": 10_000, "acre": "40468564224/10000000"},
    ),
    _table(
        (("length", 3),),
        {
            "ml mL milliliter millilitre cc 毫升": "1/1000000",
            "cL cl centiliter centilitre": "1/100000",
            "l L liter litre 升": "1/1000",
            "cup": "473176473/2000000000000",
            "pt pint": "473176473/1000000000000",
            "qt quart": "946352946/1000000000000",
            "gal gallon": "3785411784/1000000000000",
        },
    ),
    _table(
        (("mass", 1),),
        {
            "mg milligram": "1/1000",
            "g gram 克": 1,
            "kg kilogram kilo 千克 公斤": 1000,
            "tonne 吨": 1_000_000,
            "oz ounce": "28349523125/1000000000",
            "lb pound": "45359237/100000",
        },
    ),
    _table(
        (("time", 1),),
        {
            "ms millisecond": "1/1000",
            "s sec second 秒": 1,
            "min minute 分钟": 60,
            "h hr hour 小时": 3600,
            "day 天": 86_400,
            "week": 604_800,
        },
    ),
    _table((("months", 1),), {"month": 1, "yr year 年": 12, "decade": 120, "century": 1200}),
    _table((("dollars", 1),), {"cent ¢ penny pennies": "1/100", "dollar usd USD": 1}),
    _table((("euros", 1),), {"euro EUR": 1}),
    _table((("yuan", 1),), {"yuan RMB 元": 1}),
    _table((("angle", 1),), {"degree deg": 1}),
    _table((("radians", 1),), {"radian rad": 1}),
    _table((("length", 1), ("time", -1)), {"mph": "44704/100000", "kph kmh": "1000/3600"}),
    _table((("length", 1), ("mass", 1), ("time", -2)), {"N newton": 1000, "kN": 1_000_000}),
    _table((("length", -1), ("mass", 1), ("time", -2)), {"Pa pascal": 1000, "kPa": 1_000_000}),
    _table(
        (("length", 2), ("mass", 1), ("time", -2)),
        {"J joule": 1000, "kJ kilojoule": 1_000_000, "kWh": 3_600_000_000},
    ),
    _table((("length", 2), ("mass", 1), ("time", -3)), {"W watt": 1000, "kW kilowatt": 1_000_000}),
    _table((("time", -1),), {"Hz hertz": 1, "kHz": 1000, "MHz": 1_000_000}),
    _table((("current", 1),), {"A amp ampere": 1, "mA": "1/1000"}),
    _table((("volts", 1),), {"V volt": 1, "mV": "1/1000", "kV": 1000}),
)
TEMPERATURE: Kind = (("temperature", 1),)
KELVIN = Unit(TEMPERATURE, Fraction(1))
SCALES = {
    "c": Unit(TEMPERATURE, Fraction(1), Fraction(27_315, 100)),
    "f": Unit(TEMPERATURE, Fraction(5, 9), Fraction(45_967, 100)),
    "k": KELVIN,
}
UNITS |= {"K": KELVIN, "kelvin": KELVIN, "celsius": SCALES["c"], "fahrenheit": SCALES["f"]}
DEGREE, RADIAN = UNITS["degree"].kind, UNITS["radian"].kind
CURRENCIES = {"$": UNITS["dollar"], "€": UNITS["euro"], "£": UNITS["pound"]}
MONEY = frozenset({"dollars", "euros", "yuan"})
# Letters that are units also where they touch a number and the reference has none.
LETTERS = frozenset("msghl")

WRAPPED = re.compile(r"\\(?:text|mbox|mathrm|textbf|textrm|operatorname)\s*\{([^{}]*)\}")
WRAPPED_LAST = re.compile(WRAPPED.pattern + r"\s*(?:\^\s*\{?\s*-?\d\s*\}?|[²³])?[\s.$]*$")
SPACES = re.compile(r"\\[!,;: ]|~|\xa0")
MARK = re.compile(r"(?<!\\)\$")
PLAIN_NUMBER = re.compile(r"[-+]?[\d.,/]*")
FACTOR = (
    r"(?:(?:square|sq|cubic|cu)\.?\s+)?[a-zA-Z\u4e00-\u9fff¢]+\.?(?:\s*\^\s*\{?\s*-?\d\s*\}?|[²³])?"
    r"(?:\s+(?:squared|cubed))?"
)
BEHIND = r"(?:(?<=[\d})!])|(?<=\\pi)|(?<=illion)|(?<=thousand)|(?<=hundred)|(?<=dozen))"
TAIL = re.compile(
    rf"{BEHIND}(?P<gap>\s*)(?P<unit>{FACTOR}(?:\s*(?:/|\bper\b|\\cdot(?![a-zA-Z])|·|\*)\s*{FACTOR})*)$"
)
FACTORS = re.compile(
    r"\s*(?P<by>/|\bper\b)?[\s·*]*(?:\\cdot)?\s*(?:(?P<before>square|sq|cubic|cu)\.?\s+)?"
    r"(?P<name>[a-zA-Z\u4e00-\u9fff¢]+)\.?(?:\s*\^\s*\{?\s*(?P<power>-?\d)\s*\}?|(?P<raised>[²³]))?"
    r"(?:\s+(?P<after>squared|cubed))?"
)
ADJECTIVE = re.compile(
    r"\s+(?:long|wide|tall|high|deep|thick|old|away|apart|each|total|in total|in all|altogether)$"
)
DEGREES = re.compile(
    r"\s*(?:\^\s*\{?\s*\\circ\s*\}?|°|\\degree|(?<=[\d})\s])degrees?)\s*"
    r"(?P<scale>[CFK]|[Cc]elsius|[Ff]ahrenheit)?$|\s*(?P<sign>[℃℉])$"
)
CURRENCY = re.compile(r"([-+]?)\s*(\\?\$|€|£)\s*(?=[\d.\\(])(.+)", re.DOTALL)
# What a value must not hold: words, a list, an inequality, a time.
WORDY = re.compile(
    r"(?<![\\a-zA-Z])(?!(?:dozen|hundred|thousand|[mbtr]+illion)(?![a-zA-Z]))[a-zA-Z]{2,}"
    r"|[\u4e00-\u9fff<>;:°%]|,(?!\d{3}(?!\d))|\\(?:[lg]eq?|ldots|cup|in|text|%)(?![a-zA-Z])"
)
ANGLE_OF = re.compile(r"sin|cos|tan|cot|sec|csc|arc|log")


def readings(expected: str, said: str) -> tuple[Reading, ...]:
    """Write two answers in one unit, in the ways they may be meant; () where they cannot be."""
    plain = Reading(expected, said)
    a, b = measured(expected), measured(said)
    if a and b:
        if a.unit.kind == b.unit.kind:
            found = _converted(a, b) or plain
            return (found,) if a.sure or b.sure else (found, plain)
        if {a.unit.kind, b.unit.kind} == {DEGREE, RADIAN}:
            turn = "\\frac{180}{\\pi}" if a.unit.kind == DEGREE else "\\frac{\\pi}{180}"
            return (Reading(a.value, f"{turn}({_alone(b.value)})", converted=True),)
        if {a.unit.kind, b.unit.kind} == {DEGREE, TEMPERATURE}:  # 20° where 20 °C is meant
            return (Reading(a.value, b.value),)
        return () if a.sure or b.sure else (plain,)
    if a and (a.sure or a.spaced):
        found = Reading(a.value, said)
        return (found,) if a.sure else (found, plain)
    if b and _is_unit(b, said):
        found = Reading(expected, b.value)
        return (found,) if b.sure else (found, plain)
    return (plain,)


@lru_cache(maxsize=4096)
def measured(text: str) -> Quantity | None:
    """Split an answer into its value and its unit; None where none that is known ends it."""
    if len(text) > MAX_CHARS or PLAIN_NUMBER.fullmatch(text):
        return None
    wrapped = WRAPPED_LAST.search(text) is not None
    text = SPACES.sub(" ", WRAPPED.sub(r" \1 ", text))
    if len(MARK.findall(text)) % 2 == 0:  # $5$ cm
        text = MARK.sub(" ", text)
    text = text.strip().removesuffix(".")
    if found := CURRENCY.fullmatch(text):
        value = f"{found[1]}{found[3]}"
        return _checked(Quantity(value, CURRENCIES[found[2][-1]]))
    if found := DEGREES.search(text):
        name = found["scale"] or ("c" if found["sign"] == "℃" else "f" if found["sign"] else "")
        value = text[: found.start()]
        if not name and ANGLE_OF.search(value):
            return None  # \sin 30^\circ
        return _checked(Quantity(value, SCALES[name[0].lower()] if name else UNITS["degree"]))
    if text[-1:] in CURRENCIES:
        return _checked(Quantity(text[:-1], CURRENCIES[text[-1]]))
    text = ADJECTIVE.sub("", text)
    tail = TAIL.search(text)
    unit = _unit(tail["unit"]) if tail else None
    if not tail or not unit:
        return None
    spaced = bool(tail["gap"])
    long = re.search(r"[a-zA-Z]{2}", tail["unit"]) is not None
    sure = wrapped or (spaced and long) or not tail["unit"].isascii()
    return _checked(Quantity(text[: tail.start()], unit, sure, spaced))


def _checked(found: Quantity) -> Quantity | None:
    """Leave alone what has more than one value."""
    value = found.value.strip()
    return None if not value or WORDY.search(value) else found._replace(value=value)


def _is_unit(found: Quantity, text: str) -> bool:
    """Say whether an answer has a unit that the reference has none of: 5m, but not 5N."""
    last = text.rstrip("$. ")[-1:]
    return found.sure or found.spaced or last in LETTERS


def _unit(text: str) -> Unit | None:
    """Multiply the units of `kg m/s^2` and the like; None where one is not known."""
    kind: dict[str, int] = {}
    size = Fraction(1)
    for factor in FACTORS.finditer(text):
        known = _named(factor["name"])
        power = int(factor["power"] or {"²": 2, "³": 3}.get(factor["raised"] or "", 1))
        for word in (factor["before"], factor["after"]):
            power *= {"s": 2, "c": 3}[word[0]] if word else 1
        if known is None or not 0 < abs(power) <= MAX_POWER:
            return None
        if known.zero or known.kind == TEMPERATURE:
            return known if factor[0].strip() == text.strip() and power == 1 else None
        power *= -1 if factor["by"] else 1
        if factor["by"] and MONEY & kind.keys():
            continue
        for base, times in known.kind:
            kind[base] = kind.get(base, 0) + times * power
        size *= known.size**power
    return Unit(tuple(sorted((k, n) for k, n in kind.items() if n)), size)


def _named(name: str) -> Unit | None:
    """Look a unit up, in the plural too; one letter is read as it is written."""
    if len(name) == 1 or name in UNITS:
        return UNITS.get(name)
    small = name.lower()
    singular = {"inches": "inch", "centuries": "century"}.get(small, small.removesuffix("s"))
    if len(singular) < 2:  # "ms" is in the table, "gs" is none
        return None
    return UNITS.get(small) or UNITS.get(singular)


def _converted(a: Quantity, b: Quantity) -> Reading | None:
    """Write the second value in the unit of the first."""
    one, other = a.unit, b.unit
    if (one.size, one.zero) == (other.size, other.zero):
        return Reading(a.value, b.value)
    text = _alone(b.value)
    number = notation.number(notation.squeeze(text))
    if number is not None:
        value = (number.value + other.zero) * other.size / one.size - one.zero
        return Reading(a.value, str(value), converted=True)
    if one.zero or other.zero:
        return None
    factor = other.size / one.size
    above, below = factor.numerator, factor.denominator
    return Reading(a.value, f"\\frac{{{above}}}{{{below}}}({text})", converted=True)


def _alone(value: str) -> str:
    """Leave out the name and what the value is computed from."""
    return notation.without_name(notation.unify(value)).rpartition("=")[2].strip()
