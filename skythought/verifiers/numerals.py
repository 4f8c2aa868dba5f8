"""Whole numbers in words, as a sentence has them.

    spelled("thirteen")                -> 13
    spelled("twenty-one")              -> 21
    spelled("one hundred and twenty")  -> 120
    spelled("twenty thirteen")         -> None

Takes texts with or without their spaces, since `notation.squeeze` takes them away.
"""

from __future__ import annotations

import re

SMALL = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"),
    *("eighteen", "nineteen"),
)
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
LARGE = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
NEGATIVE = re.compile(r"(?:minus|negative)(?=[a-z])")
WORDS = (*SMALL, *TENS, *LARGE, "hundred", "and")
WORD = re.compile("|".join(sorted(WORDS, key=len, reverse=True)))
MAX_CHARS = 150


def spelled(text: str) -> int | None:
    """Read a number in words; None where it is anything else."""
    if len(text) > MAX_CHARS or not text[:1].isalpha():
        return None
    text = re.sub(r"[\s-]+", "", text.lower())
    sign = NEGATIVE.match(text)
    text = text[sign.end() :] if sign else text
    words = WORD.findall(text)
    if not words or "".join(words) != text:
        return None
    found = _value(words)
    return -found if found is not None and sign else found


def _value(words: list[str]) -> int | None:
    """Add the words up; None where their order says no number."""
    if words == ["zero"]:
        return 0
    total = group = 0
    room = 10**15  # what is added next has to be smaller than this
    joined = False  # whether the last word was "and"
    for word in words:
        if word == "and":
            if joined or room not in (100, *LARGE.values()) or not (total or group):
                return None
            joined = True
            continue
        joined = False
        if word in LARGE:
            size = LARGE[word]
            if not group or total % (1000 * size):
                return None
            total, group, room = total + group * size, 0, size
        elif word == "hundred":
            if not 0 < group < 100:
                return None
            group, room = group * 100, 100
        else:
            size = SMALL.index(word) if word in SMALL else 10 * (TENS.index(word) + 2)
            if not 0 < size < room:
                return None
            group, room = group + size, 10 if word in TENS else 0
    return None if joined else total + group
