"""Remove reflection keywords (`steps.KEYWORDS`) from a thought, leaving text that can be read.

    Wait, but the sum is 7. Hmm. Let me check: it is, however, odd.
    The sum is 7. It is, odd.

round(fraction * n) of the n occurrences are chosen. With a keyword goes the punctuation that hung
on it: a comma beside it, the dot of a sentence that held nothing else, brackets or stars around it.
The next word is capitalised where a capitalised keyword went. No other word is touched, so a
sentence that was built on a keyword may limp ("to make sure we have all" becomes "to we have all").
"""

from __future__ import annotations

import random
import re

import msgspec

from skythought import steps
from skythought.records import Trace

# A sentence begins after the end of another, or at the start of a line, list item or quotation.
SENTENCE_START = re.compile(
    r"(?:^|\n|[.!?:…][\"'”’)\]*_]*[ \t])[ \t]*(?:(?:[-*•>#]+|\d+[.)])[ \t]+)*[\"'“‘(\[*_]*$"
)
HANGING = re.compile(r"(?:[ \t]*(?:\.{2,}|[,;:…—–]|-(?=[\s-])))*[ \t]*")
END = re.compile(r"[.!?]+(?=\s|$|[\"'”’)\]*_])[ \t]*")
# Two letters or more and no operator after it: `x` and `ab =` are symbols, not words.
WORD = re.compile(r"[a-z][a-z'’-]*[a-z](?![\w'’(^]|[ \t]*[=<>+*/^_])")
AROUND = {"*": "*", "_": "_", '"': '"', "(": ")", "“": "”", "[": "]"}
OPENING = '"“‘(['
LOOK_BACK = 80  # characters before a keyword that tell whether it begins a sentence


def keywords(trace: Trace, rng: random.Random, *, fraction: float) -> Trace:
    """Remove a fraction of the keyword occurrences; at 1.0 none is left.

    Removing one can make another out of its neighbours ("let me maybe check"); where all were
    chosen, those go too.
    """
    text = trace.thought
    found = list(steps.KEYWORD.finditer(text))
    chosen = rng.sample(found, round(fraction * len(found)))
    for match in sorted(chosen, key=lambda m: m.start(), reverse=True):
        text = cut(text, match.start(), match.end())
    while len(chosen) == len(found) and (left := steps.KEYWORD.search(text)):
        text = cut(text, left.start(), left.end())
    return msgspec.structs.replace(trace, thought=text)


def cut(text: str, start: int, end: int) -> str:
    """Remove text[start:end], which is a keyword, and what hung on it."""
    left, word, right = text[:start], text[start:end], text[end:]
    if SENTENCE_START.search(left[-LOOK_BACK:]):
        left, right = _begin(left, right)
        if word[0].isupper():
            right = _capitalise(right)
        return _close_gap(left, right)
    left, right = _unwrap(left, right)
    if left[-1:] in tuple(OPENING):
        right = right[HANGING.match(right).end() :]  # type: ignore[union-attr]  # matches anything
        return left + (_capitalise(right) if word[0].isupper() else right)
    if left.rstrip(" \t")[-1:] in tuple(",;:(—–"):
        right = right[HANGING.match(right).end() :]  # type: ignore[union-attr]  # matches anything
    if not right.strip(" \t") or right.lstrip(" \t")[0] in ".!?)]\n":
        return left.rstrip(" \t,;—–") + right.lstrip(" \t")
    if left[-1:].isspace() or left[-1:] in tuple("([") or right[0] in ",;:":
        spaced = left.rstrip(" \t") if right[0] in ",;:" else left
        return spaced + right.lstrip(" \t")
    return left + right


def _begin(left: str, right: str) -> tuple[str, str]:
    """Take away what follows the first word of a sentence, and the sentence's end if it was all."""
    while True:
        before = left, right
        right = right[HANGING.match(right).end() :]  # type: ignore[union-attr]  # matches anything
        if ending := END.match(right):
            right = right[ending.end() :]
        left, right = _unwrap(left, right)
        if (left, right) == before:
            return left, right


def _unwrap(left: str, right: str) -> tuple[str, str]:
    """Take away brackets, quotes and stars that hold nothing any more."""
    while left and right and AROUND.get(left[-1]) == right[0]:
        left, right = left[:-1], right[1:]
    return left, right


def _capitalise(text: str) -> str:
    opened = len(text) - len(text.lstrip("\"'“‘(*_"))
    if WORD.match(text, opened):
        return text[:opened] + text[opened].upper() + text[opened + 1 :]
    return text


def _close_gap(left: str, right: str) -> str:
    """Join two texts; a line or step between them that is empty now goes."""
    if right[:1] not in ("", "\n"):
        return left + right
    left = left.rstrip(" \t")
    if not left or not right.strip("\n"):
        return left.rstrip("\n") + right.lstrip("\n")
    if left.endswith("\n"):
        breaks = max(_breaks(left[::-1]), _breaks(right))
        return left.rstrip("\n") + "\n" * breaks + right.lstrip("\n")
    return left + right


def _breaks(text: str) -> int:
    return len(text) - len(text.lstrip("\n"))
