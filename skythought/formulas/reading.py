r"""Reads a formula, in LaTeX or as typed, into an exact value. Nothing of it is evaluated as code.

    read("\\frac{1+\\sqrt{5}}{2}")   -> (1 + 5^(1/2)) / 2
    read("2(x-1)^2")                 -> 2 x^2 - 4 x + 2
    read("f(x)"), read("1/2x")       -> Unread: it could mean more than one thing

A recursive descent over a short list of symbols; whatever is not on the list raises Unread, so that
somebody else decides. Names are single letters, Greek ones too, with a subscript or without.
"""

from __future__ import annotations

import re
from fractions import Fraction

from skythought.formulas.algebra import Algebra
from skythought.formulas.polynomial import (
    MAX_BITS,
    PI,
    E,
    Gen,
    I,
    TooLarge,
    TooLong,
    Value,
    generator,
    number,
)

MAX_CHARS = 500
MAX_DEPTH = 30
MAX_FACTORIAL = 2_500
MAX_DIGITS = 300  # of one number

TOKEN = re.compile(r"\s*(\\[a-zA-Z]+|\d+(?:\.\d*)?|\.\d+|[a-zA-Z]|\\[{}|]|[-+*/^!_(){}\[\]|,])\s*")
GREEK = frozenset(
    (
        *("alpha", "beta", "gamma", "delta", "epsilon", "varepsilon", "zeta", "eta", "theta"),
        *("iota", "kappa", "lambda", "mu", "nu", "xi", "rho", "sigma", "tau", "phi", "varphi"),
        *("chi", "psi", "omega", "Gamma", "Delta", "Theta", "Lambda", "Sigma", "Phi", "Omega"),
    )
)
TIMES = frozenset({"*", "\\cdot", "\\times", "\\ast"})
CLOSING = frozenset({"\\rfloor", "\\rceil"})
OVER = frozenset({"/", "\\div"})
QUOTIENTS = {
    "tan": ("sin", "cos"),
    "cot": ("cos", "sin"),
    "sec": ("", "cos"),
    "csc": ("", "sin"),
}
PLAIN = frozenset({"sin", "cos", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh"})
LOGARITHMS = frozenset({"log", "ln", "lg"})
FUNCTIONS = PLAIN | QUOTIENTS.keys() | LOGARITHMS | {"exp"}
# Letters that are commonly functions when a bracket follows.
CALLED = frozenset("fghFGHPQ")
SUBSCRIPT = re.compile(r"\{\s*((?:\\?[a-zA-Z]+|\d+)\s*)\}|([a-zA-Z]|\d)")
WORDS = re.compile(r"(?<![\\a-zA-Z])[a-zA-Z]{3,}")
TYPED = re.compile(rf"(?<![\\a-zA-Z])({'|'.join(sorted(FUNCTIONS | {'sqrt'}))})(?![a-zA-Z])")


class Unread(Exception):
    """The text is not on the short list, or has more than one meaning."""


def read(text: str, algebra: Algebra) -> Value:
    """Read one formula, which has one value.

    Raises:
        Unread: what it means is not certain.
        Undefined: it divides by zero.
        TooLarge: to compute with it would take too long.
    """
    if not text.strip() or len(text) > MAX_CHARS:
        raise Unread
    text = TYPED.sub(r"\\\1 ", text)
    if WORDS.search(text):
        raise Unread
    return _Reader(text, algebra).whole()


class _Reader:
    def __init__(self, text: str, algebra: Algebra) -> None:
        self.tokens = _split(text)
        self.at = 0
        self.depth = 0
        self.algebra = algebra

    def whole(self) -> Value:
        found = self.sum()
        if self.at != len(self.tokens):
            raise Unread
        return found

    @property
    def next(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, expected: str = "") -> str:
        token = self.next
        if not token or (expected and token != expected):
            raise Unread
        self.at += 1
        return token

    def sum(self) -> Value:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise TooLarge
        found = self.signed()
        while self.next in ("+", "-"):
            sign = self.take()
            term = self.signed() if self.next in ("+", "-") else self.product()
            found = self.algebra.add(found, self.algebra.negative(term) if sign == "-" else term)
        self.depth -= 1
        return found

    def signed(self) -> Value:
        minus = False
        while self.next in ("+", "-"):
            minus ^= self.take() == "-"
        found = self.product()
        return self.algebra.negative(found) if minus else found

    def product(self) -> Value:
        found, divided = self.factor(), False
        while True:
            if self.next in TIMES:
                self.take()
                found = self.algebra.multiply(found, self.negative_factor())
            elif self.next in OVER:
                self.take()
                found, divided = self.algebra.divide(found, self.negative_factor()), True
            elif self.begins_factor():
                before = ["", *self.tokens[: self.at]][-2:]
                behind = before[1] in ("}", ")", "]", "!") or before[0] == "^"
                if divided or (self.next[0] in ".0123456789" and not behind):
                    raise Unread  # 1/2x, 2 3, x2; not 2^n 3
                if self.mixed():
                    raise Unread  # 1 \frac{4}{5}: 9/5, or 4/5
                found = self.algebra.multiply(found, self.factor())
            else:
                return found

    def negative_factor(self) -> Value:
        minus = False
        while self.next in ("+", "-"):
            minus ^= self.take() == "-"
        found = self.factor()
        return self.algebra.negative(found) if minus else found

    def begins_factor(self) -> bool:
        token = self.next
        if not token:
            return False
        if token in ("(", "{", "[") or token[0].isalnum() or token[0] == ".":
            return True
        return (
            token[0] == "\\" and token not in TIMES | OVER and token[1:] not in ("rfloor", "rceil")
        )

    def mixed(self) -> bool:
        before = self.tokens[self.at - 1]
        after = self.tokens[self.at : self.at + 7]
        return (
            before[0].isdigit()
            and after[:2] == ["\\frac", "{"]
            and after[2:3] != []
            and after[2].isdigit()
            and after[3:5] == ["}", "{"]
            and after[5].isdigit()
        )

    def factor(self) -> Value:
        found, named = self.atom()
        while self.next == "!":
            self.take()
            found = self.factorial(found)
        if self.next == "^":
            self.take()
            found = self.algebra.power(found, self.exponent())
            if self.next in ("^", "!"):
                raise Unread
        elif named and self.next in ("(", "["):
            raise Unread  # f(x)
        return found

    def exponent(self) -> Value:
        if self.next == "{":
            return self.group("{", "}")
        if self.next == "(":
            return self.group("(", ")")
        minus = self.next == "-"
        if self.next in ("+", "-"):
            self.take()
        token = self.next
        if not token or not (token.isalnum() or token in ("\\pi",) or token[1:] in GREEK):
            raise Unread
        found, _ = self.atom()
        return self.algebra.negative(found) if minus else found

    def group(self, opening: str, closing: str) -> Value:
        self.take(opening)
        found = self.sum()
        self.take(closing)
        return found

    def atom(self) -> tuple[Value, bool]:
        """Read what a power or a factorial sign can follow, and whether it may be a function."""
        token = self.next
        if not token:
            raise Unread
        if token[0].isdigit() or token[0] == ".":
            return number(Fraction(self.take().rstrip("."))), False
        for opening, closing in (("(", ")"), ("[", "]"), ("{", "}")):
            if token == opening:
                return self.group(opening, closing), False
        if token in ("|", "\\|"):
            raise Unread
        if token.isalpha():
            self.take()
            return self.name(token), token in CALLED
        if token[0] == "\\":
            return self.command(self.take()[1:]), False
        raise Unread

    def name(self, token: str) -> Value:
        subscript = ""
        if self.next == "_":
            self.take()
            if self.next == "{":
                self.take()
                while self.next != "}":
                    part = self.take()
                    if not part.lstrip("\\").isalnum():
                        raise Unread
                    subscript += part
                self.take("}")
            else:
                subscript = self.take()
                if not subscript.isalnum():
                    raise Unread
        elif token in ("e", "i"):
            return generator(E if token == "e" else I)
        return generator(Gen("name", f"{token}_{subscript}" if subscript else token))

    def command(self, name: str) -> Value:
        if name == "pi":
            return generator(PI)
        if name in GREEK:
            return self.name(f"\\{name}")
        if name == "frac":
            top = self.group("{", "}")
            return self.algebra.divide(top, self.group("{", "}"))
        if name == "sqrt":
            degree = 2
            if self.next == "[":
                self.take()
                token = self.take()
                if not token.isdigit() or len(token) > 3:
                    raise Unread
                degree = int(token)
                self.take("]")
            typed = self.next == "("
            return self.algebra.root(self.group(*("()" if typed else "{}")), degree)
        if name in ("binom", "dbinom", "tbinom"):
            top = self.group("{", "}")
            return self.binomial(top, self.group("{", "}"))
        if name in ("lfloor", "lceil"):
            found = self.sum()
            self.take(f"\\r{name[1:]}")
            return self.rounded(name, found)
        if name in FUNCTIONS:
            return self.call(name)
        raise Unread

    def call(self, name: str) -> Value:
        base: Value | None = None
        exponent: Value | None = None
        if self.next == "_" and name == "log":
            self.take()
            base = self.group("{", "}") if self.next == "{" else self.atom()[0]
        if self.next == "^":
            self.take()
            exponent = self.exponent()
            if exponent.rational is None or exponent.rational <= 0:
                raise Unread  # the power -1 may mean the inverse
        found = self.apply(name, base, self.argument())
        return found if exponent is None else self.algebra.power(found, exponent)

    def argument(self) -> Value:
        """Read what a function is of: a bracket, or factors up to the next function or sign."""
        if self.next in ("(", "{", "["):
            found, _ = self.atom()
            if self.next in ("^", "!"):
                raise Unread  # \sin(x)^2
            return found
        found = self.factor()
        while self.begins_factor() and self.next[1:] not in FUNCTIONS:
            if self.next in ("(", "[") or self.next[0].isdigit():
                raise Unread
            found = self.algebra.multiply(found, self.factor())
        if self.next in OVER:
            raise Unread  # \sin x/2
        return found

    def apply(self, name: str, base: Value | None, of: Value) -> Value:
        if name == "exp":
            return self.algebra.power(generator(E), of)
        if name in LOGARITHMS:
            if base is not None:
                below = self.algebra.logarithm("ln", base)
                return self.algebra.divide(self.algebra.logarithm("ln", of), below)
            return self.algebra.logarithm(name, of)
        if name in QUOTIENTS:
            above, below_name = QUOTIENTS[name]
            top = self.algebra.sine(of, co=above == "cos") if above else number(1)
            return self.algebra.divide(top, self.algebra.sine(of, co=below_name == "cos"))
        if name in ("sin", "cos"):
            return self.algebra.sine(of, co=name == "cos")
        return self.algebra.function(name, of)

    def factorial(self, of: Value) -> Value:
        value = of.rational
        if value is None:
            return self.algebra.function("factorial", of)
        whole = _natural(value, MAX_FACTORIAL)
        found = 1
        for k in range(2, whole + 1):
            found *= k
        return number(_short(found))

    def binomial(self, top: Value, bottom: Value) -> Value:
        n, k = top.rational, bottom.rational
        if n is None or k is None:
            return self.algebra.function("binomial", top, bottom)
        whole, part = _natural(n, 10_000), _natural(k, 10_000)
        found = 1
        for j in range(min(part, whole - part)):
            found = found * (whole - j) // (j + 1)
        return number(_short(found if part <= whole else 0))

    def rounded(self, name: str, of: Value) -> Value:
        value = of.rational
        if value is None:
            return self.algebra.function(name, of)
        return number(value.__floor__() if name == "lfloor" else value.__ceil__())


def _natural(value: Fraction, most: int) -> int:
    if value.denominator != 1 or value < 0:
        raise Unread
    if value > most:
        raise TooLarge
    return value.numerator


def _short(value: int) -> int:
    if value.bit_length() > MAX_BITS:
        raise TooLong
    return value


def _split(text: str) -> list[str]:
    tokens, at = [], 0
    while at < len(text):
        found = TOKEN.match(text, at)
        if not found:
            raise Unread
        token = found[1]
        if len(token) > MAX_DIGITS:
            raise TooLarge
        tokens.append(token)
        at = found.end()
    return tokens
