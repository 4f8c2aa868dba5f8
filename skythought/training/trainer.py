"""TRL's SFTTrainer with the loss of this package; the loop is Transformers' own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from peft import PeftModel
from trl import SFTTrainer

from skythought.training import loss

Watch = Callable[[Any, Any], None]  # log_probs and kinds, each of one dimension


class Trainer(SFTTrainer):  # type: ignore[misc]
    """Averages the loss over the completion tokens of the global batch.

    Args:
        watch: is given the log probability of every completion token of a forward pass and its
            kind, if the rows have a column `kinds` (a number per token, where the token stands).
    """

    def __init__(self, *args: Any, watch: Watch | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.watch = watch
        model = self.model.get_base_model() if isinstance(self.model, PeftModel) else self.model
        self.own_loss = not self.aux_loss_enabled and loss.add_head(model)

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """Give the loss of a micro-batch: its sum over the number of tokens of the global batch."""
        kinds = inputs.pop("kinds", None)
        if return_outputs or not self.own_loss:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        out = model(**inputs, fused_lm_head=True, num_items_in_batch=num_items_in_batch)
        if self.model.training:
            self._count(inputs)
            if self.watch is not None and kinds is not None:
                self.watch(out.log_probs, kinds[:, 1:][out.label_mask])
        if num_items_in_batch is None or not self.args.average_tokens_across_devices:
            return out.loss
        # The number is that of all processes, and they average their gradients.
        return out.loss * (self.accelerator.num_processes // self.get_tp_size())

    def _count(self, inputs: dict[str, Any]) -> None:
        tokens = inputs["attention_mask"].sum()
        self._total_train_tokens += int(self.accelerator.gather_for_metrics(tokens).sum())
        self._metrics["train"]["num_tokens"] = [self._total_train_tokens]
