"""A run up to its first step, without weights: what `--look` loads and says."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path
from typing import Any

from skythought.training.presets import Hyperparameters


def build(place: str, dtype: str) -> Any:
    """Build the architecture of a folder or hub name on the meta device: shapes, no weights.

    Raises:
        OSError: nothing there, or its config cannot be read.
    """
    import torch
    import transformers

    config = transformers.AutoConfig.from_pretrained(place)
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(config, dtype=getattr(torch, dtype))
    with contextlib.suppress(OSError):  # a base need not have one
        model.generation_config = transformers.GenerationConfig.from_pretrained(place)
    return model


def steps(n_samples: int, chosen: Hyperparameters, max_steps: int) -> int:
    """Count the optimizer steps of a run; the last batch of an epoch may be smaller."""
    per_epoch = math.ceil(n_samples / chosen.batch_size)
    return max_steps if max_steps > 0 else math.ceil(chosen.epochs * per_epoch)


def describe(model: Any, n_steps: int, batch_size: int, micro_tokens: int, folder: Path) -> str:
    """Write what would be trained, in one line."""
    parameters = list(model.parameters())
    n_trained = sum(p.numel() for p in parameters if p.requires_grad)
    n_all = sum(p.numel() for p in parameters)
    return (
        f"{n_trained:,} of {n_all:,} parameters would be trained, in {n_steps:,} steps of "
        f"{batch_size:,} samples, up to {micro_tokens:,} tokens to a forward pass, into {folder}; "
        "nothing was written"
    )
