"""What turns the tokens and seconds of a run into work and money.

    of_machine(1, None, needed(model, rows)).pace(tokens=6000, seconds=1.0)
    ->  {"tokens_per_s": 6000.0, "tokens_per_s_device": 6000.0, "mfu": 0.213}

MFU = operations needed per token x tokens per second and device / peak of a device. Needed are
those of `flops.Flops.counted`: forward and backward, through frozen weights too, without what
gradient checkpointing repeats; the output layer counts for completion tokens only, since only their
logits are computed. The peak is the vendor's for dense bfloat16, or what a large product of
matrices reaches on this machine: on a CPU, in float32, when the run begins.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from skythought.core.errors import UserError
from skythought.training import architecture, flops, hardware
from skythought.training.data import IGNORED, Rows


@dataclass(frozen=True, kw_only=True)
class Rates:
    """What is known of model and machine; None leaves a figure out."""

    n_devices: int = 1
    flops_per_token: float | None = None  # needed, in the mean of the data
    peak_flops: float | None = None  # of a device, per second
    price: float | None = None  # of a device, dollars per hour

    def pace(self, tokens: int, seconds: float) -> dict[str, float]:
        """Give speed and utilisation of a stretch of training."""
        speed = tokens / max(seconds, 1e-9)
        found = {
            "tokens_per_s": round(speed, 1),
            "tokens_per_s_device": round(speed / self.n_devices, 1),
        }
        if self.flops_per_token and self.peak_flops:
            share = speed * self.flops_per_token / (self.n_devices * self.peak_flops)
            found["mfu"] = round(share, 4)
        return found

    def cost(self, seconds: float) -> dict[str, float]:
        """Give the dollars that a time costs."""
        if self.price is None:
            return {}
        return {"cost": round(self.price * self.n_devices * seconds / 3600, 6)}


def of_machine(n_devices: int, price: float | None, flops_per_token: float | None) -> Rates:
    """Look at the machine; the price is the list price of a known card where None is given."""
    card = _card()
    return Rates(
        n_devices=n_devices,
        flops_per_token=flops_per_token,
        peak_flops=card.flops,
        price=card.price if price is None else price,
    )


_card = functools.cache(hardware.here)  # measures a CPU


def needed(model: Any, rows: Rows) -> float | None:
    """Count the operations per token of training; None for a model that nobody can count.

    Args:
        model: as it is trained, with its adapter.
        rows: the data; longer ones attend to more.
    """
    try:
        sizes = architecture.of(model.config.to_dict())
    except UserError:
        return None
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    full = not hasattr(model, "peft_config")
    work = flops.of_model(
        sizes,
        context=flops.mean_context(map(len, rows.input_ids)),
        adapter=None if full else trained,
    )
    silent = sum(labels.count(IGNORED) for labels in rows.labels) / rows.n_tokens
    return work.counted - silent * (6 if full else 4) * sizes.head
