"""What two texts share, in arrays of hashed words: tables of n-grams, weights, ordered alignment.

    table = Grams(texts, n=3)
    table.nearest(grams(words, 3), 5) -> the texts that share most with it, and how much (0 to 1)

A word weighs the more the fewer texts hold it: minus the logarithm of the share that does, as seen
in the texts and in some hundred more in which common words are common. So a word weighs about as
much in an index of 30 problems as in one of 30,000. A run of four words
that several texts share is a phrase of the trade ("express your answer as a common fraction") and
its words weigh a quarter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from skythought.curating.words import CLASS_HASHES, COMMON, UNITS, Hashes, grams, hashed

T = TypeVar("T", np.uint64, np.int64)
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PRIOR_TEXTS = 300  # whose words are taken as known before any is read
FREQUENT_SHARE = 0.15  # of them that hold a common word
RARE_SHARE = 0.001  # that hold any other
FREQUENT = np.array([hashed(word) for word in COMMON | UNITS], dtype=np.uint64)
PHRASE = 4  # words of a phrase
PHRASE_TEXTS = 3  # it is one where so many texts hold it
PHRASE_WEIGHT = 0.25
CLASS_WEIGHT = 0.3  # of a number, name, letter or unit that only its class is known of
# A gram in more texts than this says little, and looking at all of them would take long.
WIDESPREAD = 150
CLASSES_SORTED = np.sort(CLASS_HASHES)
BITS = 22  # of the filter before a table: 4 MB


def distinct(values: NDArray[T]) -> NDArray[T]:
    """Give each value once, in order (np.unique takes 20 times as long for arrays of this size)."""
    found = np.sort(values)
    keep = np.ones(len(found), dtype=bool)
    keep[1:] = found[1:] != found[:-1]
    return found[keep]


def among(values: Hashes, pool: Hashes) -> NDArray[np.bool_]:
    """Say which values are in a pool."""
    return among_sorted(values, np.sort(pool))


def among_sorted(values: Hashes, found: Hashes) -> NDArray[np.bool_]:
    """Say which values are in a pool that is in order."""
    if not len(found):
        return np.zeros(len(values), dtype=bool)
    at = np.searchsorted(found, values)
    at[at == len(found)] = 0
    held: NDArray[np.bool_] = found[at] == values
    return held


class Grams:
    """The n-grams of many texts, and which texts hold them."""

    def __init__(self, texts: Sequence[Hashes], n: int) -> None:
        self.n, self.size = n, len(texts)
        each = [distinct(grams(text, n)) for text in texts]
        owners = np.repeat(np.arange(len(each), dtype=np.int64), [len(found) for found in each])
        found = np.concatenate([*each, np.zeros(0, dtype=np.uint64)])
        order = np.argsort(found, kind="stable")
        self._owners: Ints = owners[order]
        self._grams, self._starts, self._counts = np.unique(
            found[order], return_index=True, return_counts=True
        )
        self._weights: Floats = np.log((self.size + 1) / (self._counts + 0.5))
        self._filter = np.zeros(2**BITS, dtype=bool)
        self._filter[_short(self._grams)] = True
        places = self.places(found)
        totals = np.bincount(owners, weights=self._weights[places], minlength=self.size)
        self._totals: Floats = np.maximum(totals, 1e-9)

    def places(self, wanted: Hashes) -> Ints:
        """Give the places in the table of those of the grams that are in it."""
        wanted = wanted[self._filter[_short(wanted)]]
        if not len(wanted) or not len(self._grams):
            return np.zeros(0, dtype=np.int64)
        at = np.searchsorted(self._grams, wanted)
        at[at == len(self._grams)] = 0
        met: Ints = at[self._grams[at] == wanted]
        return met

    def shared(self, at_least: int) -> Hashes:
        """Give the grams that so many texts hold."""
        return self._grams[self._counts >= at_least]

    def nearest(self, wanted: Hashes, k: int) -> list[tuple[int, float]]:
        """Give the k texts that share most weight with some grams, and the shared part of theirs.

        Of equals the first comes first.
        """
        at = distinct(self.places(wanted))
        at = at[self._counts[at] <= max(WIDESPREAD, self.size // 20)]
        if not len(at):
            return []
        counts = self._counts[at]
        begins = np.repeat(self._starts[at] - np.cumsum(counts) + counts, counts)
        owners = self._owners[begins + np.arange(counts.sum())]
        weights = np.repeat(self._weights[at], counts)
        ids, inverse = np.unique(owners, return_inverse=True)
        scores = np.bincount(inverse, weights=weights)
        best = np.lexsort((ids, -scores))[:k]
        return [(int(ids[i]), float(scores[i] / self._totals[ids[i]])) for i in best]


def _short(hashes: Hashes) -> Ints:
    return (hashes >> np.uint64(64 - BITS)).astype(np.int64)


class Weights:
    """How much each word says, known from many texts.

    Args:
        texts: where the words and phrases are counted.
        more: texts whose phrases are phrases of the trade even where they occur once.
    """

    def __init__(self, texts: Sequence[Hashes], more: Sequence[Hashes] = ()) -> None:
        seen = [distinct(text) for text in texts]
        self._words, counts = np.unique(
            np.concatenate([*seen, np.zeros(0, dtype=np.uint64)]), return_counts=True
        )
        often = np.where(among(self._words, FREQUENT), FREQUENT_SHARE, RARE_SHARE)
        known_texts = len(texts) + PRIOR_TEXTS
        self._weights: Floats = -np.log((counts + PRIOR_TEXTS * often) / known_texts)
        self.rare = float(-np.log(PRIOR_TEXTS * RARE_SHARE / known_texts))  # of a word not seen
        known = [text for text in texts if len(text) >= PHRASE]
        self._phrases = Grams(known, PHRASE).shared(PHRASE_TEXTS)
        if more:
            said = [grams(text, PHRASE) for text in more if len(text) >= PHRASE]
            self._phrases = distinct(np.concatenate([self._phrases, *said]))

    def alone(self, words: Hashes) -> Floats:
        """Weigh each word by itself."""
        weights = np.full(len(words), self.rare)
        if len(self._words):
            at = np.searchsorted(self._words, words)
            at[at == len(self._words)] = 0
            weights = np.where(self._words[at] == words, self._weights[at], self.rare)
        weights[among_sorted(words, CLASSES_SORTED)] = CLASS_WEIGHT
        return weights

    def of(self, words: Hashes) -> Floats:
        """Weigh each word of a text; those of phrases of the trade weigh less."""
        weights = self.alone(words)
        if len(words) >= PHRASE:
            hits = among_sorted(grams(words, PHRASE), self._phrases)
            weights[covered(hits, PHRASE, len(words))] *= PHRASE_WEIGHT
        return weights


def covered(hits: NDArray[np.bool_], n: int, size: int) -> NDArray[np.bool_]:
    """Say which words of a text lie in one of its n-grams that were hit."""
    inside = np.zeros(size, dtype=bool)
    at = np.flatnonzero(hits)
    for i in range(min(n, size)):
        inside[at + i] = True
    return inside


def densest(places: Ints, width: int) -> Ints:
    """Of places in order, give those inside the window of this width that holds most; the first."""
    ends = np.searchsorted(places, places + width)
    first = int(np.argmax(ends - np.arange(len(places))))
    return places[first : ends[first]]


def aligned(words: Hashes, weights: Floats, other: Hashes) -> float:
    """Give the weight of the words that are in both texts in the same order, at most.

    The heaviest common subsequence (Needleman and Wunsch, 1970, without a cost for gaps), row by
    row: len(words) operations on arrays of len(other).
    """
    best = np.zeros(len(other) + 1)
    for word, weight in zip(words, weights, strict=True):
        taken = np.where(other == word, best[:-1] + weight, 0.0)
        best[1:] = np.maximum.accumulate(np.maximum(taken, best[1:]))
    return float(best[-1])
