r"""Equality that needs no algebra: the same text, the same number, the same words.

    decide("\frac{14}{3}", "14/3")   -> True, "number"
    decide("\$32,\!348", "32348")    -> True, "text"
    decide("18", "18.5 dollars")     -> False, "number"
    decide("(C)", "C) seven")        -> True, "choice"
    decide("p - q", "-q + p")        -> None: somebody else has to decide

Left out of the comparison: spaces, `\left` and `\right`, emphasis, currency signs, degrees, units
after a number, and the name in `x = 5` unless both sides name different things. Units of one kind
are converted where both sides name one. The base of `21_8` counts where both sides name one. What
graders disagree about is in `rules.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction

from skythought.verifiers import letters, quantity, units
from skythought.verifiers.notation import (
    BASE,
    Number,
    in_base,
    is_changed,
    is_rounded,
    is_words,
    number,
    places_rule,
    squeeze,
    unify,
    without_names,
)
from skythought.verifiers.rules import DEFAULT, NEAR, Rules

TEXT = re.compile(r"\\text\{([^{}]*)\}")
CHOICE_TEXT = re.compile(r"\(?([A-J])[).:]\s*(\S.*)", re.DOTALL)
RATIO = re.compile(r"\d{1,9}(?::\d{1,9}){1,9}")
CHOICE = re.compile(r"\(?([A-J])(?:[).:,;&|]|$|\s+(?![=+\-*/^]))")
CLOCK = re.compile(r"\d:\d\d|\d\W*(?:\\text\{\s*)?[apAP]\.?\s?[mM]")
FORMULA = re.compile(r"\d")
WORD = re.compile(r"[^\W\d_]{3}")


def decide(
    expected: str, said: str, rules: Rules = DEFAULT, options: Mapping[str, str] | None = None
) -> tuple[bool, str] | None:
    """Say whether two answers are equal and by which rule; None where these rules cannot tell.

    `options` are the texts of the choices by their letters, where the question has some.
    """
    if rules.units and (missing := _unit_missing(expected, said)):
        return False, missing
    decided: list[tuple[bool, str] | None] = [(False, "unit")]
    for one, other, converted in units.readings(expected, said):
        found = _decide(one, other, rules, options or {})
        found = (found[0], "unit") if found and converted else found
        if found and found[0]:
            return found
        decided.append(found)
    return None if None in decided else decided[-1]


def _decide(
    expected: str, said: str, rules: Rules, options: Mapping[str, str]
) -> tuple[bool, str] | None:
    if CLOCK.search(expected) and CLOCK.search(said):
        times = quantity.minutes(expected), quantity.minutes(said)
        if times[0] and times[1]:
            return _same_time(times[0], times[1]), "time"
    a, b = without_names(unify(expected), unify(said))
    shares = "%" in expected or "percent" in expected, "%" in said or "percent" in said
    literal = rules.percent == "literal" and shares[0] != shares[1]
    flat_a, flat_b = squeeze(a), squeeze(b)
    if flat_a == flat_b and not literal:
        return True, "text"
    number_a, number_b = number(flat_a), number(flat_b)
    if is_changed(b) and not is_changed(a) and number_a:
        return False, "words"
    if number_a and number_b is None and (only := quantity.alone(said)):
        return number_a.value == Fraction(only), "unit, others 0"
    if number_a and number_b:
        return same_number(number_a, number_b, shares, rules)
    return _in_words(expected, said, (a, b), (flat_a, flat_b), rules, options)


def _in_words(
    expected: str,
    said: str,
    unified: tuple[str, str],
    flat: tuple[str, str],
    rules: Rules,
    options: Mapping[str, str],
) -> tuple[bool, str] | None:
    """Compare digits in a base, choices, times, dates, ratios and words."""
    base_a, base_b = BASE.fullmatch(flat[0]), BASE.fullmatch(flat[1])
    if base_a and base_b:
        return in_base(base_a) == in_base(base_b), "base"
    if base_a and base_a[1] == flat[1] and flat[1].isdigit():
        return not rules.units, "base left out"
    for base, other in ((base_a, number(flat[1])), (base_b, number(flat[0]))):
        if base and other and isinstance(value := in_base(base), int):
            return base is base_b and value == other.value, "base"
    if (selected := _selected(*unified, rules)) is not None:
        return selected, "choices"
    choice = CHOICE.fullmatch(flat[0])
    if choice:
        chosen = CHOICE.match(TEXT.sub(r"\1", unified[1]))
        chosen = chosen or (CHOICE.fullmatch(flat[1].upper()) if not rules.case else None)
        if chosen:
            return _chosen(chosen, choice[1], unified[1], options)
        letter = _option(unified[1], options, rules) if rules.texts else ""
        if letter:
            return letter == choice[1], "choice, text"
    written = CHOICE_TEXT.fullmatch(TEXT.sub(r"\1", unified[0]))
    if written:
        chosen = CHOICE.match(TEXT.sub(r"\1", unified[1]))
        if chosen:
            return _chosen(chosen, written[1], unified[1], options)
        if rules.texts:
            return decide(written[2], said, rules)
    time, whole = quantity.minutes(said), number(flat[0])
    if whole and time and not rules.units:
        return whole.value * 60 in (time[0], (time[0] - 720) % 1440), "time"
    days = quantity.date(expected), quantity.date(said)
    if days[0] and days[1]:
        return _same_date(days[0], days[1]), "date"
    ratio = _ratio(flat[0], flat[1])
    if ratio is not None:
        return ratio, "ratio"
    if is_words(unified[1]) and FORMULA.search(unified[0]) and not WORD.search(unified[0]):
        return False, "words"
    if is_words(unified[0]):
        if rules.case and _letters(unified[0]) == _letters(unified[1]):
            same = _spaced(unified[0]) == _spaced(unified[1])
            return same, "words"
        return _letters(unified[0]) == _letters(unified[1]), "words"
    return None


def same_number(a: Number, b: Number, shares: tuple[bool, bool], rules: Rules) -> tuple[bool, str]:
    """Compare the numbers of a reference and an answer, which may be shares in percent."""
    if rules.percent == "literal" and shares[0] != shares[1]:
        a, b = (
            n._replace(value=n.value / 100) if share else n
            for n, share in zip((a, b), shares, strict=True)
        )
    if a.value == b.value:
        if rules.reduced and a.reduced and not b.reduced:
            return False, "number, not reduced"
        return True, "number"
    if rules.percent == "any" or (rules.percent == "sign" and shares[0] != shares[1]):
        share, plain = (b, a) if shares[1] and not shares[0] else (a, b)
        if share.value == 100 * plain.value:  # 50 % is 0.5 too
            return True, "number, percent"
        if rules.percent == "any" and plain.value == 100 * share.value:
            return True, "number, percent"
    if rules.decimals == "exact":
        return False, "number"
    if rules.decimals == "near" and abs(a.value - b.value) <= abs(a.value) * Fraction(*NEAR):
        return True, "number, nearly"
    short = min((n for n in (a, b) if n.places), key=lambda n: n.places, default=None)
    if short is not None and is_rounded(short):
        near = abs(a.value - b.value) <= Fraction(1, 2 * 10**short.places)
        return near, places_rule(short)
    return False, "number"


def _unit_missing(expected: str, said: str) -> str:
    """Name what is wrong with the unit of an answer, "" where nothing is."""
    a, b = units.measured(expected), units.measured(said)
    if a and b:
        return "" if a.unit.kind == b.unit.kind else "another unit"
    wanted, found = quantity.unit(expected), quantity.unit(said)
    if a and (a.sure or a.spaced):
        wanted = wanted or "a unit"
    if not wanted or wanted == found:
        return ""
    return "another unit" if found else "unit missing"


def _chosen(
    chosen: re.Match[str], wanted: str, text: str, options: Mapping[str, str]
) -> tuple[bool, str]:
    """Compare the letter a text begins with; one that names another too has not chosen."""
    own = letters.plain(options.get(chosen[1], ""))
    if not (own and letters.behind(text) == own) and letters.several(text):
        return False, "choice, several"
    return chosen[1] == wanted, "choice"


def _selected(expected: str, said: str, rules: Rules) -> bool | None:
    """Compare selections of several letters; None where there are none, or none set apart."""
    wanted = letters.selection(expected)
    found = letters.selection(said) if wanted else ()
    if not found or (expected.isalpha() and said.isalpha()):  # AB and BA are a product
        return None
    if re.search(r"\bor\b", said) and not re.search(r"\bor\b", expected):
        return False
    return wanted == found if rules.ordered else set(wanted) == set(found)


def _option(text: str, options: Mapping[str, str], rules: Rules) -> str:
    """Find the letter of the choice that a text states, "" where none or several say so."""
    found = [
        letter
        for letter, option in options.items()
        if (decided := decide(option, text, rules)) and decided[0]
    ]
    return found[0] if len(found) == 1 else ""


def _same_time(a: tuple[int, bool], b: tuple[int, bool]) -> bool:
    """Compare times of day; one without am or pm may be either."""
    return a[0] == b[0] or (a[1] != b[1] and (a[0] - b[0]) % 720 == 0)


def _same_date(a: tuple[int | None, int, int], b: tuple[int | None, int, int]) -> bool:
    return a[1:] == b[1:] and (a[0] == b[0] or None in (a[0], b[0]))


def _ratio(a: str, b: str) -> bool | None:
    """Compare 3:4 with 6:8, 1:2:3 with 2:4:6, or 3:4 with a number; None where neither is one."""
    ratios = [[int(n) for n in t.split(":")] if RATIO.fullmatch(t) else [] for t in (a, b)]
    if ratios[0] and ratios[1]:
        if any(ratio[-1] == 0 for ratio in ratios):
            return None
        same = [x * ratios[1][-1] == y * ratios[0][-1] for x, y in zip(*ratios, strict=False)]
        return len(ratios[0]) == len(ratios[1]) and all(same)
    for ratio, other in ((ratios[0], b), (ratios[1], a)):
        n = number(other)
        if len(ratio) == 2 and ratio[1] and n is not None and n.value == Fraction(*ratio):
            return True
    return None


def _spaced(text: str) -> str:
    return re.sub(r"[\W_]", "", text.replace("\\text", ""))


def _letters(text: str) -> str:
    return re.sub(r"[\W_]", "", text.replace("\\text", "")).casefold()
