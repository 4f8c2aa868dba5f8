"""Which samples share a forward pass: whole samples in rows of about the same length.

    pack([900, 700, 300, 100], tokens=1000)  ->  [[0, 3], [1, 2]]

A step always has the samples of a global batch, chosen by the seed and the epoch alone. How they
are cut into passes changes no sum, only the time: every process plans the whole step and takes its
share, so all have the same number of passes of about the same length.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import torch

from skythought.training.lengths import Pass as Pass
from skythought.training.lengths import pack as pack
from skythought.training.loss import IGNORED

Column = Sequence[Sequence[int]]  # a number per token, per sample


def pad(
    lengths: Sequence[int], *, tokens: int, samples: int | None = None, n_ranks: int = 1
) -> list[Pass]:
    """Put samples of like length side by side, so that padded to the longest they fit `tokens`.

    Takes and gives what `pack` does.
    """
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    groups: list[Pass] = []
    for i in order:
        most = min(tokens // lengths[groups[-1][0]], samples or len(order)) if groups else 0
        if groups and len(groups[-1]) < most:
            groups[-1].append(i)
        else:
            groups.append([i])
    while len(groups) % n_ranks:
        largest = max(groups, key=len)
        at = groups.index(largest)
        half = (len(largest) + 1) // 2
        groups[at : at + 1] = [largest[:half], largest[half:]]
    return groups


class Batches:
    """The passes of an epoch, for `accelerate` to deal out: rank 0, rank 1, ..., of each step.

    Args:
        lengths: tokens of each sample.
        batch_size: samples of a step, over all processes.
        n_ranks: processes.
        tokens: of a pass of one process.
        samples: of a pass at most.
        packed: rows of `pack`, or groups of `pad`.
        seed: of the order.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        *,
        batch_size: int,
        tokens: int,
        n_ranks: int = 1,
        samples: int | None = None,
        packed: bool = True,
        seed: int = 0,
    ) -> None:
        self.lengths, self.step_size, self.n_ranks = lengths, batch_size, n_ranks
        self.tokens, self.samples, self.packed, self.seed = tokens, samples, packed, seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of an epoch."""
        self.epoch = epoch

    def order(self) -> Pass:
        """Give the samples in the order of this epoch."""
        order = list(range(len(self.lengths)))
        random.Random(f"{self.seed} {self.epoch}").shuffle(order)
        return order

    def __len__(self) -> int:
        return -(-len(self.lengths) // self.step_size) * self.n_ranks

    def __iter__(self) -> Iterator[list[Pass]]:
        order, cut = self.order(), (pack if self.packed else pad)
        for start in range(0, len(order), self.step_size):
            chosen = order[start : start + self.step_size]
            rows = cut(
                [self.lengths[i] for i in chosen],
                tokens=self.tokens,
                samples=self.samples,
                n_ranks=self.n_ranks,
            )
            passes = [[chosen[i] for i in row] for row in rows]
            for rank in range(self.n_ranks):
                yield passes[rank :: self.n_ranks]


class Passes(torch.utils.data.Dataset):  # type: ignore[misc]
    """Samples as tensors of a forward pass: `passes[[3, 0]]`.

    A packed pass has one row (1, tokens): input_ids, labels and other columns end to end,
    position_ids that begin again with every sample, and segments, the length of each. A padded one
    has a row per sample (samples, longest) and an attention_mask. A pass of no samples is one
    token without a label, so that its process can take part in a step.
    """

    def __init__(self, columns: Mapping[str, Column], batches: Batches, pad_token_id: int) -> None:
        self.columns, self.batches = dict(columns), batches
        self.fill = {"input_ids": pad_token_id, "labels": IGNORED}

    def __len__(self) -> int:
        return len(self.columns["input_ids"])

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of an epoch; a loader finds its data set however it is wrapped."""
        self.batches.set_epoch(epoch)

    def __getitem__(self, samples: Pass) -> dict[str, Any]:
        rows = {
            name: [torch.tensor(np.asarray(column[i], dtype=np.int64)) for i in samples]
            or [torch.tensor([self.fill.get(name, 0)])]
            for name, column in self.columns.items()
        }
        segments = [len(row) for row in rows["input_ids"]]
        tokens = sum(segments) if samples else 0
        for row in rows["labels"]:
            row[0] = IGNORED  # nothing in its own sample comes before it
        if self.batches.packed:
            joined = {name: torch.cat(parts)[None] for name, parts in rows.items()}
            joined["position_ids"] = torch.cat([torch.arange(n) for n in segments])[None]
            return joined | {"segments": segments, "n_tokens": tokens}
        padded = {
            name: torch.nn.utils.rnn.pad_sequence(parts, True, self.fill.get(name, 0))
            for name, parts in rows.items()
        }
        longest = torch.arange(max(segments))
        padded["attention_mask"] = (longest < torch.tensor(segments)[:, None]).long()
        return padded | {"n_tokens": tokens}


def boundaries(segments: Sequence[int]) -> Any:
    """Give where the samples of a row begin and the last ends, as flash attention takes it."""
    return torch.tensor([0, *accumulate(segments)], dtype=torch.int32)
