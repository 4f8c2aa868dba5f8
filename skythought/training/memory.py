"""How many tokens of one forward and backward pass fit into memory, by a rough count.

    tokens_that_fit(model, full=False, checkpointing=False, memory=24 * 2**30)  ->  4483

Counted are the weights (with `full`, also gradients and AdamW's two moments, in float32), what a
layer keeps for its backward pass (16 times the hidden and 5 times the intermediate width per token;
attention itself keeps no matrix), and four copies of the logits in float32. Half of what is left is
used: for SmolLM2-135M with LoRA in float32, counted 11 GiB, 13.6 GB were seen on a CPU.
"""

from __future__ import annotations

import os
from typing import Any

SHARE = 0.5  # of what the weights leave


def tokens_that_fit(model: Any, *, full: bool, checkpointing: bool, memory: int) -> int:
    """Count the tokens of a pass; at least 1.

    Args:
        model: a causal language model of transformers.
        full: all weights are trained, not an adapter.
        checkpointing: activations are computed twice and not kept.
        memory: bytes of the device.
    """
    config = model.config.get_text_config()
    n_layers, hidden = config.num_hidden_layers, config.hidden_size
    inner = getattr(config, "intermediate_size", None) or 4 * hidden
    size = model.dtype.itemsize
    weights = sum(p.numel() for p in model.parameters()) * (size + (12 if full else 0))
    layer = (16 * hidden + 5 * inner) * size
    kept = n_layers * hidden * size + layer if checkpointing else n_layers * layer
    return max(1, int(SHARE * (memory - weights) / (kept + 16 * config.vocab_size)))


def device_memory() -> int:
    """Give the bytes of the GPU of this process, or its share of the machine's memory.

    The total, not what is free now, so that a resumed run cuts its batches as before.
    """
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory)
    import psutil

    return int(psutil.virtual_memory().total) // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
