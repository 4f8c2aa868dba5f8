"""What questions are about, without a model: sketches of their words, grouped by likeness.

    sketch("A train leaves ...")    -> 64 bytes
    groups([sketch, ...], 8, 0)     -> [3, 0, 3, ...]

A sketch is the sum of one random +1/-1 vector for each different word (signed feature hashing,
Weinberger et al. 2009), so that the angle between sketches tells how many words two questions
share. Words that many questions have say little; they are weighed down by subtracting the mean
sketch. Groups are made by spherical k-means (Dhillon, Modha 2001) from a seeded start.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

DIMENSIONS = 64
ROUNDS = 12
MAX_CHARS = 20_000  # of a question
SAMPLE = 20_000  # sketches that centres are found on
WORD = re.compile(r"[a-z]{3,}|\\[a-z]+|[^\x00-\x7f]", re.IGNORECASE)


def sketch(question: str) -> bytes:
    """Make the sketch of a question: DIMENSIONS signed bytes."""
    total = np.zeros(DIMENSIONS, dtype=np.int32)
    for word in sorted({word.lower() for word in WORD.findall(question[:MAX_CHARS])}):
        raw = hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=DIMENSIONS // 8)
        bits = np.unpackbits(np.frombuffer(raw.digest(), dtype=np.uint8)).astype(np.int32)
        total += 2 * bits - 1
    return np.clip(total, -127, 127).astype(np.int8).tobytes()


def how_many(n: int) -> int:
    """Choose a number of topics for n examples: their square root, at most 256."""
    return max(1, min(256, math.isqrt(n)))


def groups(sketches: Sequence[bytes], n_groups: int, seed: int) -> list[int]:
    """Group sketches; gives the number of each one's group."""
    if not sketches:
        return []
    points = _directions(sketches)
    rng = np.random.default_rng(seed)
    sample = points
    if len(points) > SAMPLE:
        sample = points[np.sort(rng.choice(len(points), SAMPLE, replace=False))]
    centres = _spread_out(sample, min(n_groups, len(sample)), rng)
    for _ in range(ROUNDS):
        nearest = (sample @ centres.T).argmax(1)
        for number in range(len(centres)):
            own = sample[nearest == number]
            if len(own):
                centres[number] = _unit(own.sum(0, keepdims=True))[0]
    found: list[int] = []
    for start in range(0, len(points), SAMPLE):
        found += (points[start : start + SAMPLE] @ centres.T).argmax(1).tolist()
    return found


def _directions(sketches: Sequence[bytes]) -> NDArray[np.float32]:
    raw = np.frombuffer(b"".join(sketches), dtype=np.int8).reshape(len(sketches), DIMENSIONS)
    points = _unit(raw.astype(np.float32))
    return _unit(points - points.mean(0, keepdims=True))


def _unit(points: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    unit: NDArray[np.float32] = points / np.maximum(lengths, 1e-6)
    return unit


def _spread_out(
    points: NDArray[np.float32], n: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Choose starting centres far from each other: k-means++ (Arthur, Vassilvitskii 2007)."""
    chosen = [int(rng.integers(len(points)))]
    far = 1 - points @ points[chosen[0]]
    for _ in range(n - 1):
        weights = np.maximum(far, 0) ** 2
        total = float(weights.sum())
        if total < 1e-9:
            break
        chosen.append(int(rng.choice(len(points), p=weights / total)))
        far = np.minimum(far, 1 - points @ points[chosen[-1]])
    return points[chosen].copy()
