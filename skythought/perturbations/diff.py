"""What a perturbation did, word by word: original against perturbed.

    [(" ", "3 plus "), ("-", "4"), ("+", "9"), (" ", " is 7")]

Steps are compared first and words only inside steps that changed, so that a long trace is compared
in milliseconds and a moved step shows as a whole. Texts that would take long to compare (one word a
hundred thousand times) are compared more coarsely; a diff is always right, not always the shortest.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from skythought.core import steps

Piece = tuple[str, str]  # (" " kept, "-" only in the original, "+" only in the perturbed; the text)
# What was done between two places: (equal or another word, begin and end before, the same after).
Opcode = tuple[str, int, int, int, int]

WORDS = re.compile(r"\s+|\w+|[^\w\s]")
AHEAD = 3  # steps looked at to find what became of one
ALIKE = 0.5  # steps with a smaller share of words in common are shown as removed and added
MOST = 2_000_000  # pairs of equal items in two sequences that are compared one by one
TAGS = {"-": "del", "+": "ins"}


class Row(NamedTuple):
    """A step before and after, as HTML in which nothing of the text is markup; "" where none is."""

    change: str  # kept, changed, removed or added
    before: str
    after: str


def thoughts(old: str, new: str) -> Iterator[list[Piece]]:
    """Yield the pieces of one step after another."""
    before, after = steps.split(old), steps.split(new)
    moved = {*before} & {*after}  # these are never compared with another step
    for tag, i, j, k, m in _opcodes(before, after):
        if tag == "equal":
            yield from ([(" ", step)] for step in before[i:j])
        else:
            yield from _changed(before[i:j], after[k:m], moved)


def words(old: str, new: str) -> list[Piece]:
    """Compare two texts word by word."""
    return _merged(WORDS.findall(old), WORDS.findall(new))


def rows(old: str, new: str) -> Iterator[Row]:
    """Yield the steps of two thoughts side by side, with <del> and <ins> around what changed.

    Line breaks are as in the text: show them with `white-space: pre-wrap`.
    """
    yield from map(row, thoughts(old, new))


def row(pieces: Sequence[Piece]) -> Row:
    """Write pieces as the two sides of a row."""
    marks = {mark for mark, _ in pieces}
    sides = {
        sign: "".join(_tagged(piece) for piece in pieces if piece[0] in (" ", sign))
        for sign in TAGS
    }
    change = {" ": "kept", "-": "removed", "+": "added"}.get("".join(marks), "changed")
    return Row(change, sides["-"], sides["+"])


def _tagged(piece: Piece) -> str:
    mark, text = piece
    shown = html.escape(text)
    return f"<{TAGS[mark]}>{shown}</{TAGS[mark]}>" if mark in TAGS else shown


def _changed(left: Sequence[str], right: Sequence[str], moved: set[str]) -> Iterator[list[Piece]]:
    """Yield changed steps in order, comparing the words of those that are mostly the same."""
    rest = list(right)
    at = 0
    for step in left:
        for ahead, other in enumerate(rest[at : at + AHEAD] if step not in moved else ()):
            if other in moved or not _may_be_alike(step, other):
                continue
            pieces = words(step, other)
            if _alike(pieces):
                yield from ([("+", new)] for new in rest[at : at + ahead])
                yield pieces
                at += ahead + 1
                break
        else:
            yield [("-", step)]
    yield from ([("+", new)] for new in rest[at:])


def _may_be_alike(old: str, new: str) -> bool:
    """Say whether two steps have so many words in common, in any order, that they may be alike."""
    had, has = Counter(WORDS.findall(old)), Counter(WORDS.findall(new))
    return sum(len(word) * n for word, n in (had & has).items()) >= ALIKE * len(old)


def _alike(pieces: Sequence[Piece]) -> bool:
    kept = sum(len(text) for mark, text in pieces if mark == " ")
    lost = sum(len(text) for mark, text in pieces if mark == "-")
    return kept >= ALIKE * (kept + lost)


def _merged(old: Sequence[str], new: Sequence[str]) -> list[Piece]:
    pieces: list[Piece] = []
    for tag, i, j, k, m in _opcodes(old, new):
        if tag == "equal":
            pieces.append((" ", "".join(old[i:j])))
            continue
        if i < j:
            pieces.append(("-", "".join(old[i:j])))
        if k < m:
            pieces.append(("+", "".join(new[k:m])))
    return pieces


def _opcodes(old: Sequence[str], new: Sequence[str]) -> list[Opcode]:
    """Compare two sequences; what is alike at both ends is taken off first."""
    begin = 0
    while begin < min(len(old), len(new)) and old[begin] == new[begin]:
        begin += 1
    end = 0
    while end < min(len(old), len(new)) - begin and old[-1 - end] == new[-1 - end]:
        end += 1
    inner = _inner(old[begin : len(old) - end], new[begin : len(new) - end])
    found: list[Opcode] = [("equal", 0, begin, 0, begin)] if begin else []
    found += [(tag, i + begin, j + begin, k + begin, m + begin) for tag, i, j, k, m in inner]
    if end:
        found.append(("equal", len(old) - end, len(old), len(new) - end, len(new)))
    return found


def _inner(old: Sequence[str], new: Sequence[str]) -> list[Opcode]:
    had, has = Counter(old), Counter(new)
    if sum(n * has[item] for item, n in had.items()) <= MOST:
        return list(SequenceMatcher(None, old, new, autojunk=False).get_opcodes())
    if len(old) == len(new):
        return _in_place(old, new)
    return [("replace", 0, len(old), 0, len(new))]


def _in_place(old: Sequence[str], new: Sequence[str]) -> list[Opcode]:
    """Compare item with item, as is right where some were changed and none moved."""
    found: list[Opcode] = []
    begun = 0
    for place in range(1, len(old) + 1):
        same = old[begun] == new[begun]
        if place == len(old) or (old[place] == new[place]) != same:
            found.append(("equal" if same else "replace", begun, place, begun, place))
            begun = place
    return found
