"""What a field of a row must say: a number or a day in a range, or one of some values.

Labelled.parse("level=4..5").holds("Level 5")                               -> True
Labelled.parse("subject=algebra,geometry").holds("Algebra")                 -> True
Labelled.parse("contest_date=2024-08-01..").holds("2024-09-14T00:00:00")    -> True
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from skythought.core.errors import UserError

NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
DAY = re.compile(r"\d{4}-\d\d-\d\d")
FORMS = "FIELD=LOW..HIGH or FIELD=VALUE,VALUE"


@dataclass(frozen=True)
class Labelled:
    """What a field of the row (or of its problem) must say."""

    field: str
    low: float | str | None = None  # a day is a text, 2024-08-01
    high: float | str | None = None
    among: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Labelled:
        """Read `level=4..5`, `level=4..`, `day=2024-08-01..2024-08-31` or `subject=algebra,logic`.

        Raises:
            UserError: it is none of these.
        """
        field, equals, wanted = text.partition("=")
        if not field or not equals or not wanted:
            raise UserError(f"--where {text!r}: give {FORMS}")
        low, dots, high = wanted.partition("..")
        if not dots:
            values = (wanted, *wanted.split(","))  # whole too: a value may hold a comma itself
            return cls(field, among=tuple(value.strip().lower() for value in values))
        ends = [end for end in (low, high) if end]
        if ends and all(DAY.fullmatch(end) for end in ends):
            return cls(field, low or None, high or None)
        return cls(field, *range_of("--where", wanted))

    def holds(self, value: str) -> bool:
        """Say whether a row with this value is kept; of `Level 5`, the number counts."""
        if self.among:
            return value.strip().lower() in self.among
        if isinstance(self.low, str) or isinstance(self.high, str):
            day = DAY.match(value.strip())
            return day is not None and str(self.low or "") <= day[0] <= str(self.high or "9999")
        numbers = NUMBER.findall(value)
        return bool(numbers) and within(float(numbers[-1]), self.low, self.high)


def range_of(flag: str, text: str) -> tuple[float | None, float | None]:
    """Read `0.1..0.9`, `..0.9` or `0.1..`.

    Raises:
        UserError: it is no range.
    """
    low, dots, high = text.partition("..")
    try:
        ends = (float(low) if low else None, float(high) if high else None)
    except ValueError:
        dots = ""
    if not dots or not (low or high):
        raise UserError(f"{flag} {text!r}: give a range such as 0.1..0.9")
    return ends


def within(value: float, low: float | None, high: float | None) -> bool:
    """Say whether a value lies in a range; both ends belong to it."""
    return (low is None or value >= low) and (high is None or value <= high)
