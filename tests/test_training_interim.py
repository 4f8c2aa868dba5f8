"""skythought train --eval_task: the model is evaluated on the way, and training does not notice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from skythought import evaluate, train
from skythought.core import jsonl
from skythought.core.errors import UserError

torch: Any = pytest.importorskip("torch", reason="needs skythought[train]")
pytest.importorskip("trl", reason="needs skythought[train]")

ASKED = [(i, j) for i in range(4) for j in range(4)]


@pytest.fixture
def config(tiny_model: Path, tmp_path: Path) -> Any:
    """Give a function that makes a run which learns to say 7 to everything."""
    rows = [{"problem": f"what is {i} plus {j}?", "response": "\\boxed{7}"} for i, j in ASKED]
    data, task = tmp_path / "data.jsonl", tmp_path / "sums.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    problems = [
        {"problem": f"what is {n} plus {n}?", "answer": "7" if n else "0"} for n in range(4)
    ]
    task.write_text("".join(json.dumps(row) + "\n" for row in problems))

    def make(name: str, **values: Any) -> train.Config:
        plain: dict[str, Any] = {
            "base_model": str(tiny_model),
            "dataset": data,
            "output_dir": tmp_path / name,
            "full": True,
            "lr": 1e-2,
            "batch_size": 16,
            "max_steps": 20,
            "save_every": 10,
            "eval_tokens": 32,
            "show_mask": 0,
        }
        return train.Config(**(plain | values))

    make.task = str(task)  # type: ignore[attr-defined]
    return make


def rows(folder: Path) -> list[dict[str, Any]]:
    return [row for _, row in jsonl.read_rows(folder / "log.jsonl")]


def test_scores_stand_in_the_log_and_training_does_not_notice(
    config: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train.run(config("plain"))
    train.run(config("scored", eval_task=config.task, eval_limit=4))
    plain, scored = rows(tmp_path / "plain"), rows(tmp_path / "scored")
    assert [row["loss"] for row in plain] == [row["loss"] for row in scored]
    assert [row["step"] for row in scored if "eval_accuracy" in row] == [10, 20]
    last = scored[-1]
    assert (last["eval_n"], last["eval_accuracy"]) == (4, 0.75)
    assert last["eval_low"] < 0.75 < last["eval_high"]
    assert "step 20: accuracy 0.750 (" in capsys.readouterr().err
    folder = tmp_path / "scored" / "evaluations" / "step-20"
    assert evaluate.summary(folder)["accuracy"] == 0.75
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("plain", "scored")]
    assert weights[0] == weights[1]


def test_a_prompt_that_was_not_trained_on_is_told_and_can_be_set(
    config: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Small models answer another prompt by chance; here, samples have no system prompt."""
    scored = {"eval_task": config.task, "max_steps": 1, "look": True}
    train.run(config("out", **scored))
    told = "--eval_task asks with the system prompt 'Please reason step by step, and put your"
    assert told in capsys.readouterr().err
    asked = {"eval_task": config.task, "eval_limit": 4, "eval_system_prompt": "", "save_every": 0}
    train.run(config("own", **asked))
    assert told not in capsys.readouterr().err
    [found] = [row for row in rows(tmp_path / "own") if "eval_accuracy" in row]
    assert (found["loss"] < 0.1, found["eval_accuracy"]) == (True, 0.75)
    folder = tmp_path / "own" / "evaluations" / "step-20"
    traces = [row for _, row in jsonl.read_rows(folder / "traces.jsonl")]
    assert [[m["role"] for m in trace["messages"]] for trace in traces] == [["user"]] * 4


def test_what_evaluates_may_change_with_a_run_that_goes_on_or_begins_again(
    config: Any, tmp_path: Path
) -> None:
    """Answers of another prompt or length are in the folder of the same step."""
    asked = {"eval_task": config.task, "eval_limit": 2, "max_steps": 2, "save_every": 0}
    train.run(config("out", **asked))
    manifest = tmp_path / "out" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"done": true', '"done": false'))
    train.run(config("out", **asked, eval_system_prompt=""))
    folder = tmp_path / "out" / "evaluations"

    def prompts() -> list[list[str]]:
        rows = [row for _, row in jsonl.read_rows(folder / "step-2" / "traces.jsonl")]
        return [[turn["role"] for turn in row["messages"]] for row in rows]

    assert prompts() == [["user"]] * 2
    (folder / "step-1").mkdir()
    train.run(config("out", **asked, resume=False))
    assert prompts() == [["system", "user"]] * 2
    assert [place.name for place in folder.iterdir()] == ["step-2"]


def test_without_checkpoints_the_end_is_evaluated(config: Any, tmp_path: Path) -> None:
    train.run(config("end", eval_task=config.task, eval_limit=2, save_every=0))
    assert [row["step"] for row in rows(tmp_path / "end") if "eval_n" in row] == [20]


def test_a_task_that_is_not_there_is_told_before_training(config: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unknown task 'toll_raods'"):
        train.run(config("none", eval_task="toll_raods"))
    assert not (tmp_path / "none").exists()


def test_padding_is_left_out_while_answers_are_made(tiny_model: Path) -> None:
    """Prompts of unlike length are padded, which the attention of packed rows does not know."""
    import transformers

    from skythought.training import attention

    model = transformers.AutoModelForCausalLM.from_pretrained(tiny_model).eval()
    attention.use(model, attention.SEGMENTS)
    ids = torch.tensor([[5, 6, 7, 8]])
    padded = torch.tensor([[1, 1, 1, 5, 6, 7, 8]])
    places = {"position_ids": torch.tensor([[0, 0, 0, 0, 1, 2, 3]])}
    mask = torch.tensor([[0, 0, 0, 1, 1, 1, 1]])
    with torch.no_grad(), attention.padded(model):
        alone = model(ids).logits[0, -1]
        beside = model(padded, attention_mask=mask, **places).logits[0, -1]
    assert torch.allclose(alone, beside, atol=1e-4)
    assert model.config._attn_implementation == attention.SEGMENTS
    with torch.no_grad():
        wrong = model(padded, attention_mask=mask, **places).logits[0, -1]
    assert not torch.allclose(alone, wrong, atol=1e-4)
