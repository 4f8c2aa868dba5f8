r"""Answers of several parts: lists, tuples, sets, intervals, matrices, equations and inequalities.

    compare("1,2", "2 \text{ and } 1")            -> True,  "list"
    compare("[0,1)", "(0,1)")                     -> False, "interval"
    compare("\{0, 1\}", "(0,1)")                  -> False, "set"
    compare("2, 3", "x = 2, y = 3")               -> True,  "list": in order, since one has names
    compare("x > 5", "(5, \infty)")               -> True,  "interval"
    compare("1 \pm \sqrt{3}", "1-\sqrt3, 1+\sqrt3") -> True,  "list"
    compare("x + y = 2", "y = 2 - x")             -> True,  "equation"
    compare("\sqrt{12}", "2\sqrt{3}")             -> True,  "algebra"
    compare("\sin 1", "\cos 1")                   -> None: somebody else has to decide

Takes texts that `notation.unify` has gone over. True and False are proven; where a part cannot be
decided, the whole cannot.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from skythought.formulas.algebra import Algebra
from skythought.verifiers import notation, spans
from skythought.verifiers.parts import (
    THOUSANDS,
    How,
    Parts,
    balanced,
    every,
    parts,
    readable,
    split,
)
from skythought.verifiers.rules import Rules
from skythought.verifiers.single import Decision, single

MAX_PARTS = 60
MATRIX = re.compile(r"\\begin\{([pbBvV]?matrix)\}(.*?)\\end\{\1\}", re.DOTALL)
SEPARATORS = re.compile(
    r"(?<=[\d}])\s*\\text\{[^{}]*(?:,|\b(?:and|or))\s*\}\s*"  # 4 \text{ boxes and } 2
    r"|\s*,?\s*\\text\{\s*(?:,\s*)?(?:and|or)\s*\}\s*|\s*,?\s+(?:and|or)\s+|\s*;\s*"
)
REALS = re.compile(r"\\mathbb\s*\{?\s*R\s*\}?|ℝ")
WORDS = re.compile(r"(?<![\\a-zA-Z])[a-zA-Z]{3,}")
SENTENCE = 3  # words
UNKNOWN = re.compile(r"\\(?:neq?|[lc]?dots)(?![a-zA-Z])")


def compare(expected: str, said: str, rules: Rules) -> Decision:
    """Compare two unified answers; None where these rules cannot tell."""
    return _compare(expected, said, How(rules, Algebra()))


def _compare(expected: str, said: str, how: How) -> Decision:
    if "\\begin" in expected or "\\begin" in said:
        return _matrices(expected, said, how), "matrix"
    if len(WORDS.findall(expected)) >= SENTENCE and readable(said, how.algebra):
        return False, "words"  # a condition is no value
    expected, said = (
        SEPARATORS.sub(",", REALS.sub(r"(-\\infty,\\infty)", t)) for t in (expected, said)
    )
    if UNKNOWN.search(expected) or UNKNOWN.search(said):
        return None, ""
    either = spans.read(expected), spans.read(said)
    if either[0] and either[1]:
        return spans.same(either[0], either[1], how), "interval"
    if any(spans.BOUND.search(t) or "\\cup" in t or "\\infty" in t for t in (expected, said)):
        other = said if either[0] else expected if either[1] else ""
        return (False, "interval") if other and readable(other, how.algebra) else (None, "")
    a, b = parts(expected), parts(said)
    if not all(1 <= len(found.items) <= MAX_PARTS for found in (a, b)):
        return None, ""
    if a.kind == b.kind == "one":
        return single(a.items[0], b.items[0], how)
    return _several(a, b, how)


def _several(a: Parts, b: Parts, how: How) -> Decision:
    kinds = {a.kind, b.kind}
    if "one" in kinds:
        if kinds == {"one", "set"} and len(a.items) == len(b.items) == 1:
            return single(a.items[0], b.items[0], how)
        lone, several = (a, b) if a.kind == "one" else (b, a)
        known = all(readable(x, how.algebra) for x in (*lone.items, *several.items))
        return (False, several.kind) if known else (None, "")
    if kinds == {"tuple"}:
        if a.brackets != b.brackets and len(a.items) == 2 and how.rules.brackets:
            return False, "interval"
        return _in_order(a.items, b.items, how), "tuple"
    if kinds == {"list", "tuple"}:
        return _tuple_and_list(a, b, how)
    if kinds == {"set", "tuple"}:
        several, one = (a, b) if a.kind == "set" else (b, a)
        if len(several.items) == 1 and _is_tuple(several.items[0]):
            return _several(parts(several.items[0]), one, how)
        known = all(readable(x, how.algebra) for x in (*one.items, *several.items))
        return (False, "set") if known else (None, "")
    if how.rules.ordered and kinds == {"list"}:
        return _in_order(a.items, b.items, how), "list"
    if kinds == {"set"}:
        a, b = (Parts("set", _distinct(p.items, how)) for p in (a, b))
    if kinds == {"list"} and len(a.items) == len(b.items):
        named = [_by_name(part.items) for part in (a, b)]
        if bool(named[0]) != bool(named[1]) and not _numbered(named[0] or named[1]):
            return _named_in_order(a, b, how), "list"
    return _any_order(a.items, b.items, how), "set" if "set" in kinds else "list"


def _tuple_and_list(a: Parts, b: Parts, how: How) -> Decision:
    one, several = (a, b) if a.kind == "tuple" else (b, a)
    if all(_is_tuple(x) for x in several.items) and not any(map(_is_tuple, one.items)):
        return False, "list"  # one pair is not several
    named = bool(_by_name(several.items))
    square = len(one.items) == 2 and set(one.brackets) & set("[]")
    if square and how.rules.brackets and not named:
        return False, "interval"  # 0,1 and [0,1]
    same = _named_in_order(a, b, how) if named else _in_order(a.items, b.items, how)
    if same is False and not named and _any_order(a.items, b.items, how) is not False:
        same = None
    return same, "tuple"


def _named_in_order(a: Parts, b: Parts, how: How) -> bool | None:
    """Compare `y = 2, x = 1` with values: in the order written, or in that of the names."""
    written = _in_order(a.items, b.items, how)
    if written:
        return True
    one, other = (_by_name(part.items) or part.items for part in (a, b))
    by_name = _in_order(one, other, how)
    return by_name if by_name or written is False else None


def _in_order(a: Sequence[str], b: Sequence[str], how: How) -> bool | None:
    if len(a) != len(b):
        return False
    return every(_compare(*notation.without_names(x, y), how)[0] for x, y in zip(a, b, strict=True))


def _any_order(a: Sequence[str], b: Sequence[str], how: How) -> bool | None:
    """Find for each part one that is equal; None where an undecided pair could change that."""
    if len(a) != len(b):
        ambiguous = any(THOUSANDS.search(",".join(part)) for part in (a, b))
        return None if ambiguous or not all(readable(x, how.algebra) for x in (*a, *b)) else False
    names = [[notation.NAME.match(x) for x in part] for part in (a, b)]
    if all(n for part in names for n in part):
        found = [{n[1] for n in part if n} for part in names]
        if len(found[0]) == len(found[1]) == len(a):  # x = 1, y = 2: each name has its value
            if found[0] != found[1]:
                return None
            order = [sorted(part, key=_name) for part in (a, b)]
            return _in_order(order[0], order[1], how)
    left, undecided = list(b), False
    for x in a:
        for at, y in enumerate(left):
            same = _compare(*notation.without_names(x, y), how)[0]
            if same:
                del left[at]
                break
            undecided = undecided or same is None
    if not left:
        return True
    return None if undecided else False


def _is_tuple(text: str) -> bool:
    return parts(text).kind == "tuple"


def _distinct(items: Sequence[str], how: How) -> list[str]:
    found: list[str] = []
    for item in items:
        if not any(_compare(item, other, how)[0] for other in found):
            found.append(item)
    return found


def _name(text: str) -> str:
    found = notation.NAME.match(text)
    return found[1] if found else ""


def _by_name(items: Sequence[str]) -> list[str]:
    """Sort `y = 2, x = 1` by name; [] where not all have one of their own."""
    found = {_name(item) for item in items}
    return sorted(items, key=_name) if "" not in found and len(found) == len(items) else []


def _numbered(items: Sequence[str]) -> bool:
    """Say whether the names are one with numbers: x_1 and x_2 are in no order of their own."""
    names = [_name(item).partition("_") for item in items]
    return len({name for name, _, _ in names}) == 1 and all(mark for _, mark, _ in names)


def _matrices(expected: str, said: str, how: How) -> bool | None:
    a, b = _cells(expected), _cells(said)
    if not how.rules.brackets and a and b is None:
        b = _vector(said, a)
    if a is None or b is None:
        other = said if a is not None else expected if b is not None else ""
        lone = bool(other) and "\\begin" not in other and parts(other).kind == "one"
        return False if lone and readable(other, how.algebra) else None
    if [len(row) for row in a] != [len(row) for row in b]:
        return False
    flat = [[cell for row in m for cell in row] for m in (a, b)]
    return every(_compare(x, y, how)[0] for x, y in zip(*flat, strict=True))


def _cells(text: str) -> list[list[str]] | None:
    if text.startswith("["):
        return _rows(text)
    found = MATRIX.fullmatch(text.strip().removeprefix("(").removesuffix(")").strip())
    if not found or found[1] in ("vmatrix", "Vmatrix") or "\\begin" in found[2]:
        return None
    rows = [row for row in found[2].split("\\\\") if row.strip()]
    cells = [[cell.strip() for cell in row.split("&")] for row in rows]
    return cells if sum(map(len, cells)) <= MAX_PARTS and all(map(all, cells)) else None


def _rows(text: str) -> list[list[str]] | None:
    """Read `[[1,2],[3,4]]`; None for anything else."""
    if not text.endswith("]]"):
        return None
    rows = split(text[1:-1])
    if not all(row[0] == "[" and row[-1] == "]" for row in rows) or len(rows) > MAX_PARTS:
        return None
    cells = [split(row[1:-1]) for row in rows]
    flat = [cell for row in cells for cell in row]
    known = len(flat) <= MAX_PARTS and all(map(balanced, flat))
    return cells if known and all(cells) else None


def _vector(text: str, like: list[list[str]]) -> list[list[str]] | None:
    found = parts(text)
    if found.kind != "tuple":
        return None
    return [found.items] if len(like) == 1 else [[item] for item in found.items]
