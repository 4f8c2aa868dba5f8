"""What a training run tells: a row per step in log.jsonl, and a line on the terminal.

A row holds, of its step, where they are known:

| field | of |
|---|---|
| step, loss, lr, grad_norm | loss in nats per completion token, before the step is taken |
| loss_structural, loss_content, loss_<kind> | the same by what the token is for, see `split` |
| chosen_reward, rejected_reward, margin, accuracy | of pairs, see `OF_PAIRS` |
| tokens | so far, real ones: prompts and completions without padding |
| tokens_per_s, tokens_per_s_device | this step without evaluation, of all devices and of one |
| eval_* | of an evaluation at this step |
| mfu | this step: operations needed / (its time x peak of all devices), see `rates` |
| peak_memory_gib | so far, of the fullest process: allocated on its GPU, resident on a CPU |
| seconds | so far, over all runs of the command, steps that were lost and done again included |
| eta_s | to the end, at the mean pace of this process |
| cost | dollars so far: seconds x devices x price of a device |

Loading the model and the data is in none of them.
"""

from __future__ import annotations

import json
import math
import re
import resource
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from skythought.core import prices, progress
from skythought.training import split
from skythought.training.rates import Rates

STATUS = Path("/proc/self/status")
GIB = 2**30

OF_PAIRS = {
    "rewards/chosen": "chosen_reward",
    "rewards/rejected": "rejected_reward",
    "rewards/margins": "margin",  # of the rewards
    "rewards/accuracies": "accuracy",  # share of pairs whose chosen answer has the larger reward
}

TOLD: dict[str, Callable[[float], str]] = {  # on the terminal, the last are left out first
    "loss": "loss {:.3f}".format,
    "loss_structural": "structure {:.3f}".format,
    "loss_content": "content {:.3f}".format,
    "tokens_per_s": "{:,.0f} tok/s".format,
    "cost": prices.dollars,
    "mfu": lambda share: f"MFU {100 * share:.0f} %",
    "peak_memory_gib": "{:.1f} GiB".format,
}
BAR = 38  # characters of a terminal's line that the bar takes


class Log(TrainerCallback):  # type: ignore[misc]
    """Writes one row per step and shows progress; a resumed run goes on in the same file.

    Put it before the callbacks that report to others, which are given the figures of a row too.

    Args:
        path: of log.jsonl.
        writes: this process writes; all of them take part in adding up.
        rates: of the machine.
    """

    def __init__(self, path: Path, *, writes: bool, rates: Rates | None = None) -> None:
        self.path, self.writes, self.rates = path, writes, rates or Rates()
        self.sums = split.Sums()
        self.rows: list[dict[str, Any]] = []
        self.tokens, self.seconds = 0, 0.0  # before this process
        self.began = self.last = 0.0
        self.first = 0  # step this process began behind
        self.bar: Any = None
        self.context: Any = None

    def restore(self, step: int) -> None:
        """Keep the rows up to the checkpoint that is gone on from, and the time that was spent."""
        found: list[dict[str, Any]] = []
        if self.path.exists() and step:
            lines = self.path.read_text().split("\n")[:-1]  # without one that was not finished
            found = [_read(line) for line in lines]
        self.rows = [row for row in found if row["step"] <= step]
        if self.writes:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text("".join(map(_line, self.rows)))
        if self.rows:
            self.tokens, self.seconds = self.rows[-1]["tokens"], found[-1]["seconds"]

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Restore the rows and show progress."""
        self.began = self.last = time.monotonic()
        self.sums = split.Sums(args.device)
        self.first = state.global_step
        self.restore(state.global_step)
        self.context = progress.bar("train", state.max_steps)
        self.bar = self.context.__enter__()
        self.bar.advance(state.global_step)

    def watch(self, log_probs: torch.Tensor, kinds: torch.Tensor) -> None:
        """Take the log probabilities of a forward pass and what their tokens are for."""
        self.sums.add(log_probs, kinds)

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any
    ) -> None:
        """Write the row of a step."""
        if logs is None or "loss" not in logs:
            return
        now = time.monotonic()
        before = self.rows[-1]["tokens"] if self.rows else 0
        tokens = self.tokens + int(logs.get("num_tokens", 0))  # counted from the process's start
        seconds = self.seconds + now - self.began
        took = now - self.last - logs.get("eval_seconds", 0.0)
        per_step = (now - self.began) / max(1, state.global_step - self.first)
        row = {
            "step": state.global_step,
            "loss": round(float(logs["loss"]), 5),
            **{name: round(loss, 5) for name, loss in self.sums.take(_add_up).items()},
            "lr": float(logs["learning_rate"]),
            "grad_norm": round(float(logs["grad_norm"]), 5),
            "tokens": tokens,
            **self.rates.pace(tokens - before, took),
            "peak_memory_gib": round(_highest(peak_memory()) / GIB, 3),
            "seconds": round(seconds, 2),
            "eta_s": round(per_step * (state.max_steps - state.global_step), 1),
            **self.rates.cost(seconds),
        }
        row |= {name: round(float(logs[key]), 5) for key, name in OF_PAIRS.items() if key in logs}
        row |= {name: value for name, value in logs.items() if name.startswith("eval_")}
        self.last = now
        self.rows.append(row)
        logs.update({k: v for k, v in row.items() if k not in logs and k != "step"})
        if self.writes:
            with self.path.open("a") as file:
                file.write(_line(row))
        console = progress.console
        self.bar.advance(note=told(row, console.width - BAR if console.is_terminal else 200))

    def close(self) -> None:
        """Take the progress bar off the terminal."""
        if self.context is not None:
            self.context.__exit__(None, None, None)

    def summary(self) -> dict[str, Any]:
        """Sum up the run: the last step's losses, and speed over all steps."""
        last, spent, before = self.rows[-1], 0.0, 0
        for row in self.rows:
            spent += (row["tokens"] - before) / max(row["tokens_per_s"], 1e-9)
            before = row["tokens"]
        names = ("loss_structural", "loss_content", "peak_memory_gib", "cost")
        return {
            "steps": last["step"],
            "loss": last["loss"],
            "tokens": last["tokens"],
            "seconds": last["seconds"],
            **self.rates.pace(last["tokens"], spent),
            **{name: last[name] for name in names if name in last},
        }


def told(row: Mapping[str, Any], width: int = 200) -> str:
    """Write a row for people in so many characters, beside a bar that tells the time left.

    >>> row = {"loss": 0.5, "loss_structural": 0.2, "loss_content": 0.6, "tokens_per_s": 6905.1,
    ...        "cost": 0.5, "mfu": 0.413, "peak_memory_gib": 1.28}
    >>> told(row)
    'loss 0.500, structure 0.200, content 0.600, 6,905 tok/s, $0.5, MFU 41 %, 1.3 GiB'
    >>> told(row, 45)
    'loss 0.500, structure 0.200, content 0.600'
    """
    parts = [write(row[name]) for name, write in TOLD.items() if name in row]
    while len(parts) > 1 and len(", ".join(parts)) > width:
        parts.pop()
    return ", ".join(parts)


def peak_memory() -> int:
    """Give the most bytes this process has held: allocated on its GPU, otherwise resident."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    if STATUS.exists() and (found := re.search(r"VmHWM:\s+(\d+) kB", STATUS.read_text())):
        return int(found[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _add_up(values: torch.Tensor) -> torch.Tensor:
    """Add a tensor up over all processes."""
    if torch.distributed.is_initialized():
        torch.distributed.all_reduce(values)
    return values


def _highest(value: float) -> float:
    """Take the highest of all processes."""
    if not torch.distributed.is_initialized():
        return value
    device = "cuda" if torch.cuda.is_available() else "cpu"
    found = torch.tensor(float(value), dtype=torch.float64, device=device)
    torch.distributed.all_reduce(found, torch.distributed.ReduceOp.MAX)
    return float(found)


def _line(row: Mapping[str, Any]) -> str:
    """Write a row as JSON, which has no word for a number that is none."""
    plain = {k: v if math.isfinite(v) else None for k, v in row.items()}
    return json.dumps(plain) + "\n"


def _read(line: str) -> dict[str, Any]:
    return {k: math.nan if v is None else v for k, v in json.loads(line).items()}
