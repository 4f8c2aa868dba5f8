"""What a training run tells: a row per step in log.jsonl, and a line on the terminal."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from skythought.core import progress

OF_PAIRS = {
    "rewards/chosen": "chosen_reward",
    "rewards/rejected": "rejected_reward",
    "rewards/margins": "margin",  # of the rewards
    "rewards/accuracies": "accuracy",  # share of pairs whose chosen answer has the larger reward
}


class Log(TrainerCallback):  # type: ignore[misc]
    """Writes one row per step and shows progress.

    A row holds step, loss, lr, grad_norm, tokens, tokens_per_s and seconds; of pairs also their
    rewards, margin and accuracy.

    Tokens are real ones, without padding. A resumed run goes on in the same file.
    """

    def __init__(self, path: Path, *, writes: bool) -> None:
        self.path, self.writes = path, writes
        self.rows: list[dict[str, Any]] = []
        self.began = 0.0
        self.before = {"tokens": 0, "seconds": 0.0}
        self.bar: Any = None
        self.context: Any = None

    def restore(self, step: int) -> None:
        """Keep the rows up to the checkpoint that is gone on from."""
        if self.path.exists() and step:
            lines = self.path.read_text().split("\n")[:-1]  # without one that was not finished
            self.rows = [r for r in map(json.loads, lines) if r["step"] <= step]
        if self.writes:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text("".join(json.dumps(r) + "\n" for r in self.rows))
        if self.rows:
            self.before = {k: self.rows[-1][k] for k in ("tokens", "seconds")}

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Restore the rows and show progress."""
        self.began = time.monotonic()
        self.restore(state.global_step)
        self.context = progress.bar("train", state.max_steps)
        self.bar = self.context.__enter__()
        self.bar.advance(state.global_step)

    def on_log(
        self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **_: Any
    ) -> None:
        """Write the row of a step."""
        if logs is None or "loss" not in logs:
            return
        spent = time.monotonic() - self.began
        fresh = int(logs.get("num_tokens", 0))  # since the start of this process
        row = {
            "step": state.global_step,
            "loss": round(float(logs["loss"]), 5),
            "lr": float(logs["learning_rate"]),
            "grad_norm": round(float(logs["grad_norm"]), 5),
            "tokens": self.before["tokens"] + fresh,
            "tokens_per_s": round(fresh / max(spent, 1e-9), 1),
            "seconds": round(self.before["seconds"] + spent, 2),
        }
        row |= {name: round(float(logs[key]), 5) for key, name in OF_PAIRS.items() if key in logs}
        row |= {name: value for name, value in logs.items() if name.startswith("eval_")}
        self.rows.append(row)
        if self.writes:
            with self.path.open("a") as file:
                file.write(json.dumps(row) + "\n")
        self.bar.advance(note=f"loss {row['loss']:.3f}  {row['tokens_per_s']:,.0f} tok/s")

    def close(self) -> None:
        """Take the progress bar off the terminal."""
        if self.context is not None:
            self.context.__exit__(None, None, None)

    def summary(self) -> dict[str, Any]:
        """Sum up the run."""
        last = self.rows[-1]
        return {
            "steps": last["step"],
            "loss": last["loss"],
            "tokens": last["tokens"],
            "seconds": last["seconds"],
            "tokens_per_s": last["tokens_per_s"],
        }
