r"""Intervals, their unions, and inequalities of one name.

read("[0, 1) \cup (2, \infty)")  -> two spans
read("-2 \le x < 7")             -> the span [-2, 7) of x
read("|x| \ge 2")                -> two spans
read("]0, 1]")                   -> the span (0, 1], as in France
same(read("x > 5"), read("(5, \infty)"), how)  -> True
"""

from __future__ import annotations

import re
from typing import NamedTuple

from skythought.verifiers import notation
from skythought.verifiers.parts import How, every, parts, split
from skythought.verifiers.single import SYMBOL, single

BOUND = re.compile(r"(<|>|\\l(?:e|t)(?![a-zA-Z])|\\g(?:e|t)(?![a-zA-Z]))")
SIZE = re.compile(r"(?:\||\\[lr]?vert(?![a-zA-Z]))")
SHIFTED = re.compile(r"([a-zA-Z])\s*(?:([+-])\s*(\d+(?:\.\d+)?))?")
OUTWARD = re.compile(r"(^|\\cup(?![a-zA-Z]))\s*\]"), re.compile(r"\[\s*($|\\cup(?![a-zA-Z]))")
INFINITE = re.compile(r"([+-]?)\s*\\infty")


class Span(NamedTuple):
    """The numbers between two bounds; an infinite bound is None."""

    name: str  # of what is bounded, "" where it has none
    low: str | None
    high: str | None
    closed: tuple[bool, bool]


def read(text: str, *, points: bool = False) -> list[Span] | None:
    r"""Read intervals, joined by `\cup`, and inequalities; None for anything else."""
    if text.lstrip()[:1] == "]" or text.rstrip()[-1:] == "[" or "\\cup" in text:
        text = OUTWARD[1].sub(r")\1", OUTWARD[0].sub(r"\1(", text))
    if "\\cup" in text:
        found: list[Span] = []
        for piece in text.split("\\cup"):
            inner = read(notation.without_name(piece.strip()), points=True)
            if inner is None:
                return None
            found += inner
        return found
    if BOUND.search(text):
        several = split(text)
        if len(several) > 1:
            each = [_inequality(part) for part in several]
            known = [s for s in each if s]
            return (
                known if len(known) == len(several) and len({s.name for s in known}) == 1 else None
            )
        span = _inequality(text)
        return [span] if span else _size(text)
    found_parts = parts(text)
    if points and found_parts.kind == "set" and "|" not in text and ":" not in text:
        return [Span("", item, item, (True, True)) for item in found_parts.items] or None
    if found_parts.kind != "tuple" or len(found_parts.items) != 2 or "\\langle" in text:
        return None
    low, high = found_parts.items
    closed = found_parts.brackets[0] == "[", found_parts.brackets[-1] == "]"
    return [Span("", _finite(low), _finite(high), closed)]


def same(a: list[Span], b: list[Span], how: How) -> bool | None:
    """Compare two unions of intervals; None where they may be written in different pieces."""
    if len({s.name for s in (*a, *b) if s.name}) > 1 or len(a) != len(b):
        return None  # (0,1) and [1,2) are (0,2) together
    left, undecided = list(b), False
    for one in a:
        for at, other in enumerate(left):
            found = _same_span(one, other, how)
            if found:
                del left[at]
                break
            undecided = undecided or found is None
    if not left:
        return True
    return None if undecided or len(a) > 1 else False


def _inequality(text: str) -> Span | None:
    pieces = BOUND.split(text)
    operands, signs = [p.strip() for p in pieces[::2]], pieces[1::2]
    upward = [s == "<" or s.startswith("\\l") for s in signs]
    closed = [s.endswith("e") for s in signs]
    if len(signs) not in (1, 2) or len(set(upward)) > 1 or not all(operands):
        return None
    if not upward[0]:
        operands, closed = operands[::-1], closed[::-1]
    if len(operands) == 3:
        if not SYMBOL.fullmatch(operands[1]):
            return None
        low, name, high = operands
        return Span(name, _finite(low), _finite(high), (closed[0], closed[1]))
    first, second = operands
    if SYMBOL.fullmatch(first) and not SYMBOL.fullmatch(second):
        return Span(first, None, _finite(second), (False, closed[0]))
    if SYMBOL.fullmatch(second) and not SYMBOL.fullmatch(first):
        return Span(second, _finite(first), None, (closed[0], False))
    return None


def _size(text: str) -> list[Span] | None:
    """Read `|x| < 2` and `|x - 1| >= 2`; the bound has to be positive."""
    pieces = BOUND.split(text)
    if len(pieces) != 3:
        return None
    (first, sign, second), upward = pieces, pieces[1] == "<" or pieces[1].startswith("\\l")
    if not SIZE.match(first.strip()):
        first, second, upward = second, first, not upward
    inside = SIZE.split(first.strip())
    named = SHIFTED.fullmatch(inside[1].strip()) if len(inside) == 3 else None
    bound, closed = second.strip(), sign.endswith("e")
    size = notation.number(notation.squeeze(bound))
    if not named or inside[0] or inside[2] or not bound or bound[0] == "-" or SIZE.search(bound):
        return None
    if size is not None and size.value <= 0:
        return None
    centre = f"{'-' if named[2] == '+' else ''}{named[3]}" if named[3] else ""
    low, high = f"{centre}-({bound})", f"{centre}+({bound})" if centre else bound
    if upward:
        return [Span(named[1], low, high, (closed, closed))]
    return [Span(named[1], None, low, (False, closed)), Span(named[1], high, None, (closed, False))]


def _finite(text: str) -> str | None:
    return None if INFINITE.fullmatch(text.strip()) else text


def _same_span(a: Span, b: Span, how: How) -> bool | None:
    plain = not (a.name or b.name) and None not in (a.low, a.high, b.low, b.high)
    # [1, 2] may be a list or a vector where nothing says that it is an interval.
    if a.closed != b.closed and (how.rules.brackets or not plain):
        ends = [(x, y, p, q) for x, y, p, q in _ends(a, b) if x is not None or y is not None]
        if any(p != q for _, _, p, q in ends):
            return False
    return every(
        (x is None) is (y is None) and (x is None or y is None or single(x, y, how)[0])
        for x, y, _, _ in _ends(a, b)
    )


def _ends(a: Span, b: Span) -> list[tuple[str | None, str | None, bool, bool]]:
    return [
        (a.low, b.low, a.closed[0], b.closed[0]),
        (a.high, b.high, a.closed[1], b.closed[1]),
    ]
