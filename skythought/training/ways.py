"""The ways to train that a plan compares, and what each takes.

    predict(config, model, parse("4xH100"), lengths)[0].name  ->  "LoRA + FSDP + ckpt"

Asked are a `skythought.plan.Config`, which is above and not imported here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from skythought.training import flops, hardware, memory, speed
from skythought.training.architecture import Architecture
from skythought.training.hardware import Hardware
from skythought.training.lengths import Lengths, Shares, share
from skythought.training.memory import Memory, Setup

Asked = Any
MICRO_TOKENS = {"cpu": 1024, "cuda": 8192}  # of a forward pass; more make it no faster
NAMES = {"lora": "LoRA", "qlora": "QLoRA", "full": "full"}
# Bytes of a parameter that ZeRO-3 with offload holds in the memory of all machines, as DeepSpeed
# 0.19 is written: rounded and float32 weights 6, the sum of gradients and its copy for the
# optimizer 8, AdamW 8.
HELD = 22


class Row(NamedTuple):
    """One way to train, and what it takes."""

    setup: Setup
    fit: int  # tokens that a pass could hold
    pass_tokens: int
    memory: Memory
    step: speed.Step
    hours: float
    cost: float | None
    fits: bool

    @property
    def needs(self) -> float:
        """Give the bytes of a device at the peak, or before the model is split."""
        return max(self.memory.total, memory.begins_with(self.setup))

    @property
    def host(self) -> int:
        """Give the bytes of memory that offloaded weights and optimizer take, of all machines."""
        return HELD * self.setup.model.n_params if self.setup.offload else 0

    @property
    def name(self) -> str:
        """Name it as the table does."""
        sharded = " + FSDP" if self.setup.shards > 1 else ""
        sharded = " + ZeRO-3" if self.setup.zero3 else sharded
        again = " + ckpt" if self.setup.checkpointing else ""
        return f"{NAMES[self.setup.method]}{sharded}{again}"


def setups(config: Asked, model: Architecture, machine: Hardware) -> Iterator[Setup]:
    """List the ways to train that are compared."""
    methods = memory.METHODS if config.method == "all" else (config.method,)
    target = config.lora_target
    targets = () if target == "all-linear" else tuple(name.strip() for name in target.split(","))
    cpu = machine.card.name == hardware.CPU
    for method in methods:
        if method == "qlora" and cpu:
            continue
        n = machine.n_devices
        spreads = [(1, False)]
        if n > 1 and method != "qlora":
            spreads.append((n, False))
        if n > 1 and method == "full":
            spreads.append((n, True))
        for shards, offload in spreads:
            for again in (False, True):
                yield Setup(
                    model=model,
                    method=method,
                    r=config.lora_r,
                    targets=targets,
                    checkpointing=again,
                    shards=shards,
                    devices=n,
                    cpu=cpu,
                    zero3=offload,
                    offload=offload,
                )


def predict(config: Asked, model: Architecture, machine: Hardware, lengths: Lengths) -> list[Row]:
    """Predict every way to train; those that fit first, and of those the cheapest."""
    total = sum(lengths.tokens)
    context, longest = flops.mean_context(lengths.tokens), max(lengths.tokens)
    batch = min(config.batch_size, len(lengths.tokens))
    per_step = batch * total / len(lengths.tokens)
    n_steps = len(lengths.tokens) / batch * config.epochs  # the last of an epoch may be smaller
    price = machine.card.price
    rows, shares = [], dict[int, Shares]()
    for setup in setups(config, model, machine):
        fit = memory.fit_tokens(setup, machine.card.memory)
        most = MICRO_TOKENS["cpu" if setup.cpu else "cuda"]
        limit = min(max(fit, 1), most)
        if limit not in shares:
            shares[limit] = share(
                lengths.tokens, batch=batch, tokens=limit, devices=machine.n_devices
            )
        step = speed.of_step(setup, machine, tokens=per_step, shares=shares[limit], context=context)
        pass_tokens = max(longest, min(limit, round(per_step / machine.n_devices)))
        hours = n_steps * step.seconds / 3600
        cost = None if price is None else hours * price * machine.n_devices
        peak = memory.of(setup, pass_tokens)
        rows.append(Row(setup, fit, pass_tokens, peak, step, hours, cost, fit >= longest))
    return sorted(rows, key=lambda row: (not row.fits, row.hours if row.fits else row.needs))
