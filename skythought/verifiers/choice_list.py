r"""Answers that go through the choices line by line and say of each whether it is right.

    "A) false\nB) true\nC) false"  -> judged: {"B"}
    "A) true\nB) true\nC) false"   -> judged: {"A", "B"}

Part of `choice`. Such a list states an answer where it calls one choice right. It names all of
them, so the letters its lines begin with say nothing by themselves.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from skythought.verifiers.choice_text import LETTERS, begins, known_letters, words

LINE_CHARS = 2_000  # of a line, that are looked at

ENTRY = re.compile(
    r"^(?:[-•+] ?|\d{1,2}[.)] ?)?(?:(?i:option|choice|statement|answer) ?|选项|選項)?"
    r"[(\[]?([A-J])(?:[)\]]|[.:、]|(?= ?[-–—] )|(?= (?:is|was)\b))[.: ]*(.*)$",
    re.MULTILINE,
)
JUDGED = re.compile(
    r"(?P<not>(?:\b(?:not|never|partially|partly|nearly|almost|half|hardly)|n't) "
    r"(?:(?:the|a|an|entirely|fully|completely|quite|strictly) )*|不)?"
    r"(?:(?P<good>\b(?:true|correct|right|yes)\b|正确|正確)"
    r"|\b(?:false|incorrect|wrong|no)\b|错误|錯誤|[错錯])"
)
BEFORE = re.compile(
    r"[- ]*(?:(?:this|that|it|statement|option|choice|is|was|the|also|therefore|so|thus|hence"
    r"|clearly|definitely|probably|yes|no)\b[- ]*|是)*"
)
AFTER = re.compile(r" ?(?:的|(?:answer|choice|option|statement|one)s?)?")
GOOD, BAD = re.compile("[✓✔✅☑]"), re.compile("[✗✘❌☒]")


class Entry(NamedTuple):
    """A line that begins with a letter."""

    start: int
    letter: str
    text: str  # behind the letter


def entries(flat: str, choices: Sequence[str]) -> list[Entry]:
    """List the lines of a flat text that begin with letters; [] where they do with one alone."""
    known = known_letters(choices)
    found = [
        Entry(line.start(), line[1], line[2][:LINE_CHARS])
        for line in ENTRY.finditer(flat)
        if line[1] in known
    ]
    return found if len({entry.letter for entry in found}) > 1 else []


def judged(listed: Sequence[Entry], choices: Sequence[str]) -> frozenset[str]:
    """Give the letters of the lines that are called right; the last judgement of each counts."""
    good: dict[str, bool] = {}
    for entry in listed:
        judgement = _judgement(entry, choices)
        if judgement is not None:
            good[entry.letter] = judgement
    return frozenset(letter for letter, right in good.items() if right)


def goes_on(listed: Sequence[Entry]) -> bool:
    """Say whether the last line goes on with a list, and does not take up one of its letters."""
    last, before = listed[-1], listed[-2]
    return LETTERS.index(last.letter) == LETTERS.index(before.letter) + 1


def _judgement(entry: Entry, choices: Sequence[str]) -> bool | None:
    if bool(GOOD.search(entry.text)) != bool(BAD.search(entry.text)):
        return bool(GOOD.search(entry.text))
    number = LETTERS.index(entry.letter)
    own = words(choices[number]) if number < len(choices) else ""
    said = words(entry.text)
    if begins(said, own):
        said = said[len(own) :].strip()
    found = list(JUDGED.finditer(said))
    if not found:
        return None
    for one, stands in (
        (found[0], BEFORE.fullmatch(said, 0, found[0].start())),
        (found[-1], AFTER.fullmatch(said, found[-1].end())),
    ):
        if stands:
            return one["good"] is not None and one["not"] is None
    return None
