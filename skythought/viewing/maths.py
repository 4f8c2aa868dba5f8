r"""Formulas in a text, and their MathML, which browsers draw without scripts or fonts.

    find(r"so $x^2 = 4$ and it costs $5")  -> [Formula(3, 12, "x^2 = 4", False)]
    to_mathml("x^2", False)  -> "<math><mrow><msup><mi>x</mi><mn>2</mn></msup></mrow></math>"

latex2mathml reads the LaTeX. What it makes is not trusted: it copies texts of the formula as they
are, so the tree is written anew with known elements and attributes only, all text is escaped, and
lengths are bounded (a negative space could draw over a verdict). What is long, deep, defines
macros or cannot be read stays as it is written.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple
from xml.etree.ElementTree import Element

from skythought.core.errors import plain

LONGEST = 2_000  # characters of a formula
NEAR = 8  # characters of white space around a formula that are part of it
DEEPEST = 24  # groups within groups
MOST = 3_000  # elements of a formula
MACROS = re.compile(r"\\(?:newcommand|renewcommand|providecommand|def|let|DeclareMathOperator)\b")
OPENER = re.compile(
    r"(?P<dollars>\$\$)"
    r"|\\(?P<bracket>[\[(])"
    r"|\\begin\{(?P<name>equation|align|aligned|gather|cases|array|[pbvBV]?matrix)(?P<star>\*?)\}"
    r"|(?P<boxed>\\boxed\s?\{)"
    r"|(?<![\\$\w])(?P<dollar>\$)(?![\s$])"
)
WORDS = re.compile(r"\b[A-Za-z]{4,}\b")
COMMAND = re.compile(r"\\(?:text|mathrm|operatorname)\s?\{[^{}]*\}|\\[A-Za-z]+")
BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
COMMENT = re.compile(r"(?<!\\)%")
GROUPS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")  # 20,000 is one number
GAP = re.compile(r"\n\s*\n")
ESCAPED = re.compile(r"\\([$%#&_{}])")
CLOSER = re.compile(r"(?<!\\)\$(?!\d)")

ELEMENTS = frozenset(
    (
        *("math", "mrow", "mi", "mn", "mo", "ms", "mtext", "mspace", "mfrac", "msqrt", "mroot"),
        *("msub", "msup", "msubsup", "munder", "mover", "munderover", "mtable", "mtr", "mtd"),
        *("mpadded", "mphantom", "mstyle", "menclose", "mmultiscripts", "mprescripts", "none"),
    )
)
WORDED = re.compile(r"[a-z -]{1,40}")
LENGTH = re.compile(r"\d{1,2}(?:\.\d{1,4})?(?:em|ex|px|pt|mu|%)?")
NATURAL = re.compile(r"[0-3]")
# attribute -> what it may say
ATTRIBUTES = {
    **dict.fromkeys(("mathvariant", "stretchy", "fence", "separator", "form"), WORDED),
    **dict.fromkeys(("accent", "accentunder", "displaystyle", "notation"), WORDED),
    **dict.fromkeys(("movablelimits", "symmetric", "largeop", "columnalign"), WORDED),
    **dict.fromkeys(("linethickness", "lspace", "rspace", "minsize", "maxsize", "width"), LENGTH),
    "scriptlevel": NATURAL,
}


class Formula(NamedTuple):
    """A formula in a text, with what marks it: `text[start:end]`."""

    start: int
    end: int
    latex: str
    display: bool  # on lines of its own


def find(text: str) -> list[Formula]:
    """Find the formulas of a text in order; an amount of dollars is none."""
    return list(_find(text))


def _find(text: str) -> Iterator[Formula]:
    at = done = 0
    while opened := OPENER.search(text, at):
        at = opened.end()
        found = _closed(text, opened)
        if found is not None:
            if found.display:  # stands apart without the white space around it
                before = text[max(done, found.start - NEAR) : found.start]
                after = text[found.end : found.end + NEAR]
                start = found.start - len(before) + len(before.rstrip())
                end = found.end + len(after) - len(after.lstrip())
                found = found._replace(start=start, end=end)
            yield found
            at = done = found.end


def _closed(text: str, opened: re.Match[str]) -> Formula | None:
    """Find where a formula ends, None where it does not or holds no formula."""
    start, begin = opened.span()
    if opened["boxed"]:
        end = _brace(text, begin)
        return Formula(start, end, text[start:end], False) if end else None
    if opened["name"]:
        closer = f"\\end{{{opened['name']}{opened['star']}}}"
        close = text.find(closer, begin, begin + LONGEST)
        end = close + len(closer)
        return Formula(start, end, text[start:end], True) if close >= 0 else None
    if opened["dollar"]:
        line = text.find("\n", begin, begin + LONGEST)
        closed = CLOSER.search(text, begin, line if line >= 0 else begin + LONGEST)
        latex = text[begin : closed.start()] if closed else ""
        if closed is None or not _is_formula(latex):
            return None
        return Formula(start, closed.end(), latex, False)
    closer = "$$" if opened["dollars"] else "\\]" if opened["bracket"] == "[" else "\\)"
    close = text.find(closer, begin, begin + LONGEST)
    latex = text[begin:close]
    if close < 0 or not latex.strip() or GAP.search(latex):
        return None
    if opened["dollars"] and not _is_formula(latex.strip()):  # $$60 each day, $$30 less
        return None
    return Formula(start, close + 2, latex, closer != "\\)")


def _is_formula(latex: str) -> bool:
    """Say whether what stands between two dollars is a formula, not prose between two prices."""
    return not latex[-1:].isspace() and not WORDS.search(COMMAND.sub(" ", latex))


def _brace(text: str, begin: int) -> int:
    """Give the place behind the brace that closes the one before `begin`, 0 where there is none."""
    depth = 1
    for found in BRACE.finditer(text, begin, begin + LONGEST):
        depth += {"{": 1, "}": -1}.get(found[0], 0)
        if depth == 0:
            return found.end()
    return 0


@lru_cache(maxsize=20_000)
def to_mathml(latex: str, display: bool) -> str:
    """Write a formula as MathML, "" where it cannot be."""
    from latex2mathml.converter import Converter

    if len(latex) > LONGEST or _depth(latex) > DEEPEST or MACROS.search(latex):
        return ""
    try:
        source = GROUPS.sub(r"\\text{,}", COMMENT.sub(r"\\%", latex))
        tree = Converter().convert_to_element(source)
        return _written(tree, display)
    except Exception:  # noqa: BLE001 - a text of others, and a reader that raises many kinds
        return ""


def _depth(latex: str) -> int:
    """Count how many braces are open at most."""
    depth = most = 0
    for found in BRACE.finditer(latex):
        depth += {"{": 1, "}": -1}.get(found[0], 0)
        most = max(most, depth)
    return most


def _written(tree: Element, display: bool) -> str:
    """Write a tree with what is known to be harmless in it, and nothing else."""
    if sum(1 for _ in tree.iter()) > MOST:
        raise ValueError("too many elements")
    parts: list[str] = []
    _write(tree, parts, 0)
    parts[0] = '<math display="block">' if display else "<math>"
    return "".join(parts)


def _write(element: Element, parts: list[str], depth: int) -> None:
    if depth > 2 * DEEPEST:
        raise ValueError("too deep")
    tag = element.tag if element.tag in ELEMENTS else "mrow"
    said = "".join(
        f' {name}="{value}"'
        for name, value in element.attrib.items()
        if name in ATTRIBUTES and ATTRIBUTES[name].fullmatch(value)
    )
    text = ESCAPED.sub(r"\1", html.unescape(element.text or ""))
    parts.append(f"<{tag}{said}>{html.escape(plain(text))}")
    for child in element:
        _write(child, parts, depth + 1)
    parts.append(f"</{tag}>")
