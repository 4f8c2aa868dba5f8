"""Whole runs on a GPU: every objective and method, what is saved, going on, and evaluation."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from skythought import train
from skythought.backends import hf
from skythought.core import jsonl
from skythought.core.records import Message, Request, Sampling
from skythought.training.log import Log

torch: Any = pytest.importorskip("torch", reason="needs skythought[train]")
pytest.importorskip("trl", reason="needs skythought[train]")

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU is visible here"),
]
ASKED = [f"what is {i} plus {j}?" for i in range(4) for j in range(4)]
METHODS: dict[str, dict[str, Any]] = {
    "lora": {},
    "lora, float32": {"dtype": "float32"},
    "lora, checkpointing": {"gradient_checkpointing": True},
    "full": {"full": True},
    "full, checkpointing": {"full": True, "gradient_checkpointing": True},
    "qlora": {"qlora": True},
}


@pytest.fixture
def config(tiny_model: Path, tmp_path: Path) -> Any:
    """Give a function that makes a run which learns to say 7 to everything, or to prefer it."""
    rows = [{"problem": ask, "response": "\\boxed{7}"} for ask in ASKED]
    pairs = [
        {"prompt": ask, "chosen": "\\boxed{7}", "rejected": "wait, let me check. hmm, no."}
        for ask in ASKED
    ]
    problems = [{"problem": ask, "answer": "7" if i else "0"} for i, ask in enumerate(ASKED[:4])]
    for name, lines in (("rows", rows), ("pairs", pairs), ("task", problems)):
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (tmp_path / f"{name}.jsonl").write_text(text)

    def make(name: str = "out", data: str = "rows", **values: Any) -> train.Config:
        plain: dict[str, Any] = {
            "base_model": str(tiny_model),
            "dataset": tmp_path / f"{data}.jsonl",
            "output_dir": tmp_path / name,
            "batch_size": 16,
            "lr": 1e-2,
            "max_steps": 40,
            "show_mask": 0,
        }
        if not values.get("full"):
            plain["lora_r"] = 16
        return train.Config(**(plain | values))

    return make


class Broken(Exception):
    """Ends a run."""


def _break(_: Any, args: Any, state: Any, control: Any, **__: Any) -> None:
    if state.global_step == 4:
        raise Broken


def rows(folder: Path) -> list[dict[str, Any]]:
    return [row for _, row in jsonl.read_rows(folder / "log.jsonl")]


def answers(folder: Path, asked: list[str]) -> dict[str, str]:
    requests = [Request(id=ask, messages=(Message("user", ask),)) for ask in asked]
    found = hf.HuggingFace(str(folder)).complete(requests, Sampling(max_tokens=16))
    return {one.id: one.text for one in found}


@pytest.mark.parametrize("method", METHODS)
def test_every_method_learns_and_its_model_says_so(
    method: str, config: Any, tmp_path: Path
) -> None:
    if method == "qlora" and importlib.util.find_spec("bitsandbytes") is None:
        pytest.skip("bitsandbytes is not installed")
    train.run(config(**METHODS[method]))
    log = rows(tmp_path / "out")
    assert log[-1]["loss"] < 0.2 < log[0]["loss"]
    assert {"tokens_per_s", "peak_memory_gib"} <= log[-1].keys()
    said = list(answers(tmp_path / "out", ASKED).values())
    right = sum("\\boxed{7}" in text for text in said)
    assert right >= (12 if method == "qlora" else 16)  # merged into the base as it is stored


@pytest.mark.parametrize("method", ["lora", "full"])
@pytest.mark.parametrize("objective", ["simpo", "dpo"])
def test_the_chosen_answer_becomes_the_likelier(
    objective: str, method: str, config: Any, tmp_path: Path
) -> None:
    train.run(config(data="pairs", objective=objective, max_steps=8, **METHODS[method]))
    log = rows(tmp_path / "out")
    assert log[-1]["margin"] > log[0]["margin"] + 0.1
    assert log[-1]["accuracy"] == 1


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_broken_run_goes_on_from_its_checkpoint(
    method: str, config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the last digits only: sums on a GPU are taken in no fixed order."""
    asked: dict[str, Any] = {"max_steps": 6, "save_every": 3, "lr": 1e-3, **METHODS[method]}
    train.run(config("whole", **asked))
    with monkeypatch.context() as patch:
        patch.setattr(Log, "on_step_begin", _break, raising=False)
        with pytest.raises(Broken):
            train.run(config("half", **asked))
    assert [row["step"] for row in rows(tmp_path / "half")] == [1, 2, 3, 4]
    train.run(config("half", **asked))
    one, two = (rows(tmp_path / name) for name in ("whole", "half"))
    assert [row["step"] for row in two] == [1, 2, 3, 4, 5, 6]
    assert [row["loss"] for row in two] == pytest.approx([row["loss"] for row in one], rel=0.02)
    assert one[-1]["loss"] < 0.9 * one[2]["loss"]


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_model_in_training_answers_as_the_one_that_is_saved(
    method: str, config: Any, tmp_path: Path
) -> None:
    task = str(tmp_path / "task.jsonl")
    asked: dict[str, Any] = {
        "eval_limit": 4,
        "eval_tokens": 16,
        "eval_system_prompt": "",
        "save_every": 0,
    }
    train.run(config(eval_task=task, **asked, **METHODS[method]))
    last = rows(tmp_path / "out")[-1]
    assert last["loss"] < 0.2  # else nothing was learned, and answers say nothing
    assert all("\\boxed{7}" in said for said in answers(tmp_path / "out", ASKED[:4]).values())
    assert (last["eval_n"], last["eval_accuracy"]) == (4, 0.75)
