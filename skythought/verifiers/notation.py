r"""One way of writing for the many ways in which people and models write an answer.

    unify("\dfrac12\,\text{ cm}^2")  -> "\frac{1}{2}"
    unify("x² ≤ 5 miles.")           -> "x^{2}\le 5"
    squeeze("1 200")                 -> "1200"
    number("1\frac{1}{2}").value     -> 3/2

What is left is still LaTeX. Left out: spaces, `\left` and `\right`, emphasis, currency signs,
signs of percent and degree, and units after a number.
"""

from __future__ import annotations

import math
import re
import unicodedata
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from skythought.verifiers import numerals
from skythought.verifiers.rules import DEFAULT, Rules

MIN_PLACES = 4  # decimals with fewer places are compared exactly
MAX_PLACES = 6  # to which expressions are compared with decimals
EXACT_PLACES = 14  # where they are not to be rounded
SCALES = {
    "dozen": 12,
    "hundred": 100,
    "thousand": 10**3,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
}
# Words behind a number that change it, and are no unit.
OPERATIONS = frozenset(
    {
        *("plus", "minus", "divided", "multiplied", "over", "than", "factorial", "squared"),
        *("cubed", "power", "root", "modulo", "choose", "not", "or", "and", "to"),
        *("half", "halves", "third", "thirds", "quarter", "quarters", "fifths", "tenths"),
        *("hundredths", "thousandths", "score", "gross", "quadrillion", "googol"),
        *(f"{scale}s" for scale in SCALES),
    }
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
    r"\\(?:left|right|big|Big|displaystyle)(?![a-zA-Z])|\\[!,;:]|\\quad|\\qquad|\\%|%|\\\$|[$€£¥₹]"
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
        "\N{HYPHEN}": "-",
        "\N{NON-BREAKING HYPHEN}": "-",
        "\N{FULLWIDTH HYPHEN-MINUS}": "-",
        "~": " ",
        "\xa0": " ",
    }
)
DASH = re.compile("(^|[(\\[{,=<>])(\\s*)[\N{EN DASH}\N{EM DASH}](?=\\s?[\\d.a-zA-Z\\\\(])")
RAISED = re.compile(r"[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
VULGAR = re.compile(r"[¼-¾⅐-⅞]")
ROOT = re.compile(r"√\s*(?:\(([^()]*)\)|(\d+|[a-zA-Z]))")
TEXT_UNIT = re.compile(r"(?<=[\d}iI)])\s*\\text\{([^{}]*)\}\s*(?:\^\{?\d\}?)?$")
# Chinese measure words and units; those that change the number they stand behind are in the way.
CHINESE_UNIT = re.compile(r"(?<=[\d}])\s*([\u4e00-\u9fff]{1,4})(?:\^\{?\d\}?)?$")
CHINESE_SCALES = {"百": 10**2, "千": 10**3, "万": 10**4, "亿": 10**8}
CHINESE_CHANGES = frozenset("半百千万亿十零一二三四五六七八九两余多几以点负之")
CHINESE_METRIC = frozenset({"千米", "千克", "平方千米"})
ORDINAL_ENDS = ("st", "nd", "rd", "th", "st}", "nd}", "rd}", "th}", "}}")
ORDINAL = re.compile(
    r"(\d?\d)\s*(?:\^\s*)?(?:(st|nd|rd|th)|\{\s*(st|nd|rd|th)\s*\}"
    r"|\{\s*\\text\{\s*(st|nd|rd|th)\s*\}\s*\}|\\text\{\s*(st|nd|rd|th)\s*\})$"
)
WORD_UNIT = re.compile(r"(?<=[\d}])\s+([a-zA-Z][a-zA-Z /.]*?)(?:\^\{?\d\}?)?$")
NEARLY = re.compile(r"^\s*\\approx(?![a-zA-Z])")
NAME_LAST = re.compile(r"^([^=<>]+?)\s*=\s*([a-zA-Z])$")
NAME = re.compile(
    r"^((?:\\?[a-zA-Z]|\\[a-zA-Z]{2,}|[A-Z]{2,4}|[a-z]{4,12}|\\text\{[^{}]*\})"
    r"(?:_(?:\{[^{}]*\}|\w))?(?:\([a-zA-Z0-9](?:,\s*[a-zA-Z0-9])*\))?"
    r"|\([a-zA-Z](?:,\s*[a-zA-Z])+\)|\\angle\s*[\w ]+)"
    r"\s*(?:=|\\in(?![a-zA-Z])|\\approx(?![a-zA-Z]))\s*(?=[^=\s])"
)
FRACTION_PART = r"\s*(\d|[a-zA-Z]|\{[^{}]*\})"
THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:(?:,\d{3})+|(?: \d{3})+)(?:\.\d+)?")
DECIMAL = r"(?:\d+\.?\d*|\.\d+)"
DEGREES_OF = re.compile(
    r"(\\(?:sin|cos|tan|cot|sec|csc)\s*)[({]?\s*(\d+(?:\.\d+)?)\s*"
    r"(?:\^\{?\s*\\circ\s*\}?|°)\s*[)}]?"
)
ALL_REALS = re.compile(r"(?:\\text\{\s*)?all real numbers(?:\s*\})?", re.IGNORECASE)
BOLD = re.compile(r"\\(?:mathbf|boldsymbol|bm|mathit|mathsf)\{([^{}]*)\}")
# What is said in words of what has a sign.
SAID = {
    "infinity": "\\infty",
    "no solution": "\\emptyset",
    "no real solution": "\\emptyset",
    "empty set": "\\emptyset",
}
RELATION = re.compile(r"\\(l|g)(?:eq|eqslant|eqq)(?![a-zA-Z])")
BASE = re.compile(r"([0-9A-Za-z]+)_\{?\(?(\d{1,2})\)?\}?")
# 0.1\overline{6}, 0.1(6), 0.1\dot{6}
REPEATING = re.compile(r"([+-]?)(\d*)\.(\d*)(?:\\(?:overline|bar|dot)(?:\{(\d+)\}|(\d))|\((\d+)\))")


# "5 times ten" and "5 times x", but not "5 times" and "5 times a day".
TIMES = re.compile(rf"\btimes (?:\d|[b-z]\b|(?:{'|'.join(numerals.SMALL)})\b)", re.IGNORECASE)


class Number(NamedTuple):
    """A number and how it was written."""

    value: Fraction
    places: int  # decimal places; 0 for whole numbers and fractions
    digits: int  # significant digits written
    reduced: bool = True  # False for 2/4 and 4/2


@lru_cache(maxsize=4096)
def unify(text: str) -> str:
    """Write an answer without what does not matter; what is left is still LaTeX."""
    text = VULGAR.sub(_vulgar, RAISED.sub(_raised, text.strip())).translate(SIGNS)
    text = DASH.sub(r"\1\2-", text)  # a sign; that of "3–5" is none
    text = text.replace("\\\\", ROW_END).replace("{,}", ",").replace("\\(", "").replace("\\)", "")
    text = EMPHASIS.sub("", ROOT.sub(lambda m: f"\\sqrt{{{m[1] or m[2]}}}", text))
    text = re.sub(r"(?<=[\w)}])\s*\*\*\s*(?=[\w({-])", "^", text)  # a power, as in Python
    text = re.sub(r"(?<=\d) x (?=\d)", r"\\times ", text)
    text = re.sub(r"\\\{\s*\\\}", r"\\emptyset", text)
    text = DEGREES_OF.sub(r"\1(\\frac{\2\\pi}{180})", text)
    text = RELATION.sub(r"\\\1e", text)
    text = re.sub(r"\\[dtc](frac|binom)(?![a-zA-Z])", r"\\\1", text)
    text = re.sub(r"\\varnothing(?![a-zA-Z])", r"\\emptyset", text)
    text = re.sub(r"\\(?:mathrm|mbox|textbf|textit|textrm|operatorname)(?=\{)", r"\\text", text)
    text = re.sub(r"\\text\{([^{}a-zA-Z]+|[ei])\}", r"\1", text)
    text = BOLD.sub(_bold, ALL_REALS.sub(r"\\mathbb{R}", text))
    text = NEARLY.sub("", DROPPED.sub("", text)).strip().removesuffix(".").strip()
    text = re.sub(rf"\\(frac|binom){FRACTION_PART}{FRACTION_PART}", _braces, text)
    text = re.sub(r"\\sqrt\s*(\d)", r"\\sqrt{\1}", text)
    text = re.sub(r"(?<![\\a-zA-Z])sqrt\(([^()]*)\)", r"\\sqrt{\1}", text)
    text = re.sub(r"(?<![\\a-zA-Z])pi(?![a-zA-Z])", r"\\pi", text)
    text = CHINESE_UNIT.sub(_chinese_unit, text)
    whole = re.fullmatch(r"\\text\{([^{}]*)\}", text)
    text = whole[1].strip() if whole else TEXT_UNIT.sub(_text_unit, text)
    text = SAID.get(text.lower().removeprefix("the ").removesuffix("s"), text)
    unit = WORD_UNIT.search(text)
    text = _without_unit(text, unit) if unit else text
    text = text if NAME.match(text) else NAME_LAST.sub(r"\2=\1", text)
    return text.replace(ROW_END, "\\\\")


def without_names(a: str, b: str) -> tuple[str, str]:
    """Leave out the name in `x = 5`, unless both sides name different things."""
    names = NAME.match(a), NAME.match(b)
    if names[0] and names[1] and _apart(names[0][1], names[1][1]):
        return a, b
    if bool(names[0]) != bool(names[1]) and "=" in (b if names[0] else a):
        return a, b  # x + y = 2 and y = 2 - x
    return without_name(a), without_name(b)


def without_name(text: str) -> str:
    """Leave out the name in `x = 5`, but not one of those in `x = 5, y = 7`."""
    rest = NAME.sub("", text)
    return text if "=" in rest and "," in rest else rest


def squeeze(text: str) -> str:
    """Take away spaces that do not part two numbers, and thousands separators."""
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"(?<!\d) | (?!\d)", "", text)
    return re.sub("[, ]", "", text) if THOUSANDS.fullmatch(text) else text


def number(text: str) -> Number | None:
    """Read a squeezed text as one number, in any of the ways numbers are written."""
    if (said := numerals.spelled(text)) is not None:
        return Number(Fraction(said), 0, 0)
    if text.endswith(ORDINAL_ENDS):
        text = ORDINAL.sub(_ordinal, text)
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
        wholes = above.lstrip("+-").isdigit() and below.lstrip("+-").isdigit()
        reduced = not wholes or math.gcd(int(above), int(below)) == 1
        return Number(-size if sign == "-" else size, 0, 0, reduced)
    power = r"([+-]?\d{1,3})"
    found = re.fullmatch(rf"{part}(?:\\times|\\cdot|\*)10\^\{{?{power}\}}?", text)
    found = found or re.fullmatch(rf"{part}[eE]{power}", text)
    if found:
        return Number(Fraction(found[1]) * Fraction(10) ** int(found[2]), 0, 0)
    if found := REPEATING.fullmatch(text):
        sign, whole, first, *parts = found.groups()
        again = next(part for part in parts if part)
        size = Fraction(f"{whole or 0}.{first or 0}")
        size += Fraction(int(again), (10 ** len(again) - 1) * 10 ** len(first))
        return Number(-size if sign == "-" else size, 0, 0)
    return None


def is_words(text: str) -> bool:
    """Say whether a text is words of a language and not a formula."""
    words = re.findall(r"[^\W\d_]+", text)
    return bool(re.fullmatch(r"[^\W\d_][\w\s.,:'’-]*", text)) and max(map(len, words)) >= 3


def is_changed(text: str) -> bool:
    """Say whether a text is a number and words that make another of it: "5 less than x"."""
    behind = re.fullmatch(rf"[+-]?{DECIMAL}\s+([a-zA-Z][\w\s]*)", text)
    words = behind[1].lower().split() if behind else []
    changed = any(word in OPERATIONS or word in SCALES for word in words)
    return changed or bool(behind and TIMES.search(behind[1]))


def is_rounded(n: Number) -> bool:
    """Say whether a decimal has enough places to be the rounding of something."""
    return bool(n.places) and min(n.places, n.digits) >= MIN_PLACES


def places_rule(n: Number) -> str:
    """Name the rule by which a decimal was compared."""
    return f"number, {n.places} places"


def places(expected: str, said: str, rules: Rules = DEFAULT) -> int:
    """Give the places to which a decimal is compared with an expression: its own, 6 at most."""
    if rules.decimals == "exact":
        return EXACT_PLACES
    found = [number(squeeze(NAME.sub("", text))) for text in (expected, said)]
    return min([MAX_PLACES, *(min(n.places, n.digits) for n in found if n and is_rounded(n))])


def in_base(found: re.Match[str]) -> object:
    """Give the value of digits in a base, or what is written where that is no number."""
    try:
        return int(found[1], int(found[2]))
    except ValueError:  # `a_1`, or a digit the base does not have
        return found.groups()


def _apart(a: str, b: str) -> bool:
    """Say whether two names are of different things: x and y are, f(x) and y are not."""
    a, b = (re.sub(r"[{}\\\s]|text", "", name) for name in (a, b))
    if a == b:
        return False
    calls = a.endswith(")"), b.endswith(")")
    if calls[0] != calls[1]:
        return "(" in (a[0], b[0])
    return len(a) < 3 or len(b) < 3 or calls[0]


def _raised(found: re.Match[str]) -> str:
    return f"^{{{unicodedata.normalize('NFKC', found[0]).replace('−', '-')}}}"


def _vulgar(found: re.Match[str]) -> str:
    above, _, below = unicodedata.normalize("NFKC", found[0]).partition("⁄")
    return f"\\frac{{{above}}}{{{below}}}"


def _braces(found: re.Match[str]) -> str:
    name, *parts = found.groups()
    above, below = (part if part.startswith("{") else f"{{{part}}}" for part in parts)
    return f"\\{name}{above}{below}"


def _text_unit(found: re.Match[str]) -> str:
    """Drop a unit; words that change a number are left for `_without_unit`."""
    words = set(re.findall(r"[a-z]+", found[1].lower()))
    return f" {found[1].strip()}" if words & (OPERATIONS | set(SCALES)) else ""


def _without_unit(text: str, unit: re.Match[str]) -> str:
    words = [word.strip(".").lower() for word in re.split(r"[ /]+", unit[1]) if word.strip(".")]
    if any(word in FUNCTIONS or word in OPERATIONS for word in words) or TIMES.search(unit[1]):
        return text
    if not words or not all(len(w) >= 3 or w in SHORT_UNITS for w in words[:1]):
        return text
    rest = text[: unit.start()]
    scale = SCALES.get(words[0])
    if scale is None:
        return rest
    scaled = number(squeeze(rest))
    return text if scaled is None else str(scaled.value * scale)


def _chinese_unit(found: re.Match[str]) -> str:
    """Drop a unit, or write out 万 and the like."""
    word = found[1]
    scale = CHINESE_SCALES.get(word[0], 1) if word not in CHINESE_METRIC else 1
    rest = word[1:] if scale > 1 else word
    if word not in CHINESE_METRIC and CHINESE_CHANGES & set(rest):
        return found[0]
    return "" if scale == 1 else f"\\times 10^{{{len(str(scale)) - 1}}}"


def _ordinal(found: re.Match[str]) -> str:
    """Write 60th as 60; what has another ending than its number is no ordinal."""
    last = int(found[1])
    ending = "th" if 10 < last < 14 else {1: "st", 2: "nd", 3: "rd"}.get(last % 10, "th")
    return found[1] if ending in found.groups()[1:] else found[0]


def _bold(found: re.Match[str]) -> str:
    r"""Take the letters as they are; `\mathbf{3 6}`, from a scan, is one number."""
    digits = found[1].replace(" ", "").removesuffix(".")
    return digits if digits.lstrip("-").isdigit() else found[1]
