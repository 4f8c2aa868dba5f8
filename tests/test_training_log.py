"""skythought/training/log.py: what a training run tells."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("transformers", reason="needs skythought[train]")

from skythought.training.log import Log

STEP = {"loss": 0.5, "learning_rate": 1e-4, "grad_norm": 1.0}


def play(log: Log, first: int, last: int) -> None:
    """Let a trainer begin before step `first` and log the steps up to `last`, 100 tokens each."""
    state = SimpleNamespace(global_step=first - 1, max_steps=last)
    log.on_train_begin(None, state, None)
    for step in range(first, last + 1):
        state.global_step = step
        log.on_log(None, state, None, logs={**STEP, "num_tokens": 100 * (step - first + 1)})
    log.on_log(None, state, None, logs={"train_runtime": 1.0})  # the trainer's own sum at the end
    log.close()


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_resumed_run_goes_on_in_the_same_file(tmp_path: Path) -> None:
    """Steps after the checkpoint, and a line that was not finished, are written again."""
    path = tmp_path / "out" / "log.jsonl"
    play(Log(path, writes=True), 1, 5)
    with path.open("a") as file:
        file.write('{"step": 6, "lo')
    again = Log(path, writes=True)
    play(again, 4, 6)
    found = rows(path)
    assert [row["step"] for row in found] == [1, 2, 3, 4, 5, 6]
    assert [row["tokens"] for row in found] == [100, 200, 300, 400, 500, 600]
    seconds = [row["seconds"] for row in found]
    assert seconds == sorted(seconds)
    assert again.summary().items() >= {"steps": 6, "loss": 0.5, "tokens": 600}.items()


def test_a_run_from_the_start_forgets_an_older_log(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    play(Log(path, writes=True), 1, 5)
    play(Log(path, writes=True), 1, 2)
    assert [row["step"] for row in rows(path)] == [1, 2]


def test_other_processes_write_nothing(tmp_path: Path) -> None:
    log = Log(tmp_path / "log.jsonl", writes=False)
    play(log, 1, 3)
    assert not list(tmp_path.iterdir())
    assert log.summary()["steps"] == 3
