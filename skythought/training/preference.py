r"""Preference optimization with TRL: pairs of a chosen and a rejected answer in, a checkpoint out.

With r the reward of an answer y to a prompt x, the loss of a pair is

    -log sigmoid(r(chosen) - r(rejected) - gamma)

| objective | r(y) | gamma | source |
|---|---|---|---|
| `simpo` | beta / \|y\| log p(y given x), \|y\| in tokens | a margin | Meng et al. 2024 |
| `dpo` | beta log(p(y given x) / q(y given x)), q p at the start | 0 | Rafailov et al. 2023 |

A step's loss is the mean over its pairs, however they are cut into micro-batches.
"""

from __future__ import annotations

import copy
import os
import shutil
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")  # SimPO's trainer is under trl.experimental

from datasets import Dataset
from peft import PeftModel
from trl import DPOConfig, DPOTrainer
from trl.experimental.cpo import CPOConfig, CPOTrainer
from trl.trainer.dpo_trainer import DataCollatorForPreference
from trl.trainer.utils import add_fused_lm_head

from skythought.core import formats
from skythought.core.errors import UserError
from skythought.core.records import Example
from skythought.training import adapter, sft
from skythought.training.data import IGNORED


class Pairs(NamedTuple):
    """Tokenized pairs; an answer ends with the token that ends its turn."""

    prompt_ids: list[list[int]]
    chosen_ids: list[list[int]]
    rejected_ids: list[list[int]]
    truncated: int  # pairs of which an answer was cut at max_length
    dropped: int  # pairs of which nothing was left to prefer
    why_dropped: str = "their prompt alone is longer, or both answers are the same"

    @property
    def n_rows(self) -> int:
        """Count the pairs."""
        return len(self.prompt_ids)

    @property
    def longest(self) -> int:
        """Count the tokens of the longest pair: prompt and answer, twice."""
        rows = zip(self.prompt_ids, self.chosen_ids, self.rejected_ids, strict=True)
        return max(2 * (len(p) + max(len(c), len(r))) for p, c, r in rows)


def tokenize(
    tokenizer: Any, examples: Iterable[Example], max_length: int, stops: Collection[int] = ()
) -> Pairs:
    """Tokenize pairs as `data.tokenize` does demonstrations, with the model's own template.

    Raises:
        UserError: an example is no pair, both its answers are the same or are cut to the same, or
            there is nothing to train on.
    """
    pairs = Pairs([], [], [], 0, 0)
    truncated = dropped = alike = n = 0
    for n, example in enumerate(examples, 1):
        if not example.rejected:
            raise UserError(
                f"example {n} of the dataset is no pair; simpo and dpo need rows of prompt, chosen "
                "and rejected (skythought curate --pairs shortest writes them)"
            )
        prompt = formats.prompt_ids(tokenizer, example.messages)
        answers = [
            formats.completion_ids(tokenizer, example.messages, said, stops)
            for said in (example.completion, example.rejected)
        ]
        room = max_length - len(prompt)
        if room <= 0:
            dropped += 1
            continue
        chosen, rejected = (ids[:room] for ids in answers)
        if chosen == rejected:
            alike += 1
            continue
        truncated += any(len(ids) > room for ids in answers)
        pairs.prompt_ids.append(prompt)
        pairs.chosen_ids.append(chosen)
        pairs.rejected_ids.append(rejected)
    if not pairs.prompt_ids:
        raise UserError(
            f"nothing to train on in {n} pairs: {dropped} prompts are longer than --max-length "
            f"{max_length}, of {alike} pairs both answers are the same, or are cut to the same"
        )
    return pairs._replace(truncated=truncated, dropped=dropped + alike)


class Objective(NamedTuple):
    """What is minimized; see the table above."""

    kind: str  # simpo or dpo
    beta: float
    gamma: float


def fit(
    model: Any,
    tokenizer: Any,
    pairs: Pairs,
    objective: Objective,
    settings: sft.Settings,
    folder: Path,
) -> dict[str, Any]:
    """Train and save into `folder`; a checkpoint found there is gone on from.

    The model is what it was before the first step, also where a checkpoint is gone on from: it is
    the reference of dpo.

    Returns:
        As `sft.fit`.

    Raises:
        UserError: the pairs of a step cannot be shared by the processes, or be cut as asked for.
    """
    cached = model.config.use_cache
    columns = {k: getattr(pairs, k) for k in ("prompt_ids", "chosen_ids", "rejected_ids")}
    per_device, micro = shares(settings, pairs.longest, sft.devices())
    own: dict[str, Any] = {
        "per_device_train_batch_size": micro,
        "gradient_accumulation_steps": per_device // micro,
        "train_sampling_strategy": "random",
        "beta": objective.beta,
        "max_length": None,
        "disable_dropout": False,  # --lora_dropout holds here too
        "remove_unused_columns": False,
    }
    if objective.kind == "simpo":
        own |= {"loss_type": "simpo", "cpo_alpha": 0.0, "simpo_gamma": objective.gamma}
        trainer: Any = SimPOTrainer(
            model=model,
            args=sft.arguments(CPOConfig, settings, folder, **own),
            train_dataset=Dataset.from_dict(columns),
            processing_class=tokenizer,
        )
    else:
        adapted = isinstance(model, PeftModel)
        trainer = _DPOTrainer(
            model=model,
            ref_model=None if adapted else copy.deepcopy(model),
            args=sft.arguments(DPOConfig, settings, folder, **own),
            train_dataset=Dataset.from_dict(columns),
            processing_class=tokenizer,
        )
        adapter.keep_exact(trainer.model)
        if adapted and _is_fresh(model):
            model.delete_adapter("ref")  # the model without adapter is the same
    return sft.run(trainer, tokenizer, settings, folder, use_cache=cached)


def shares(settings: sft.Settings, longest: int, n_devices: int) -> tuple[int, int]:
    """Give the pairs of a step that a process has, and those of one of its forward passes.

    The passes of a process are of one size, as large as memory lets.

    Raises:
        UserError: the global batch, or a process' share of it, cannot be divided so.
    """
    per_device, rest = divmod(settings.batch_size, n_devices)
    if rest:
        raise UserError(
            f"--batch_size {settings.batch_size} cannot be shared by {n_devices} processes"
        )
    asked = settings.micro_samples
    if asked and per_device % asked:
        raise UserError(
            f"--micro_batch_size {asked} does not divide the {per_device} pairs of a process"
        )
    fitting = [
        n
        for n in range(1, per_device + 1)
        if per_device % n == 0 and n * longest <= settings.micro_tokens
    ]
    return per_device, asked or max(fitting, default=1)


def _is_fresh(model: PeftModel) -> bool:
    """Say whether an adapter changes nothing yet."""
    return not any(p.any() for name, p in model.named_parameters() if "lora_B.default" in name)


class _MeanOverPairs:
    """Weighs micro-batches by their pairs, where TRL averages over micro-batches.

    The last step of an epoch has micro-batches of different sizes.
    """

    def get_batch_samples(self, epoch_iterator: Any, num_batches: int, device: Any) -> Any:
        """Take the micro-batches of a step and count their pairs."""
        batches, items = super().get_batch_samples(epoch_iterator, num_batches, device)  # type: ignore[misc]
        self._pairs_per_batch = sum(map(_n_pairs, batches)) / max(1, len(batches))
        return batches, items

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **values: Any) -> Any:
        """Give the mean loss of a micro-batch, times its share of the step's pairs."""
        loss = super().compute_loss(model, inputs, *args, **values)  # type: ignore[misc]
        return loss * (_n_pairs(inputs) / self._pairs_per_batch)


def _n_pairs(batch: Any) -> int:
    return len(batch["input_ids"]) // 2


class _DPOTrainer(_MeanOverPairs, DPOTrainer):  # type: ignore[misc]
    """TRL's trainer on rows that are tokenized."""

    def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
        return dataset

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Save the adapter that is trained, without the one it is compared with."""
        super().save_model(output_dir, _internal_call)
        if self.args.should_save:
            shutil.rmtree(Path(output_dir or self.args.output_dir) / "ref", ignore_errors=True)


class SimPOTrainer(_MeanOverPairs, CPOTrainer):  # type: ignore[misc]
    """TRL's trainer on rows that are tokenized, without ever holding all logits of a batch."""

    def __init__(self, model: Any, processing_class: Any, **values: Any) -> None:
        add_fused_lm_head(model.get_base_model() if isinstance(model, PeftModel) else model)
        self._tokens = 0
        super().__init__(
            model=model,
            processing_class=processing_class,
            data_collator=DataCollatorForPreference(processing_class.pad_token_id),
            **values,
        )
        # The rewards of all pairs that the loss is over, as a run that was stopped gives them too:
        # the other leaves those out that fill up an epoch, but not after a resume.
        self.accelerator.gather_for_metrics = self.accelerator.gather

    def tokenize_row(self, feature: Any, model: Any = None) -> Any:
        """Leave a row as it is."""
        return feature

    def concatenated_forward(self, model: Any, batch: Any) -> tuple[Any, ...]:
        """Give the mean log probability of a token of the chosen answers, (B,), and the rejected.

        What TRL wants to know of the logits, and does not need, is filled with the same.
        """
        self._tokens += int(self.accelerator.gather(batch["attention_mask"].sum()).sum())
        labels = batch["input_ids"].masked_fill(batch["completion_mask"] == 0, IGNORED)
        out = model(
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            labels=labels,
            fused_lm_head=True,
            **({"output_router_logits": True} if self.aux_loss_enabled else {}),
        )
        logps = out.log_probs.sum(-1) / (labels[:, 1:] != IGNORED).sum(-1)
        chosen, rejected = logps.chunk(2)
        found = (chosen, rejected, chosen, rejected, logps.new_zeros(()))
        return (*found, out.aux_loss) if self.aux_loss_enabled else found

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the tokens read so far."""
        super().log(logs | {"num_tokens": self._tokens}, start_time)
