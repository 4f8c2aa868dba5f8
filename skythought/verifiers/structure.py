r"""Answers of several parts: lists, tuples, sets, intervals, matrices, equations and inequalities.

    compare("1,2", "2 \text{ and } 1")            -> True,  "list"
    compare("[0,1)", "(0,1)")                     -> False, "interval"
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

from skythought.verifiers import notation, spans
from skythought.verifiers.parts import THOUSANDS, Parts, every, parts, readable
from skythought.verifiers.rules import Rules
from skythought.verifiers.single import Decision, single

MAX_PARTS = 60
MATRIX = re.compile(r"\\begin\{([pbBvV]?matrix)\}(.*?)\\end\{\1\}", re.DOTALL)
SEPARATORS = re.compile(
    r"\s*,?\s*\\text\{\s*(?:,\s*)?(?:and|or)\s*\}\s*|\s*,?\s+(?:and|or)\s+|\s*;\s*"
)
REALS = re.compile(r"\\mathbb\s*\{?\s*R\s*\}?|ℝ")
UNKNOWN = re.compile(r"\\(?:neq?|[lc]?dots)(?![a-zA-Z])")


def compare(expected: str, said: str, rules: Rules) -> Decision:
    """Compare two unified answers; None where these rules cannot tell."""
    if "\\begin" in expected or "\\begin" in said:
        return _matrices(expected, said, rules), "matrix"
    expected, said = (
        SEPARATORS.sub(",", REALS.sub(r"(-\\infty,\\infty)", t)) for t in (expected, said)
    )
    if UNKNOWN.search(expected) or UNKNOWN.search(said):
        return None, ""
    found = spans.read(expected), spans.read(said)
    if found[0] and found[1]:
        return spans.same(found[0], found[1], rules), "interval"
    if any(spans.BOUND.search(t) or "\\cup" in t or "\\infty" in t for t in (expected, said)):
        other = said if found[0] else expected if found[1] else ""
        return (False, "interval") if other and readable(other) else (None, "")
    a, b = parts(expected), parts(said)
    if len(a.items) > MAX_PARTS or len(b.items) > MAX_PARTS:
        return None, ""
    if a.kind == b.kind == "one":
        return single(a.items[0], b.items[0], rules)
    return _several(a, b, rules)


def _several(a: Parts, b: Parts, rules: Rules) -> Decision:
    kinds = {a.kind, b.kind}
    if "one" in kinds:
        if kinds == {"one", "set"} and len(a.items) == len(b.items) == 1:
            return single(a.items[0], b.items[0], rules)
        lone, several = (a, b) if a.kind == "one" else (b, a)
        known = all(map(readable, (*lone.items, *several.items)))
        return (False, several.kind) if known else (None, "")
    if kinds == {"tuple"}:
        if a.brackets != b.brackets and len(a.items) == 2 and rules.brackets:
            return False, "interval"
        return _in_order(a.items, b.items, rules), "tuple"
    if kinds == {"list", "tuple"}:
        one, several = (a, b) if a.kind == "tuple" else (b, a)
        if all(_is_tuple(x) for x in several.items) and not any(map(_is_tuple, one.items)):
            return False, "list"  # one pair is not several
        named = b if a.kind == "tuple" else a
        same = _in_order(a.items, b.items, rules)
        if same is not True and (ordered := _by_name(named.items)):
            pair = (a.items, ordered) if named is b else (ordered, b.items)
            same = _in_order(*pair, rules)
        if same is False and _any_order(a.items, b.items, rules) is not False:
            same = None
        return same, "tuple"
    if "tuple" in kinds:
        return None, ""
    if rules.ordered and kinds == {"list"}:
        return _in_order(a.items, b.items, rules), "list"
    if kinds == {"set"}:
        a, b = (Parts("set", _distinct(p.items, rules)) for p in (a, b))
    return _any_order(a.items, b.items, rules), "set" if "set" in kinds else "list"


def _in_order(a: Sequence[str], b: Sequence[str], rules: Rules) -> bool | None:
    if len(a) != len(b):
        return False
    return every(
        compare(*notation.without_names(x, y), rules)[0] for x, y in zip(a, b, strict=True)
    )


def _any_order(a: Sequence[str], b: Sequence[str], rules: Rules) -> bool | None:
    """Find for each part one that is equal; None where an undecided pair could change that."""
    if len(a) != len(b):
        ambiguous = any(THOUSANDS.search(",".join(part)) for part in (a, b))
        return None if ambiguous or not all(map(readable, (*a, *b))) else False
    names = [[notation.NAME.match(x) for x in part] for part in (a, b)]
    if all(n for part in names for n in part):
        found = [{n[1] for n in part if n} for part in names]
        if len(found[0]) == len(found[1]) == len(a):  # x = 1, y = 2: each name has its value
            if found[0] != found[1]:
                return None
            order = [sorted(part, key=_name) for part in (a, b)]
            return _in_order(order[0], order[1], rules)
    left, undecided = list(b), False
    for x in a:
        for at, y in enumerate(left):
            same = compare(*notation.without_names(x, y), rules)[0]
            if same:
                del left[at]
                break
            undecided = undecided or same is None
    if not left:
        return True
    return None if undecided else False


def _is_tuple(text: str) -> bool:
    return parts(text).kind == "tuple"


def _distinct(items: Sequence[str], rules: Rules) -> list[str]:
    found: list[str] = []
    for item in items:
        if not any(compare(item, other, rules)[0] for other in found):
            found.append(item)
    return found


def _name(text: str) -> str:
    found = notation.NAME.match(text)
    return found[1] if found else ""


def _by_name(items: Sequence[str]) -> list[str]:
    """Sort `y = 2, x = 1` by name; [] where not all have one of their own."""
    found = {_name(item) for item in items}
    return sorted(items, key=_name) if "" not in found and len(found) == len(items) else []


def _matrices(expected: str, said: str, rules: Rules) -> bool | None:
    a, b = _cells(expected), _cells(said)
    if not rules.brackets and a and b is None:
        b = _vector(said, a)
    if a is None or b is None:
        other = said if a is not None else expected if b is not None else ""
        lone = bool(other) and "\\begin" not in other and parts(other).kind == "one"
        return False if lone and readable(other) else None
    if [len(row) for row in a] != [len(row) for row in b]:
        return False
    flat = [[cell for row in m for cell in row] for m in (a, b)]
    return every(compare(x, y, rules)[0] for x, y in zip(*flat, strict=True))


def _cells(text: str) -> list[list[str]] | None:
    found = MATRIX.fullmatch(text.strip().removeprefix("(").removesuffix(")").strip())
    if not found or found[1] in ("vmatrix", "Vmatrix") or "\\begin" in found[2]:
        return None
    rows = [row for row in found[2].split("\\\\") if row.strip()]
    cells = [[cell.strip() for cell in row.split("&")] for row in rows]
    return cells if sum(map(len, cells)) <= MAX_PARTS and all(map(all, cells)) else None


def _vector(text: str, like: list[list[str]]) -> list[list[str]] | None:
    found = parts(text)
    if found.kind != "tuple":
        return None
    return [found.items] if len(like) == 1 else [[item] for item in found.items]
