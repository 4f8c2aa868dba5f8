r"""Cuts a text into the tokens that formulas are made of, in prose, in LaTeX or as typed.

    scan("5 trees × 6 = 30.")  ->  num 5, word trees, op *, num 6, rel =, num 30, end .

One pass of one regular expression, which never goes back; code blocks are left out.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

MAX_LINE = 50_000  # characters; longer lines are nobody's mathematics
SHORT = 40  # characters of a token that is remembered
MAX_NUMBER = 60  # characters of a number; longer ones are nothing that a person checks

LETTER = "[^\\W\\d_¹²³⁰-ₜ¼-¾⅐-⅞]"
GROUPED = re.compile(r"\d+,\d{3}")
FENCE = re.compile(r"^[ \t]*```", re.MULTILINE)
TOKEN = re.compile(
    rf"""
    [ ]*(?:
    (?P<plain>[A-Za-z]{{2,}}+(?=[ .,\n]))  # most tokens are such words
  | (?P<space>[^\S\n]+|&|\\[,;:!\ ]
        |\\(?:quad|qquad|left|right|displaystyle|textstyle|limits)(?![a-zA-Z])
        |\\[bB]igg?[lr]?(?![a-zA-Z])|\\[()]|\\\$|\$(?!\$)|€|£|\\boxed(?=\s*\{{)
        |\\(?:begin|end)\{{(?:align|aligned|equation|gather|split|gathered)\*?\}}|~|`)
  | (?P<row>\n[^\S\n]*|\\\\|\\[\[\]]|\$\$)
  | (?P<clock>(?<![\d.])\d{{1,2}}:\d{{2}}(?!\d)|(?<![\d/])\d{{1,2}}/\d{{1,2}}/\d{{4}}(?!\d))
  | (?P<ordinal>\d+(?:st|nd|rd|th)\b)
  | (?P<num>\d{{1,3}}(?:(?:,(?:\\!)?|\{{,\}}|\\,)\d{{3}}){{1,9}}(?!\d)(?:\.\d+)?
        |\d+(?:\.\d+)?|(?<![\w.])\.\d+)
  | (?P<dots>\.\.+|…|\\[lcd]?dots[a-z]?(?![a-zA-Z]))
  | (?P<textual>\\(?:text|mathrm|mbox|textbf|textrm|textit|mathbf|operatorname)\s*
        \{{[^{{}}\n]{{0,80}}\}})
  | (?P<command>\\[a-zA-Z]+|\\[%{{}}|])
  | (?P<arrow><?[=-]{{1,4}}>|<-{{1,4}}|[→⇒⟹⇔↔⟶←∴])
  | (?P<rel><=|>=|!=|[=<>≈≅≃≠≤≥≡≢]{{1,4}})
  | (?P<sub>{LETTER}(?:_\{{[^{{}}\n]{{1,20}}\}}|_\w|[₀-₉]+|\d+(?![\w.])))
  | (?P<word>{LETTER}+(?:['’]{LETTER}+)*(?:-{LETTER}{{2,}})*)
  | (?P<power>\*\*|\^|[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+)
  | (?P<vulgar>[¼-¾⅐-⅞])
  | (?P<op>[-+*/×·⋅∙•÷−–±])
  | (?P<mark>[!%°])
  | (?P<root>√)
  | (?P<open>[(\[{{])
  | (?P<close>[)\]}}])
  | (?P<bar>\|)
  | (?P<end>[.,;:?—"“”])
  | (?P<other>.)
    )
    """,
    re.VERBOSE | re.DOTALL,
)
GROUPS = {at: "word" if name == "plain" else name for name, at in TOKEN.groupindex.items()}
SPACE = TOKEN.groupindex["space"]
OPS = {"×": "*", "·": "*", "⋅": "*", "∙": "*", "•": "*", "÷": "/", "−": "-", "–": "-"}
COMMAND_OPS = {"cdot": "*", "times": "*", "ast": "*", "div": "/"}
RELATIONS = {
    **{"=": "=", "≈": "≈", "≅": "≈", "≃": "≈", "<": "<", ">": ">", "≤": "≤", "≥": "≥"},
    **{"<=": "≤", ">=": "≥", "≠": "≠", "!=": "≠", "≡": "≡"},
}
COMMAND_RELATIONS = {
    **{"approx": "≈", "simeq": "≈", "cong": "≈", "sim": "≈", "neq": "≠", "ne": "≠", "equiv": "≡"},
    **{"le": "≤", "leq": "≤", "leqslant": "≤", "ge": "≥", "geq": "≥", "geqslant": "≥"},
    **{"lt": "<", "gt": ">", "lesssim": "≈"},
}
ARROWS = frozenset(
    (
        *("implies", "Rightarrow", "rightarrow", "to", "iff", "Leftrightarrow", "Longrightarrow"),
        *("longrightarrow", "therefore", "because", "Longleftrightarrow", "leftarrow", "mid"),
    )
)
PREFIXES = frozenset({"frac", "sqrt", "binom", "lfloor", "lceil"})
GREEK = frozenset(
    (
        *("alpha", "beta", "gamma", "delta", "epsilon", "varepsilon", "zeta", "eta", "theta"),
        *("iota", "kappa", "lambda", "mu", "nu", "xi", "pi", "rho", "sigma", "tau", "phi"),
        *("varphi", "chi", "psi", "omega", "Gamma", "Delta", "Theta", "Lambda", "Sigma", "Phi"),
        "Omega",
    )
)
GREEK_LETTERS = {
    unicodedata.lookup(f"GREEK SMALL LETTER {name.upper().replace('LAMBDA', 'LAMDA')}"): name
    for name in GREEK
    if name.islower() and not name.startswith("var")
}
FUNCTIONS = frozenset({"sin", "cos", "tan", "cot", "sec", "csc", "log", "ln", "sqrt"})
CALLS = frozenset({"gcd", "lcm", "max", "min", "floor", "ceil", "abs", "GCD", "LCM", "gcf", "GCF"})


class Token(NamedTuple):
    """A piece of a text."""

    # num, sym, op, power, mark, prefix, call, open, close, bar, rel, word, text, end, row, bad
    kind: str
    text: str  # as `formula` reads it
    start: int
    end: int
    spaced: bool  # whether there is a space before it


def scan(text: str) -> list[Token]:
    """Cut a text into tokens; spaces, code blocks and delimiters of formulas are left out."""
    found: list[Token] = []
    spaced, end = True, 0
    for match in TOKEN.finditer(_without_long_lines(without_code(text))):
        group = match.lastindex or SPACE
        if group == SPACE:
            spaced = True
            continue
        piece, before, end = match[group], end, match.end()
        start = end - len(piece)
        spaced = spaced or start > before
        kind, written = (_known if end - start <= SHORT else _token)(GROUPS[group], piece)
        if kind == "num" and found and found[-1].kind == "rel" and GROUPED.fullmatch(piece):
            written = piece.replace(",", "@")  # 7*21=147,147+53=200
        elif piece in EMPHASIS and EMPHASIS[piece](text, start, end):
            spaced = True
            continue
        found.append(Token(kind, written, start, end, spaced))
        spaced = False
    return found


def without_code(text: str) -> str:
    """Blank out fenced code, keeping every offset."""
    if "```" not in text:
        return text
    parts, at, opened = [], 0, False
    for fence in FENCE.finditer(text):
        part = text[at : fence.start()]
        parts.append(re.sub(r"[^\n]", " ", part) if opened else part)
        at, opened = fence.start(), not opened
    part = text[at:]
    parts.append(re.sub(r"[^\n]", " ", part) if opened else part.replace("`", " "))
    return "".join(parts)


def _without_long_lines(text: str) -> str:
    if len(text) <= MAX_LINE:
        return text
    lines = text.split("\n")
    return "\n".join(line if len(line) <= MAX_LINE else " " * len(line) for line in lines)


def _token(group: str, text: str) -> tuple[str, str]:
    """Name the kind of a token and write it as `formula` reads it."""
    if group == "num":
        number = re.sub(r"[^\d.]", "", text)
        return ("num" if len(number) <= MAX_NUMBER else "bad"), number
    if group == "rel":
        return ("rel", RELATIONS[text]) if text in RELATIONS else ("bad", text)
    if group == "command":
        return _command(text[1:])
    if group == "textual":
        inside = text.partition("{")[2][:-1].strip()
        if inside in CALLS:
            return "call", inside.lower()
        return ("num", inside) if inside.isdigit() else ("text", inside)
    if group == "sub":
        return "sym", _subscript(text)
    if group == "word":
        return _word(text)
    if group == "power":
        if text in ("**", "^"):
            return "power", "^"
        return "mark", f"^{{{unicodedata.normalize('NFKC', text).replace('−', '-')}}}"
    if group == "vulgar":
        return "num", f"({unicodedata.normalize('NFKC', text).replace('⁄', '/')})"
    if group == "op":
        return ("bad", text) if text == "±" else ("op", OPS.get(text, text))
    if group == "root":
        return "prefix", "\\sqrt"
    if group in ("clock", "ordinal", "dots", "other"):
        return "bad", text
    if group == "arrow":
        return "end", ";"
    return group, text


_known = lru_cache(maxsize=1 << 14)(_token)  # most words and signs come again


def _command(name: str) -> tuple[str, str]:
    if name in COMMAND_OPS:
        return "op", COMMAND_OPS[name]
    if name in COMMAND_RELATIONS:
        return "rel", COMMAND_RELATIONS[name]
    if name in ARROWS:
        return "end", ";"
    if name in ("dfrac", "tfrac", "cfrac"):
        return "prefix", "\\frac"
    if name in ("dbinom", "tbinom"):
        return "prefix", "\\binom"
    if name in PREFIXES or name in FUNCTIONS:
        return "prefix", f"\\{name}"
    if name in CALLS:
        return "call", name.lower()
    if name in GREEK:
        return "sym", f"\\{name} "
    if name in ("rfloor", "rceil"):
        return "close", f"\\{name}"
    if name == "%":
        return "mark", "%"
    if name == "circ":
        return "circ", "°"
    if name in ("pmod", "bmod", "mod"):
        return "word", "mod"
    return "bad", name


def _word(text: str) -> tuple[str, str]:
    if text in FUNCTIONS:
        return "prefix", f"\\{text}"
    if text in CALLS:
        return "call", text.lower()
    if text == "pi":
        return "sym", "\\pi "
    if len(text) == 1:
        if text in GREEK_LETTERS:
            return "sym", f"\\{GREEK_LETTERS[text]} "
        return ("sym", text) if text.isascii() else ("bad", text)
    return "word", text


def _subscript(text: str) -> str:
    name = unicodedata.normalize("NFKC", text)
    letter, rest = name[0], name[1:].strip("_{}")
    letter = f"\\{GREEK_LETTERS[letter]}" if letter in GREEK_LETTERS else letter
    return f"{letter}_{{{re.sub(r'[^a-zA-Z0-9]', '', rest) or '0'}}}"


def _emphasis(text: str, start: int, end: int) -> bool:
    """Say whether a star is a bullet or emphasis: nothing to be multiplied before or behind it."""
    before = text[max(0, start - 1) : start]
    return text[start] == "*" and (before in ("", "\n") or text[end : end + 1] in ("", "\n", "*"))


def _bold(text: str, start: int, end: int) -> bool:
    """Say whether two stars are no power: not between two operands."""
    before, after = text[max(0, start - 1) : start], text[end : end + 1]
    return not (before.isalnum() or before == ")") or not (after.isalnum() or after in ("(", "-"))


EMPHASIS = {"*": _emphasis, "**": _bold}
