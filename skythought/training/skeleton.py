"""A model without its weights: what `--look` loads, and a process that is sent its part of them."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path
from typing import Any

from skythought.training.presets import Hyperparameters


def build(place: str, dtype: str, *, room: bool = False) -> Any:
    """Build the architecture of a folder or hub name: the shapes of its weights.

    Args:
        place: a folder, or a name on the hub.
        dtype: type of the weights.
        room: put them into memory that is never written, and so never taken, in place of the meta
            device: who sends them tells them apart by where they lie.

    Raises:
        OSError: nothing there, or its config cannot be read.
    """
    import accelerate
    import torch
    import transformers

    config = transformers.AutoConfig.from_pretrained(place)
    with accelerate.init_empty_weights(include_buffers=False):  # these are computed, not read
        model = transformers.AutoModelForCausalLM.from_config(config, dtype=getattr(torch, dtype))
    with contextlib.suppress(OSError):  # a base need not have one
        model.generation_config = transformers.GenerationConfig.from_pretrained(place)
    if room:
        for module in model.modules():
            for name, weight in module.named_parameters(recurse=False):
                empty = torch.nn.Parameter(torch.empty_like(weight, device="cpu"))
                module.register_parameter(name, empty)
        model.tie_weights()
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
