r"""The ways in which a side of a statement may be read, where it may be read in more than one.

    readings("20%*50")   -> ["(20/100)*50"]
    readings("2§\frac{1}{2}") -> ["(2+\frac{1}{2})", "2*\frac{1}{2}"]

The marks are those of `sides.py`.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import islice

MOST = 6  # readings of a side
NUMBER = r"\d+(?:\.\d+)?"
POWER = re.compile(r"(?<![\d.^{])(?!1[23](?!\.))(\d+(?:\.\d+)?)([23])(?![\d.])")
SHARE = re.compile(rf"({NUMBER})\s*%")
CHANGED = re.compile(rf"^([^%]+)([+-])({NUMBER})%$")
MIXED = re.compile(r"(\d+)§(\\frac\{\d+\}\{\d+\})")
SCALE = re.compile(rf"({NUMBER})¤(\d+)")
TRIGONOMETRY = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)")


def pairs(left: str, right: str) -> list[tuple[str, str]]:
    """List the ways to read both sides; the first is the most common."""
    found = []
    for a in islice(readings(left), MOST):
        for b in islice(readings(right), MOST):
            found.append((_shares(a), _shares(b)))
            if "%" in b:
                found.append((_shares(a), b.replace("%", "")))
            if ("%" in a or "%" in b) and not re.search(r"[*/(]|\\frac|[a-z]", a):
                found.append((a.replace("%", ""), b.replace("%", "")))
            if modulo := re.fullmatch(r"(.*\S) mod \d+", b):
                found.append((f"({_shares(a)}){b[modulo.end(1) :]}", _shares(b)))
            if b.endswith("!"):  # an exclamation
                found.append((_shares(a), b[:-1]))
            if changed := CHANGED.match(a):
                before, sign, share = changed.groups()
                found.append((f"({before})*(1{sign}{share}/100)", _shares(b)))
    return list(dict.fromkeys(found))


def parts(left: str, right: str) -> list[tuple[str, str]]:
    """List what else may be meant by a chain that is written as it is spoken.

    4 + 8 = 12 + 1 = 13: what follows is done to the left side's value. 3 * 2 * 5 = 3 * 2 = 6: the
    right side is the first part of the left one. 54 * 5 - 19 * 2 = 38: it is the last part.
    49/6 = 8 * 6 + 1: a division with its remainder. 62 + 82 = 100: powers whose raised digits were
    lost when the text was copied.
    """
    bare = re.fullmatch(rf"\(?-?{NUMBER}(?:/100\))?\)?", right.strip())
    found = [(left, right[:cut]) for cut in _cuts(right)]
    for cut in _cuts(left):
        if _cuts(left[cut + 1 :]) or "(" in left[cut + 1 :]:
            found.append((left[cut + 1 :], right))
    if bare:
        found += [(m[1], right) for m in re.finditer(r"(\([^()]*\))$", left) if m[1] != left]
    else:
        found += [(left[:cut], right) for cut in _cuts(left) if re.search(r"[-+*/(]", left[1:cut])]
        division = re.fullmatch(rf"({NUMBER}) ?/ ?({NUMBER})", left)
        if division and re.match(rf"{NUMBER}\*{re.escape(division[2])}(?![\d.])", right):
            found += [(division[1], right), (f"floor({left})*{division[2]}", right)]
    if " mod " in left:
        found.append((left.rpartition(" mod ")[2], right))
    powers = [(POWER.sub(r"\1^{\2}", a), a) for a in (left, right)]
    found += [(powers[0][0], right), (left, powers[1][0]), (powers[0][0], powers[1][0])]
    return [pair for pair in dict.fromkeys(found) if pair != (left, right)]


def is_part(left: str, right: str) -> bool:
    """Say whether one side is made of some of the other's numbers: a step on the way to it."""
    a, b = (Counter(re.findall(NUMBER, side)) for side in (left, right))
    if a.total() == b.total() or min(a.total(), b.total()) < 2:
        return False
    return a < b or b < a


def is_collected(text: str, terms: int) -> bool:
    """Say whether a sum is written as so many terms, with nothing left to be worked out."""
    signs = re.sub(r"\^\{[^{}]*\}|^\s*[-+]", "", text)
    return "(" not in text and len(re.findall(r"[-+]", signs)) + 1 == terms


def _cuts(text: str) -> list[int]:
    """List the places of operators outside of brackets, a few at most."""
    found, depth = [], 0
    for place, char in enumerate(text):
        depth += (char in "([{") - (char in ")]}")
        before = text[:place].rstrip()[-1:]
        if char in "+-*/" and not depth and before and before not in "+-*/^":
            found.append(place)
    return found[:MOST] + found[MOST:][-MOST:]


def readings(text: str) -> list[str]:
    """List the ways to read a side, shares apart."""
    texts = [_degrees(text)]
    if "¬" in text:
        texts = [t.replace("¬", sign) for t in texts for sign in ("", "-")]
    if "§" in text:
        texts = [new for t in texts for new in (MIXED.sub(r"(\1+\2)", t), t.replace("§", "*"))]
    if "@" in text:
        first, _, last = text.partition("@")
        texts = [new for t in texts for new in (t.replace("@", ""), first, last)]
    if "¤" in text:
        texts = [new for t in texts for new in (SCALE.sub(r"(\1*\2)", t), SCALE.sub(r"\1", t))]
    if "¶" in text:
        texts = [new for t in texts for new in (t.replace("¶", "*"), _without_asides(t))]
    texts = [t for t in texts if t.strip()]
    return [t.replace("§", "*").replace("¶", "").replace("¬", "-") for t in texts]


def _shares(text: str) -> str:
    return SHARE.sub(r"(\1/100)", text).replace("%", "*(1/100)")


def _degrees(text: str) -> str:
    if "°" not in text:
        return text
    if TRIGONOMETRY.search(text):
        return re.sub(rf"({NUMBER})°", r"(\1\\pi/180)", text)
    return text.replace("°", "")


def _without_asides(text: str) -> str:
    """Leave out every bracket that may be an aside."""
    kept, depth, skipping = [], 0, False
    for char in text:
        if char == "¶":
            skipping, depth = True, 0
        elif skipping:
            depth += (char in "([{") - (char in ")]}")
            skipping = depth > 0
        else:
            kept.append(char)
    return "".join(kept)
