r"""Polynomials with rational coefficients, in names, roots of primes, pi, e, i, 2^n and the like.

    3 x^2 - 2^(1/2)  is  {((Gen("name", "x"), 2),): 3, ((Gen("prime", "2"), 1/2),): -1}

What is known about them without computing: which generators are independent, which are positive.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple

MAX_BITS = 30_000  # of one number
MAX_WORK = 30_000  # products of terms in one comparison, long numbers counting more
MAX_DIVISOR = 20_000  # tried in factoring


class TooLarge(Exception):
    """The work is more than allowed."""


class TooLong(TooLarge):
    """A number has too many digits."""


class Undefined(Exception):
    """There is no such number, as with a division by zero."""


class Gen(NamedTuple):
    """A generator: something that polynomials are made of."""

    kind: str  # name, prime, pi, e, i, power, sign, base, function
    name: str = ""
    args: tuple[object, ...] = ()


Monomial = tuple[tuple[Gen, Fraction], ...]  # generators with exponents, sorted
Poly = dict[Monomial, Fraction]
Key = tuple[tuple[Monomial, Fraction], ...]  # a polynomial that can be part of a generator
ONE: Monomial = ()
I = Gen("i")  # noqa: E741
PI = Gen("pi")
E = Gen("e")


class Value(NamedTuple):
    """A quotient of two polynomials."""

    top: Poly
    bottom: Poly

    @property
    def rational(self) -> Fraction | None:
        """The value where it is a rational number."""
        if not self.top:
            return Fraction(0)
        if self.top.keys() == {ONE} and self.bottom == {ONE: 1}:
            return self.top[ONE]
        return None

    @property
    def generators(self) -> set[Gen]:
        """All generators, without those inside of others."""
        return _generators(self.top) | _generators(self.bottom)


class Work:
    """Counts what a comparison costs."""

    def __init__(self, most: int = MAX_WORK) -> None:
        self.left = most

    def spend(self, number: Fraction) -> None:
        """Count one product of terms.

        Raises:
            TooLarge: the number is too long, or there was too much work.
        """
        bits = number.numerator.bit_length() + number.denominator.bit_length()
        if bits > MAX_BITS:
            raise TooLarge
        self.charge(1 + bits // 200)

    def charge(self, products: int) -> None:
        """Count work that costs as much as so many products of terms.

        Raises:
            TooLarge: there was too much work.
        """
        self.left -= products
        if self.left < 0:
            raise TooLarge


def number(value: Fraction | int) -> Value:
    """Make a rational number."""
    value = Fraction(value)
    return Value({ONE: value} if value else {}, {ONE: Fraction(1)})


def generator(gen: Gen) -> Value:
    """Make a value that is one generator."""
    return Value({((gen, Fraction(1)),): Fraction(1)}, {ONE: Fraction(1)})


def independent(generators: Iterable[Gen]) -> bool:
    """Say whether polynomials in these are zero only where they have no terms."""
    kinds = set()
    for gen in generators:
        kinds.add(gen.kind)
        if gen.kind == "power":  # 2^n and n are, 2^pi and pi are not known to be
            exponent = gen.args[1]
            assert isinstance(exponent, tuple)
            if not any(g.kind == "name" for g, _ in exponent):
                return False
            if not all(g.kind == "name" for g, _ in exponent):
                return False
    allowed = {"name", "prime", "pi", "e", "i", "power"}
    return kinds <= allowed and not {"pi", "e"} <= kinds


def names(value: Value) -> set[str]:
    """List the names that a value depends on, those inside of roots and functions included."""
    found: set[str] = set()
    _collect(value, found)
    return found


def proportional(a: Poly, b: Poly) -> bool:
    """Say whether one polynomial is the other, times a number that is not 0."""
    if a.keys() != b.keys() or not a:
        return False
    factors = {a[m] / b[m] for m in a}
    return len(factors) == 1


def cleared(poly: Poly) -> Poly:
    """Multiply by names until none has a negative exponent: y - 1/x becomes xy - 1."""
    lowest: dict[Gen, Fraction] = {}
    for monomial in poly:
        for gen, exponent in monomial:
            if gen.kind == "name" and exponent < lowest.get(gen, 0):
                lowest[gen] = exponent
    if not lowest:
        return poly
    found: Poly = {}
    for monomial, factor in poly.items():
        exponents = dict(monomial)
        for gen, least in lowest.items():
            exponents[gen] = exponents.get(gen, Fraction(0)) - least
        found[tuple(sorted((g, e) for g, e in exponents.items() if e))] = factor
    return found


def degree(poly: Poly) -> Fraction:
    """Give the highest total degree in names; -1 where other things than names depend on them."""
    highest = Fraction(0)
    for monomial in poly:
        if any(g.kind not in ("name", "prime", "pi", "e", "i") for g, _ in monomial):
            return Fraction(-1)
        exponents = [e for g, e in monomial if g.kind == "name"]
        if any(e < 0 or e.denominator != 1 for e in exponents):
            return Fraction(-1)
        highest = max(highest, sum(exponents, Fraction(0)))
    return highest


def _generators(poly: Poly) -> set[Gen]:
    return {gen for monomial in poly for gen, _ in monomial}


def _collect(part: object, found: set[str]) -> None:
    if isinstance(part, Gen):
        if part.kind == "name":
            found.add(part.name)
        _collect(part.args, found)
    elif isinstance(part, dict):
        for monomial in part:
            _collect(monomial, found)
    elif isinstance(part, tuple):
        for inner in part:
            _collect(inner, found)


def added(a: Poly, b: Poly) -> Poly:
    """Add."""
    found = dict(a)
    for monomial, factor in b.items():
        found[monomial] = found.get(monomial, Fraction(0)) + factor
    return {m: c for m, c in found.items() if c}


def key(poly: Poly) -> Key:
    """Write a polynomial as what can be part of a generator."""
    return tuple(sorted(poly.items()))


def positive(gen: Gen) -> bool:
    """Say whether a generator is a positive number whatever the names are."""
    if gen.kind == "power":
        base = gen.args[0]
        assert isinstance(base, Gen)
        return base.kind in ("prime", "e")
    return gen.kind in ("prime", "pi", "e")


def one_name(monomial: Monomial) -> bool:
    """Say whether it is one name, once: sqrt(x) is, sqrt(x^2) is not x."""
    found = [(g, e) for g, e in monomial if not positive(g)]
    return len(found) == 1 and found[0][0].kind == "name" and found[0][1] == 1


def check_power(base: Fraction, exponent: int) -> None:
    """Refuse a power with too many digits.

    Raises:
        TooLong: it has.
    """
    bits = max(abs(base.numerator).bit_length(), base.denominator.bit_length())
    if bits > 1 and bits * abs(exponent) > MAX_BITS:
        raise TooLong


def factors(value: Fraction) -> dict[int, int]:
    """Factor a positive rational number; the exponents of a denominator are negative.

    Raises:
        TooLarge: a factor is too large to be found.
    """
    found: dict[int, int] = {}
    for whole, sign in ((value.numerator, 1), (value.denominator, -1)):
        left, divisor = whole, 2
        while divisor * divisor <= left:
            if divisor > MAX_DIVISOR:
                root = math.isqrt(left)
                if root * root != left or root > MAX_DIVISOR**2:
                    raise TooLarge
                found[root] = found.get(root, 0) + 2 * sign
                left = 1
                break
            while left % divisor == 0:
                found[divisor] = found.get(divisor, 0) + sign
                left //= divisor
            divisor += 1 if divisor == 2 else 2
        if left > 1:
            found[left] = found.get(left, 0) + sign
    return found
