"""The lengths of training samples: spread about a mean, and how evenly devices share them."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from statistics import NormalDist
from typing import NamedTuple

SIGMA = 0.8  # of the logarithm of the lengths of 1,423 reasoning traces
QUANTILES = 200  # that stand for all lengths where only the mean is given
DRAWS = 200  # of batches, to see how uneven the devices' shares are


class Lengths(NamedTuple):
    """Tokens of each sample after cutting."""

    tokens: list[int]
    cut: int  # samples longer than --max_length
    how: str  # counted, estimated, ...


def spread(n: int, mean: float) -> Iterator[int]:
    """Spread lengths about a mean: log-normal, by quantiles, so that nothing is left to chance."""
    normal = NormalDist(math.log(mean) - SIGMA**2 / 2, SIGMA)
    kinds = min(n, QUANTILES)
    values = [math.exp(normal.inv_cdf((k + 0.5) / kinds)) for k in range(kinds)]
    scale = mean / (sum(values) / kinds)  # the last quantile misses a little of the tail
    for k in range(n):
        yield max(1, round(values[k * kinds // n] * scale))


def unevenness(lengths: Sequence[int], batch: int, devices: int) -> float:
    """Give how much longer the fullest device of a step takes than the mean one, at least 1."""
    share = batch // devices
    if devices == 1 or share == 0:
        return 1.0
    rng = random.Random(0)
    ratios = []
    for _ in range(DRAWS):
        loads = [sum(rng.choices(lengths, k=share)) for _ in range(devices)]
        ratios.append(max(loads) * devices / sum(loads))
    return sum(ratios) / len(ratios)
