r"""Exact arithmetic with roots, pi, names and powers: what decides most formulas without sympy.

    equal(sqrt(12), 2 sqrt(3))         -> True:  12^(1/2) is 2 * 3^(1/2)
    equal(p - q, -q + p)               -> True:  the same polynomial
    equal(1 - 1/e, 1 + 1/e)            -> False: different ones
    equal(sqrt(3 + 2 sqrt(2)), 2)      -> False: enclosures that do not meet
    equal(sqrt(3 + 2 sqrt(2)), 1 + sqrt(2)) -> None: somebody else has to decide

A value is a quotient of two polynomials with rational coefficients in generators: names, pi, e, i,
roots of primes, powers such as 2^n, and opaque ones (roots of sums, sines). A zero difference
proves equality. One that is not zero proves inequality where its generators are independent: the
roots of primes are, over the rationals (Besicovitch, J. London Math. Soc. 15, 1940), and pi or e
over those (Lindemann). Otherwise an enclosure of the difference that does not hold 0 does. Work is
counted; what takes too much raises TooLarge.
"""

from __future__ import annotations

import math
from fractions import Fraction

from skythought.formulas import enclosure
from skythought.formulas.polynomial import (
    MAX_WORK,
    ONE,
    PI,
    E,
    Gen,
    I,
    Poly,
    TooLarge,
    Undefined,
    Value,
    Work,
    added,
    check_power,
    factors,
    generator,
    independent,
    key,
    number,
    one_name,
    positive,
)

MAX_POWER = 64  # to which a sum is raised
MAX_DEGREE = 10_000  # of a root
# Sign and square of sin(pi x), by x.
SINES = {
    Fraction(part, 12) + half: (1 - 2 * half, Fraction(square, 4))
    for half in (0, 1)
    for part, square in ((0, 0), (2, 1), (3, 2), (4, 3), (6, 4), (8, 3), (9, 2), (10, 1))
}


class Algebra:
    """The operations, with one count of work for all of them."""

    def __init__(self, most: int = MAX_WORK) -> None:
        self.work = Work(most)

    def add(self, a: Value, b: Value) -> Value:
        """Add."""
        if a.bottom == b.bottom:
            return Value(added(a.top, b.top), a.bottom)
        one, other = self._product(a.top, b.bottom), self._product(b.top, a.bottom)
        return Value(added(one, other), self._product(a.bottom, b.bottom))

    def negative(self, a: Value) -> Value:
        """Change the sign."""
        return Value({m: -c for m, c in a.top.items()}, a.bottom)

    def multiply(self, a: Value, b: Value) -> Value:
        """Multiply."""
        return self._quotient(self._product(a.top, b.top), self._product(a.bottom, b.bottom))

    def divide(self, a: Value, b: Value) -> Value:
        """Divide.

        Raises:
            Undefined: by zero.
        """
        if not b.top:
            raise Undefined("division by zero")
        return self._quotient(self._product(a.top, b.bottom), self._product(a.bottom, b.top))

    def power(self, base: Value, exponent: Value) -> Value:
        """Raise to a power, rational or with names in it.

        Raises:
            Undefined: 0 to a negative power.
            TooLarge: a negative number or a sum to a power with names, or a number too large.
        """
        constant = exponent.rational
        if constant is None and base == generator(E):
            turn = self.divide(exponent, self.multiply(generator(I), generator(PI)))
            if turn.rational is not None:  # Euler's formula
                angle = self.multiply(turn, generator(PI))
                imaginary = self.multiply(generator(I), self.sine(angle))
                return self.add(self.sine(angle, co=True), imaginary)
        if constant is None:
            return self._named_power(base, exponent)
        if constant.denominator == 1:
            return self._whole_power(base, constant.numerator)
        root = self.root(base, constant.denominator)
        return self._whole_power(root, constant.numerator)

    def root(self, a: Value, degree: int) -> Value:
        """Take the principal root; that of a negative number is real where the degree is odd.

        Raises:
            TooLarge: the degree or the number is.
        """
        if not a.top:
            return a
        if not 2 <= degree <= MAX_DEGREE:
            raise TooLarge
        if len(a.top) == 1 and a.bottom == {ONE: 1}:
            ((monomial, factor),) = a.top.items()
            if all(positive(g) for g, _ in monomial) or one_name(monomial):
                whole = self._number_root(factor, degree) if not monomial or factor > 0 else None
                if whole is not None:
                    roots = tuple((g, e / degree) for g, e in monomial)
                    return self.multiply(whole, self._reduced({roots: Fraction(1)}))
        return self._opaque_root(a, degree)

    def sine(self, a: Value, *, co: bool = False) -> Value:
        """Make a sine or cosine, exact at the multiples of 30 and 45 degrees."""
        turns = self.divide(a, generator(PI)).rational
        known = None if turns is None else SINES.get((turns + Fraction(co, 2)) % 2)
        if known is None:
            return self.function("cos" if co else "sin", a)
        sign, square = known
        return self.multiply(number(sign), self.root(number(square), 2))

    def function(self, name: str, *args: Value) -> Value:
        """Make the value of a function of which only its name is known."""
        keys = tuple((key(a.top), key(a.bottom)) for a in args)
        return generator(Gen("function", name, keys))

    def logarithm(self, name: str, a: Value) -> Value:
        """Make a logarithm; that of a rational number is a sum of those of primes."""
        value = a.rational
        if value is None:
            if name == "ln" and a == generator(E):
                return number(1)
            return self.function(name, a)
        if value <= 0:
            raise Undefined(f"{name} of {value}")
        found = number(0)
        for prime, times in factors(value).items():
            part = self.function(name, number(prime))
            found = self.add(found, self.multiply(number(times), part))
        return found

    def difference(self, a: Value, b: Value) -> Poly:
        """Give a polynomial that is zero where the values are equal."""
        one, other = self._product(a.top, b.bottom), self._product(b.top, a.bottom)
        return added(one, {m: -c for m, c in other.items()})

    def equal(self, a: Value, b: Value) -> bool | None:
        """Say whether two values are equal; None where that is not known.

        Raises:
            TooLarge: to find out would take too long.
        """
        difference = self.difference(a, b)
        if not difference:
            return True
        generators = Value(difference, a.bottom).generators | b.generators
        if independent(generators):
            return False
        self.work.charge(20 * len(difference))
        return False if enclosure.apart(difference, (a.bottom, b.bottom)) else None

    def _quotient(self, top: Poly, bottom: Poly) -> Value:
        """Divide by a denominator of one term; others stay."""
        if len(bottom) == 1:
            ((monomial, factor),) = bottom.items()
            if all(g.kind not in ("base", "sign") for g, _ in monomial):
                inverse = self._reduced({tuple((g, -e) for g, e in monomial): 1 / factor})
                return Value(self._product(top, inverse.top), {ONE: Fraction(1)})
        return Value(top, bottom)

    def _product(self, a: Poly, b: Poly) -> Poly:
        if a == {ONE: 1}:
            return b
        if b == {ONE: 1}:
            return a
        found: Poly = {}
        for one, c in a.items():
            for other, d in b.items():
                factor = c * d
                self.work.spend(factor)
                merged = dict(one)
                for gen, exponent in other:
                    merged[gen] = merged.get(gen, Fraction(0)) + exponent
                for monomial, value in self._reduced(
                    {tuple(sorted(merged.items())): factor}
                ).top.items():
                    found[monomial] = found.get(monomial, Fraction(0)) + value
        return {m: c for m, c in found.items() if c}

    def _reduced(self, poly: Poly) -> Value:
        """Take whole powers of primes, of i and of roots of sums out of one term."""
        ((monomial, factor),) = poly.items()
        rest: list[tuple[Gen, Fraction]] = []
        sums: list[tuple[Gen, int]] = []
        for gen, exponent in monomial:
            if gen.kind == "prime":
                whole = math.floor(exponent)
                check_power(Fraction(int(gen.name)), whole)
                factor *= Fraction(int(gen.name)) ** whole
                exponent -= whole
            elif gen.kind == "i":
                turns = int(exponent % 4)  # its exponents are whole
                factor *= -1 if turns in (2, 3) else 1
                exponent = Fraction(turns % 2)
            elif gen.kind == "sign":
                exponent %= 2
            elif gen.kind == "base" and exponent >= 1:
                whole = math.floor(exponent)
                sums.append((gen, whole))
                exponent -= whole
            if exponent:
                rest.append((gen, exponent))
        found: Poly = {tuple(rest): factor}
        for gen, times in sums:
            inside = gen.args[0]
            assert isinstance(inside, tuple)
            if times > MAX_POWER:
                raise TooLarge
            for _ in range(times):
                found = self._product(found, dict(inside))
        return Value(found, {ONE: Fraction(1)})

    def _whole_power(self, base: Value, exponent: int) -> Value:
        if exponent < 0:
            return self.divide(number(1), self._whole_power(base, -exponent))
        if len(base.top) <= 1 and len(base.bottom) == 1:
            if not base.top:
                return number(0) if exponent else number(1)
            ((monomial, factor),) = base.top.items()
            ((below, divisor),) = base.bottom.items()
            if not any(g.kind == "base" for g, _ in (*monomial, *below)):
                check_power(factor, exponent)
                self.work.spend(Fraction(0))
                scaled = tuple((g, e * exponent) for g, e in monomial)
                return self._quotient(
                    self._reduced({scaled: factor**exponent}).top,
                    self._reduced(
                        {tuple((g, e * exponent) for g, e in below): divisor**exponent}
                    ).top,
                )
        if exponent > MAX_POWER:
            raise TooLarge
        found = number(1)
        for _ in range(exponent):
            found = self.multiply(found, base)
        return found

    def _named_power(self, base: Value, exponent: Value) -> Value:
        if exponent.bottom != {ONE: 1} or base.bottom != {ONE: 1} or len(base.top) != 1:
            raise TooLarge
        ((monomial, factor),) = base.top.items()
        bases: dict[Gen, Fraction] = dict(monomial)
        if not all(positive(g) or g.kind == "name" for g in bases):
            raise TooLarge
        for prime, times in factors(abs(factor)).items():
            gen = Gen("prime", str(prime))
            bases[gen] = bases.get(gen, Fraction(0)) + times
        found = number(1)
        for powers, times_ in exponent.top.items():
            if not powers:
                found = self.multiply(found, self.power(base, number(times_)))
                continue
            if factor < 0:
                if times_.denominator != 1:
                    raise TooLarge
                minus = Gen("sign", "", powers)
                found = self.multiply(found, self._reduced({((minus, times_),): Fraction(1)}))
            for gen, written in bases.items():
                if gen.kind == "power" or (gen.kind == "name" and times_.denominator != 1):
                    raise TooLarge
                raised = Gen("power", gen.kind + gen.name, (gen, powers))
                term: Poly = {((raised, written * times_),): Fraction(1)}
                found = self.multiply(found, Value(term, {ONE: Fraction(1)}))
        return found

    def _number_root(self, value: Fraction, degree: int) -> Value | None:
        """Take the root of a rational number; None where it is complex and not a square root."""
        found = number(1)
        if value < 0:
            if degree % 2:
                found = number(-1)
            elif degree == 2:
                found = generator(I)
            else:
                return None
        for prime, times in factors(abs(value)).items():
            part = (Gen("prime", str(prime)), Fraction(times, degree))
            term: Poly = {(part,): Fraction(1)}
            found = self.multiply(found, self._reduced(term))
        return found

    def _opaque_root(self, a: Value, degree: int) -> Value:
        """Take a root that stays one; only a rational factor is drawn out."""
        if a.bottom != {ONE: 1}:
            # sqrt(p/q) is sqrt(pq)/q up to the sign of q, which is unknown: leave it alone
            return self.function(f"root {degree}", a)
        content = Fraction(
            math.gcd(*(c.numerator for c in a.top.values())),
            math.lcm(*(c.denominator for c in a.top.values())),
        )
        inner = {m: c / content for m, c in a.top.items()}
        outer = self._number_root(content, degree)
        assert outer is not None
        gen = Gen("base", "", (key(inner),))
        root = Value({((gen, Fraction(1, degree)),): Fraction(1)}, {ONE: Fraction(1)})
        return self.multiply(outer, root)
