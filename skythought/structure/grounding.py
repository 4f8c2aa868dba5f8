r"""Whether what a text states is true: exact arithmetic, nothing of it is run as code.

    check(find("12 plus 9 is 21.")[0])            -> "holds"
    check(find("$\frac{1}{2} \cdot 8 = 5$")[0])   -> "fails"
    check(find("So 2x + 3 = 7.")[0])              -> "unknown": an equation to be solved

`docs/grounding.md` has the rules and how often they are wrong on real traces.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache
from typing import Literal, NamedTuple

from skythought.formulas.algebra import Algebra
from skythought.formulas.polynomial import TooLarge, Undefined, Value
from skythought.formulas.reading import Unread
from skythought.structure import statements
from skythought.structure.numerals import Literally, literal, slack
from skythought.structure.readings import is_collected, is_part, pairs, parts
from skythought.structure.statements import Statement
from skythought.structure.values import bounds, equal, has_names, near, terms, value

Truth = Literal["holds", "fails", "unknown"]
MAX_CHARS = 300  # of a side
IMPRECISE = 200  # an approximation that is wrong by less than one part in so many is not judged
NUMBER = re.compile(r"\d+(?:\.\d+)?")
# Between units of one kind.
FACTORS = frozenset(
    (
        *(
            2,
            3,
            4,
            5,
            7,
            8,
            10,
            12,
            16,
            24,
            25,
            28,
            30,
            31,
            36,
            52,
            60,
            84,
            100,
            168,
            180,
            365,
            720,
        ),
        *(1000, 1440, 1760, 2000, 3600, 5280, 8760, 10_000, 86_400, 100_000, 1_000_000),
    )
)
MAX_WORK = 3_000  # products of terms in one reading


class Audit(NamedTuple):
    """What a text states, counted."""

    found: int  # statements, equations to be solved among them
    checkable: int  # those of which the truth is known
    holding: int
    failed: tuple[Statement, ...]

    @property
    def share(self) -> float | None:
        """The share of the checkable statements that hold; None where there are none."""
        return self.holding / self.checkable if self.checkable else None


def audit(text: str) -> Audit:
    """Check all that a text states."""
    return count(statements.find(text))


def count(found: Iterable[Statement]) -> Audit:
    """Count statements by their truth."""
    total = holding = 0
    failed = []
    for statement in found:
        total += 1
        truth = check(statement)
        holding += truth == "holds"
        if truth == "fails":
            failed.append(statement)
    return Audit(total, holding + len(failed), holding, tuple(failed))


def check(statement: Statement) -> Truth:
    """Say whether a statement holds; it does if one of the ways to read it does."""
    if max(len(statement.left), len(statement.right)) > MAX_CHARS:
        return "unknown"
    return _known(statement._replace(start=0, end=0))  # true anywhere


def _checked(statement: Statement) -> Truth:
    truths: list[Truth] = []
    ways = pairs(statement.left, statement.right)
    for left, right in ways:
        truth = _judge(left, right, statement)
        if truth == "holds":
            return truth
        if truth:
            truths.append(truth)
    if not truths or "unknown" in truths or (statement.mixed and _converts(*ways[0])):
        return "unknown"
    if statement.near and statement.relation == "=":
        congruence = statement._replace(relation="≡", modulus=statement.near)
        if _judge(*ways[0], congruence) == "holds":
            return "unknown"
    if _is_hundredfold(*ways[0]):
        return "unknown"
    if statement.relation not in ("=", "≈"):
        return "fails"
    for left, right in ways:
        if is_part(left, right) or _is_binary(left, right, statement):
            return "unknown"
        meant = {_judge(*cut, statement) for cut in parts(left, right)}
        if "holds" in meant or ("unknown" in meant and not has_names(left + right)):
            return "unknown"
    return "fails"


_known = lru_cache(maxsize=1 << 14)(_checked)  # every second statement is one made before


def _judge(left: str, right: str, statement: Statement) -> Truth | None:
    """Judge one reading; None where it has no value."""
    try:
        return _compare(left, right, statement, Algebra(MAX_WORK))
    except (Unread, Undefined, TooLarge):
        return None


def _compare(left: str, right: str, statement: Statement, algebra: Algebra) -> Truth:
    if has_names(left) or has_names(right):
        return _identity(left, right, statement, algebra)
    a, b = value(left, algebra), value(right, algebra)
    if statement.modulus:
        return _congruent(a, b, int(statement.modulus), statement.relation)
    exact = equal(a, b, algebra)
    sign = statement.relation
    if sign == "≠":
        return _truth(None if exact is None else not exact)
    if exact:
        return _truth(sign in ("=", "≈", "≤", "≥"))
    low, high = bounds(a, b, algebra)
    if low is None or high is None:
        differ = exact is False and sign == "=" and not _rounded(left, right)
        return "fails" if differ else "unknown"
    if sign in ("<", ">", "≤", "≥"):
        less = True if high < 0 else False if low > 0 else None
        return _truth(less if sign in ("<", "≤") or less is None else not less)
    return _nearly(left, right, (low, high), sign, algebra)


def _nearly(
    left: str, right: str, apart: tuple[Fraction, Fraction], sign: str, algebra: Algebra
) -> Truth:
    """Judge two sides that differ, by so much that lies between two bounds."""
    if apart[0] <= 0 <= apart[1]:  # as near as can be told
        return "holds" if sign == "≈" or apart[0] == apart[1] else "unknown"
    most = max(abs(apart[0]), abs(apart[1]))
    for written in (literal(left), literal(right)):
        if written and _is_rounding(written, most, sign):
            return "holds"
    size = abs(near(value(left, algebra)) or Fraction(0))
    if sign == "=":
        size = max(size, *map(Fraction, NUMBER.findall(f"{left} {right} 0 0")))
    close = most <= size / IMPRECISE
    if most <= slack(left, algebra) + slack(right, algebra):  # its operands are rounded themselves
        if sign == "≈":
            return "holds"
        return "unknown" if close else "fails"
    return "unknown" if close and sign == "≈" else "fails"


def _is_rounding(written: Literally, apart: Fraction, sign: str) -> bool:
    """Say whether a number is another one rounded or cut off after its last digit."""
    if sign == "≈":
        return apart <= written.unit
    return written.places > 0 and apart < written.unit


def _rounded(left: str, right: str) -> bool:
    return any(n is not None and n.places > 0 for n in (literal(left), literal(right)))


def _is_hundredfold(left: str, right: str) -> bool:
    """Say whether a number is stated to be a hundred times itself: dollars and cents."""
    if not literal(left) and not literal(right):
        return False
    try:
        a, b = (value(side, Algebra(MAX_WORK)).rational for side in (left, right))
    except (Unread, Undefined, TooLarge):
        return False
    return a is not None and b is not None and a != 0 and b in (100 * a, a / 100)


def _is_binary(left: str, right: str, statement: Statement) -> bool:
    """Say whether a number is stated to be what it is in base two."""
    ones = re.fullmatch(r"[01]{4,60}", right)
    return bool(ones) and _judge(left, str(int(right, 2)), statement) == "holds"


def _converts(left: str, right: str) -> bool:
    """Say whether units of one kind may be converted here: in sums, or by a known factor."""
    if re.search(r"[-+]", left.lstrip("-")):
        return True
    try:
        a, b = (value(side, Algebra(MAX_WORK)).rational for side in (left, right))
    except (Unread, Undefined, TooLarge):
        return True
    if not a or not b:
        return True
    return any(abs(max(a / b, b / a) / factor - 1) < Fraction(1, 50) for factor in FACTORS)


def _congruent(a: Value, b: Value, modulus: int, sign: str) -> Truth:
    if a.rational is None or b.rational is None or not modulus:
        return "unknown"
    if a.rational == b.rational:
        return "holds" if sign in ("=", "≡") else "fails"
    apart = a.rational - b.rational
    if math.gcd(apart.denominator, modulus) > 1:
        return "unknown"
    same = apart.numerator % modulus == 0
    if sign == "≡" or (sign == "=" and same):
        return _truth(same)
    return "fails" if sign == "=" else "unknown"


def _identity(left: str, right: str, statement: Statement, algebra: Algebra) -> Truth:
    """Judge formulas with names: what is true whatever they stand for holds.

    What is not true of every value is an equation as a rule, of which nothing is known. Only where
    the left side is plainly worked out on the right, to the same monomials with other numbers, does
    it fail: 2x + 3x = 6x, or a = 2(x + 1) + x = 3x + 1.
    """
    if statement.relation not in ("=", "≡"):
        return "unknown"
    a, b = value(left, algebra), value(right, algebra)
    if equal(a, b, algebra):
        return "holds"
    mine, other = terms(a), terms(b)
    if statement.modulus or not mine or mine != other:
        return "unknown"
    worked_out = not is_collected(left, len(mine)) and is_collected(right, len(mine))
    return "fails" if worked_out and (statement.shown or len(mine) == 1) else "unknown"


def _truth(known: bool | None) -> Truth:
    return "unknown" if known is None else "holds" if known else "fails"
