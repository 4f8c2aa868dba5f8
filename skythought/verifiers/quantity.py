r"""Units, times of day and dates: what stands around the numbers of an answer.

unit("5\text{ cm}^2")      -> "cm^2"
unit("\$18.90")            -> "dollar"
minutes("2:30 p.m.")        -> 870
date("March 5, 2020")       -> (2020, 3, 5)
"""

from __future__ import annotations

import re

from skythought.verifiers.units import UNITS

SAME = {
    "centimeter": "cm",
    "centimetre": "cm",
    "millimeter": "mm",
    "kilometer": "km",
    "kilometre": "km",
    "metre": "meter",
    "kilogram": "kg",
    "sec": "second",
    "min": "minute",
    "hr": "hour",
    "in": "inch",
    "ft": "foot",
    "feet": "foot",
    "yd": "yard",
    "usd": "dollar",
    "mph": "mile per hour",
    "lb": "pound",
    "oz": "ounce",
    "sq": "square",
}
PLURAL = {"inches": "inch", "feet": "foot", "boxes": "box", "dishes": "dish"}
MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)

PLAIN = re.compile(r"\\(?:text|mbox|mathrm|textbf|textrm|operatorname)\s*\{([^{}]*)\}")
SPACES = re.compile(r"\\[!,;: ]|~|\xa0")
DEGREES = re.compile(r"(?:\^\s*\{?\s*\\circ\s*\}?|°|\\degree)\s*\.?$")
BEHIND = re.compile(r"(?<=[\d})])\s*([a-zA-Z][a-zA-Z /.]*?)\s*(?:\^\{?(\d)\}?|([²³]))?\.?$")
CLOCK = re.compile(r"(\d{1,2})(?::(\d\d))?\s*(?:([ap])\.?\s*m\b\.?)?", re.IGNORECASE)
QUANTITY = re.compile(r"(\d{1,12}(?:\.\d{1,12})?) ([a-zA-Z]{3,20})(?: ?,| and)? ?")
DATES = (
    re.compile(r"(?P<month>[a-z]{3,9})\.? (?P<day>\d{1,2})(?:st|nd|rd|th)?(?:,? (?P<year>\d{4}))?"),
    re.compile(r"(?P<day>\d{1,2})(?:st|nd|rd|th)? (?P<month>[a-z]{3,9})(?:,? (?P<year>\d{4}))?"),
    re.compile(r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)"),
)


def plain(text: str) -> str:
    r"""Write out `\text{}` and spaces, without delimiters."""
    text = SPACES.sub(" ", PLAIN.sub(r" \1 ", text[:200]))
    return re.sub(r"\s+", " ", text).strip()


def unit(text: str) -> str:
    """Name the unit of a number, "" where it has none."""
    text = plain(text)
    if text.startswith("$") and text.endswith("$") and len(text) > 1:
        text = text[1:-1].strip()
    if re.match(r"[-+]?\s*\\?\$\s*[\d.]", text):
        return "dollar"
    if DEGREES.search(text):
        return "degree"
    found = BEHIND.search(text)
    if not found:
        return ""
    words = [_singular(w) for w in re.split(r"[ .]+", found[1].replace("/", " per ")) if w]
    glued = text[found.start() : found.start(1)] == ""
    if glued and not all(w in UNITS or w in SAME.values() for w in words):
        return ""  # 5x
    power = found[2] or {"²": "2", "³": "3"}.get(found[3] or "", "")
    if words and words[0] in ("square", "cubic") and len(words) > 1 and not power:
        words, power = words[1:], "2" if words[0] == "square" else "3"
    if not words or any(len(w) < 2 for w in words if w != "a"):
        return ""
    return " ".join(words) + (f"^{power}" if power else "")


def minutes(text: str) -> tuple[int, bool] | None:
    """Read a time of day as minutes since midnight, and whether it says am or pm."""
    found = CLOCK.fullmatch(plain(text).removesuffix("."))
    if not found or not (found[2] or found[3]):
        return None
    hours, rest, half = int(found[1]), int(found[2] or 0), (found[3] or "").lower()
    if rest > 59 or hours > (12 if half else 24):
        return None
    if half:
        hours = hours % 12 + (12 if half == "p" else 0)
    return hours * 60 + rest, bool(half)


def date(text: str) -> tuple[int | None, int, int] | None:
    """Read a date as year, month and day; the year may be missing."""
    text = plain(text).lower().removesuffix(".")
    text = re.sub(r"^[a-z]+day,? ", "", text)
    for form in DATES:
        found = form.fullmatch(text)
        if found is None:
            continue
        name = found["month"]
        month = int(name) if name.isdigit() else _month(name)
        if month and 1 <= month <= 12 and 1 <= int(found["day"]) <= 31:
            return int(found["year"]) if found["year"] else None, month, int(found["day"])
    return None


def alone(text: str) -> str:
    """Give the number of several quantities that is not 0: 4 of "4 boxes and 0 balls"."""
    text = plain(text)
    found = QUANTITY.findall(text)
    if len(found) < 2 or QUANTITY.sub("", text).strip(" .,"):
        return ""
    kept = [number for number, _ in found if float(number)]
    units = {_singular(word) for _, word in found}
    return kept[0] if len(kept) == 1 and len(units) == len(found) else ""


def _month(name: str) -> int:
    return next((i for i, m in enumerate(MONTHS, 1) if m == name or m[:3] == name), 0)


def _singular(word: str) -> str:
    word = word.lower()
    word = PLURAL.get(word, word)
    word = SAME.get(word, word)
    if len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
        word = word[:-1]
    return SAME.get(word, word)
