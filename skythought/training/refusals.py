"""Settings that are refused before anything is loaded."""

from __future__ import annotations

import math
from typing import Any

from skythought.core.errors import UserError
from skythought.training import adapter
from skythought.training.presets import Hyperparameters

MOST_SEED = 2**32 - 1  # of numpy's generator


def check(config: Any, chosen: Hyperparameters) -> None:
    """Refuse numbers that cannot be trained with, and flags that go against each other.

    Args:
        config: of `skythought.train`.
        chosen: the hyperparameters that it and its preset come to.

    Raises:
        UserError: one of them; the flag is named.
    """
    whole = ("lora_r", "lora_alpha", "batch_size", "max_length", "eval_limit", "eval_tokens")
    for name in (*whole, "micro_batch_size", "micro_batch_tokens"):
        value = getattr(config, name)
        if value is not None and value < 1:
            raise UserError(f"--{name} {value}: give 1 or more")
    if config.max_steps < 1 and config.max_steps != -1:
        raise UserError(f"--max_steps {config.max_steps}: give 1 or more, or -1 for all epochs")
    for name in ("lr", "beta", "max_grad_norm", *(() if config.max_steps > 0 else ("epochs",))):
        value = getattr(config, name)
        if value is not None and not 0 < value < math.inf:
            raise UserError(f"--{name} {value:g}: give more than 0")
    for name in ("warmup", "lora_dropout"):
        value = getattr(config, name)
        if value is not None and not 0 <= value < 1:
            raise UserError(f"--{name} {value:g}: give a share from 0 to below 1")
    for name in ("weight_decay", "save_every", "seed", "show_mask", "gamma", "price"):
        value = getattr(config, name)
        if value is not None and not value >= 0:
            raise UserError(f"--{name} {value:g}: give 0 or more")
    if config.packing and chosen.objective != "sft":
        raise UserError("--packing: pairs are padded, not packed; leave it out")
    if config.seed > MOST_SEED:
        raise UserError(f"--seed {config.seed}: give at most {MOST_SEED}")
    for name in ("qlora", "dora", "rslora", "lora_layers"):
        if chosen.full and getattr(config, name):
            raise UserError(f"--{name} is of an adapter, and all weights are trained; leave it out")
    if config.lora_layers:
        adapter.layers(config.lora_layers)
    if config.sharding == "zero3" and (not chosen.full or chosen.objective != "sft"):
        raise UserError(
            "--sharding zero3 is for --full and demonstrations, whose optimizer is large; give fsdp"
        )
    if config.offload and config.sharding != "zero3":
        raise UserError("--offload goes with --sharding zero3")
