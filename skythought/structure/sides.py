"""Reads one side of a statement from tokens: as far as a formula goes, over its units and words.

    5 trees × 6 lemons/tree = ...  ->  "5*6", with the units trees, lemons, tree

What is written is for `formulas.reading.read`, with marks for what may be read in two ways:

| mark | stands before | is |
|---|---|---|
| ¶ | a bracket behind a number, in prose | a factor, or an aside |
| § | a fraction behind a whole number | a mixed number, or a factor |
| ¤ | the number that a dozen or a thousand is | a factor, or a unit |
| ¬ | the number behind a line's first dash | a minus, or the bullet of a list |
| @ | three digits behind a comma | a part of a number, or another number |
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from skythought.structure.scan import Token
from skythought.structure.words import (
    ARTICLES,
    BEHIND,
    NUMBERS,
    OPERATORS,
    SCALES,
    SHARES,
    SHORT_UNITS,
    STOP,
)

UNSURE = "?"
MAX_UNITS = 4  # words in a row that may name a unit
MAX_TOKENS = 150  # of one side
MAX_DEPTH = 20
CLOSING = {"(": ")", "[": "]", "{": "}", "|": "|", "\\lfloor": "\\rfloor", "\\lceil": "\\rceil"}
SHARE = re.compile(r"(?:%|/\d+\)?|\\frac\{\d+\}\{\d+\}|0\.\d+|\*)$")


# Words that a formula may begin with.
BEGINNING = frozenset({*NUMBERS, *SHARES, *ARTICLES, "square", "sum", "product"})
KINDS = frozenset({"num", "sym", "op", "open", "bar", "prefix", "call"})  # and kinds of tokens


class Side(NamedTuple):
    """What was read from a place on."""

    text: str  # as far as it is a whole formula
    end: int  # the token behind that
    stop: int  # the token that was not understood
    unclosed: int  # the token behind the last bracket that is still open there, or -1
    units: frozenset[str]


def side(tokens: Sequence[Token], at: int, stop: int) -> Side:
    """Read the formula that begins at a token, up to `stop` at most."""
    return _Reader(tokens, at, min(stop, at + MAX_TOKENS)).read()


def may_begin(token: Token) -> bool:
    """Say whether a formula may begin with a token; where not, `side` is empty."""
    if token.kind == "word":
        return token.text.lower() in BEGINNING or is_segment(token.text)
    return token.kind in KINDS


class _Reader:
    def __init__(self, tokens: Sequence[Token], at: int, stop: int) -> None:
        self.tokens, self.at, self.stop = tokens, at, stop
        self.pieces: list[str] = []
        self.open: list[tuple[str, int, bool]] = []  # what closes it, where, and is it a call
        self.units: set[str] = set()
        self.names = 0  # words since the last operand
        self.operand = True  # whether one is expected
        self.joins: list[str] = []  # what `and` stands for: the sum of 3 and 4
        self.whole = ("", at)

    def read(self) -> Side:
        while self.at < self.stop and len(self.open) <= MAX_DEPTH:
            before = self.at
            step = self.before_operand if self.operand else self.behind_operand
            if not step(self.tokens[self.at]):
                break
            if not self.operand and not self.open:
                self.whole = ("".join(self.pieces), self.at)
            assert self.at > before
        unclosed = self.open[-1][1] + 1 if self.open else -1
        return Side(*self.whole, self.at, unclosed, frozenset(self.units))

    def peek(self, ahead: int = 1) -> Token | None:
        return self.tokens[self.at + ahead] if self.at + ahead < self.stop else None

    def put(self, text: str, tokens: int = 1, *, operand: bool = False) -> bool:
        self.pieces.append(text)
        self.at += tokens
        self.operand = operand
        self.names = 0
        return True

    def push(self, token: Token, *, call: bool = False) -> bool:
        self.open.append((CLOSING[token.text.strip()], self.at, call))
        text = "(" if token.text == "[" else token.text
        return self.put(text + (" " if text[0] == "\\" else ""), operand=True)

    def before_operand(self, token: Token) -> bool:
        kind = token.kind
        if kind == "num":
            if self.pieces and self.pieces[-1] == "\\frac" and len(token.text) == 2:
                return self.put(f"{{{token.text[0]}}}{{{token.text[1]}}}")
            if self.pieces and self.pieces[-1] == "\\sqrt":
                return self.put(f"{{{token.text}}}")
            return self.mixed(token) or self.put(token.text)
        if kind == "sym":
            return not self.article(token) and self.put(token.text)
        if kind == "op" and token.text in "+-":
            signs = self.pieces[-2:]
            return signs != ["-", "-"] and self.put(token.text, operand=True)
        if kind in ("open", "bar"):
            grouped = token.text != "{" or (self.pieces and self.pieces[-1][-1] not in "+-*/(")
            return bool(grouped) and self.push(token)
        if kind == "mark" and token.text.startswith("^") and self.pieces:  # sin²
            return self.pieces[-1][0] == "\\" and self.put(token.text, operand=True)
        if kind == "prefix":
            if token.text.strip() in CLOSING:
                return self.push(token)
            after = self.peek()
            if after and after.kind == "power" and token.text not in ("\\frac", "\\sqrt"):
                return False
            return self.function(token)
        if kind == "call":
            after = self.peek()
            if not after or after.text != "(":
                return False
            self.at += 1
            self.open.append((")", self.at, True))
            return self.put(f"{token.text}(", operand=True)
        if kind == "word" and is_segment(token.text):
            return self.put(f"X_{{{token.text}}}")
        return kind == "word" and self.word_before(token.text.lower())

    def word_before(self, word: str) -> bool:
        following = [t.text.lower() for t in self.tokens[self.at + 1 : self.at + 3]]
        if word in NUMBERS:
            return self.put(str(NUMBERS[word]))
        if word in ("half", "twice", "double", "triple", "negative"):
            skip = 1 + (following[:1] == ["of"])
            skip += following[skip - 1 : skip] in (["the"], ["a"])
            return self.put(SHARES[word], skip, operand=True)
        if word == "square" and following == ["root", "of"]:
            return self.put("\\sqrt", 3, operand=True)
        if word in ("sum", "product") and following[:1] == ["of"]:
            self.joins.append("+" if word == "sum" else "*")
            self.at += 2
            return True
        if word in ARTICLES:
            self.at += 1
            return bool(self.pieces) or following[:1] in (["sum"], ["product"], ["square"])
        return False

    def behind_operand(self, token: Token) -> bool:
        kind, after = token.kind, self.peek()
        if kind == "op":
            if token.text == "/" and after and (after.kind == "text" or self.is_unit(after)):
                self.units.add(after.text)
                self.at += 2
                return True
            glued = after and after.kind == "word" and not after.spaced
            if token.text == "-" and glued and not token.spaced:
                return False  # 3-digit
            if token.text == "/" and (fraction := self.fraction(self.at + 1)):
                return self.put(f"/{fraction}", 4)
            return self.put(token.text, operand=True)
        if kind == "power":
            return self.power(after)
        if kind == "mark":
            return self.mark(token)
        if kind == "circ":
            return self.put("°")
        if kind == "close" or (kind == "bar" and self.open and self.open[-1][0] == "|"):
            return self.close(token)
        if kind in ("open", "prefix", "call", "sym", "num"):
            return self.another_operand(token)
        if kind == "end" and token.text == "," and self.open and self.open[-1][2]:
            return self.put(",", operand=True)
        if kind == "text":
            words = token.text.lower().split()
            if not words or any(word.strip(".,:;") in STOP for word in words):
                return False
            self.units.update(words)
            self.names += 1
            self.at += 1
            return True
        return kind == "word" and self.word_behind(token)

    def power(self, after: Token | None) -> bool:
        if after is None:
            return False
        if after.kind == "circ":
            return self.put("°", 2)
        if after.text == "{" and (inner := self.peek(2)) and inner.kind == "circ":
            return self.put("°", 4)
        if self.names:  # cm^2
            self.at += 4 if after.text == "{" else 2
            return True
        if after.kind == "power":
            return False
        return self.put("^", operand=True)

    def mark(self, token: Token) -> bool:
        after = self.peek()
        if token.text.startswith("^") and self.names:  # cm²
            self.at += 1
            return True
        if token.text == "%" and after and after.kind == "num" and token.spaced and after.spaced:
            return self.put(" mod ", operand=True)
        if token.text == "!" and (token.spaced or self.names):
            return False
        return self.put(token.text)

    def close(self, token: Token) -> bool:
        if not self.open or self.open[-1][0] != token.text.strip():
            return False
        self.open.pop()
        text = ")" if token.text == "]" else token.text
        return self.put(text + (" " if text[0] == "\\" else ""))

    def another_operand(self, token: Token) -> bool:
        """Read an operand behind another: a factor, a mixed number, a letter that is a sign."""
        last, after = self.tokens[self.at - 1], self.peek()
        if token.kind == "open":
            return self.bracket(token, last)
        if token.kind == "sym":
            times = token.text == "x" and after and last.kind == "num"
            if after and times and (after.kind == "num" or (after.text == "(" and after.spaced)):
                return self.put("*", operand=True)
            if re.fullmatch(r"x_\{\d+\}", token.text) and last.kind == "num":
                self.units.add(UNSURE)  # 3x4, or a lost power
                return self.put(f"*{token.text[3:-1]}")
            return last.kind in ("num", "sym", "close", "mark") and (
                not self.article(token) and self.put(f" {token.text}")
            )
        if token.kind == "prefix" and (last.kind in ("num", "sym", "close") or not self.names):
            if token.text == "\\frac" and last.kind == "num":
                self.pieces.append("§")
            if token.text.strip() in CLOSING:
                return self.push(token)
            return self.function(token)
        if token.kind == "num" and last.kind == "close" and self.fraction_begun():
            return self.put(f"{{{token.text}}}")
        return False

    def function(self, token: Token) -> bool:
        spaced = token.text in ("\\frac", "\\sqrt", "\\binom")
        return self.put(token.text if spaced else f"{token.text} ", operand=True)

    def fraction_begun(self) -> bool:
        return len(self.pieces) >= 4 and self.pieces[-4] == "\\frac"

    def bracket(self, token: Token, last: Token) -> bool:
        inside = self.tokens[self.at + 1 : self.at + 8]
        for count, inner in enumerate(inside):
            if inner.text == ")":
                if count and token.text == "(":  # words alone: an aside
                    self.at += count + 2
                    return True
                break
            if inner.kind not in ("word", "text"):
                break
        if token.text == "{" and last.text != "}":
            return False
        if last.kind in ("word", "text") and token.text == "(":
            return False
        if token.spaced and last.kind == "num":
            self.pieces.append("¶")
        return self.push(token)

    def fraction(self, at: int) -> str:
        """Read 3/4 written as one word, "" where there is none."""
        parts = self.tokens[at : min(at + 3, self.stop)]
        if [t.kind for t in parts] != ["num", "op", "num"] or parts[1].text != "/":
            return ""
        together = not parts[1].spaced and not parts[2].spaced and parts[0].spaced
        return f"({parts[0].text}/{parts[2].text})" if together else ""

    def mixed(self, token: Token) -> bool:
        """Read 3 1/2."""
        fraction = self.fraction(self.at + 1)
        above, _, below = fraction[1:-1].partition("/")
        if not (token.text.isdigit() and below.isdigit() and above.isdigit()):
            return False
        if int(above) >= int(below):
            return False
        return self.put(f"({token.text}+{above}/{below})", 4)

    def word_behind(self, token: Token) -> bool:
        word = token.text.lower()
        for words, sign in OPERATORS:
            if word == words[0] and self.said(words):
                return self.operator(words, sign)
        if word in ("squared", "cubed") and self.names:  # meters squared
            self.at += 1
            return True
        if word in BEHIND:
            return self.put(BEHIND[word])
        if word == "of" and self.share():
            skip = 1
            while (after := self.peek(skip)) and after.text.lower() in ("the", "those", "these"):
                skip += 1
            return self.put("*", skip, operand=True)
        if word == "and" and self.joins:
            return self.put(self.joins.pop(), operand=True)
        if word in SCALES and self.tokens[self.at - 1].kind in ("num", "word"):
            return not self.names and self.put(f"¤{SCALES[word]}")
        if word in STOP and word != "times":
            return False
        if is_segment(token.text):
            return not self.names and self.put(f" X_{{{token.text}}}")
        glued = not token.spaced and self.tokens[self.at - 1].kind in ("num", "close")
        if glued and len(word) <= 3 and token.text not in SHORT_UNITS:
            return self.put(" ".join(token.text))  # 2ab
        if self.names >= MAX_UNITS:
            return False
        self.units.add(token.text)
        self.names += 1
        self.at += 1
        return True

    def said(self, words: tuple[str, ...]) -> bool:
        here = self.tokens[self.at : self.at + len(words)]
        return tuple(t.text.lower() for t in here) == words

    def operator(self, words: tuple[str, ...], sign: str) -> bool:
        after = self.peek(len(words))
        begins = after is not None and (
            after.kind in ("num", "sym", "open", "prefix", "call", "bar")
            or after.text.lower() in NUMBERS
            or after.text.lower() in ("half", "the", "twice", "-")
        )
        if words == ("times",) and (not begins or (after and self.article(after, self.at + 1))):
            self.names += 1
            self.at += 1
            return True
        if not begins:
            return False
        if sign == "choose":
            assert after is not None
            if after.kind != "num" or not self.pieces[-1].isdigit():
                return False
            top = self.pieces.pop()
            return self.put(f"\\binom{{{top}}}{{{after.text}}}", 2)
        if sign == "/" and (fraction := self.fraction(self.at + len(words))):
            return self.put(f"/{fraction}", len(words) + 3)
        return self.put(f" {sign} ", len(words), operand=True)

    def share(self) -> bool:
        """Say whether what was read last is a share, of which there can be something."""
        return not self.names and bool(SHARE.search("".join(self.pieces[-12:])))

    def article(self, token: Token, at: int = -1) -> bool:
        """Say whether a letter is a word: a, A or I before another word."""
        at = self.at if at < 0 else at
        after = self.tokens[at + 1] if at + 1 < len(self.tokens) else None
        return token.text in ("a", "A", "I") and after is not None and after.kind == "word"

    def is_unit(self, token: Token) -> bool:
        if token.kind != "word" or is_segment(token.text):
            return False
        return token.text in SHORT_UNITS or token.text.lower() not in STOP | NUMBERS.keys()


def is_segment(word: str) -> bool:
    """Say whether a word is the name of a segment or an angle: AB, ABC."""
    return word.isupper() and len(word) in (2, 3) and word not in SHORT_UNITS
