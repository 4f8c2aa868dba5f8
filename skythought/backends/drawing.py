"""Which token comes next: logits and a sampling in, one token of every row out."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from msgspec import UNSET

from skythought.core.records import Request, Sampling

if TYPE_CHECKING:
    import torch


def uniforms(request: Request, sampling: Sampling) -> np.ndarray:
    """Draw the random numbers of one request: (max_tokens,) in [0, 1)."""
    key = zlib.crc32(f"{request.id} {request.sample} {sampling.seed}".encode())
    return np.random.default_rng(key).random(sampling.max_tokens)


def penalizes(sampling: Sampling) -> bool:
    """Say whether what was said before makes a difference."""
    return bool(sampling.presence_penalty) or sampling.repetition_penalty not in (UNSET, 1.0)


class Seen:
    """Which tokens each row has read and said, for the penalties: (B, V) each."""

    def __init__(self, prompts: Sequence[Sequence[int]], vocabulary: int, device: str) -> None:
        import torch

        self.said = torch.zeros((len(prompts), vocabulary), dtype=torch.bool, device=device)
        self.read = self.said.clone()
        for row, prompt in enumerate(prompts):
            self.read[row, torch.tensor(prompt, device=device)] = True

    def add(self, tokens: torch.Tensor) -> None:
        """Note the token that each row says: (B,)."""
        self.said.scatter_(1, tokens[:, None], value=True)

    def keep_rows(self, rows: torch.Tensor) -> None:
        """Drop all other rows."""
        self.said, self.read = self.said[rows], self.read[rows]

    def penalize(self, logits: torch.Tensor, sampling: Sampling) -> torch.Tensor:
        """Lower the logits of what was there before, (B, V), as vLLM does.

        The repetition penalty (Keskar et al. 2019, arXiv 1909.05858, section 4.1) counts the
        prompt, the presence penalty does not.
        """
        import torch

        if sampling.repetition_penalty not in (UNSET, 1.0):
            penalty = sampling.repetition_penalty
            lower = torch.where(logits > 0, logits / penalty, logits * penalty)
            logits = torch.where(self.said | self.read, lower, logits)
        if sampling.presence_penalty:
            logits = logits - sampling.presence_penalty * self.said
        return logits


def choose(logits: torch.Tensor, draws: list[float], sampling: Sampling) -> torch.Tensor:
    """Pick the next token of every row: logits (B, V), draws (B,) -> (B,)."""
    import torch

    if sampling.temperature <= 0:
        return logits.argmax(-1)
    probs = torch.softmax(logits / sampling.temperature, -1)
    ranked, index = probs.sort(dim=-1, descending=True, stable=True)
    if sampling.top_k:
        ranked[:, sampling.top_k :] = 0.0
    if sampling.min_p:
        ranked = ranked.masked_fill(ranked < sampling.min_p * ranked[:, :1], 0.0)
    total = ranked.cumsum(-1)
    if sampling.top_p < 1:
        kept = (
            total[:, -1:] if sampling.top_k or sampling.min_p else 1.0
        )  # what top_p is a share of
        ranked = ranked.masked_fill(total - ranked >= sampling.top_p * kept, 0.0)
        total = ranked.cumsum(-1)
    draw = torch.tensor(draws, device=logits.device, dtype=total.dtype)[:, None] * total[:, -1:]
    place = torch.searchsorted(total, draw, right=True)
    place = place.clamp(max=(ranked > 0).sum(-1, keepdim=True) - 1)  # a draw may round up to 1
    return index.gather(-1, place)[:, 0]
