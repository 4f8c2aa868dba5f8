r"""Numbers enclosed between two others: what proves that two formulas differ.

    apart(sqrt(3 + 2 sqrt(2)) - 2)  -> True: it is between 0.41421 and 0.41422
    apart(sqrt(4 + 2 sqrt(3)) - sqrt(3) - 1)  -> False: an interval around 0, which proves nothing

Bounds are whole multiples of 2^-256 and rounded outwards. Names stand for whole numbers: formulas
that differ there differ. Knows roots, pi, e, i and whole powers; anything else has no enclosure.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import NamedTuple

from skythought.formulas.polynomial import ONE, Gen, I, Poly, TooLarge, Value, names

BITS = 256
UNIT = 1 << BITS
MAX_BITS = 4_000  # of a bound
MAX_POWER = 200
# The digits are cut off, so the next one up is an upper bound.
DIGITS = 100
PI_DIGITS = int(
    "31415926535897932384626433832795028841971693993751"
    "058209749445923078164062862089986280348253421170679"
)
E_DIGITS = int(
    "27182818284590452353602874713526624977572470936999"
    "595749669676277240766303535475945713821785251664274"
)
POINTS = ((3, 5, 7, 11, 13), (2, 7, 3, 5, 4))  # of the names, in order


class Interval(NamedTuple):
    """Two bounds, in units of 2^-256."""

    low: int
    high: int


def apart(poly: Poly, bottoms: tuple[Poly, ...] = ()) -> bool:
    """Say whether a polynomial is not zero at a point where no denominator is zero."""
    known = sorted(names(Value(poly, {ONE: Fraction(1)})))
    if len(known) > len(POINTS[0]):
        return False
    for point in POINTS if known else POINTS[:1]:
        where = dict(zip(known, point, strict=False))
        try:
            if all(_parts_apart(p, where) for p in (poly, *bottoms)):
                return True
        except _UnknownError:
            continue
        except TooLarge:
            return False
    return False


def enclose(value: Value) -> tuple[Fraction, Fraction] | None:
    """Give bounds of a real number; None where there are none to be had."""
    try:
        top, bottom = _poly(value.top, {}), _poly(value.bottom, {})
        if _holds_zero(bottom):
            return None
        found = _divide(top, bottom)
    except (_UnknownError, TooLarge):
        return None
    return Fraction(found.low, UNIT), Fraction(found.high, UNIT)


class _UnknownError(Exception):
    """No enclosure is known."""


def _parts_apart(poly: Poly, where: dict[str, int]) -> bool:
    """Look at the real and the imaginary part of a polynomial."""
    imaginary = {m: c for m, c in poly.items() if any(g == I for g, _ in m)}
    real = {m: c for m, c in poly.items() if m not in imaginary}
    without = {tuple(p for p in m if p[0] != I): c for m, c in imaginary.items()}
    return any(part and not _holds_zero(_poly(part, where)) for part in (real, without))


def _poly(poly: Poly, where: dict[str, int]) -> Interval:
    low = high = 0
    for monomial, factor in poly.items():
        term = _rational(factor)
        for gen, exponent in monomial:
            term = _multiply(term, _power(_generator(gen, where), exponent))
        low, high = low + term.low, high + term.high
    return Interval(low, high)


def _generator(gen: Gen, where: dict[str, int]) -> Interval:
    if gen.kind == "name":
        if gen.name not in where:
            raise _UnknownError
        return _rational(Fraction(where[gen.name]))
    if gen.kind == "prime":
        return _rational(Fraction(int(gen.name)))
    if gen.kind in ("pi", "e"):
        digits = PI_DIGITS if gen.kind == "pi" else E_DIGITS
        low, high = (_rational(Fraction(d, 10**DIGITS)) for d in (digits, digits + 1))
        return Interval(low.low, high.high)
    if gen.kind == "base":
        inside = gen.args[0]
        assert isinstance(inside, tuple)
        return _poly(dict(inside), where)
    if gen.kind == "power":
        base, exponent = gen.args
        assert isinstance(base, Gen)
        assert isinstance(exponent, tuple)
        whole = Fraction(1)
        for inner, power in exponent:
            if inner.kind != "name" or power.denominator != 1 or inner.name not in where:
                raise _UnknownError
            whole *= Fraction(where[inner.name]) ** int(power)
        return _power(_generator(base, where), whole)
    if gen.kind == "function" and gen.name in ("lfloor", "lceil", "factorial", "binomial"):
        return _rational(Fraction(_whole_function(gen, where)))
    raise _UnknownError


def _whole_function(gen: Gen, where: dict[str, int]) -> int:
    """Compute what has whole numbers as values."""
    of = []
    for argument in gen.args:
        assert isinstance(argument, tuple)
        of.append(_divide(*(_poly(dict(key), where) for key in argument)))
    if gen.name in ("lfloor", "lceil"):
        up = UNIT - 1 if gen.name == "lceil" else 0
        low, high = ((bound + up) >> BITS for bound in of[0])
        if low != high:
            raise _UnknownError
        return low
    numbers = [a.low >> BITS for a in of]
    if any(a.low != a.high or a.low % UNIT or not 0 <= a.low >> BITS <= 50 for a in of):
        raise _UnknownError
    return math.comb(*numbers) if gen.name == "binomial" else math.factorial(numbers[0])


def _rational(value: Fraction) -> Interval:
    scaled = value.numerator << BITS
    low = scaled // value.denominator
    return _checked(low, low + (1 if scaled % value.denominator else 0))


def _multiply(a: Interval, b: Interval) -> Interval:
    corners = [x * y for x in a for y in b]
    return _checked(min(corners) >> BITS, -(-max(corners) >> BITS))


def _divide(a: Interval, b: Interval) -> Interval:
    if _holds_zero(b):
        raise _UnknownError
    corners = [Fraction(x, y) for x in a for y in b]
    return Interval(math.floor(min(corners) * UNIT), math.ceil(max(corners) * UNIT))


def _power(a: Interval, exponent: Fraction) -> Interval:
    whole, degree = exponent.numerator, exponent.denominator
    if degree > 1:
        if a.low < 0:
            raise _UnknownError
        scale = (degree - 1) * BITS
        if scale > MAX_BITS:
            raise _UnknownError
        a = _checked(_root(a.low << scale, degree), _root(a.high << scale, degree) + 1)
    if abs(whole) > MAX_POWER:
        raise _UnknownError
    found = Interval(UNIT, UNIT)
    for _ in range(abs(whole)):
        found = _multiply(found, a)
    return _divide(Interval(UNIT, UNIT), found) if whole < 0 else found


def _root(value: int, degree: int) -> int:
    """Give the whole part of a root, by Newton's method from above."""
    if degree == 2 or value == 0:
        return math.isqrt(value)
    guess = 1 << -(-value.bit_length() // degree)
    while True:
        better = ((degree - 1) * guess + value // guess ** (degree - 1)) // degree
        if better >= guess:
            return guess
        guess = better


def _holds_zero(a: Interval) -> bool:
    return a.low <= 0 <= a.high


def _checked(low: int, high: int) -> Interval:
    if max(low.bit_length(), high.bit_length()) > MAX_BITS:
        raise _UnknownError
    return Interval(low, high)
