"""An adapter in, a whole model out: the weights of a LoRA checkpoint merged into its base.

    skythought merge runs/sky-t1-replica models/sky-t1-replica

Each adapted weight is computed in float32 and rounded once, to the type the base is stored in; all
others stay as they are, bit for bit. Written are safetensors of at most `--max-shard-size` each,
the checkpoint's tokenizer and chat template, the generation config and the model card. Any engine
loads the folder as it loads the base.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from skythought.backends import hf
from skythought.core import progress, store
from skythought.core.errors import UserError, require
from skythought.training import card, quiet


@dataclass(frozen=True, kw_only=True)
class Config:
    """Merge a LoRA checkpoint into its base."""

    checkpoint: Annotated[Path, tyro.conf.Positional]
    """Folder of the adapter."""
    out: Annotated[Path, tyro.conf.Positional]
    """Folder of the merged model."""
    base: str = ""
    """Folder or hub name of the base, where it is not where the adapter says."""
    max_shard_size: str = "5GB"
    """Size of the largest file of weights."""


def run(config: Config) -> dict[str, Any]:
    """Merge; returns the number of merged weights and of parameters, and the type.

    Raises:
        UserError: no adapter, or its base is not there; an output folder of another merge; a full
            disk.
    """
    require("torch", "train")
    require("peft", "train")
    if not re.fullmatch(r"[1-9]\d*(\.\d+)?[KMGT]i?B", config.max_shard_size):
        raise UserError(
            f"--max_shard_size {config.max_shard_size}: give a size, as in 5GB or 500MB"
        )
    if not config.checkpoint.is_dir():
        raise UserError(f"{config.checkpoint}: no such folder")
    found = hf.find(str(config.checkpoint), config.base)
    if found.adapter is None:
        raise UserError(
            f"{config.checkpoint}: is no adapter (adapter_config.json); nothing to merge"
        )
    if config.out.resolve() == config.checkpoint.resolve():
        raise UserError(f"{config.out}: is the checkpoint itself; choose another output folder")
    identity = {"model": found.identity, "max_shard_size": config.max_shard_size}
    if store.owns(config.out, "merge", identity) and store.is_done(config.out):
        progress.say(f"{config.out}: already merged")
        return dict(store.manifest(config.out)["counts"])
    with quiet.libraries(), quiet.full_disk(config.out):
        model, tokenizer = hf.pretrained(found.base, "auto", found.tokenizer)
        n_merged, model = merged(model, found.adapter)
        store.claim(config.out, "merge", identity)
        model.save_pretrained(config.out, max_shard_size=config.max_shard_size)
        tokenizer.save_pretrained(config.out)
        pinned = found.adapter / "generation_config.json"
        if pinned.exists():
            shutil.copy(pinned, config.out)
        about = found.adapter / "README.md"
        if about.exists():
            text = card.of_merged(about.read_text(encoding="utf-8"))
            store.write_whole(config.out / "README.md", text)
    counts = {
        "merged": n_merged,
        "parameters": sum(p.numel() for p in model.parameters()),
        "dtype": str(model.dtype).removeprefix("torch."),
    }
    store.finish(config.out, **counts)
    progress.say(
        f"{config.out}: {n_merged} weights merged, {counts['parameters']:,} parameters in "
        f"{counts['dtype']}"
    )
    return counts


def merged(model: Any, adapter: Path) -> tuple[int, Any]:
    """Merge an adapter into a model; gives how many weights it changed, and the model.

    PEFT computes the sum in the type of the base weight; a layer is held in float32 meanwhile, so
    there is one rounding. In memory that takes one layer more.

    Raises:
        UserError: the adapter does not fit, or changes a weight that is tied to another.
    """
    import torch
    from peft import PeftModel
    from peft.tuners.tuners_utils import BaseTunerLayer

    try:
        wrapped = PeftModel.from_pretrained(model, str(adapter))
    except (RuntimeError, OSError, ValueError) as error:
        raise UserError(f"{adapter}: does not fit its base: {error}") from error
    tied = model.config.get_text_config().tie_word_embeddings
    embeddings = (model.get_input_embeddings(), model.get_output_embeddings())
    layers = [m for m in wrapped.modules() if isinstance(m, BaseTunerLayer)]
    with torch.no_grad():
        for layer in layers:
            if tied and any(layer is one for one in embeddings):
                raise UserError(
                    f"{adapter}: changes the embeddings, which this base shares between input and "
                    "output; serve it as an adapter"
                )
            base = layer.get_base_layer()
            kept = base.weight.dtype
            base.weight.data = base.weight.data.float()
            layer.merge(safe_merge=True)
            base.weight.data = base.weight.data.to(kept)
    return len(layers), wrapped.unload()
