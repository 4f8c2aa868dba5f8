r"""Equality that needs no computer algebra: the same text, the same number, the same words.

    decide("\frac{14}{3}", "14/3")   -> True, "number"
    decide("\$32,\!348", "32348")    -> True, "text"
    decide("18", "18.5 dollars")     -> False, "number"
    decide("(C)", "C) seven")        -> True, "choice"
    decide("p - q", "-q + p")        -> None: somebody else has to decide

Left out of the comparison: spaces, `\left` and `\right`, currency and percent signs, degrees, units
after a number, and the name in `x = 5` unless both sides name different things. A decimal of four or
more places equals what it is the rounding of.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

MIN_PLACES = 4  # decimals with fewer places are compared exactly
SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
SHORT_UNITS = "cm km mm kg mg ml ft in hr hrs lb lbs oz pm am mi yd sq"
FUNCTIONS = frozenset("sin cos tan cot sec csc log exp sqrt and mod".split())

DROPPED = re.compile(
    r"\\(?:left|right|big|Big|displaystyle)(?![a-zA-Z])|\\[!,;:]|\\quad|\\qquad|\\%|%|\\\$|\$|\*\*"
    r"|\^\{?\\circ\}?|°|\\degree|\\ "
)
TEXT_UNIT = re.compile(r"(?<=[\d}iI)])\s*\\text\{[^{}]*\}\s*(?:\^\{?\d\}?)?$")
WORD_UNIT = re.compile(r"(?<=[\d}])\s+([a-zA-Z][a-zA-Z /.]*?)(?:\^\{?\d\}?|[²³])?$")
NAME = re.compile(r"^([a-zA-Z](?:\([a-zA-Z]\))?)\s*(?:=|\\in(?![a-zA-Z]))\s*(?=[^=])")
FRACTION_PART = r"\s*(\d|[a-zA-Z]|\{[^{}]*\})"
THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?")
DECIMAL = r"(?:\d+\.?\d*|\.\d+)"
CHOICE = re.compile(r"\(?([A-J])(?:[).:]|$|\s+(?![=+\-*/^]))")


class Number(NamedTuple):
    """A number and how it was written."""

    value: Fraction
    places: int  # decimal places; 0 for whole numbers and fractions
    digits: int  # significant digits written


def decide(expected: str, said: str) -> tuple[bool, str] | None:
    """Say whether two answers are equal and by which rule; None where these rules cannot tell."""
    a, b = unify(expected), unify(said)
    name_a, name_b = NAME.match(a), NAME.match(b)
    if not (name_a and name_b and name_a[1] != name_b[1]):
        a, b = NAME.sub("", a), NAME.sub("", b)
    flat_a, flat_b = squeeze(a), squeeze(b)
    if flat_a == flat_b:
        return True, "text"
    number_a, number_b = number(flat_a), number(flat_b)
    if number_a and number_b:
        return _equal(number_a, number_b)
    choice = CHOICE.fullmatch(flat_a)
    if choice:
        chosen = CHOICE.match(b)
        if chosen:
            return chosen[1] == choice[1], "choice"
    if is_words(a):
        return _letters(a) == _letters(b), "words"
    return None


def unify(text: str) -> str:
    """Write an answer without what does not matter; what is left is still LaTeX."""
    text = text.strip().replace("−", "-").replace("π", "\\pi").replace("∞", "\\infty")
    text = text.replace("{,}", ",").replace("\\(", "").replace("\\)", "").replace("~", " ")
    text = re.sub(r"\\[dtc]frac(?![a-zA-Z])", r"\\frac", text)
    text = re.sub(r"\\(?:mathrm|mbox|textbf|textit|textrm|operatorname)(?=\{)", r"\\text", text)
    text = DROPPED.sub("", text).strip().removesuffix(".").strip()
    text = re.sub(rf"\\frac{FRACTION_PART}{FRACTION_PART}", _braces, text)
    text = re.sub(r"\\sqrt\s*(\d)", r"\\sqrt{\1}", text)
    text = re.sub(r"(?<![\\a-zA-Z])sqrt\(([^()]*)\)", r"\\sqrt{\1}", text)
    text = re.sub(r"(?<![\\a-zA-Z])pi(?![a-zA-Z])", r"\\pi", text)
    whole = re.fullmatch(r"\\text\{([^{}]*)\}", text)
    text = whole[1].strip() if whole else TEXT_UNIT.sub("", text)
    unit = WORD_UNIT.search(text)
    return _without_unit(text, unit) if unit else text


def squeeze(text: str) -> str:
    """Take away spaces that do not part two numbers, and thousands separators."""
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"(?<!\d) | (?!\d)", "", text)
    return text.replace(",", "") if THOUSANDS.fullmatch(text) else text


def number(text: str) -> Number | None:
    """Read a squeezed text as one number: whole, decimal, fraction, mixed, or times a power of ten."""
    if re.fullmatch(rf"[+-]?{DECIMAL}", text):
        places = len(text.partition(".")[2])
        return Number(Fraction(text), places, len(re.sub(r"\D", "", text).lstrip("0")))
    part = rf"([+-]?{DECIMAL})"
    found = re.fullmatch(rf"([+-]?)(\d*)\\frac\{{{part}\}}\{{{part}\}}", text)
    found = found or re.fullmatch(rf"([+-]?)(?:(\d+) )?{part}/{part}", text)
    if found:
        sign, whole, above, below = found.groups()
        if Fraction(below) == 0:
            return None
        size = Fraction(whole or 0) + Fraction(above) / Fraction(below)
        return Number(-size if sign == "-" else size, 0, 0)
    found = re.fullmatch(rf"{part}(?:\\times|\\cdot|\*|×)10\^\{{?([+-]?\d{{1,3}})\}}?", text)
    if found:
        return Number(Fraction(found[1]) * Fraction(10) ** int(found[2]), 0, 0)
    return None


def is_words(text: str) -> bool:
    """Say whether a text is words of a language and not a formula."""
    words = re.findall(r"[^\W\d_]+", text)
    return bool(re.fullmatch(r"[^\W\d_][\w\s.,:'’-]*", text)) and max(map(len, words)) >= 3


def _equal(a: Number, b: Number) -> tuple[bool, str]:
    if a.value == b.value:
        return True, "number"
    short = min((n for n in (a, b) if n.places), key=lambda n: n.places, default=None)
    if short is not None and min(short.places, short.digits) >= MIN_PLACES:
        near = abs(a.value - b.value) <= Fraction(1, 2 * 10**short.places)
        return near, f"number, {short.places} places"
    return False, "number"


def _letters(text: str) -> str:
    return re.sub(r"[\W_]", "", text.replace("\\text", "")).casefold()


def _braces(found: re.Match[str]) -> str:
    above, below = (part if part.startswith("{") else f"{{{part}}}" for part in found.groups())
    return f"\\frac{above}{below}"


def _without_unit(text: str, unit: re.Match[str]) -> str:
    words = [word.strip(".").lower() for word in re.split(r"[ /]+", unit[1]) if word.strip(".")]
    if any(word in FUNCTIONS for word in words):
        return text
    if not words or not all(len(w) >= 3 or w in SHORT_UNITS.split() for w in words[:1]):
        return text
    rest = text[: unit.start()]
    scale = SCALES.get(words[0])
    if scale is None:
        return rest
    scaled = number(squeeze(rest))
    return text if scaled is None else str(scaled.value * scale)
