"""Which of the lettered choices an answer names: one, several, or "A or B", which is none.

    several("A or B"), several("(A), maybe (C)")  -> True
    several("A, not B"), several("(A) Vitamin B") -> False
    selection("A, C")  -> ("A", "C")
    selection("AC")    -> ("A", "C"), which may be a product too

A letter counts as a second choice where something that joins it to the first stands before it. In
the text of a choice ("(D) both B and C") only letters in brackets do, and none behind "both".
"""

from __future__ import annotations

import re

WRAPPED = re.compile(r"\\(?:text|textbf|mathrm|mathbf|mbox)\s*\{([^{}]*)\}")
NOISE = re.compile(r"[*$\s~{}]+|\\[ ,;:!]|\\(?:quad|qquad)(?![a-zA-Z])")
FIRST = re.compile(r"\(?[A-J](?P<mark>[).:])?")
JOINED = r"(?:[,;/&|]|\\&|\b(?:or|and|maybe|perhaps|possibly|either|else)\b)"
DENIED = re.compile(r"\b(?:not|rather than|instead of|unlike|than)\s*(?:[^\w(]*|\()[A-J]\b")
# The letters alone: "A B", "A, B"; and a letter behind what joins it to the first.
ALONE = re.compile(r"(?:[\s(),.;:]*\b[A-J]\b)+[\s).:]*")
LINKED = re.compile(
    rf"{JOINED}[\s(]*(?:(?:or|and|maybe|perhaps|possibly|even)\s+)*\(?(?:[A-J]|III?|I?V)(?!\w)"
)
OR_ELSE = re.compile(r"[\s,(]*\bor\b")
BRACKETED = re.compile(
    rf"{JOINED}\s*(?:(?:or|and|maybe|perhaps|possibly)\s+)*(?:\([A-J]\)|[A-J][).:]\s+\S)"
)
BOTH = re.compile(r"\s*(?:both|neither|either|all|none|only)\b", re.IGNORECASE)
PRONOUN = re.compile(r"\bI\s+(?!(?:and|or)\b)[a-z']+")  # "B, I think"
SEPARATORS = re.compile(r"[,;&]|\\&|\b(?:and|or)\b|\s")
BEGINNINGS = frozenset("ABCDEFGHIJ(\\*")
ORDERED = re.compile(r"A?B?C?D?E?F?G?H?I?J?")


def plain(text: str) -> str:
    """Take commands around words, emphasis and runs of spaces away."""
    return NOISE.sub(" ", WRAPPED.sub(r" \1 ", text)).strip()


def behind(text: str) -> str:
    """Give what follows the letter that a text begins with."""
    text = plain(text)
    first = FIRST.match(text)
    return text[first.end() :].lstrip(").:, ") if first else ""


def several(text: str) -> bool:
    """Say whether a text that begins with a letter goes on to name another as the choice."""
    text = PRONOUN.sub(" ", DENIED.sub(" ", plain(text)))
    first = FIRST.match(text)
    if not first:
        return False
    rest = text[first.end() :]
    if not rest.strip():
        return False
    if OR_ELSE.match(rest):
        return True
    if ALONE.fullmatch(rest):
        return any(letter not in first[0] for letter in re.findall(r"[A-J]", rest))
    begun = re.match(rf"[\s(]*{JOINED}", rest)
    if first["mark"] and not begun:  # the text of the choice
        return not BOTH.match(rest) and BRACKETED.search(rest) is not None
    return LINKED.search(rest) is not None


def selection(text: str) -> tuple[str, ...]:
    """Give the letters of an answer that is nothing but two or more of them, () for any other."""
    if text[:1] not in BEGINNINGS:
        return ()
    text = plain(text)
    if len(text) > 1 and ORDERED.fullmatch(text):
        return tuple(text)
    found = [part.strip("().") for part in SEPARATORS.sub(" ", text).split()]
    letters = all(len(part) == 1 and "A" <= part <= "J" for part in found)
    return tuple(found) if letters and len(set(found)) == len(found) > 1 else ()
