"""What a perturbation did, word by word: original against perturbed.

    [(" ", "3 plus "), ("-", "4"), ("+", "9"), (" ", " is 7")]

Steps are compared first and words only inside steps that changed, so that a long trace is compared
in milliseconds and a moved step shows as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from skythought import steps

Piece = tuple[str, str]  # (" " kept, "-" only in the original, "+" only in the perturbed; the text)

WORDS = re.compile(r"\s+|\w+|[^\w\s]")
AHEAD = 3  # steps looked at to find what became of one
ALIKE = 0.5  # steps with a smaller share of words in common are shown as removed and added


def thoughts(old: str, new: str) -> Iterator[list[Piece]]:
    """Yield the pieces of one step after another."""
    before, after = steps.split(old), steps.split(new)
    moved = {*before} & {*after}  # these are never compared with another step
    for tag, i, j, k, m in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            yield from ([(" ", step)] for step in before[i:j])
        else:
            yield from _changed(before[i:j], after[k:m], moved)


def words(old: str, new: str) -> list[Piece]:
    """Compare two texts word by word."""
    return _merged(WORDS.findall(old), WORDS.findall(new))


def _changed(left: Sequence[str], right: Sequence[str], moved: set[str]) -> Iterator[list[Piece]]:
    """Yield changed steps in order, comparing the words of those that are mostly the same."""
    rest = list(right)
    for step in left:
        for ahead, other in enumerate(rest[:AHEAD] if step not in moved else ()):
            pieces = words(step, other)
            if other not in moved and _alike(pieces):
                yield from ([("+", new)] for new in rest[:ahead])
                yield pieces
                del rest[: ahead + 1]
                break
        else:
            yield [("-", step)]
    yield from ([("+", new)] for new in rest)


def _alike(pieces: Sequence[Piece]) -> bool:
    kept = sum(len(text) for mark, text in pieces if mark == " ")
    lost = sum(len(text) for mark, text in pieces if mark == "-")
    return kept >= ALIKE * (kept + lost)


def _merged(old: Sequence[str], new: Sequence[str]) -> list[Piece]:
    pieces: list[Piece] = []
    for tag, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            pieces.append((" ", "".join(old[i:j])))
            continue
        if i < j:
            pieces.append(("-", "".join(old[i:j])))
        if k < m:
            pieces.append(("+", "".join(new[k:m])))
    return pieces
