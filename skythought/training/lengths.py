"""The lengths of training samples: spread about a mean, and how evenly devices share them."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Iterator, Sequence
from statistics import NormalDist
from typing import NamedTuple

SIGMA = 0.8  # of the logarithm of the lengths of 1,423 reasoning traces
QUANTILES = 200  # that stand for all lengths where only the mean is given
DRAWS = 30  # of batches, to see how evenly devices share them

Pass = list[int]  # the samples of a forward pass


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


def pack(
    lengths: Sequence[int], *, tokens: int, samples: int | None = None, n_ranks: int = 1
) -> list[Pass]:
    """Lay samples end to end in as few rows as keep within `tokens`, balanced.

    The longest sample goes first, each into the row that is shortest so far (Graham's LPT rule: no
    row is over 4/3 of the best possible). A sample longer than `tokens` has a row of its own.

    Args:
        lengths: tokens of each sample.
        tokens: of a row.
        samples: of a row at most.
        n_ranks: processes; the number of rows is a multiple of it, some may be empty.

    Returns:
        Numbers of samples per row, the longest row first.
    """
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    limit, most = max(tokens, max(lengths)), samples or len(lengths)
    n_rows = max(-(-sum(lengths) // limit), -(-len(lengths) // most))
    while True:
        n_rows = -(-n_rows // n_ranks) * n_ranks
        rows: list[Pass] = [[] for _ in range(n_rows)]
        loads = [(0, row) for row in range(n_rows)]
        for i in order:
            load, row = heapq.heappop(loads)
            rows[row].append(i)
            if len(rows[row]) < most:
                heapq.heappush(loads, (load + lengths[i], row))
        rows.sort(key=lambda row: -sum(lengths[i] for i in row))
        if sum(lengths[i] for i in rows[0]) <= limit:
            return rows
        n_rows += 1


class Shares(NamedTuple):
    """How the devices share a step, in the mean of drawn batches."""

    passes: float  # of a device
    waiting: float  # time of a step over what it would be if all devices had as much to do


def share(lengths: Sequence[int], *, batch: int, tokens: int, devices: int) -> Shares:
    """Cut drawn batches into passes as training does, and see how even they come out.

    Args:
        lengths: tokens of each sample.
        batch: samples of a step.
        tokens: of a pass.
        devices: that share a step; in every pass all wait for the one with the most tokens.
    """
    rng, passes, waiting = random.Random(0), 0, 0.0
    for _ in range(DRAWS):
        chosen = rng.choices(lengths, k=batch)
        loads = [
            sum(chosen[i] for i in row) for row in pack(chosen, tokens=tokens, n_ranks=devices)
        ]
        passes += len(loads) // devices
        waiting += sum(loads[::devices]) * devices / sum(loads)  # the longest rows come first
    return Shares(passes / DRAWS, waiting / DRAWS)
