"""Find texts that are nearly those of one kept before, in order, with the likeness that shows it.

    near = NearDuplicates(0.8, recall=lambda number: kept[number])
    near.twin("Let me see ...") -> (17, 0.93), or None; then near.keep("Let me see ...")

Likeness is the Jaccard index of the sets of runs of n words (`words`): what both hold over what
either holds. Candidates come from MinHash signatures (Broder, 1997; those of rensa) cut into
bands (Leskovec et al., Mining of Massive Datasets, ch. 3); each is then compared exactly, so a
false candidate costs time only. Of like texts the first stays, however many threads there are.

For each text kept there are its bands, 4 bytes each, and their places in a table of 4-byte
numbers: at a threshold of 0.8 about 300 bytes. The texts themselves stay with the caller, who
gives one back by its number (`recall`) when it has to be compared.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from skythought.core.errors import UserError, require
from skythought.core.records import Trace
from skythought.curating import question_of, response_of
from skythought.curating.overlap import distinct
from skythought.curating.words import Hashes, Reader, grams, plain

Keys = NDArray[np.uint32]
Field = Literal["example", "question", "response"]

SLOTS = 128  # numbers in a signature
SEED = 1
CERTAIN = 0.99  # chance to find a pair that is just as like as asked for
RUN = {"question": 3, "response": 5, "example": 5}  # words of a run
CANDIDATES = 64  # compared at most, those that share most bands first
CROWD = 32  # texts in a place of the table; a band that so many share tells little
LOAD = 0.5  # share of the table that may be full
REMEMBERED = 32  # texts whose runs are held ready
MULTIPLIER = np.uint64(0xD6E8FEB86659FD93)


def text_of(trace: Trace, field: Field) -> str:
    """Give the text of a trace that is compared."""
    if field == "question":
        return question_of(trace)
    response = response_of(trace)
    return response if field == "response" else f"{question_of(trace)}\n\n{response}"


def banded(threshold: float) -> tuple[int, int]:
    """Give the number of bands and the length of each that suit a threshold.

    The longest bands by which a pair just as like as the threshold is found with the chance
    `CERTAIN`: 1 - (1 - threshold**length)**bands.

    Raises:
        UserError: the threshold is not above 0 and at most 1.
    """
    if not 0 < threshold <= 1:
        raise UserError(f"a near-duplicate from {threshold}: give a share above 0, at most 1")
    for length in range(SLOTS // 2, 1, -1):
        bands = SLOTS // length
        if 1 - (1 - threshold**length) ** bands >= CERTAIN:
            return bands, length
    return SLOTS, 1


class Sketches:
    """Makes the runs of texts and the keys of their bands; workers may make them elsewhere.

    Args:
        threshold: from which likeness (0 to 1) texts are near-duplicates.
        run: words of a run.

    Raises:
        UserError: rensa is not installed, or as `banded`.
    """

    def __init__(self, threshold: float, run: int) -> None:
        self.run = run
        self.bands, self.length = banded(threshold)
        self._reader = Reader()
        self._minhash: Any = require("rensa", "curate").RMinHash

    def runs(self, text: str) -> Hashes:
        """Give the set of a text's runs of words, in order of their hashes."""
        return distinct(grams(plain(self._reader.read(text).exact), self.run))

    def keys(self, runs: Hashes) -> Keys:
        """Give the keys of the bands of a set of runs; none for an empty set."""
        if not len(runs):
            return np.zeros(0, dtype=np.uint32)
        made = self._minhash.digest_matrix_from_flat_token_hashes(
            runs, [0, len(runs)], num_perm=SLOTS, seed=SEED
        )
        signature = np.array(made.to_rows()[0][: self.bands * self.length], dtype=np.uint64)
        rows = signature.reshape(self.bands, self.length)
        return (grams_by_row(rows) >> np.uint64(32)).astype(np.uint32)


def grams_by_row(rows: NDArray[np.uint64]) -> Hashes:
    """Hash each row of numbers to one."""
    total = np.zeros(len(rows), dtype=np.uint64)
    for column in rows.T:
        total = (total ^ column) * MULTIPLIER
        total ^= total >> np.uint64(32)
    return total * MULTIPLIER


class NearDuplicates:
    """The texts kept so far, ready to be compared with the next.

    Args:
        threshold: from which likeness (0 to 1) a text is a near-duplicate.
        recall: gives the text kept as number 0, 1, ...
        run: words of a run.

    Raises:
        UserError: as `Sketches`.
    """

    def __init__(
        self, threshold: float, recall: Callable[[int], str], run: int = RUN["response"]
    ) -> None:
        self.sketches = Sketches(threshold, run)
        self.threshold = threshold
        self._recall = recall
        self._table = _Table(self.sketches.bands)
        self._ready: OrderedDict[int, Hashes] = OrderedDict()
        self._last = ("", np.zeros(0, dtype=np.uint32))  # looked for, and kept next

    def __len__(self) -> int:
        return len(self._table)

    def twin(self, text: str, keys: Keys | None = None) -> tuple[int, float] | None:
        """Find the kept text that is most surely like this one: its number and the likeness."""
        keys = self._keys_of(text) if keys is None else keys
        runs: Hashes | None = None
        for number in self._table.candidates(keys):
            runs = self.sketches.runs(text) if runs is None else runs
            alike = jaccard(runs, self._runs_of(number))
            if alike >= self.threshold:
                return number, alike
        return None

    def has_candidates(self, keys: Keys) -> bool:
        """Say whether a text with these keys has to be compared at all, without needing it."""
        return bool(self._table.candidates(keys))

    def keep(self, text: str, keys: Keys | None = None) -> None:
        """Take the next text into those kept."""
        self._table.add(self._keys_of(text) if keys is None else keys)

    def _keys_of(self, text: str) -> Keys:
        if text != self._last[0]:
            self._last = (text, self.sketches.keys(self.sketches.runs(text)))
        return self._last[1]

    def _runs_of(self, number: int) -> Hashes:
        found = self._ready.pop(number, None)
        if found is None:
            found = self.sketches.runs(self._recall(number))
        self._ready[number] = found
        if len(self._ready) > REMEMBERED:
            self._ready.popitem(last=False)
        return found


def jaccard(first: Hashes, second: Hashes) -> float:
    """Give the part of two sets' union that is in both; each is in order, without repeats."""
    if not len(first) or not len(second):
        return 0.0
    small, large = sorted((first, second), key=len)
    at = np.searchsorted(large, small)
    at[at == len(large)] = 0
    both = int(np.count_nonzero(large[at] == small))
    return both / (len(first) + len(second) - both)


class _Table:
    """Which texts have a key: open addressing in one array, without an object for a text."""

    def __init__(self, bands: int) -> None:
        self._bands = bands
        self._keys = np.zeros((1024, bands), dtype=np.uint32)  # of each text
        self._held = np.zeros((1024, bands), dtype=bool)  # which of its keys have a place
        self._size = 0
        self._places = np.full(2**15, -1, dtype=np.int32)
        self._salt = np.arange(1, bands + 1, dtype=np.uint64) << np.uint64(32)

    def __len__(self) -> int:
        return self._size

    def candidates(self, keys: Keys) -> list[int]:
        """Give the texts that share a band with these keys, those that share most first."""
        if not len(keys):
            return []
        found, _, _ = self._walk(keys)
        numbers = sorted(found, key=lambda number: (-found[number], number))
        return numbers[:CANDIDATES]

    def add(self, keys: Keys) -> None:
        """Take in the keys of the next text."""
        number = self._size
        if number == len(self._keys):
            more = np.zeros((number // 2, self._bands), dtype=np.uint32)
            self._keys = np.concatenate([self._keys, more])
            self._held = np.concatenate([self._held, more.astype(bool)])
        self._size += 1
        if not len(keys):
            return
        self._keys[number] = keys
        _, free, crowd = self._walk(keys)
        for band, (at, others) in enumerate(zip(free, crowd, strict=True)):
            if others < CROWD:
                self._places[at] = number
                self._held[number, band] = True
        if self._size * self._bands > LOAD * len(self._places):
            self._grow()

    def _first(self, keys: NDArray[np.uint64], bands: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give the first place to look at for a key of a band."""
        mixed = (keys | self._salt[bands]) * MULTIPLIER
        mixed ^= mixed >> np.uint64(29)
        mixed *= MULTIPLIER
        return (mixed >> np.uint64(64 - len(self._places).bit_length() + 1)).astype(np.int64)

    def _walk(self, keys: Keys) -> tuple[Counter[int], list[int], list[int]]:
        """Go from place to place until each band has met a free one.

        Gives the texts met and how many bands they share, the free places, and how many texts
        share each band. Plain numbers: calls of numpy cost more than these few steps.
        """
        places, known, last = self._places.data, self._keys.data, len(self._places) - 1
        met: Counter[int] = Counter()
        free, crowd = [], []
        begun = self._first(keys.astype(np.uint64), np.arange(self._bands)).tolist()
        for band, (at, key) in enumerate(zip(begun, keys.tolist(), strict=True)):
            others = 0
            while (number := places[at]) >= 0:
                if known[number, band] == key:
                    met[number] += 1
                    others += 1
                at = (at + 1) & last
            free.append(at)
            crowd.append(others)
        return met, free, crowd

    def _put(self, numbers: NDArray[np.int32], bands: NDArray[np.int64]) -> None:
        """Put texts into the first free place for their key of each band."""
        at = self._first(self._keys[numbers, bands].astype(np.uint64), bands)
        while len(numbers):
            free = self._places[at] < 0
            self._places[at[free][::-1]] = numbers[free][::-1]  # of several, the first
            left = ~free | (self._places[at] != numbers)
            numbers, at = numbers[left], (at[left] + 1) & (len(self._places) - 1)

    def _grow(self) -> None:
        """Double the table and put every text in again, many at once."""
        self._places = np.full(2 * len(self._places), -1, dtype=np.int32)
        step = 2**16
        for begin in range(0, self._size, step):
            rows, bands = self._held[begin : min(self._size, begin + step)].nonzero()
            self._put((begin + rows).astype(np.int32), bands)
