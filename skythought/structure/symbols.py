r"""The numbers and symbols a text mentions, in order.

    mentioned(r"So 1,000x + 2.50 = f(x_1), with \theta = 3.0")
    -> ["1000", "x", "2.5", "f", "x_1", r"\theta", "3"]

| kind | written | becomes |
|---|---|---|
| number | `1,000`  `2.50`  `.5`  `007`  `1e5` | `1000`  `2.5`  `0.5`  `7`  `1e5` |
| variable, one letter | `x`  `2x`  `x'`  `𝑥` | `x` |
| with an index | `x_1`  `x_{1}`  `x₁`  `x1`  `T_{\text{max}}` | `x_1` (four times)  `T_max` |
| Greek | `\theta`  `θ`  `theta` | `\theta` |
| function | `gcd(8, 6)`  `\sin`  `sin x`  `f(x)` | `gcd`  `sin`  `sin`  `f` |
| name of a program | `max_sum` | `max_sum` |

A sign is an operator and no part of a number. `a`, `A` and `I` are words unless an operator or a
bracket is beside them. Names of several letters without a mark of their own (`AB`, `xy`) are taken
for words, single letters after numbers that are units (`5 m`) for variables.
"""

from __future__ import annotations

import re
from functools import lru_cache

GREEK = (
    *("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa"),
    *("lambda", "mu", "nu", "xi", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi"),
    *("omega", "varepsilon", "vartheta", "varphi", "Gamma", "Delta", "Theta", "Lambda", "Xi"),
    *("Pi", "Sigma", "Phi", "Psi", "Omega"),
)
# As plain words these are more often something else than the letter.
ENGLISH = ("Xi", "Pi", "Delta", "Gamma", "Sigma", "Omega", "lambda", "tau", "iota")
WORDS = ("max", "min", "exp", "sum", "sec", "prod", "sup", "inf", "dim", "deg", "det", "lim", "ker")
LETTERS = dict(
    zip(
        "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΦΨΩ",
        [name for name in GREEK if not name.startswith("var")],
        strict=True,
    )
)
FUNCTIONS = (
    *("sin", "cos", "tan", "cot", "sec", "csc", "arcsin", "arccos", "arctan", "sinh", "cosh"),
    *("tanh", "log", "ln", "exp", "gcd", "lcm", "max", "min", "det", "lim", "sum", "prod"),
    *("binom", "sqrt", "deg", "dim", "ker", "sup", "inf"),
)
NAMES = {f"\\{name}": f"\\{name}" for name in (*GREEK, "ell", "infty")}
NAMES |= {name: f"\\{name}" for name in GREEK if name not in ENGLISH}
NAMES |= {letter: f"\\{name}" for letter, name in LETTERS.items()}
NAMES |= {f"\\{name}": name for name in FUNCTIONS}
NAMES |= {name: name for name in FUNCTIONS if name not in WORDS}
NAMES |= {"∞": r"\infty", "∑": "sum", "√": "sqrt"}
# How text copied from web pages writes what LaTeX writes with marks.
WRITTEN = str.maketrans(
    {0x1D400 + i: chr(c) for i, c in enumerate([*range(65, 91), *range(97, 123)])}
    | {0x1D434 + i: chr(c) for i, c in enumerate([*range(65, 91), *range(97, 123)])}
    | {"₀₁₂₃₄₅₆₇₈₉"[i]: f"_{i} " for i in range(10)}
    | {"⁰¹²³⁴⁵⁶⁷⁸⁹"[i]: f"^{i}" for i in range(10)}
    | {"½": " 1/2", "¼": " 1/4", "¾": " 3/4", "⅓": " 1/3", "⅔": " 2/3"}
    | {"ℎ": "h", "ϕ": "φ", "ϵ": "ε", "’": "'"}
)
INDICES = re.compile(r"(?<=_\d) _(?=\d)")  # of x₁₂

TOKEN = re.compile(
    r"""
    ( [A-Za-z]{2,}+ )(?=[ .,\n])                            # most are such plain words
  | ( \d{1,3}(?:(?:,|\{,\}|\\,)\d{3})++(?!\d)(?:\.\d++)?   # numbers
    | \d++(?:\.\d++)?(?:[eE][+-]?\d++)?
    | (?<![\w.)\]}])\.\d++ )
  | \\(?:text|mathrm|operatorname|textbf|mathbf|mbox)\s*+\{[^{}\\$]{0,80}+\}
  | (?<=[a-z])\(e?s\)                                    # apple(s)
  | ( (?<![^\W_])[^\W\d_]_\d++                            # names with an index, calls
    | [^\W\d_][^\W_]*+(?:_[^\W_]++)++
    | [^\W\d_][^\W_]++(?=\((?!e?s\))) )
  | (?:(?<=[\d=+*/^<>|{$≤≥≠×·])|(?<=[=+*/^<>|{$≤≥≠×·][ ]))([aAI])(?![\w'])
  | ([aAI])(?=[ ]?(?:[=+*/^<>)\]|}≤≥≠×·$_]|-(?!-)|,[ ][a-zA-Z][ ,)=]|\\[clgnt]))(?<![\w][aAI])
  | ( \\[A-Za-z]++ | [^\W\d_][^\W_]*+(?:'[^\W\d_]++)? | [∞∑√] )
    (?:_(?:\{[ ]?(?:\\(?:text|mathrm)\{)?([^\W_]{1,20}+)\}{1,2}|(\d++)))?
    """,
    re.VERBOSE,
)
SHORT = 40  # characters of a name that is remembered
NUMBERED = re.compile(r"([^\W\d_])(\d+)")


def mentioned(text: str) -> list[str]:
    """List the numbers and symbols of a text in order, with repeats, each in its plain form.

    Takes time in proportion to the length of the text, whatever it holds.
    """
    if not text.isascii():
        text = INDICES.sub("", text.translate(WRITTEN))
    found: list[str] = []
    for word, number, joined, beside, before, name, index, digits in TOKEN.findall(text):
        if word:
            if word in NAMES:
                found.append(NAMES[word])
        elif number:
            found.append(number_form(number))
        elif joined:
            head, mark, rest = joined.partition("_")
            found.append(NAMES.get(head, head) + mark + rest)
        elif name:
            read = _known if len(name) + len(digits) <= SHORT else _symbol
            if symbol := read(name, index or digits):
                found.append(symbol)
        elif beside or before:
            found.append(beside or before)
    return found


def number_form(written: str) -> str:
    """Write a number without separators, leading zeros and zeros that end its decimals.

    >>> [number_form(n) for n in ("1,000", "2.50", "3.0", "007", ".5", "1.50e-07")]
    ['1000', '2.5', '3', '7', '0.5', '1.5e-7']
    """
    digits, _, power = written.lower().partition("e")
    digits = digits.replace("{,}", "").replace("\\,", "").replace(",", "")
    whole, _, decimals = digits.partition(".")
    plain = whole.lstrip("0") or "0"
    if decimals := decimals.rstrip("0"):
        plain += f".{decimals}"
    if not power:
        return plain
    sign = "-" if power.startswith("-") else ""
    return f"{plain}e{sign}{power.lstrip('+-').lstrip('0') or '0'}"


def _symbol(name: str, index: str) -> str:
    """Give the plain form of what may be a symbol; "" where it is a word."""
    if known := NAMES.get(name):
        return f"{known}_{index}" if index else known
    if name[0] == "\\" or not name[0].isascii():
        return ""
    if index:
        return f"{name}_{index}"
    if len(name) == 1:
        return "" if name in "aAI" else name
    if numbered := NUMBERED.fullmatch(name):
        return f"{numbered[1]}_{numbered[2]}"
    return ""


_known = lru_cache(maxsize=1 << 14)(_symbol)  # most words come again
