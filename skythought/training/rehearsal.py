"""Training without weights: the model on the meta device, every setting resolved for a machine.

    rehearse(sizes, config, ...)["memory"]["total"] / 2**30  ->  34.7

Makes the architecture and its adapter as training would, so that a name of a module or a layer that
does not exist is found, and predicts whether the longest sample fits. Nothing is downloaded but
config.json, and nothing is computed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from skythought.core import progress
from skythought.core.errors import UserError
from skythought.training import adapter, architecture, hardware, memory, sharding
from skythought.training.hardware import GIB
from skythought.training.memory import Setup
from skythought.training.presets import Hyperparameters


def rehearse(
    sizes: Any,
    config: Any,
    chosen: Hyperparameters,
    lora: adapter.Lora,
    most: Mapping[str, int],
) -> dict[str, Any]:
    """Resolve what a run would do on the machine of `--dry_run`, and say it.

    Args:
        sizes: the config of the model, as transformers reads it.
        config: the flags, a `skythought.train.Config`.
        chosen: what they and the preset come to.
        lora: the adapter, where one is trained.
        most: tokens of a pass on a cpu or on cuda, where no sample is longer and no flag says.

    Returns:
        The hyperparameters, hardware, parameters, trained_parameters, sharding, micro_batch_tokens,
        and in bytes the memory of a device by part and device_memory.

    Raises:
        UserError: no such card, a module that the model does not have, or the longest sample does
            not fit.
    """
    import torch
    import transformers

    on = hardware.parse(config.dry_run)
    n = on.n_devices
    with torch.device("meta"):
        model: Any = transformers.AutoModelForCausalLM.from_config(sizes)
        counted = architecture.of(sizes.get_text_config().to_dict())
        if not chosen.full:
            model = adapter.adapt(model, lora)
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    setup = Setup(
        model=counted,
        method="full" if chosen.full else "qlora" if config.qlora else "lora",
        r=lora.r,
        checkpointing=config.gradient_checkpointing,
        shards=n if config.sharding in sharding.PARTS else 1,
        zero3=config.sharding == "zero3",
        offload=config.offload,
        devices=n,
        cpu=on.card.name == hardware.CPU,
    )
    if (begins := memory.begins_with(setup)) > memory.SHARE * on.card.memory:
        raise UserError(
            f"--dry_run {config.dry_run}: --sharding zero3 begins with all weights on each device, "
            f"{begins / GIB:.1f} GiB; give fsdp, or cards that hold them"
        )
    fit = memory.fit_tokens(setup, on.card.memory)
    tokens = max(
        chosen.max_length,
        min(fit, config.micro_batch_tokens or most["cpu" if setup.cpu else "cuda"]),
    )
    peak = memory.of(setup, tokens)
    if fit < tokens:
        room = memory.SHARE * on.card.memory / GIB
        raise UserError(
            f"--dry_run {config.dry_run}: a sample of {tokens:,} tokens takes "
            f"{peak.total / GIB:.1f} GiB of a device, of {room:.1f} that can be used; `skythought "
            "plan` shows what fits"
        )
    whole = sum(p.numel() for p in model.parameters()) - (0 if chosen.full else trained)
    shared = config.sharding if setup.shards > 1 else "ddp" if n > 1 else "none"
    progress.say(
        f"{config.base_model} on {on}: {trained:,} of {whole:,} parameters are trained, sharding "
        f"{shared}, {tokens:,} tokens a pass, {peak.total / GIB:.1f} of "
        f"{on.card.memory / GIB:.1f} GiB a device"
    )
    return {
        **dataclasses.asdict(chosen),
        "hardware": str(on),
        "parameters": whole,
        "trained_parameters": trained,
        "sharding": shared,
        "micro_batch_tokens": tokens,
        "memory": {**peak._asdict(), "total": peak.total},
        "device_memory": on.card.memory,
    }
