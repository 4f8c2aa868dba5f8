"""Supervised fine-tuning with TRL, PEFT and Accelerate: token rows in, a checkpoint folder out.

Full fine-tuning and LoRA are the same call; the loop, the checkpoints and the resume are
Transformers' own.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from datasets import Dataset
from torch.distributed.fsdp import MixedPrecisionPolicy
from transformers import TrainingArguments
from trl import SFTConfig

from skythought.core import spread
from skythought.core.errors import UserError
from skythought.training import checkpoints, rates, reporters, sharding
from skythought.training.data import Rows
from skythought.training.interim import Evaluation, Score
from skythought.training.log import Log
from skythought.training.packing import Column
from skythought.training.trainer import Trainer

LONG = 24 * 3600  # seconds that processes wait for one that evaluates, or reads for all


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the trainer needs to know; `skythought.train.Config` explains the fields."""

    epochs: float
    max_steps: int
    batch_size: int  # samples per step, over all processes
    micro_tokens: int  # tokens per forward pass of a process
    micro_samples: int | None = None  # samples per forward pass at most
    packed: bool  # samples end to end, kept apart by the attention
    lr: float
    warmup: float
    schedule: str
    weight_decay: float
    max_grad_norm: float
    gradient_checkpointing: bool
    seed: int
    save_every: int | None
    report_to: str
    run_name: str
    autocast: bool = False  # multiply in bfloat16, whatever the weights are
    sharding: str = "none"  # none, ddp, fsdp or zero3
    offload: bool = False  # zero3 keeps weights and optimizer in the machine's memory
    price: float | None = None  # dollars for an hour of a device
    resume: bool = True  # go on from a checkpoint found in the folder
    score: Score | None = None  # evaluates the model at every checkpoint and at the end


def devices(*, wait: bool = False) -> int:
    """Count the processes, which share a global batch.

    Args:
        wait: for one that evaluates or reads weights, so longer. The first call decides.

    Raises:
        UserError: one process sees several GPUs, or processes that were started together are not
            made one run of.
    """
    started = int(os.environ.get("WORLD_SIZE", "1"))
    if started > 1 and not torch.cuda.is_available():
        os.environ.setdefault("ACCELERATE_USE_CPU", "true")  # else each is a run of its own
    arguments = TrainingArguments(report_to="none", ddp_timeout=_patience(wait))
    if arguments.n_gpu > 1:
        raise UserError(
            f"one process sees {arguments.n_gpu} GPUs; start it with torchrun --nproc_per_node "
            f"{arguments.n_gpu} -m skythought train ..., or set CUDA_VISIBLE_DEVICES=0"
        )
    if started not in (1, arguments.world_size):
        raise UserError(
            f"{started} processes were started, and Accelerate finds {arguments.world_size}, so "
            "they would train beside each other into one folder; see `accelerate env`"
        )
    return int(arguments.world_size)


def agreed(tokens: int) -> int:
    """Give the least that any process can hold: all have to cut a batch into the same passes."""
    state = PartialState()
    if state.num_processes > 1:
        least = torch.tensor(tokens, device=state.device)
        torch.distributed.all_reduce(least, torch.distributed.ReduceOp.MIN)
        tokens = int(least)
    return tokens


def fit(model: Any, tokenizer: Any, rows: Rows, settings: Settings, folder: Path) -> dict[str, Any]:
    """Train and save into `folder`; with `resume`, a checkpoint found there is gone on from.

    Returns:
        what `Log.summary` gives: steps, loss, tokens, seconds, tokens_per_s and more.
    """
    cached = model.config.use_cache  # the trainer turns it off, and it would be saved so
    work = rates.needed(model, rows)
    columns: dict[str, Column] = {"input_ids": rows.input_ids, "labels": rows.labels}
    if rows.kinds:
        columns["kinds"] = rows.kinds
    trainer = Trainer(
        model=model,
        args=arguments(
            SFTConfig,
            settings,
            folder,
            max_length=None,
            dataset_kwargs={"skip_prepare_dataset": True},
            per_device_train_batch_size=-(-settings.batch_size // devices()),
        ),
        train_dataset=Dataset.from_dict({"input_ids": [[0]] * rows.n_rows}),  # for its length
        columns=columns,
        batch_size=settings.batch_size,
        micro_tokens=settings.micro_tokens,
        micro_samples=settings.micro_samples,
        packed=settings.packed,
        processing_class=tokenizer,
    )
    return run(trainer, tokenizer, settings, folder, use_cache=cached, work=work)


def run(
    trainer: Any,
    tokenizer: Any,
    settings: Settings,
    folder: Path,
    *,
    use_cache: bool,
    work: float | None = None,
) -> dict[str, Any]:
    """Train with a trainer of any objective, and save; the rest is as `fit`.

    Args:
        trainer: one of TRL's.
        tokenizer: saved beside the weights.
        settings: those the trainer was made with.
        folder: as of `fit`.
        use_cache: what the config of the saved model shall say.
        work: operations per token; None where they are not counted, and neither is MFU.
    """
    writes = trainer.args.should_save
    known = rates.of_machine(int(trainer.args.world_size), settings.price, work)
    log = Log(folder / "log.jsonl", writes=writes, rates=known)
    if isinstance(trainer, Trainer):
        trainer.watch = log.watch
    for noisy in ("PrinterCallback", "ProgressCallback"):
        for callback in list(trainer.callback_handler.callbacks):
            if type(callback).__name__ == noisy:
                trainer.remove_callback(callback)
    trainer.callback_handler.callbacks.insert(0, log)  # reporters are told what it adds
    if settings.score is not None:  # before all others, so that they see the scores
        trainer.callback_handler.callbacks.insert(0, Evaluation(settings.score, speaks=writes))
    trainer.add_callback(checkpoints.Keeper(settings.sharding))
    found = checkpoints.last(folder / "checkpoints", settings.sharding) if settings.resume else None
    if found and found.finished:
        trainer._run_epoch = lambda **_: None  # it would take one more step
    try:
        trainer.train(resume_from_checkpoint=found and str(found.folder))
    finally:
        log.close()
    sharding.gather(trainer)
    trainer.model.config.use_cache = use_cache
    trainer.save_model(str(folder))
    if writes:
        tokenizer.save_pretrained(str(folder))
        (folder / "training_args.bin").unlink(missing_ok=True)  # a pickle; the manifest has it all
    return log.summary()


def _patience(wait: bool) -> int:
    """Give the seconds that processes wait for each other."""
    return LONG if wait else 1800


def arguments(kind: Any, settings: Settings, folder: Path, **own: Any) -> Any:
    """Make the arguments of a trainer: those of all objectives, and its own."""
    every = 0.1 if settings.save_every is None else settings.save_every  # a share of all steps
    made = kind(
        output_dir=str(folder / "checkpoints"),
        num_train_epochs=settings.epochs,
        max_steps=settings.max_steps,
        learning_rate=settings.lr,
        warmup_steps=settings.warmup,
        lr_scheduler_type=settings.schedule,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        ddp_timeout=_patience(settings.score is not None or settings.sharding in sharding.PARTS),
        ddp_find_unused_parameters=False,  # all that are trained are used
        bf16=settings.autocast,
        use_cpu=settings.autocast and not torch.cuda.is_available(),
        seed=settings.seed,
        data_seed=settings.seed,
        logging_steps=1,
        logging_nan_inf_filter=False,  # it would write 0 for a loss that is no number
        save_strategy="steps" if every else "no",
        save_steps=every or 500,
        report_to=settings.report_to,
        project=reporters.PROJECT,
        run_name=settings.run_name or None,
        disable_tqdm=True,
        dataloader_pin_memory=False,
        **sharding.arguments(
            settings.sharding,
            checkpointing=settings.gradient_checkpointing,
            offload=settings.offload,
        ),
        **own,
    )
    if settings.sharding == "fsdp" and settings.autocast:
        # Accelerate's own policy would give losses and sum gradients in bfloat16 too.
        made.fsdp_plugin_args["mixed_precision_policy"] = MixedPrecisionPolicy(
            param_dtype=torch.bfloat16, reduce_dtype=torch.float32
        )
    sharding.on_cpus(made)
    if settings.offload:  # the optimizer runs on the cores, of which torchrun leaves a process one
        here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        torch.set_num_threads(max(torch.get_num_threads(), spread.cores() // here))
    return made
