r"""What a text states: equations, comparisons and congruences, with their places in it.

    find("So 5 trees × 6 lemons/tree = 30 lemons.")
        -> [Statement(3, 38, "5*6", "=", "30", ...)]

A chain a = b = c states a = b and b = c. In prose, "is", "equals" and the like state something of a
formula: "20% of 50 is 10". What is asked, supposed, denied or refuted is not stated (`claims.py`).
Equations with names, x = 5, are found too; `grounding.check` says of which the truth can be known.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Sequence
from typing import NamedTuple

from skythought.structure import claims
from skythought.structure.scan import Token, scan
from skythought.structure.sides import UNSURE, Side, may_begin, side
from skythought.structure.words import CONTINUES, IS, LABELS, PLAIN, STOP, UNFINISHED, kinds

MAX_LEFT = 80  # tokens before a sign in which its left side is looked for
MAX_LEFT_WORD = 30  # and before a word
MAX_RELATIONS = 20_000  # signs and verbs of a text; what follows is not read
NEAR = 500  # characters before a statement in which a modulus is looked for
MODULUS = re.compile(r"\bmod(?:ulo)?[\s{$]*(\d{1,9})\b", re.IGNORECASE)
BARE = re.compile(r"[\d.@ ]*%?")
SHARE = re.compile(r"\d+/\d+|\\frac\{\d+\}\{\d+\}|\\pi +/\d+")
GROUP = re.compile(r", (\d{3})(?![\d,])")
DIVISION = re.compile(r"\d+ ?/ ?\d+|\\frac\{\d+\}\{\d+\}")
OPERATOR = re.compile(r"[-+*/%!^(¤]|mod|sqrt|frac|binom")
MONEY = re.compile(r"\$|\bdollar"), re.compile(r"¢|\bcents?\b")


class Statement(NamedTuple):
    """Something that a text says of two formulas; `text[start:end]` is where it says so."""

    start: int
    end: int
    left: str  # as `grounding.check` reads it: without units, with operators for words
    relation: str  # one of = ≈ ≠ < > ≤ ≥ ≡
    right: str
    modulus: str = ""  # of a congruence
    near: str = ""  # the modulus last named before: an = may mean a congruence
    mixed: bool = False  # units of one kind that differ: hours and minutes
    shown: bool = False  # in a chain that began before


def find(text: str) -> list[Statement]:
    """Find what a text states, in order."""
    tokens = scan(text)
    rows = _without_bullets(tokens)
    found = [s for s in _all(rows) if _claimed(text, s)]
    moduli = [(m.end(), m[1]) for m in MODULUS.finditer(text)]
    return [_in_context(text, s, moduli) for s in found]


def _claimed(text: str, found: Statement) -> bool:
    if not claims.stated(text, found.start, found.end):
        return False
    return found.relation not in "<>≤≥" or not claims.tested(text[found.end : found.end + 8])


def _in_context(text: str, found: Statement, moduli: Sequence[tuple[int, str]]) -> Statement:
    """Add what is said around a statement."""
    known = bisect.bisect(moduli, (found.start, ""))
    end, modulus = moduli[known - 1] if known else (0, "")
    mixed = found.mixed or _is_money(text[found.start : found.end])
    group = GROUP.match(text, found.end)
    if group and found.right.isdigit() and len(found.right) <= 3:
        found = found._replace(right=f"{found.right}@{group[1]}")  # 272*253=68, 816
    return found._replace(near=modulus if found.start - end < NEAR else "", mixed=mixed)


def _is_money(text: str) -> bool:
    """Say whether a text counts in dollars and in cents."""
    return all(unit.search(text) for unit in MONEY)


class _Relation(NamedTuple):
    first: int  # its first token
    behind: int  # the token behind it
    sign: str
    said: bool  # in words


def _all(tokens: Sequence[Token]) -> list[Statement]:
    found: list[Statement] = []
    relations = _relations(tokens)
    previous = 0
    for number, relation in enumerate(relations):
        limit = MAX_LEFT_WORD if relation.said else MAX_LEFT
        low = max(previous, relation.first - limit)
        following = relations[number + 1].first if number + 1 < len(relations) else len(tokens)
        previous = relation.behind
        right = _right(tokens, relation, following)  # first, since it is one reading at most
        if right is None:
            continue
        left = _left(tokens, low, relation)
        if left is None:
            continue
        statement = _statement(tokens, relation, left, right)
        if statement is not None:
            found.append(statement)
    return found


def _relations(tokens: Sequence[Token]) -> list[_Relation]:
    """List the signs and words that can relate two formulas."""
    found: list[_Relation] = []
    for at, token in enumerate(tokens):
        if len(found) == MAX_RELATIONS:
            break
        if token.kind == "rel":
            found.append(_Relation(at, at + 1, token.text, said=False))
        elif token.kind == "word" and token.text.lower() in IS and at:
            first = at - 1 if tokens[at - 1].text in ("which", "that") else at
            first -= first > 0 and tokens[first - 1].text == "," and first < at
            behind, sign = at + 1, "="
            while behind < len(tokens) and tokens[behind].text.lower() in (
                *("equal", "to", "about", "approximately", "roughly", "just", "around"),
                *("exactly", "simply", "therefore", "then", "indeed", "us", "also"),
            ):
                if tokens[behind].text.lower() in ("about", "approximately", "roughly", "around"):
                    sign = "≈"
                behind += 1
            found.append(_Relation(first, behind, sign, said=True))
    return found


def _left(tokens: Sequence[Token], low: int, relation: _Relation) -> tuple[Side, int] | None:
    """Find the formula that ends before a token, and where it begins."""
    stop = relation.first
    while stop > low and tokens[stop - 1].kind == "row":
        stop -= 1  # a chain that goes on in the next line
    which = relation.behind - relation.first > 1
    rows = [at for at in range(low, stop) if tokens[at].kind == "row"]
    at = max(low, rows[-1] + 1 if rows else low)
    while at < stop:
        if not may_begin(tokens[at]):
            at += 1
            continue
        found = side(tokens, at, stop)
        if found.stop == stop and found.end == stop and found.unclosed < 0:
            return (
                (found, at) if _begins(tokens, at, found, said=relation.said, which=which) else None
            )
        inside = found.stop == stop and found.unclosed > at
        at = found.unclosed if inside else max(found.stop, at + 1)
    return None


def _begins(tokens: Sequence[Token], at: int, found: Side, *, said: bool, which: bool) -> bool:
    """Say whether a formula can begin here, by what stands before it."""
    if at == 0:
        return True
    before = tokens[at - 1]
    if before.kind == "open" and at > 1 and tokens[at - 2].kind in ("prefix", "call"):
        return False
    if before.kind in ("op", "power", "mark", "prefix", "call", "num", "close", "bad", "sym"):
        return False
    if tokens[at].kind == "op":
        bare = is_bare(found.text)
        if tokens[at].text == "+" or (bare and before.kind != "rel"):
            return False  # 9900, +100 = 10000
        if before.kind not in ("row", "end", "open", "rel"):
            return False
    if before.text == ":" and at > 1 and tokens[at - 2].kind == "num" and not tokens[at].spaced:
        return False  # 520:650 = 4:5
    if before.kind == "row":
        return at < 2 or tokens[at - 2].kind not in ("op", "power")
    if before.kind in ("word", "text"):
        word = before.text.lower().split()[-1] if before.text.split() else ""
        word = word.strip(".:,")
        if tokens[at].kind == "prefix" and not tokens[at].spaced:
            return False
        if word in CONTINUES or word in LABELS:
            return False
        aside = _is_aside(found.text) or re.match(r"\(\d+\)", found.text)
        if tokens[at].text == "(" and (not tokens[at].spaced or aside):
            return False  # log₂(8), babies (15)
        if _continues(tokens, at) or (said and word in IS and not which):
            return False
        if is_bare(found.text):
            return word in PLAIN
    return True


def _is_aside(text: str) -> bool:
    """Say whether a formula is one bracket."""
    depth = 0
    for place, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if not depth:
            return place == len(text) - 1
    return False


def _continues(tokens: Sequence[Token], at: int) -> bool:
    """Say whether there is an operator before the words that stand before a formula."""
    for place in range(at - 1, max(-1, at - 6), -1):
        if tokens[place].kind == "op":
            return tokens[place].text in "+*/" or not tokens[place + 1].spaced
        if tokens[place].kind not in ("word", "text") or tokens[place].text.lower() in STOP:
            return False
    return False


def _right(tokens: Sequence[Token], relation: _Relation, following: int) -> Side | None:
    """Read the formula behind a relation; None where it does not end where it seems to."""
    at = relation.behind
    while at < len(tokens) and tokens[at].kind == "row":
        at += 1
    found = side(tokens, at, following)
    if not found.text:
        return None
    if relation.said and found.end < len(tokens) and tokens[found.end].kind == "rel":
        return None
    return found if _ends(tokens, found) else None


def _ends(tokens: Sequence[Token], found: Side) -> bool:
    """Say whether a formula can end here, by what stands behind it."""
    if found.end >= len(tokens):
        return True
    after = tokens[found.end]
    later = tokens[found.end + 1] if found.end + 1 < len(tokens) else None
    word = after.text.lower()
    if after.kind == "op":  # a dash before words
        spaced = after.spaced and (later is None or later.spaced)
        return after.text == "-" and spaced and later is not None and later.kind == "word"
    if after.kind == "open":
        return after.spaced and after.text != "{"
    if after.kind == "word":
        if word == "and" and later is not None:
            fraction = tokens[found.end + 2 : found.end + 3]
            if later.text in ("a", "half") or (fraction and fraction[0].text == "/"):
                return False  # 36 and 4/11
        return word not in UNFINISHED
    if after.kind == "sym":
        return after.text in ("a", "A", "I")
    if after.text == "." and later is not None:
        repeating = later.text == "(" and not later.spaced  # 3.(3)
        return not repeating and later.text != "overline"
    if after.text == ":" and later is not None and later.kind == "num":
        return later.spaced  # 520:650 = 4:5
    if after.kind == "bad":
        return after.text in "✓✔✅✗✘❌#\"'"
    if after.kind == "bar":
        return after.spaced
    return after.kind in ("rel", "row", "end", "close", "text")


def _statement(
    tokens: Sequence[Token], relation: _Relation, left: tuple[Side, int], right: Side
) -> Statement | None:
    a, at = left
    bare = is_bare(a.text), is_bare(right.text)
    if relation.said and not _is_saying(a, right, tokens[at - 1].kind if at else "row"):
        return None
    between = tokens[at + 1]
    if relation.said and between.text == "-" and not between.spaced:
        return None  # a range: 7-8 is $30
    named = " mod " in a.text and at and tokens[at - 1].kind == "rel"
    if named and (relation.said or tokens[at - 1].text == "≡"):
        return None  # the first prime ≡ 1 mod 8 is 17
    fraction = SHARE.fullmatch(a.text) and tokens[at + 1].text == "/"
    simple = bare[0] or fraction, bare[1] or SHARE.fullmatch(right.text)
    if all(simple) and (a.units or right.units):
        return None  # 2 hours = 120 minutes, 3/4 hour = 45 minutes
    if relation.said and tokens[right.end - 1].text.lower() == "times":
        return None  # 30 times 30 is three times that
    begins = at == 0 or tokens[at - 1].kind == "row" or tokens[at - 1].text in ("=", "≡", ";")
    if bare[0] and relation.sign == "≡" and (a.units or not begins):
        return None  # 405 numbers ≡ 2 mod 5
    if bare[0] and a.units and relation.sign == "=":
        return None  # 1 franc = 1/5 dollars
    modulus = _modulus(tokens, right.end)
    said, _, divisor = right.text.rpartition(" mod ")
    divisor = divisor.strip("{}")
    if relation.sign == "≡" and not modulus and divisor.isdigit():
        right, modulus = right._replace(text=said), divisor
    if relation.sign == "≡" and not modulus:
        return None
    text = a.text
    if DIVISION.fullmatch(text) and _remainder(tokens, right.end):
        if not bare[1]:
            return None
        text = f"floor({text})"
    begins = at == 0 or tokens[at - 1].kind == "row"
    if begins and tokens[at].text == "-" and tokens[at + 1].spaced:
        text = f"¬{text[1:]}"
    return Statement(
        tokens[at].start,
        tokens[right.end - 1].end,
        text,
        relation.sign,
        right.text,
        modulus,
        "",
        kinds(set(a.units | right.units)) or UNSURE in a.units | right.units,
        at > 0 and tokens[at - 1].kind == "rel",
    )


def is_bare(text: str) -> bool:
    """Say whether a side is one number."""
    return bool(BARE.fullmatch(text.strip().removeprefix("-")))


def _is_saying(left: Side, right: Side, before: str) -> bool:
    """Say whether "is" gives the value of a formula: not in 1/5 is 240, or 3 times 13 is 3 * 10."""
    if is_bare(left.text):
        return left.text.endswith("%") and right.text.startswith("0.")
    if SHARE.fullmatch(left.text) or not OPERATOR.search(left.text):
        return False
    if before == "rel" and not re.search(r"[-+*/%]", left.text):
        return False
    if "¤" in left.text and right.units - left.units:
        return False  # a dozen is 2 pounds
    simple = is_bare(re.sub("[/¤]", "", right.text))
    return simple or "%" in left.text


def _remainder(tokens: Sequence[Token], at: int) -> bool:
    """Say whether the remainder of a division is named behind it."""
    depth = 0
    if [t.kind for t in tokens[at : at + 2]] == ["word", "num"] and tokens[at].text == "and":
        return True  # 4 weeks and 2 days
    for token in tokens[at : at + 14]:
        depth += (token.kind == "open") - (token.kind == "close")
        if token.kind == "row" or (depth <= 0 and (token.kind == "rel" or token.text in ".;")):
            return False
        if token.text.lower() in ("rem", "remainder", "quotient", "left", "leftover", "r"):
            return True
        if token.text.lower().startswith("remainder"):
            return True
    return False


def _modulus(tokens: Sequence[Token], at: int) -> str:
    """Read (mod 7) behind a chain, or further on in it."""
    for place in range(at, min(at + 60, len(tokens))):
        token = tokens[place]
        if token.kind in ("row", "end") and token.text not in ",":
            return ""
        if token.kind == "word" and token.text.lower() in ("mod", "modulo"):
            rest = [t for t in tokens[place + 1 : place + 3] if t.text not in ("{", "(")]
            return rest[0].text if rest and rest[0].kind == "num" and rest[0].text.isdigit() else ""
    return ""


def _without_bullets(tokens: list[Token]) -> list[Token]:
    """Leave out the numbers and stars that lists begin their lines with."""
    found: list[Token] = []
    begins, behind = True, 0  # the line; the last bullet
    for at, token in enumerate(tokens):
        if begins:
            if at < behind or (token.kind == "op" and token.text == "*"):
                continue
            if token.kind in ("num", "sym") and len(token.text) <= 2:
                mark, *after = tokens[at + 1 : at + 3] or [token]
                if mark.text in (".", ")") and not mark.spaced and after and after[0].spaced:
                    behind = at + 2
                    continue
        found.append(token)
        begins = token.kind == "row"
    return found
