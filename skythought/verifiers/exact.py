r"""Equality that needs no computer algebra: the same text, the same number, the same words.

    decide("\frac{14}{3}", "14/3")   -> True, "number"
    decide("\$32,\!348", "32348")    -> True, "text"
    decide("18", "18.5 dollars")     -> False, "number"
    decide("(C)", "C) seven")        -> True, "choice"
    decide("p - q", "-q + p")        -> None: somebody else has to decide

Left out of the comparison: spaces, `\left` and `\right`, emphasis, currency signs, degrees, units
after a number, and the name in `x = 5` unless both sides name different things. 50 % is 50 and 0.5.
The base of `21_8` counts where both sides name one. A decimal of four or more places equals what it
is the rounding of.
"""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction
from typing import NamedTuple

MIN_PLACES = 4  # decimals with fewer places are compared exactly
MAX_PLACES = 6  # to which expressions are compared with decimals
SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
COUNTS = (
    *("zero", "one", "two", "three", "four", "five", "six"),
    *("seven", "eight", "nine", "ten", "eleven", "twelve"),
)
SHORT_UNITS = {
    "cm",
    "km",
    "mm",
    "kg",
    "mg",
    "ml",
    "ft",
    "in",
    "hr",
    "hrs",
    "lb",
    "lbs",
    "oz",
    "pm",
    "am",
    "mi",
    "yd",
    "sq",
}
FUNCTIONS = {"sin", "cos", "tan", "cot", "sec", "csc", "log", "exp", "sqrt", "and", "mod"}

ROW_END = "\N{SYMBOL FOR NEWLINE}"  # stands for `\\\\` while other backslashes are read
DROPPED = re.compile(
    r"\\(?:left|right|big|Big|displaystyle)(?![a-zA-Z])|\\[!,;:]|\\quad|\\qquad|\\%|%|\\\$|\$"
    r"|\^\{?\\circ\}?|°|\\degree|\\ "
)
EMPHASIS = re.compile(r"^\*\*|\*\*$|(?<=\s)\*\*(?=\S)|(?<=\S)\*\*(?=\s)")
# How people and models write LaTeX in Unicode.
SIGNS = str.maketrans(
    {
        "−": "-",
        "π": "\\pi ",
        "∞": "\\infty ",
        "×": "\\times ",
        "·": "\\cdot ",
        "≤": "\\le ",
        "≥": "\\ge ",
        "≠": "\\ne ",
        "≈": "\\approx ",
        "∪": "\\cup ",
        "∩": "\\cap ",
        "∈": "\\in ",
        "±": "\\pm ",
        "∅": "\\emptyset ",
        "~": " ",
        "\xa0": " ",
    }
)
RAISED = re.compile(r"[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
VULGAR = re.compile(r"[¼-¾⅐-⅞]")
ROOT = re.compile(r"√\s*(?:\(([^()]*)\)|(\d+|[a-zA-Z]))")
TEXT_UNIT = re.compile(r"(?<=[\d}iI)])\s*\\text\{[^{}]*\}\s*(?:\^\{?\d\}?)?$")
WORD_UNIT = re.compile(r"(?<=[\d}])\s+([a-zA-Z][a-zA-Z /.]*?)(?:\^\{?\d\}?)?$")
NAME_LAST = re.compile(r"^([^=<>]+?)\s*=\s*([a-zA-Z])$")
NAME = re.compile(r"^([a-zA-Z](?:\([a-zA-Z]\))?)\s*(?:=|\\in(?![a-zA-Z]))\s*(?=[^=])")
FRACTION_PART = r"\s*(\d|[a-zA-Z]|\{[^{}]*\})"
THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:(?:,\d{3})+|(?: \d{3})+)(?:\.\d+)?")
DECIMAL = r"(?:\d+\.?\d*|\.\d+)"
CHOICE = re.compile(r"\(?([A-J])(?:[).:]|$|\s+(?![=+\-*/^]))")
BASE = re.compile(r"([0-9A-Za-z]+)_\{?\(?(\d{1,2})\)?\}?")
REPEATING = re.compile(r"([+-]?)(\d*)\.(\d*)\\overline\{(\d+)\}")


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
        shares = "%" in expected, "%" in said
        return _equal(number_a, number_b, shares)
    base_a, base_b = BASE.fullmatch(flat_a), BASE.fullmatch(flat_b)
    if base_a and base_b:
        return _in_base(base_a) == _in_base(base_b), "base"
    if base_a and base_a[1] == flat_b and flat_b.isdigit():
        return True, "base left out"
    choice = CHOICE.fullmatch(flat_a)
    if choice:
        chosen = CHOICE.match(re.sub(r"\\text\{([^{}]*)\}", r"\1", b))
        if chosen:
            return chosen[1] == choice[1], "choice"
    if is_words(a):
        return _letters(a) == _letters(b), "words"
    return None


def unify(text: str) -> str:
    """Write an answer without what does not matter; what is left is still LaTeX."""
    text = VULGAR.sub(_vulgar, RAISED.sub(_raised, text.strip())).translate(SIGNS)
    text = text.replace("\\\\", ROW_END).replace("{,}", ",").replace("\\(", "").replace("\\)", "")
    text = EMPHASIS.sub("", ROOT.sub(lambda m: f"\\sqrt{{{m[1] or m[2]}}}", text))
    text = re.sub(r"(?<=[\w)}])\s*\*\*\s*(?=[\w({-])", "^", text)  # a power, as in Python
    text = re.sub(r"\\[dtc]frac(?![a-zA-Z])", r"\\frac", text)
    text = re.sub(r"\\varnothing(?![a-zA-Z])", r"\\emptyset", text)
    text = re.sub(r"\\(?:mathrm|mbox|textbf|textit|textrm|operatorname)(?=\{)", r"\\text", text)
    text = re.sub(r"\\text\{([^{}a-zA-Z]+)\}", r"\1", text)
    text = DROPPED.sub("", text).strip().removesuffix(".").strip()
    text = re.sub(rf"\\frac{FRACTION_PART}{FRACTION_PART}", _braces, text)
    text = re.sub(r"\\sqrt\s*(\d)", r"\\sqrt{\1}", text)
    text = re.sub(r"(?<![\\a-zA-Z])sqrt\(([^()]*)\)", r"\\sqrt{\1}", text)
    text = re.sub(r"(?<![\\a-zA-Z])pi(?![a-zA-Z])", r"\\pi", text)
    whole = re.fullmatch(r"\\text\{([^{}]*)\}", text)
    text = whole[1].strip() if whole else TEXT_UNIT.sub("", text)
    unit = WORD_UNIT.search(text)
    text = _without_unit(text, unit) if unit else text
    return NAME_LAST.sub(r"\2=\1", text).replace(ROW_END, "\\\\")


def squeeze(text: str) -> str:
    """Take away spaces that do not part two numbers, and thousands separators."""
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"(?<!\d) | (?!\d)", "", text)
    return re.sub("[, ]", "", text) if THOUSANDS.fullmatch(text) else text


def number(text: str) -> Number | None:
    """Read a squeezed text as one number, in any of the ways numbers are written."""
    if text.lower() in COUNTS:
        return Number(Fraction(COUNTS.index(text.lower())), 0, 0)
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
    power = r"([+-]?\d{1,3})"
    found = re.fullmatch(rf"{part}(?:\\times|\\cdot|\*)10\^\{{?{power}\}}?", text)
    found = found or re.fullmatch(rf"{part}[eE]{power}", text)
    if found:
        return Number(Fraction(found[1]) * Fraction(10) ** int(found[2]), 0, 0)
    if found := REPEATING.fullmatch(text):
        sign, whole, first, again = found.groups()
        size = Fraction(f"{whole or 0}.{first or 0}")
        size += Fraction(int(again), (10 ** len(again) - 1) * 10 ** len(first))
        return Number(-size if sign == "-" else size, 0, 0)
    return None


def places(expected: str, said: str) -> int:
    """Give the places to which a decimal is compared with an expression: its own, 6 at most."""
    found = [number(squeeze(NAME.sub("", text))) for text in (expected, said)]
    exact = [min(n.places, n.digits) for n in found if n]
    return min([MAX_PLACES, *(n for n in exact if n >= MIN_PLACES)])


def is_words(text: str) -> bool:
    """Say whether a text is words of a language and not a formula."""
    words = re.findall(r"[^\W\d_]+", text)
    return bool(re.fullmatch(r"[^\W\d_][\w\s.,:'’-]*", text)) and max(map(len, words)) >= 3


def _equal(a: Number, b: Number, shares: tuple[bool, bool]) -> tuple[bool, str]:
    if a.value == b.value:
        return True, "number"
    if shares[0] != shares[1]:  # 50 % is 0.5 too
        share, plain = (a, b) if shares[0] else (b, a)
        if share.value == 100 * plain.value:
            return True, "number, percent"
    short = min((n for n in (a, b) if n.places), key=lambda n: n.places, default=None)
    if short is not None and min(short.places, short.digits) >= MIN_PLACES:
        near = abs(a.value - b.value) <= Fraction(1, 2 * 10**short.places)
        return near, f"number, {short.places} places"
    return False, "number"


def _in_base(found: re.Match[str]) -> object:
    """Give the value of digits in a base, or what is written where that is no number."""
    try:
        return int(found[1], int(found[2]))
    except ValueError:  # `a_1`, or a digit the base does not have
        return found.groups()


def _raised(found: re.Match[str]) -> str:
    return f"^{{{unicodedata.normalize('NFKC', found[0]).replace('−', '-')}}}"


def _vulgar(found: re.Match[str]) -> str:
    above, _, below = unicodedata.normalize("NFKC", found[0]).partition("⁄")
    return f"\\frac{{{above}}}{{{below}}}"


def _letters(text: str) -> str:
    return re.sub(r"[\W_]", "", text.replace("\\text", "")).casefold()


def _braces(found: re.Match[str]) -> str:
    above, below = (part if part.startswith("{") else f"{{{part}}}" for part in found.groups())
    return f"\\frac{above}{below}"


def _without_unit(text: str, unit: re.Match[str]) -> str:
    words = [word.strip(".").lower() for word in re.split(r"[ /]+", unit[1]) if word.strip(".")]
    if any(word in FUNCTIONS for word in words):
        return text
    if not words or not all(len(w) >= 3 or w in SHORT_UNITS for w in words[:1]):
        return text
    rest = text[: unit.start()]
    scale = SCALES.get(words[0])
    if scale is None:
        return rest
    scaled = number(squeeze(rest))
    return text if scaled is None else str(scaled.value * scale)
