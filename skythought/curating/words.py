r"""Texts as arrays of numbers: one 64-bit hash for each word, exact and by shape.

    "Tim has $1,000 and 3 trees." -> tim has 1000 and 3 tree    exact
                                     N   has #    and # tree    by shape

Exact words are in lower case, without s at the end, digits without separators; LaTeX is read for
what it says (`\dfrac{1}{2}`, `\frac12` and 1/2 are alike). By shape, numbers are `#`, names `N`,
letters and labels of points `V`, units `U`, and a run of the same class counts once, so a text
whose numbers, names and units were changed keeps its shape.

All is done in one pass and without an object for each word: a table, bounded in size, holds what
each word becomes. Hashes are the same on every machine and in every process.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

WORD = re.compile(
    r"[A-Za-z]{1,64}"  # so that no word in the table is long
    r"|\d{1,64}(?:(?:,|\{,\}|\\,|\\!,)\d{3}(?!\d)){0,20}(?:\.\d{1,64})?"
    r"|[+%]|[<=>]=?"
    r"|\\(?:begin|end)\{[A-Za-z*]{1,20}\}|\\[A-Za-z]{1,64}"  # commands of LaTeX
    r"|[^\x00-\x7f]"  # each sign of other scripts is a word
)
TABLE_SIZE = 2**19  # words held before the table is begun anew
MAX_CHARS = 2**21  # of one text that are read


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What LaTeX says that changes nothing in what is said.
SILENT = _words(
    "left right big bigg displaystyle textstyle text textbf textit mathrm mathbf mathit mathcal "
    "operatorname quad qquad frac dfrac tfrac cdot times div dots ldots cdots overline underline "
    "begin end boxed rfloor rceil hspace vspace phantom limits"
)
SAME = {
    **{"leq": "<=", "le": "<=", "geq": ">=", "ge": ">=", "\u2264": "<=", "\u2265": ">="},
    **{"circ": "degree", "\u00b0": "degree", "%": "percent", "\u221a": "sqrt"},
    **{"\u00b2": "2", "\u00b3": "3", "\u03c0": "pi", "\u03b8": "theta", "\u03c9": "omega"},
    **{"dbinom": "binom", "tbinom": "binom", "lfloor": "floor", "lceil": "ceil"},
    **{"s": "", "cent": "cents", "feet": "foot", "inches": "inch"},
    **{"two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7"},
    **{"eight": "8", "nine": "9", "ten": "10", "eleven": "11", "twelve": "12"},
}
UNITS = _words(
    "dollar buck cents euro pound penny pennie mile km kilometer kilometre meter metre foot inch "
    "yard cm mm centimeter centimetre millimeter hour minute second day week month year decade "
    "gram kilogram kg lb ounce oz ton liter litre milliliter ml gallon quart pint cup mph kph "
    "percent degree"
)
SHORT = _words(
    "a i an as at am be by do go he if in is it me my no of on or so to up us we oh ok pi st nd rd "
    "th ln"
)
# Words of any text: no names where they begin a sentence, and little said by them.
COMMON = _words(
    "a after all also although an and another answer any are as ask assume at be because been "
    "before between both but buy by calculate can common compute consider convert cost could "
    "define determine different do doe does during each equal evaluate every express factor find "
    "first following for from get give given half had has have he her him his how if in initially "
    "integer into is it its larger last least left less let line long made make many minimum more "
    "most much need next not now number of off old on once one only or other out over pay per "
    "please point positive possible prove real same she should show simplify since so solve some "
    "spend such sum suppose take than that the their them then there these they this those though "
    "time to today together total twice under until up use value want was way we were what when "
    "where which while who why will with would write x y yesterday you your"
)
NUMBER, NAME, LETTER, UNIT = "#", "N", "V", "U"
CLASSES = (NUMBER, NAME, LETTER, UNIT)


def hashed(word: str) -> int:
    """Hash a word to 64 bits; never 0, which stands for no word."""
    raw = hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(raw, "little") | 1


CLASS_HASHES = np.array([hashed(name) for name in CLASSES], dtype=np.uint64)


def exact(token: str) -> str:
    """Give the exact form of a token of `WORD`; "" for one that says nothing."""
    if token[0] == "\\":
        token = token[1:]
        if token.lower() in SILENT or token[-1] == "}":
            return ""
    if token[0].isdecimal():
        return re.sub(r"[^\d.]", "", token)
    word = unicodedata.normalize("NFKC", token).lower()
    word = SAME.get(token, SAME.get(word, word))
    if not word.isascii() and not word.isalnum():
        return ""
    if len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
        word = word[:-1]
    return SAME.get(word, word)


def shaped(token: str, word: str, known: frozenset[str]) -> str:
    """Give the shape of a token whose exact form is `word`; words in `known` are no names."""
    if word[:1].isdecimal():
        return NUMBER
    if word in UNITS:
        return UNIT
    if not token.isascii() or not token.isalpha():  # a command, a sign, another script
        return word
    short = len(token) <= 2 and token.lower() not in SHORT
    label = 1 < len(token) <= 5 and token.isupper()
    if short or label or (len(token) == 1 and token.isupper() and token not in "AI"):
        return LETTER
    return NAME if token[0].isupper() and len(token) > 1 and word not in known else word


class Text(NamedTuple):
    """The words of a text: hashes of the exact forms and of the shapes, 0 where nothing is said."""

    exact: Hashes
    shape: Hashes


class Reader:
    """Reads texts as hashes of their words.

    Args:
        known: words in lower case that are no names where they begin with a capital.
    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._known = COMMON | frozenset(known)
        self._clear()

    def _clear(self) -> None:
        self._codes = _Codes(self._known)
        self._hashes: NDArray[np.uint64] = np.zeros((0, 2), dtype=np.uint64)

    def read(self, text: str) -> Text:
        """Read a text; one hash of each kind for each match of `WORD`."""
        if len(self._codes) > TABLE_SIZE:
            self._clear()
        tokens = WORD.findall(cut(text))
        codes = np.fromiter(map(self._codes.__getitem__, tokens), np.int32, len(tokens))
        made = self._codes.made
        if len(made) > len(self._hashes):  # words not met before
            new = np.array(made[len(self._hashes) :], dtype=np.uint64)
            self._hashes = np.concatenate([self._hashes, new])
        return Text(self._hashes[codes, 0], self._hashes[codes, 1])


class _Codes(dict[str, int]):
    """Numbers the words met, and makes their hashes: a table filled as it is asked."""

    def __init__(self, known: frozenset[str]) -> None:
        super().__init__()
        self.made: list[tuple[int, int]] = []
        self._known = known

    def __missing__(self, token: str) -> int:
        word = exact(token)
        pair = (hashed(word), hashed(shaped(token, word, self._known))) if word else (0, 0)
        self.made.append(pair)
        self[token] = len(self.made) - 1
        return len(self.made) - 1


def cut(text: str) -> str:
    """Leave out drawings in Asymptote, with spaces in their place, and what is too long to read."""
    text = text[:MAX_CHARS]
    at = text.find("[asy]")
    if at < 0:
        return text
    parts, done = [], 0
    while at >= 0:
        end = text.find("[/asy]", at)
        if end < 0:
            break
        parts += [text[done:at], " " * (end + 6 - at)]
        done = end + 6
        at = text.find("[asy]", done)
    return "".join([*parts, text[done:]])


def plain(hashes: Hashes) -> Hashes:
    """Leave out words that say nothing."""
    said: Hashes = hashes[hashes != 0]
    return said


def collapsed(hashes: Hashes) -> NDArray[np.bool_]:
    """Say which words of a text's shape count: those that say something, a run of a class once."""
    keep: NDArray[np.bool_] = hashes != 0
    at = keep.nonzero()[0]
    said = hashes[at]
    again = (said[1:] == said[:-1]).nonzero()[0] + 1
    classes = [place for place in again.tolist() if int(said[place]) in CLASS_NUMBERS]
    keep[at[classes]] = False
    return keep


CLASS_NUMBERS = frozenset(CLASS_HASHES.tolist())
STEP = np.uint64(0x9E3779B97F4A7C15)  # odd; 2**64 over the golden ratio


def grams(hashes: Hashes, n: int) -> Hashes:
    """Hash each run of n words; a text of fewer words is one run, one without words has none."""
    if not len(hashes):
        return hashes
    n = min(n, len(hashes))
    size = len(hashes) - n + 1
    total = hashes[:size].copy()
    for i in range(1, n):
        total *= STEP
        total ^= total >> np.uint64(29)
        total += hashes[i : i + size]
    total *= STEP
    total ^= total >> np.uint64(32)
    return total
