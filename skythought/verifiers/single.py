r"""Answers of one value, and equations.

single("\sqrt{12}", "2\sqrt{3}", how)     -> True,  "algebra"
single("2\pi", "6.2832", how)             -> True,  "number, 4 places"
single("x + y = 2", "y = 2 - x", how)     -> True,  "equation"
single("\sin 1", "\cos 1", how)           -> None: somebody else has to decide
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

from skythought.formulas import enclosure, polynomial, reading
from skythought.formulas.algebra import Algebra
from skythought.formulas.polynomial import TooLarge, TooLong, Undefined, Value
from skythought.formulas.reading import Unread
from skythought.verifiers import exact, notation
from skythought.verifiers.parts import How, readable
from skythought.verifiers.rules import NEAR

Decision = tuple[bool | None, str]
SYMBOL = re.compile(r"\\?[a-zA-Z]+(?:_\{?\w+\}?)?")
DECIMAL = re.compile(r"\d*\.\d+")


def single(a: str, b: str, how: How) -> Decision:
    """Compare two formulas or equations; None where these rules cannot tell."""
    if "=" in a or "=" in b:
        same = _equations(a, b, how)
        return same, "equation" if same is not None else ""
    for one, other in ((a, b), (b, a)):
        if notation.BASE.fullmatch(one) and readable(other, how.algebra):
            return False, "base"
    return scalar(a, b, how)


def scalar(a: str, b: str, how: How) -> Decision:
    """Compare two formulas of one value each."""
    flat = [notation.number(notation.squeeze(text)) for text in (a, b)]
    if flat[0] and flat[1]:
        return exact.same_number(flat[0], flat[1], (False, False), how.rules)
    work = how.algebra
    try:
        values = [polynomial.number(flat[0].value) if flat[0] else reading.read(a, work)]
        try:
            values.append(polynomial.number(flat[1].value) if flat[1] else reading.read(b, work))
        except TooLong:
            return False, f"refused: a number of more than {polynomial.MAX_BITS} bits"
        if how.rules.decimals != "exact":
            for n, value in ((flat[0], values[1]), (flat[1], values[0])):
                if n and notation.is_rounded(n):
                    half = Fraction(1, 2 * 10**n.places)
                    return _near(n.value, half, value), notation.places_rule(n)
        same = work.equal(values[0], values[1])
        if same is not True and how.rules.decimals == "near" and any(map(DECIMAL.search, (a, b))):
            close = _close(values[0], values[1], work)
            return (close, "nearly") if close else (same, "algebra")
    except (Unread, Undefined, TooLarge):
        return None, ""
    return (same, "algebra") if same is not None else (None, "")


def _equations(a: str, b: str, how: How) -> bool | None:
    left, right = a.split("="), b.split("=")
    work = how.algebra
    if not all(map(str.strip, (*left, *right))):
        return None
    try:
        if len(left) == 2 and len(right) == 2:
            return _same_equation(left, right, how)
        if len(left) == 2 and len(right) == 1 and not notation.NAME.match(a):
            return False if all(readable(x, work) for x in (*left, b)) else None
        if len(left) == 1:
            first = notation.NAME.match(b)
            if first or not polynomial.names(reading.read(right[0], work)):
                return scalar(a, right[-1].strip(), how)[0]
    except (Unread, Undefined, TooLarge):
        return None
    return None


def _same_equation(a: Sequence[str], b: Sequence[str], how: How) -> bool | None:
    work = how.algebra
    sides = [[reading.read(side, work) for side in pair] for pair in (a, b)]
    one, other = (polynomial.cleared(work.difference(*pair)) for pair in sides)
    if polynomial.proportional(one, other):
        return True
    if not one or not other:
        return None
    for swapped in (False, True):  # both solved for the same name
        (p, q), (r, s) = (pair[::-1] if swapped else pair for pair in sides)
        lone = {frozenset(p.top.items()), frozenset(r.top.items())}
        if len(lone) == 1 and SYMBOL.fullmatch((a[::-1] if swapped else a)[0].strip()):
            name = polynomial.names(p)
            if not name & (polynomial.names(q) | polynomial.names(s)):
                return work.equal(q, s)
    linear = polynomial.degree(one) == polynomial.degree(other) == 1
    return False if linear else None


def _near(value: Fraction, most: Fraction, other: Value) -> bool | None:
    """Say whether a number is within a distance; None where the enclosure cannot tell."""
    if (exactly := other.rational) is not None:
        return abs(exactly - value) <= most
    bounds = enclosure.enclose(other)
    if bounds is None:
        return None
    low, high = bounds
    if value - most <= low and high <= value + most:
        return True
    return False if high < value - most or low > value + most else None


def _close(a: Value, b: Value, work: Algebra) -> bool | None:
    """Compare two constants to one part in 10,000 of the first."""
    bounds = enclosure.enclose(a)
    if bounds is None:
        return None
    size = abs(bounds[0])
    return _near(Fraction(0), size * Fraction(*NEAR), work.add(a, work.negative(b)))
