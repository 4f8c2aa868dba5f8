r"""Takes an answer of several parts apart: lists, tuples and sets.

    parts("1, 2 \text{ and } 3")    -> list of 3, after the word has become a comma
    parts("(1, \frac{1}{2})")       -> tuple of 2, with the brackets ()
    parts("\{1 \pm \sqrt{5}, -2\}") -> set of 3: a sign of two makes two parts

Takes texts that `notation.unify` has gone over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from skythought.formulas import reading
from skythought.formulas.algebra import Algebra
from skythought.formulas.polynomial import TooLarge, Undefined
from skythought.formulas.reading import Unread
from skythought.verifiers import notation
from skythought.verifiers.rules import Rules

THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
PLUS_MINUS = re.compile(r"\\(pm|mp)(?![a-zA-Z])")
CLOSERS = {"(": ")]", "[": ")]", "\\langle": ["\\rangle"]}


class How(NamedTuple):
    """How two answers are compared, and with what is left of the work allowed."""

    rules: Rules
    algebra: Algebra


class Parts(NamedTuple):
    """An answer taken apart at its commas."""

    kind: str  # one, list, tuple, set
    items: list[str]
    brackets: str = ""  # of a tuple: (), [), ...


def parts(text: str) -> Parts:
    r"""Take an answer apart; `\pm` makes two of one."""
    text = text.strip()
    if notation.number(notation.squeeze(text)):  # 1,000
        return Parts("one", [text])
    for opening, closing in (("\\{", "\\}"), ("\\lbrace", "\\rbrace")):
        if text.startswith(opening) and text.endswith(closing):
            inside = text[len(opening) : -len(closing)]
            if balanced(inside):
                return Parts("set", _expand(split(inside)) if inside.strip() else [])
    for opening, closers in CLOSERS.items():
        closing = next((c for c in closers if text.endswith(c)), "")
        if text.startswith(opening) and closing:
            inside = text[len(opening) : -len(closing)]
            items = split(inside)
            if len(items) > 1 and balanced(inside):
                return Parts("tuple", items, opening + closing)
    items = split(text)
    if len(items) > 1:
        items = [notation.unify(item) for item in items]  # each may have its unit
    whole = _expand(items)
    return Parts("list" if len(whole) > 1 else "one", whole)


def split(text: str) -> list[str]:
    """Split at the commas outside of brackets."""
    if re.search(r",\s", text):
        text = THOUSANDS.sub("", text)
    depth, last, found = 0, 0, []
    for at, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if character == "," and depth == 0:
            found.append(text[last:at].strip())
            last = at + 1
    found.append(text[last:].strip())
    return [part for part in found if part]


def readable(text: str, algebra: Algebra) -> bool:
    """Say whether it is known what a text is: one value, or a tuple of values."""
    found = parts(text)
    if len(found.items) > 1:
        return all(readable(item, algebra) for item in found.items)
    if notation.number(notation.squeeze(text)):
        return True
    try:
        reading.read(notation.without_name(text), algebra)
    except (Unread, Undefined, TooLarge):
        return False
    return True


def every(decisions: Iterable[bool | None]) -> bool | None:
    """Join decisions: one False is enough, one None leaves it open."""
    undecided = False
    for decision in decisions:
        if decision is False:
            return False
        undecided = undecided or decision is None
    return None if undecided else True


def _expand(items: Sequence[str]) -> list[str]:
    found = []
    for item in items:
        signs = PLUS_MINUS.findall(item)
        if not signs or len(signs) > 3:
            found.append(item)
            continue
        for upper in (True, False):
            found.append(
                PLUS_MINUS.sub(lambda m, up=upper: "+" if (m[1] == "pm") is up else "-", item)  # type: ignore[misc]
            )
    return found


def balanced(text: str) -> bool:
    """Say whether every bracket closes."""
    depth = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        if depth < 0:
            return False
    return depth == 0
