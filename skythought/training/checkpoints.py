"""Checkpoints of a run that may be killed at any moment: which one is whole, and when another goes.

A checkpoint is whole when every process has written its part: then, and not before, the first
process puts a mark into it and removes the ones before.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import TrainerCallback

from skythought.core import store
from skythought.core.errors import UserError
from skythought.training.sharding import PARTS

MARK = "whole.json"


class Keeper(TrainerCallback):  # type: ignore[misc]
    """Marks a checkpoint when all processes have written it.

    Args:
        sharding: how the processes share the model; such checkpoints are of different files.
    """

    def __init__(self, sharding: str) -> None:
        self.sharding = sharding

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Wait for the other processes, mark the checkpoint, remove older ones."""
        if torch.distributed.is_initialized():
            torch.distributed.barrier()
        if not args.should_save:
            return
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        mark = {"step": state.global_step, "of": state.max_steps, "sharding": self.sharding}
        store.write_whole(folder / MARK, json.dumps(mark) + "\n")
        for other in folder.parent.glob("checkpoint-*"):
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)


class Checkpoint(NamedTuple):
    """A whole checkpoint."""

    folder: Path
    finished: bool  # it is that of the last step


def last(folder: Path, sharding: str) -> Checkpoint | None:
    """Find the newest whole checkpoint.

    Raises:
        UserError: it was written by processes that share the model in another way.
    """
    marks = [(json.loads(p.read_bytes()), p.parent) for p in folder.glob(f"checkpoint-*/{MARK}")]
    if not marks:
        return None
    mark, found = max(marks, key=lambda one: one[0]["step"])
    if mark["sharding"] != sharding and {mark["sharding"], sharding} & set(PARTS):
        raise UserError(
            f"{found}: was written with --sharding {mark['sharding']}, and this run has "
            f"{sharding}; go on as it was begun, or begin again with --no-resume"
        )
    return Checkpoint(found, mark["step"] >= mark["of"])
