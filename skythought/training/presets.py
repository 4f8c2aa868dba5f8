"""Published training settings by name, and what a run is trained with.

    choose("sky-t1-lora", {"lora_r": 256})  ->  rank 256, scale 512, the rest Sky-T1's

A value that is given wins over the preset's, and a preset over the defaults, which are Sky-T1's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from skythought.core.errors import UserError, unknown


@dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """What decides how a run learns; `skythought.train.Config` explains the fields."""

    objective: str
    beta: float
    gamma: float
    full: bool
    lora_r: int
    lora_alpha: int
    lora_dropout: float
    epochs: float
    batch_size: int
    lr: float
    warmup: float
    schedule: str
    max_length: int


class Preset(NamedTuple):
    """Settings somebody published."""

    values: dict[str, Any]
    source: str


SKY_T1 = {
    "objective": "sft",
    "beta": 0.0,
    "gamma": 0.0,
    "lora_dropout": 0.0,
    "epochs": 3.0,
    "batch_size": 96,
    "warmup": 0.1,
    "schedule": "cosine",
    "max_length": 16384,
}
PRESETS = {
    "sky-t1-full": Preset(
        {**SKY_T1, "full": True, "lr": 1e-5},
        "SkyThought's training configs; arXiv 2502.07374, appendix",
    ),
    "sky-t1-lora": Preset(
        {**SKY_T1, "full": False, "lora_r": 64, "lr": 1e-4},
        "arXiv 2502.07374, LoRA on QwQ data; on R1 data the rank is 256",
    ),
    "article-lora": Preset(
        {**SKY_T1, "full": False, "lora_r": 128, "lora_alpha": 256, "lr": 1e-4, "epochs": 2.0},
        "the command line that articles about the paper print; the rest as sky-t1-lora",
    ),
}
FLASH = {"objective": "simpo", "beta": 2.0, "gamma": 0.3, "epochs": 1.0}
PRESETS["flash-simpo"] = Preset(
    {**SKY_T1, **FLASH, "full": True, "lr": 5e-7},
    "Sky-T1-Flash, on at most 10,000 pairs of the shortest and the longest correct answer",
)
PAIRS = {"simpo": FLASH, "dpo": FLASH | {"objective": "dpo", "beta": 0.1, "gamma": 0.0}}
PAIRS_LR = {False: 5e-6, True: 5e-7}  # Flash's; an adapter takes ten times as much, as in SFT
DEFAULT = {False: "sky-t1-lora", True: "sky-t1-full"}  # by whether all weights are trained
ADAPTER = ("lora_r", "lora_alpha", "lora_dropout")


def choose(preset: str, given: Mapping[str, Any]) -> Hyperparameters:
    """Fill in what was not given (None) from a preset, and from the defaults where it says nothing.

    The LoRA scale is twice the rank where neither the flags nor, for its own rank, the preset say.

    Raises:
        UserError: no preset of this name, flags of an adapter for one that trains all weights, or
            flags of another objective.
    """
    if preset and preset not in PRESETS:
        raise unknown("preset", preset, PRESETS)
    asked = {k: v for k, v in given.items() if v is not None}
    base = dict(PRESETS[preset].values) if preset else {}
    full = bool(asked.get("full") or base.get("full"))
    for name in ADAPTER:
        if base.get("full") and name in asked:
            raise UserError(
                f"--{name} {asked[name]}: preset {preset} trains all weights; choose a LoRA preset"
            )
    if preset and full and not base["full"]:
        raise UserError(f"--full: preset {preset} trains an adapter; choose sky-t1-full")
    objective = asked.get("objective") or base.get("objective", "sft")
    if base and objective != base["objective"]:
        raise UserError(
            f"--objective {objective}: preset {preset} is of {base['objective']}; leave one out"
        )
    for name, users in (("beta", ("simpo", "dpo")), ("gamma", ("simpo",))):
        if name in asked and objective not in users:
            raise UserError(f"--{name} is of --objective {' or '.join(users)}, not of {objective}")
    if "lora_r" in asked:
        base.pop("lora_alpha", None)
    lora = PRESETS[DEFAULT[False]].values
    values = lora | PRESETS[DEFAULT[full]].values
    if objective != "sft":
        values = values | PAIRS[objective] | {"lr": PAIRS_LR[full]}
    values = values | base | asked | {"full": full}
    values.setdefault("lora_alpha", 2 * values["lora_r"])
    names = {field.name for field in dataclasses.fields(Hyperparameters)}
    return Hyperparameters(**{k: v for k, v in values.items() if k in names})
