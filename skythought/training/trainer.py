"""TRL's SFTTrainer with packed passes and the loss of this package.

The loop, the optimizer, the checkpoints and the resume are Transformers' own. A batch of the loop
is the whole share that a process has of a step: a list of passes, whose gradients are summed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from accelerate import DistributedType
from peft import PeftModel
from torch.utils.data import DataLoader
from trl import SFTTrainer

from skythought.training import adapter, attention, lora, loss
from skythought.training.packing import Batches, Column, Passes

# Each process has all weights. Sharded ones would be gathered for good by what is made of them.
WHOLE = (DistributedType.NO, DistributedType.MULTI_CPU, DistributedType.MULTI_GPU)
Watch = Callable[[Any, Any], None]  # log_probs and kinds, each of one dimension


class Trainer(SFTTrainer):  # type: ignore[misc]
    """Averages the loss over the completion tokens of the global batch.

    Its arguments count a step as one batch of a process: `gradient_accumulation_steps` is 1.

    Args:
        columns: input_ids, labels (-100 where no loss is taken), perhaps kinds; a list of numbers
            for each sample.
        batch_size: samples of a step, over all processes.
        micro_tokens: tokens of a pass of one process.
        micro_samples: samples of a pass at most.
        packed: lay samples end to end; the model's attention has to isolate them.
        watch: is given the log probability of every completion token of a pass and its kind.
    """

    loss_is_scaled_for_ga = True  # divided by the tokens of the whole step
    _total_train_tokens: int  # counted by TRL, over all processes

    def __init__(
        self,
        *args: Any,
        columns: dict[str, Column],
        batch_size: int,
        micro_tokens: int,
        micro_samples: int | None = None,
        packed: bool = True,
        watch: Watch | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        shared = self.get_tp_size() * self.get_cp_size() * self.get_sp_size()  # work on one pass
        self.batches = Batches(
            [len(ids) for ids in columns["input_ids"]],
            batch_size=batch_size,
            tokens=micro_tokens,
            n_ranks=self.accelerator.num_processes // shared,
            samples=micro_samples,
            packed=packed,
            seed=self.args.seed,
        )
        self.passes = Passes(columns, self.batches, self._tokenizer.pad_token_id)
        self.watch = watch
        adapter.keep_exact(self.model)
        rounded = self.args.bf16 or self.args.fp16  # by autocast
        in_place = self.accelerator.distributed_type in WHOLE
        sharded = rounded and self.accelerator.distributed_type == DistributedType.FSDP
        if isinstance(self.model, PeftModel) and (in_place or sharded):
            lora.merge_products(self.model, "half" if rounded else "whole", keeps=in_place)
        model = self.model.get_base_model() if isinstance(self.model, PeftModel) else self.model
        self.backend = model.config._attn_implementation
        self.own_loss = not self.aux_loss_enabled and loss.add_head(model)

    def create_optimizer(self, *args: Any) -> Any:
        """Create the optimizer; layers that are multiplied as one matrix follow its steps."""
        optimizer = super().create_optimizer(*args)
        lora.follow(self.model, optimizer)
        return optimizer

    def get_train_dataloader(self) -> Any:
        """Give the loader whose batches are lists of passes."""
        loader = DataLoader(self.passes, batch_sampler=self.batches, collate_fn=list)
        return self.accelerator.prepare(loader)

    def get_batch_samples(
        self, epoch_iterator: Iterator[list[dict[str, Any]]], num_batches: int, device: Any
    ) -> tuple[list[list[dict[str, Any]]], Any]:
        """Give the passes of a step, and the number of completion tokens over all processes."""
        passes = next(epoch_iterator)
        n_labels = sum(int((one["labels"] != loss.IGNORED).sum()) for one in passes)
        n_tokens = sum(one.pop("n_tokens") for one in passes)
        counts = torch.tensor([n_labels, n_tokens], device=device)
        counts = self.accelerator.reduce(counts, "sum") * self.batches.n_ranks
        n_items, n_tokens = (counts // self.accelerator.num_processes).tolist()
        self._total_train_tokens += n_tokens
        self._metrics["train"]["num_tokens"] = [self._total_train_tokens]
        return [passes], n_items

    def training_step(
        self, model: Any, inputs: list[dict[str, Any]], num_items_in_batch: Any = None
    ) -> Any:
        """Sum the gradients of the passes of a step; processes meet at the last.

        DeepSpeed keeps count itself. With FSDP2 they meet at every pass: a process that waited
        would hold the gradients of all weights, not its part.
        """
        waits = self.accelerator.distributed_type not in (
            DistributedType.DEEPSPEED,
            DistributedType.FSDP,
        )
        self.current_gradient_accumulation_steps = len(inputs)
        total: Any = 0.0
        for i, one in enumerate(inputs):
            last = i == len(inputs) - 1
            self.accelerator.gradient_state._set_sync_gradients(last)
            apart = waits and not last
            with self.accelerator.no_sync(model) if apart else contextlib.nullcontext():
                total = total + super().training_step(model, one, num_items_in_batch)
        return total

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """Give the loss of a pass: its sum over the number of tokens of the global batch."""
        kinds = inputs.pop("kinds", None)
        if segments := inputs.pop("segments", None):
            device = inputs["input_ids"].device
            inputs |= attention.arguments(segments, self.backend, device)
        if return_outputs or not self.own_loss:
            n_tokens = self._total_train_tokens
            found = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
            # It counts tokens too; `get_batch_samples` has, of all passes and processes.
            self._total_train_tokens = n_tokens
            self._metrics["train"]["num_tokens"] = [n_tokens]
            return found
        out = model(**inputs, fused_lm_head=True, num_items_in_batch=num_items_in_batch)
        if self.model.training and self.watch is not None and kinds is not None:
            self.watch(out.log_probs, kinds[:, 1:][out.label_mask])
        if num_items_in_batch is None or not self.args.average_tokens_across_devices:
            return out.loss
        # The number is that of all processes, and they average their gradients.
        return out.loss * (self.accelerator.num_processes // self.get_tp_size())

    def floating_point_ops(self, inputs: list[dict[str, Any]]) -> int:
        """Count as Transformers does, over the passes."""
        return sum(super(Trainer, self).floating_point_ops(one) for one in inputs)
