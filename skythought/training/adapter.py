"""The LoRA adapter a model is given: plain LoRA, DoRA, rank-stabilised LoRA, or on 4-bit weights.

layers("0-15,28")  ->  [0, 1, ..., 15, 28]
"""

from __future__ import annotations

import importlib.util
import os
import re
from dataclasses import dataclass
from typing import Any

from skythought.core.errors import UserError, unknown
from skythought.training.presets import Hyperparameters

ALL = "all-linear"
NF4 = {  # of QLoRA, arXiv 2305.14314, section 3
    "load_in_4bit": True,
    "bnb_4bit_quant_type": "nf4",
    "bnb_4bit_use_double_quant": True,
    "bnb_4bit_compute_dtype": "bfloat16",
    "bnb_4bit_quant_storage": "bfloat16",  # so that FSDP can shard it
}


@dataclass(frozen=True, kw_only=True)
class Lora:
    """How an adapter is made; `skythought.train.Config` explains the fields."""

    r: int
    alpha: int
    dropout: float = 0.0
    target: str = ALL
    layers: str = ""
    dora: bool = False
    rslora: bool = False


def asked(config: Any, chosen: Hyperparameters) -> Lora:
    """Give the adapter that a `skythought.train.Config` asks for."""
    return Lora(
        r=chosen.lora_r,
        alpha=chosen.lora_alpha,
        dropout=chosen.lora_dropout,
        target=config.lora_target,
        layers=config.lora_layers,
        dora=config.dora,
        rslora=config.rslora,
    )


def adapt(model: Any, lora: Lora) -> Any:
    """Put an adapter on a causal language model of transformers that has none.

    Raises:
        UserError: the model has no module of the name, or no layer of the number, asked for.
    """
    import peft
    from torch.nn import Linear

    if isinstance(model, peft.PeftModel):
        return model
    linear = {
        name.rpartition(".")[2]
        for name, module in model.named_modules()
        if isinstance(module, Linear) and module is not model.get_output_embeddings()
    }
    known = {name.rpartition(".")[2] for name, _ in model.named_modules()}
    target: Any = lora.target
    if target != ALL or lora.layers:  # PEFT takes layers with names only
        target = sorted(linear) if target == ALL else [n.strip() for n in target.split(",")]
        for name in target:
            if name.rpartition(".")[2] not in known:
                raise unknown("lora_target", name, {ALL, *linear})
    settings = peft.LoraConfig(
        task_type="CAUSAL_LM",
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=target,
        layers_to_transform=_layers_of(model, lora.layers),
        use_dora=lora.dora,
        use_rslora=lora.rslora,
    )
    try:
        return peft.get_peft_model(model, settings)
    except ValueError as error:
        raise UserError(f"--lora_target {lora.target!r}: {error}") from error


def check_own(name: str, asked: Any) -> None:
    """Refuse flags of a new adapter where one is gone on with.

    Args:
        name: of the adapter.
        asked: what holds the flags.

    Raises:
        UserError: one is given.
    """
    flags = ("lora_r", "lora_alpha", "lora_dropout", "lora_layers", "dora", "rslora", "qlora")
    given = [flag for flag in flags if getattr(asked, flag)]
    given += ["lora_target"] * (asked.lora_target != ALL)
    if given:
        raise UserError(
            f"--base_model {name} is an adapter, and training goes on with it as it is; leave out "
            f"--{given[0]}, or merge it into its base first"
        )


def layers(text: str) -> list[int]:
    """Read numbers and ranges of layers, counted from 0, both ends included.

    >>> layers("0-2,5")
    [0, 1, 2, 5]

    Raises:
        UserError: it is not written so.
    """
    found: set[int] = set()
    for part in text.split(","):
        bounds = re.fullmatch(r"\s*(\d{1,6})(?:-(\d{1,6}))?\s*", part)
        first, last = (bounds[1], bounds[2] or bounds[1]) if bounds else ("1", "0")
        if int(first) > int(last):
            raise UserError(f"--lora_layers {text!r}: give numbers or ranges from 0, as in 0-15,28")
        found.update(range(int(first), int(last) + 1))
    return sorted(found)


def _layers_of(model: Any, text: str) -> list[int] | None:
    if not text:
        return None
    chosen = layers(text)
    n_layers = model.config.get_text_config().num_hidden_layers
    if chosen[-1] >= n_layers:
        raise UserError(f"--lora_layers {text!r}: the model has layers 0 to {n_layers - 1}")
    return chosen


def keep_exact(model: Any) -> None:
    """Hold the adapter of a base in 4 bits in float32, where TRL has rounded it to bfloat16.

    Steps of 1e-4 on weights of 0.02 would be half a step of bfloat16, and mostly lost.
    """
    if getattr(model, "is_loaded_in_4bit", False):
        for weight in model.parameters():
            if weight.requires_grad:
                weight.data = weight.data.float()


def quantization() -> dict[str, Any]:
    """Give what loads a base in 4 bits, as an argument of transformers' `from_pretrained`.

    Raises:
        UserError: bitsandbytes is not installed, or there is no GPU.
    """
    import torch
    import transformers

    if not torch.cuda.is_available():
        raise UserError("--qlora needs a GPU, and none is there; leave it out for plain LoRA")
    if importlib.util.find_spec("bitsandbytes") is None:
        raise UserError(
            "--qlora needs bitsandbytes, which is not installed; run: pip install bitsandbytes"
        )
    place = int(os.environ.get("LOCAL_RANK", "0"))  # each process fills its own GPU
    return {
        "quantization_config": transformers.BitsAndBytesConfig(**NF4),
        "device_map": {"": place},
    }
