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
from collections.abc import Iterable

import msgspec

from skythought.core import steps
from skythought.core.errors import UserError
from skythought.core.records import Trace

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
WINDOW = 2_000  # characters before and after a keyword that removing it may change
LOOK_BACK = 80  # characters before a keyword that tell whether it begins a sentence


def keywords(trace: Trace, rng: random.Random, *, fraction: float, words: str = "") -> Trace:
    """Remove a fraction of the keyword occurrences; at 1.0 none is left.

    Removing one can make another out of its neighbours ("let me maybe check"); where all were
    chosen, those go too.

    Args:
        trace: what to change.
        rng: where the occurrences are drawn from.
        fraction: share of the occurrences that go.
        words: other keywords than `steps.KEYWORDS`, with | between them.
    """
    text = trace.thought
    keyword = pattern(words.split("|")) if words else steps.KEYWORD
    found = list(keyword.finditer(text))
    chosen = rng.sample(found, round(fraction * len(found)))
    text = without(text, [match.span() for match in chosen])
    while len(chosen) == len(found) and (left := [m.span() for m in keyword.finditer(text)]):
        text = without(text, left)
    return msgspec.structs.replace(trace, thought=text)


def without(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """Remove keywords, and what hung on them, from the last to the first."""
    after: list[str] = []  # what follows the place that is worked on, the nearest last
    end = len(text)
    for start, stop in sorted(spans, reverse=True):
        _put(after, text[stop:end])
        right = ""
        while after and len(right) < WINDOW:
            right += after.pop()
        left = text[max(0, start - WINDOW) : start]
        near, right = cut(left, text[start:stop], right)
        end = start - len(left) + len(near)
        _put(after, right)
    return text[:end] + "".join(reversed(after))


def pattern(words: Iterable[str]) -> re.Pattern[str]:
    """Match any of some keywords as whole words, the longest where several begin.

    Raises:
        UserError: there is none.
    """
    known = sorted({word.strip() for word in words} - {""}, key=len, reverse=True)
    if not known:
        raise UserError("words: give keywords with | between them, as in words=wait|let me check")
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, known))})\b", re.IGNORECASE)


def _put(pieces: list[str], text: str) -> None:
    """Put a text before others, in pieces that are cheap to take up again."""
    pieces += [text[i : i + WINDOW] for i in reversed(range(0, len(text), WINDOW))]


def cut(left: str, word: str, right: str) -> tuple[str, str]:
    """Remove what hung on a keyword from the text before and after it.

    What is left of the text before is a beginning of it.
    """
    if SENTENCE_START.search(left[-LOOK_BACK:]):
        left, right = _begin(left, right)
        if word[0].isupper():
            right = _capitalise(right)
        return _close_gap(left, right)
    left, right = _unwrap(left, right)
    if left[-1:] in tuple(OPENING):
        right = right[HANGING.match(right).end() :]  # type: ignore[union-attr]  # matches anything
        return left, _capitalise(right) if word[0].isupper() else right
    if left.rstrip(" \t")[-1:] in tuple(",;:(—–"):
        right = right[HANGING.match(right).end() :]  # type: ignore[union-attr]  # matches anything
    if not right.strip(" \t") or right.lstrip(" \t")[0] in ".!?)]\n":
        return left.rstrip(" \t,;—–"), right.lstrip(" \t")
    if left[-1:].isspace() or left[-1:] in tuple("([") or right[0] in ",;:":
        spaced = left.rstrip(" \t") if right[0] in ",;:" else left
        return spaced, right.lstrip(" \t")
    return left, right


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


def _close_gap(left: str, right: str) -> tuple[str, str]:
    """Take away a line or step between two texts that is empty now."""
    if right[:1] not in ("", "\n"):
        return left, right
    left = left.rstrip(" \t")
    if not left or not right.strip("\n"):
        return left.rstrip("\n"), right.lstrip("\n")
    if left.endswith("\n"):
        breaks = max(_breaks(left[::-1]), _breaks(right))
        return left.rstrip("\n"), "\n" * breaks + right.lstrip("\n")
    return left, right


def _breaks(text: str) -> int:
    return len(text) - len(text.lstrip("\n"))
