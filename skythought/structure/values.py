"""The exact values of the formulas of a trace, with `formulas`.

    value("3 + gcd(12, 18)")  -> 9
    value("17 mod 5")         -> 2

Reads, beyond what `formulas` does, remainders and gcd, lcm, max, min, floor, ceil and |x| of
numbers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import Context, Decimal
from fractions import Fraction

from skythought.formulas import enclosure, polynomial, reading
from skythought.formulas.algebra import Algebra
from skythought.formulas.polynomial import Value, number
from skythought.formulas.reading import Unread

LOGARITHMS = Context(prec=40)
MAX_CALLS = 8  # of functions in a formula
MAX_WHOLE = 10**30  # of which a divisor is sought
CALL = re.compile(r"(gcd|lcm|gcf|max|min|floor|ceil|abs)\(([^()]*)\)")
ABSOLUTE = re.compile(r"\|([^|]+)\|")
COMMANDS = re.compile(r"\\[a-zA-Z]+|gcd|lcm|gcf|max|min|floor|ceil|abs| mod ")
GREEK = re.compile(r"\\(?!pi\b|frac|sqrt|binom|[lr]floor|[lr]ceil|sin|cos|tan|cot|sec|csc|log|ln)")
LETTER = re.compile(r"[a-zA-Z]")


def has_names(text: str) -> bool:
    """Say whether a formula has names in it; e and i may be names too."""
    return bool(GREEK.search(text) or LETTER.search(COMMANDS.sub("", text)))


def value(text: str, algebra: Algebra) -> Value:
    """Read a formula.

    Raises:
        Unread: what it means is not certain.
        Undefined: it divides by zero.
        TooLarge: to compute with it would take too long.
    """
    for _ in range(MAX_CALLS):
        new = CALL.sub(lambda m: _called(m[1], m[2], algebra), text)
        if new == text:
            break
        text = new
    if "|" in text:
        text = ABSOLUTE.sub(lambda m: _called("abs", m[1], algebra), text)
    if " mod " in text:
        return _modulo(text, algebra)
    return reading.read(text, algebra)


def equal(a: Value, b: Value, algebra: Algebra) -> bool | None:
    """Say whether two values are equal; None where that is not known."""
    if a.rational is not None and b.rational is not None:
        return a.rational == b.rational
    return algebra.equal(a, b)


def bounds(a: Value, b: Value, algebra: Algebra) -> tuple[Fraction | None, Fraction | None]:
    """Enclose the difference of two numbers; None where no enclosure is known."""
    if a.rational is not None and b.rational is not None:
        apart = a.rational - b.rational
        return apart, apart
    a, b = _without_logarithms(a), _without_logarithms(b)
    found = enclosure.enclose(algebra.add(a, algebra.negative(b)))
    return found or (None, None)


def terms(a: Value) -> set[polynomial.Monomial] | None:
    """List the monomials of a polynomial in names with rational coefficients; None for others."""
    if a.bottom != {polynomial.ONE: 1}:
        return None
    kinds = {gen.kind for gen in a.generators}
    return set(a.top) if kinds <= {"name", "i", "e"} else None


def _without_logarithms(a: Value) -> Value:
    """Put decimals of 40 digits for the natural logarithms of numbers: to compare with decimals."""
    return Value(_decimals(a.top), _decimals(a.bottom)) if _logarithms(a) else a


def _logarithms(a: Value) -> bool:
    return any(gen.kind == "function" and gen.name == "ln" for gen in a.generators)


def _decimals(poly: polynomial.Poly) -> polynomial.Poly:
    found: polynomial.Poly = {}
    for monomial, factor in poly.items():
        rest = []
        for gen, exponent in monomial:
            prime = _prime(gen)
            if prime and exponent.denominator == 1:
                factor *= Fraction(LOGARITHMS.ln(Decimal(prime))) ** exponent.numerator
            else:
                rest.append((gen, exponent))
        key = tuple(rest)
        found[key] = found.get(key, Fraction(0)) + factor
    return found


def _prime(gen: polynomial.Gen) -> int:
    """Give the whole number that a natural logarithm is of, 0 where it is something else."""
    if (gen.kind, gen.name) != ("function", "ln"):
        return 0
    of = gen.args[0]
    assert isinstance(of, tuple)
    a = Value(*(dict(part) for part in of)).rational
    return a.numerator if a is not None and a.denominator == 1 else 0


def near(a: Value) -> Fraction | None:
    """Give a number next to a real one; None where no enclosure is known."""
    if a.rational is not None:
        return a.rational
    found = enclosure.enclose(_without_logarithms(a))
    return found and (found[0] + found[1]) / 2


def _modulo(text: str, algebra: Algebra) -> Value:
    before, _, after = text.rpartition(" mod ")
    of, by = value(before, algebra).rational, value(after, algebra).rational
    if of is None or by is None or by <= 0 or of.denominator != 1 or by.denominator != 1:
        raise Unread
    return number(of % by)


def _called(name: str, inside: str, algebra: Algebra) -> str:
    """Write the value of a function of numbers as a formula."""
    args = [value(part, algebra).rational for part in inside.split(",")]
    known = [a for a in args if a is not None]
    if len(known) < len(args) or len(args) > 20:
        raise Unread
    whole = [int(a) for a in known if a.denominator == 1 and 0 < a < MAX_WHOLE]
    if name in ("gcd", "gcf", "lcm"):
        if len(whole) < len(args) or len(args) < 2:
            raise Unread
        found = Fraction(math.lcm(*whole) if name == "lcm" else math.gcd(*whole))
    elif name in ("max", "min"):
        found = max(known) if name == "max" else min(known)
    else:
        if len(known) != 1:
            raise Unread
        of: dict[str, Callable[[Fraction], Fraction | int]]
        of = {"floor": math.floor, "ceil": math.ceil, "abs": abs}
        found = Fraction(of[name](known[0]))
    return f"({found})"
