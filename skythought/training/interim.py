"""Scores of the model while it is trained, beside the losses of the same steps."""

from __future__ import annotations

import time
from collections.abc import Callable, MutableMapping
from typing import Any

from transformers import TrainerCallback

from skythought.core import progress
from skythought.training import attention

Score = Callable[[int, Any], dict[str, float]]  # (step, model) -> names and values


class Evaluation(TrainerCallback):  # type: ignore[misc]
    """Evaluates at every step whose checkpoint is written, and at the last.

    The scores join the step's losses as `eval_accuracy` and the like, for log.jsonl and for every
    reporter. Only one process evaluates; the others wait at the next step. Training is not touched:
    decoding is greedy, so that no random number is drawn.
    """

    def __init__(self, score: Score, *, speaks: bool) -> None:
        self.score, self.speaks = score, speaks

    def on_log(
        self,
        args: Any,
        state: Any,
        control: Any,
        logs: MutableMapping[str, Any] | None = None,
        model: Any = None,
        **_: Any,
    ) -> None:
        """Evaluate where the step is one to be kept."""
        kept = control.should_save or state.global_step >= state.max_steps
        if not self.speaks or logs is None or "loss" not in logs or not kept:
            return
        began = time.monotonic()
        quiet, progress.console.quiet = progress.console.quiet, True
        model.eval()
        try:
            with attention.padded(model):
                found = self.score(state.global_step, model)
        finally:
            model.train()
            progress.console.quiet = quiet
        logs.update({f"eval_{name}": value for name, value in found.items()})
        logs["eval_seconds"] = round(time.monotonic() - began, 2)
        progress.say(
            f"step {state.global_step}: accuracy {found['accuracy']:.3f} "
            f"({found['low']:.3f} to {found['high']:.3f}, {found['n']:.0f} problems), "
            f"{found['mean_tokens']:.0f} tokens an answer, {found['truncated']:.0f} cut off"
        )
