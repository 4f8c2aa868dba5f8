"""Repetition in a text, and loops at its end, where a model cannot stop.

    repetition(text)   share of its runs of eight words that the text had before, 0 to 1
    loop(text)         the block that it repeats again and again up to its end, "" where none is

Both take time in proportion to the length of the text, whatever it holds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

RUN = 8  # words
WORD = re.compile(r"[A-Za-z]+|\d+|[^\w\s]", re.ASCII)
TIMES = 4  # repeats that make a loop
LEAST = 60  # words of all repeats together
LONGEST = 20_000  # words at the end that are looked at
DISTINCT = 4  # words of letters in a block whose numbers may change from repeat to repeat


def repetition(text: str) -> float:
    """Give the share of runs of `RUN` words that came before in the text; 0 for short ones."""
    words = WORD.findall(text.lower())
    total = len(words) - RUN + 1
    if total < 1:
        return 0.0
    runs = {*zip(*(words[i:] for i in range(RUN)), strict=False)}
    return 1 - len(runs) / total


def loop(text: str) -> str:
    """Give the block of words that the text repeats up to its end; "" where it does not.

    A block counts as repeated where only its numbers change ("Case 12: no. Case 13: no."), if it
    has words enough. The last word may have been cut off and is not looked at.
    """
    end = text[-LONGEST * 16 :]
    words = WORD.findall(end.lower())[:-1][-LONGEST:][::-1]
    masked = ["0" if word.isdigit() else word for word in words]
    if not _recurs(masked):
        return ""
    same, exact = _prefix_matches(masked), _prefix_matches(words)
    for period in range(1, len(words) // TIMES + 1):
        least = max(LEAST, TIMES * period)
        if same[period] + period < least:
            continue
        letters = {word for word in words[:period] if word.isalpha()}
        if exact[period] + period >= least or len(letters) >= DISTINCT:
            return " ".join(words[:period][::-1])
    return ""


def _recurs(words: Sequence[str]) -> bool:
    """Say whether the first words come again where a loop would have them again.

    With a period p, max(LEAST, TIMES * p) - p words are the first ones again: 45 or more.
    """
    sure = min(max(LEAST, TIMES * p) - p for p in range(1, LEAST + 1))
    first, last = list(words[:sure]), len(words) // TIMES
    at = 0
    while last:
        try:
            at = words.index(words[0], at + 1, last + 1)
        except ValueError:
            return False
        if words[at : at + sure] == first:
            return True
    return False


def _prefix_matches(words: Sequence[str]) -> list[int]:
    """Give for each place how many words from there on are those at the beginning (Z function)."""
    n = len(words)
    found = [0] * n
    left = right = 0
    for i in range(1, n):
        same = min(right - i, found[i - left]) if i < right else 0
        while i + same < n and words[same] == words[i + same]:
            same += 1
        found[i] = same
        if i + same > right:
            left, right = i, i + same
    return found
