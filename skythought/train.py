r"""Examples in, a checkpoint out: fine-tune a model on demonstrations.

    skythought.train --base_model Qwen/Qwen2.5-32B-Instruct --dataset r1-17k.jsonl \
        --lora_r 128 --lora_alpha 256 --epochs 2 --batch_size 96 --lr 1e-4 \
        --wandb_run "sky-t1-replica"

Writes a PEFT adapter (or full weights with `--full`), the tokenizer, log.jsonl and a manifest into
the output folder. The same command run again goes on from the last checkpoint.
"""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import logging
import math
import os
import shutil
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from skythought.backends import hf
from skythought.core import progress, store
from skythought.core.errors import UserError, require
from skythought.core.records import Example, digest
from skythought.training import data

MICRO_TOKENS = 8192  # of a forward pass; more make it no faster
PLACE_ONLY = ("output_dir", "save_every", "wandb_run", "report_to", "micro_batch_size")


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fine-tune a model on demonstrations, with LoRA or in full."""

    base_model: str
    """Folder or hub name of the model to start from; mini is the one in the package."""
    dataset: Path
    """JSONL file, run folder, or owner/name on the hub, in any shape: messages, ShareGPT, ..."""
    output_dir: Path | None = None
    """Where the checkpoint goes; runs/<wandb_run> or runs/<base>-<method> where not given."""
    full: bool = False
    """Train all weights instead of a LoRA adapter."""
    lora_r: int = 64
    """Rank of the LoRA adapter."""
    lora_alpha: int | None = None
    """LoRA scale; twice the rank where not given."""
    lora_dropout: float = 0.0
    """Dropout inside the adapter."""
    lora_target: str = "all-linear"
    """Modules the adapter is put on: all-linear, or names such as q_proj,v_proj."""
    epochs: float = 3
    """Passes over the data."""
    max_steps: int = -1
    """Stop after this many optimizer steps, whatever the epochs say."""
    batch_size: int = 96
    """Global batch in samples: micro-batch x accumulation x devices."""
    micro_batch_size: int | None = None
    """Samples per forward pass; derived from the longest sample where not given."""
    lr: float | None = None
    """Peak learning rate; 1e-4 for LoRA and 1e-5 for --full where not given (Sky-T1's)."""
    warmup: float = 0.1
    """Share of the steps over which the rate rises."""
    schedule: Literal["cosine", "linear", "constant_with_warmup"] = "cosine"
    """How the rate falls afterwards."""
    weight_decay: float = 0.0
    """Decoupled weight decay."""
    max_grad_norm: float = 1.0
    """Gradients longer than this are scaled down."""
    max_length: int = 16384
    """Longest sample in tokens; longer ones are cut and counted."""
    gradient_checkpointing: bool = False
    """Save memory by computing activations twice."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Type of the weights; auto is float32 on a CPU, bfloat16 on a GPU."""
    save_every: int | None = None
    """Write a checkpoint every so many steps; ten in all where not given, 0 writes none."""
    wandb_run: str = ""
    """Name of the run; logged to Weights & Biases where you are logged in."""
    report_to: Literal["", "wandb", "tensorboard", "trackio", "none"] = ""
    """Where else to log; wandb if --wandb-run is given, a login exists and wandb is installed."""
    seed: int = 0
    """Seed of the data order and of new weights."""


def run(config: Config) -> dict[str, Any]:
    """Train; returns steps, loss, tokens, seconds, tokens_per_s and the output folder.

    Raises:
        UserError: a missing extra, model or dataset, data that cannot be trained on, an output
            folder of another run, or a full disk.
    """
    check(config)
    require("torch", "train")
    require("trl", "train")
    folder = output_folder(config)
    examples = data.read(config.dataset)
    identity = claim_values(config, examples)
    if store.owns(folder, "train", identity) and store.is_done(folder):
        progress.say(f"{folder}: already trained with these settings")
        return {"output_dir": str(folder), **_counts(folder)}
    with quiet(), _disk(folder):
        result = _train(config, examples, folder, identity)
    if is_main():
        store.finish(folder, **result)
        shutil.rmtree(folder / "checkpoints", ignore_errors=True)
        progress.say(
            f"{folder}: {result['steps']} steps, loss {result['loss']:.3f}, "
            f"{result['tokens']:,} tokens at {result['tokens_per_s']:,.0f} tok/s"
        )
    return {"output_dir": str(folder), **result}


def check(config: Config) -> None:
    """Refuse numbers that cannot be trained with.

    Raises:
        UserError: one of them; the flag is named.
    """
    for name in ("lora_r", "lora_alpha", "batch_size", "max_length"):
        value = getattr(config, name)
        if value is not None and value < 1:
            raise UserError(f"--{name} {value}: give 1 or more")
    for name in ("lr", "max_grad_norm", *(() if config.max_steps > 0 else ("epochs",))):
        value = getattr(config, name)
        if value is not None and not 0 < value < math.inf:
            raise UserError(f"--{name} {value:g}: give more than 0")
    for name in ("warmup", "lora_dropout"):
        value = getattr(config, name)
        if not 0 <= value < 1:
            raise UserError(f"--{name} {value:g}: give a share from 0 to below 1")
    for name in ("weight_decay", "save_every", "seed"):
        value = getattr(config, name)
        if value is not None and not value >= 0:
            raise UserError(f"--{name} {value:g}: give 0 or more")
    micro = config.micro_batch_size
    if micro is not None and (micro < 1 or config.batch_size % micro):
        raise UserError(
            f"--micro_batch_size {micro} does not divide --batch_size {config.batch_size}"
        )


def _train(
    config: Config, examples: list[Example], folder: Path, identity: dict[str, Any]
) -> dict[str, Any]:
    """Load, claim the folder, train; a mistake in model or data is found before the claim."""
    import torch
    import transformers

    from skythought.training import memory, sft

    transformers.set_seed(config.seed)
    dtype = config.dtype
    if dtype == "auto":
        dtype = "bfloat16" if torch.cuda.is_available() else "float32"
    model, tokenizer = _load(config.base_model, dtype)
    rows = data.tokenize(tokenizer, examples, config.max_length)
    n_devices = sft.devices()
    if config.batch_size % n_devices:
        raise UserError(f"--batch_size {config.batch_size} cannot be split over {n_devices} GPUs")
    per_device = config.batch_size // n_devices
    fit = memory.tokens_that_fit(
        model,
        full=config.full,
        checkpointing=config.gradient_checkpointing,
        memory=memory.device_memory(),
    )
    longest = max(map(len, rows.input_ids))
    micro = config.micro_batch_size or micro_batch(per_device, longest, min(fit, MICRO_TOKENS))
    if per_device % micro:
        raise UserError(
            f"--micro_batch_size {micro} does not divide the {per_device} samples of a device"
        )
    settings = sft.Settings(
        lora_r=None if config.full else config.lora_r,
        lora_alpha=lora_alpha(config),
        lora_dropout=config.lora_dropout,
        lora_target=config.lora_target,
        epochs=config.epochs,
        max_steps=config.max_steps,
        accumulation=per_device // micro,
        micro_batch=micro,
        lr=learning_rate(config),
        warmup=config.warmup,
        schedule=config.schedule,
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        gradient_checkpointing=config.gradient_checkpointing,
        seed=config.seed,
        save_every=config.save_every,
        report_to=reporter(config),
        run_name=config.wandb_run,
    )
    model = sft.adapt(model, settings)
    if is_main():
        store.claim(folder, "train", identity)
    if is_main() and (rows.truncated or rows.dropped):
        progress.say(
            f"{rows.truncated} of {len(examples)} samples cut at {config.max_length} tokens, "
            f"{rows.dropped} left out because their prompt alone is longer"
        )
    result = sft.fit(model, tokenizer, rows, settings, folder)
    return {
        **result,
        "samples": len(rows.input_ids),
        "truncated": rows.truncated,
        "dropped": rows.dropped,
        "micro_batch": micro,
    }


def _load(name: str, dtype: str) -> tuple[Any, Any]:
    place = Path(hf.locate(name))
    if (place / "adapter_config.json").exists():
        raise UserError(f"--base_model {name}: is an adapter; train from the model below it")
    # The adapter will name its base: by a path that holds from anywhere.
    model, tokenizer = hf.pretrained(str(place.resolve()) if place.is_dir() else name, dtype)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return model, tokenizer


def is_main() -> bool:
    """Say whether this process, of those torchrun or accelerate started, writes the files."""
    return os.environ.get("RANK", "0") == "0"


def output_folder(config: Config) -> Path:
    """Name the folder the checkpoint goes to."""
    if config.output_dir is not None:
        return config.output_dir
    method = "full" if config.full else f"lora-r{config.lora_r}"
    return Path("runs") / (config.wandb_run or f"{Path(config.base_model).name}-{method}")


def claim_values(config: Config, examples: list[Example]) -> dict[str, Any]:
    """Say what decides the weights: the settings, the base and the data, not where they lie."""
    values = {k: v for k, v in store.settings(config).items() if k not in PLACE_ONLY}
    values["lr"], values["lora_alpha"] = learning_rate(config), lora_alpha(config)
    values["base_model"] = hf.identity(config.base_model)
    values["dataset"] = digest([(e.messages, e.completion) for e in examples])
    values["n_examples"] = len(examples)
    return values


def learning_rate(config: Config) -> float:
    """Give the rate asked for, or the one Sky-T1 used for the method."""
    return config.lr if config.lr is not None else (1e-5 if config.full else 1e-4)


def lora_alpha(config: Config) -> int:
    """Give the LoRA scale asked for, or twice the rank."""
    return 2 * config.lora_r if config.lora_alpha is None else config.lora_alpha


def micro_batch(batch_size: int, longest: int, tokens: int) -> int:
    """Choose the largest divisor of the global batch whose padded rows stay below `tokens`."""
    fitting = [m for m in range(1, batch_size + 1) if batch_size % m == 0 and m * longest <= tokens]
    return max(fitting, default=1)


def reporter(config: Config) -> str:
    """Choose where training is logged besides log.jsonl; nothing asks for a login.

    Raises:
        UserError: the reporter is asked for and not installed.
    """
    wanted = config.report_to
    if wanted and wanted != "none" and importlib.util.find_spec(wanted) is None:
        raise UserError(f"--report_to {wanted}: is not installed; run: pip install {wanted}")
    mode = os.environ.get("WANDB_MODE", "")
    if wanted or not config.wandb_run or mode == "disabled":
        return wanted or "none"
    known = mode or os.environ.get("WANDB_API_KEY") or "wandb" in _text(Path.home() / ".netrc")
    if known and importlib.util.find_spec("wandb") is not None:
        return "wandb"
    missing = (
        "wandb is not installed (pip install 'skythought[wandb]')"
        if known
        else "not logged in to Weights & Biases (wandb login)"
    )
    progress.say(f"{missing}: the run is logged to log.jsonl only")
    return "none"


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.is_file() else ""


def _counts(folder: Path) -> dict[str, Any]:
    import msgspec

    counts: dict[str, Any] = msgspec.json.decode((folder / "manifest.json").read_bytes())["counts"]
    return counts


@contextlib.contextmanager
def _disk(folder: Path) -> Iterator[None]:
    """Say "the disk is full" in one line, also where torch and safetensors say it otherwise."""
    from safetensors import SafetensorError

    try:
        yield
    except OSError as error:
        raise store.disk_error(error, folder) from error
    except (RuntimeError, SafetensorError) as error:
        place = next(p for p in (folder, *folder.absolute().parents) if p.exists())
        if "os error 28" in str(error) or shutil.disk_usage(place).free < 2**20:
            raise store.disk_error(OSError(errno.ENOSPC, ""), folder) from error
        raise


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the libraries' own progress and advice off the terminal; errors stay."""
    import datasets
    import transformers

    datasets.disable_progress_bars()
    transformers.logging.disable_progress_bar()
    loggers = [logging.getLogger(name) for name in ("transformers", "trl", "peft", "accelerate")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
