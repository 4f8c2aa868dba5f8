"""skythought/training/log.py: what a training run tells."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("transformers", reason="needs skythought[train]")

from skythought.training import log as logs
from skythought.training import split
from skythought.training.log import Log
from skythought.training.rates import Rates

torch: Any = pytest.importorskip("torch", reason="needs skythought[train]")

STEP = {"loss": 0.5, "learning_rate": 1e-4, "grad_norm": 1.0}
ARGUMENTS = SimpleNamespace(device="cpu")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Give the time, as a list of one number that a test may change."""
    now = [1000.0]
    monkeypatch.setattr("skythought.training.log.time.monotonic", lambda: now[0])
    return now


def play(
    log: Log, first: int, last: int, *, end: int | None = None, clock: list[float] | None = None
) -> list[dict[str, Any]]:
    """Let a trainer begin before step `first` and log the steps up to `last`, 100 tokens each.

    Gives what other callbacks were told.
    """
    state = SimpleNamespace(global_step=first - 1, max_steps=end or last)
    log.on_train_begin(ARGUMENTS, state, None)
    told = []
    for step in range(first, last + 1):
        if clock:
            clock[0] += 2.0
        state.global_step = step
        told.append({**STEP, "num_tokens": 100 * (step - first + 1)})
        log.on_log(ARGUMENTS, state, None, logs=told[-1])
    log.on_log(ARGUMENTS, state, None, logs={"train_runtime": 1.0})  # the trainer's own sum
    log.close()
    return told


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_figures_of_a_step(tmp_path: Path, clock: list[float]) -> None:
    """Two devices that can do 1,000 operations a second, at 36 dollars an hour each."""
    rates = Rates(n_devices=2, flops_per_token=4, peak_flops=1000, price=36)
    log = Log(tmp_path / "log.jsonl", writes=True, rates=rates)
    told = play(log, 1, 2, end=5, clock=clock)
    first, second = rows(tmp_path / "log.jsonl")
    assert {k: v for k, v in second.items() if k != "peak_memory_gib"} == {
        "step": 2,
        "loss": 0.5,
        "lr": 1e-4,
        "grad_norm": 1.0,
        "tokens": 200,
        "tokens_per_s": 50.0,  # 100 in 2 s
        "tokens_per_s_device": 25.0,
        "mfu": 0.1,  # 25 x 4 of 1000
        "seconds": 4.0,
        "eta_s": 6.0,  # three steps of 2 s
        "cost": 0.08,  # 4 s of 2 devices at a cent a second
    }
    assert (first["cost"], first["eta_s"]) == (0.04, 8.0)
    assert told[1]["mfu"] == 0.1  # others are told as well
    assert log.summary()["mfu"] == 0.1


def test_the_time_of_an_evaluation_is_spent_but_slows_no_step(
    tmp_path: Path, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(STEP, "eval_seconds", 1.5)
    play(Log(tmp_path / "log.jsonl", writes=True), 1, 2, clock=clock)
    row = rows(tmp_path / "log.jsonl")[1]
    assert (row["tokens_per_s"], row["seconds"], row["eval_seconds"]) == (200.0, 4.0, 1.5)


def test_what_is_not_known_is_left_out(tmp_path: Path) -> None:
    play(Log(tmp_path / "log.jsonl", writes=True), 1, 1)
    [row] = rows(tmp_path / "log.jsonl")
    assert not {"mfu", "cost", "loss_structural", "loss_content"} & set(row)


def test_the_losses_of_structure_and_content(tmp_path: Path) -> None:
    log = Log(tmp_path / "log.jsonl", writes=True)
    state = SimpleNamespace(global_step=0, max_steps=2)
    log.on_train_begin(ARGUMENTS, state, None)
    for step in (1, 2):
        state.global_step = step
        log.watch(torch.tensor([-1.0, -3.0]) * step, torch.tensor([split.WORD, split.MATHS]))
        log.on_log(ARGUMENTS, state, None, logs={**STEP, "num_tokens": 9})
    log.close()
    found = [(row["loss_structural"], row["loss_content"]) for row in rows(log.path)]
    assert found == [(1.0, 3.0), (2.0, 6.0)]
    assert log.summary()["loss_content"] == 6.0
    assert "loss 0.500, structure 2.000, content 6.000, " in logs.told(log.rows[-1])


def test_a_resumed_run_goes_on_in_the_same_file(tmp_path: Path, clock: list[float]) -> None:
    """Steps after the checkpoint, and a line that was not finished, are written again.

    The time of the steps that were lost was spent, and paid for.
    """
    path = tmp_path / "out" / "log.jsonl"
    rates = Rates(price=3600)
    play(Log(path, writes=True, rates=rates), 1, 5, clock=clock)
    with path.open("a") as file:
        file.write('{"step": 6, "lo')
    clock[0] += 1000
    again = Log(path, writes=True, rates=rates)
    play(again, 4, 6, clock=clock)
    found = rows(path)
    assert [row["step"] for row in found] == [1, 2, 3, 4, 5, 6]
    assert [row["tokens"] for row in found] == [100, 200, 300, 400, 500, 600]
    assert [row["seconds"] for row in found] == [2, 4, 6, 12, 14, 16]
    assert [row["cost"] for row in found] == [2, 4, 6, 12, 14, 16]
    assert [row["tokens_per_s"] for row in found] == [50.0] * 6
    summary = {"steps": 6, "loss": 0.5, "tokens": 600, "seconds": 16.0, "tokens_per_s": 50.0}
    assert again.summary().items() >= summary.items()


def test_a_run_from_the_start_forgets_an_older_log(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    play(Log(path, writes=True), 1, 5)
    play(Log(path, writes=True), 1, 2)
    assert [row["step"] for row in rows(path)] == [1, 2]


def test_a_loss_that_is_no_number_leaves_a_log_that_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(STEP, "loss", float("nan"))
    path = tmp_path / "log.jsonl"
    play(Log(path, writes=True), 1, 2)
    assert [row["loss"] for row in rows(path)] == [None, None]
    again = Log(path, writes=True)
    again.restore(2)
    assert again.summary()["loss"] != again.summary()["loss"]
    assert [row["loss"] for row in rows(path)] == [None, None]


def test_other_processes_write_nothing(tmp_path: Path) -> None:
    log = Log(tmp_path / "log.jsonl", writes=False)
    play(log, 1, 3)
    assert not list(tmp_path.iterdir())
    assert log.summary()["steps"] == 3


def test_peak_memory_holds_what_was_freed() -> None:
    before = logs.peak_memory()
    block = bytearray(300 << 20)
    block[::4096] = b"x" * len(block[::4096])
    del block
    assert logs.peak_memory() >= min(before + (100 << 20), 300 << 20)
    assert logs.peak_memory() < 2**44
