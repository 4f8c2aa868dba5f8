"""Numbers as they are written: to how many places, and what their last digit allows."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

from skythought.formulas.algebra import Algebra
from skythought.formulas.polynomial import TooLarge, Undefined
from skythought.formulas.reading import Unread
from skythought.structure.values import near, value

LITERAL = re.compile(
    r"\(?\s*-?\s*(?P<whole>\d+)(?:\.(?P<places>\d+))?"
    r"(?:/(?P<share>100)\)|\*\s*10\^\{?(?P<power>-?\d{1,2})\}?|\*(?P<scale>12|10+)\))?\)?"
)
DECIMAL = re.compile(r"(?<![\d.])\d+\.\d+")
MAX_DECIMALS = 6  # of a side, of which the rounding is looked at


class Literally(NamedTuple):
    """A side that is one number."""

    places: int
    unit: Fraction  # what its last digit stands for; of a whole number, its last digit but zeros


def literal(text: str) -> Literally | None:
    """Read a side that is one number, or a number times a power of ten or a hundredth."""
    found = LITERAL.fullmatch(text.strip())
    if not found:
        return None
    places = len(found["places"] or "")
    unit = Fraction(1, 10**places)
    if not places:
        zeros = len(found["whole"]) - len(found["whole"].rstrip("0"))
        unit = Fraction(10**zeros, 2 if zeros else 1)
    if found["share"]:
        unit /= 100
        places += 2
    if found["power"]:
        unit *= Fraction(10) ** int(found["power"])
        places += 1
    if found["scale"]:
        if len(found["scale"]) > 15:
            return None
        unit *= int(found["scale"])
    return Literally(places, unit)


def slack(text: str, algebra: Algebra) -> Fraction:
    """Bound, to first order, how far a side moves when its decimals were cut off or rounded."""
    decimals = list(DECIMAL.finditer(text))
    if not decimals or len(decimals) > MAX_DECIMALS or DECIMAL.fullmatch(text.strip(" -")):
        return Fraction(0)
    try:
        whole = near(value(text, algebra))
        if whole is None:
            return Fraction(0)
        total = Fraction(0)
        for found in decimals:
            moved = Fraction(found[0]) + Fraction(1, 10 ** len(found[0].partition(".")[2]))
            new = near(value(f"{text[: found.start()]}({moved}){text[found.end() :]}", algebra))
            total += abs(new - whole) if new is not None else 0
    except (Unread, Undefined, TooLarge):
        return Fraction(0)
    return total
