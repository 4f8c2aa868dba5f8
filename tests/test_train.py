"""skythought/train.py: the command people copy, what it writes, and what it refuses."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from test_core_shapes import SHAPES

from skythought import cli, train
from skythought.backends import hf
from skythought.core import jsonl
from skythought.core.errors import UserError
from skythought.core.records import Message, Request, Sampling

torch: Any = pytest.importorskip("torch", reason="needs skythought[train]")
transformers: Any = pytest.importorskip("transformers", reason="needs skythought[train]")
pytest.importorskip("trl", reason="needs skythought[train]")

ROWS = [
    {
        "problem": f"what is {i} plus {j}?",
        "response": f"<think>\nwait\n</think>\n\n\\boxed{{{i + j}}}",
    }
    for i in range(10)
    for j in range(10)
]


def write(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def config(tiny_model: Path, tmp_path: Path) -> Any:
    """Give a function that makes a short run over sixteen rows."""
    dataset = write(tmp_path / "data.jsonl", ROWS[:16])

    def make(**values: Any) -> train.Config:
        plain: dict[str, Any] = {
            "base_model": str(tiny_model),
            "dataset": dataset,
            "output_dir": tmp_path / "out",
            "batch_size": 8,
            "lora_r": 4,
            "max_steps": 3,
        }
        return train.Config(**(plain | values))

    return make


def answers(model: str) -> list[str]:
    asked = [Request(id=r["problem"], messages=(Message("user", r["problem"]),)) for r in ROWS[:8]]
    found = hf.HuggingFace(model).complete(asked, Sampling(max_tokens=16))
    return [c.text for c in sorted(found, key=lambda c: c.id)]


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    name = "adapter_model" if (folder / "adapter_config.json").exists() else "model"
    found: dict[str, Any] = load_file(folder / f"{name}.safetensors")
    return found


def manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return found


def test_the_command_people_copy(tiny_model: Path, tmp_path: Path) -> None:
    """As printed in the article, with nobody logged in and wandb perhaps not installed."""
    write(tmp_path / "r1-17k.jsonl", ROWS)
    command = f"""skythought.train \
      --base_model {tiny_model} \
      --dataset r1-17k.jsonl \
      --lora_r 128 --lora_alpha 256 \
      --epochs 2 --batch_size 96 --lr 1e-4 \
      --wandb_run "sky-t1-replica" """
    env = {k: v for k, v in os.environ.items() if not k.startswith("WANDB")}
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=tmp_path,
        env={**env, "HOME": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "not logged in to Weights & Biases (wandb login): the run is logged to" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Warning" not in done.stderr
    folder = tmp_path / "runs" / "sky-t1-replica"
    adapter = json.loads((folder / "adapter_config.json").read_text())
    assert (adapter["r"], adapter["lora_alpha"], adapter["lora_dropout"]) == (128, 256, 0)
    found = manifest(folder)
    assert found["done"] is True
    assert {k: found["config"][k] for k in ("epochs", "batch_size", "lr", "n_examples")} == {
        "epochs": 2,
        "batch_size": 96,
        "lr": 1e-4,
        "n_examples": 100,
    }
    rows = [row for _, row in jsonl.read_rows(folder / "log.jsonl")]
    assert [row["step"] for row in rows] == [1, 2, 3, 4]  # 96 and 4 samples, twice
    assert all(row["tokens_per_s"] > 0 for row in rows)
    assert f"4 steps, loss {rows[-1]['loss']:.3f}, {rows[-1]['tokens']:,} tokens at" in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["r1-17k.jsonl", "runs"]
    template = (folder / "chat_template.jinja").read_text()
    assert template == (tiny_model / "chat_template.jinja").read_text()
    assert json.loads((folder / "generation_config.json").read_text())["eos_token_id"] == 1
    about = (folder / "README.md").read_text()
    for said in ("# sky-t1-replica", "--lora_r 128 \\\n", "| n_examples | 100 |", "| steps | 4 |"):
        assert said in about, said
    assert not list(folder.glob("*.bin"))


def test_the_adapter_loads_in_plain_transformers_and_peft(
    config: Any, tiny_model: Path, tmp_path: Path
) -> None:
    import peft

    result = train.run(config(lr=3e-2, max_steps=8))
    folder = Path(result["output_dir"])
    assert (result["steps"], result["samples"], result["truncated"]) == (8, 16, 0)
    base = transformers.AutoModelForCausalLM.from_pretrained(tiny_model)
    ids = torch.tensor([[4, 20, 21, 5]])
    before = base(ids).logits
    tuned = peft.PeftModel.from_pretrained(base, folder).eval()
    assert not torch.allclose(tuned(ids).logits, before, atol=1e-2)
    own = peft.AutoPeftModelForCausalLM.from_pretrained(folder)  # finds the base by its path
    assert torch.equal(own(ids).logits, tuned(ids).logits)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    assert tokenizer.chat_template
    assert answers(str(folder)) != answers(str(tiny_model))
    assert not (folder / "checkpoints").exists()
    names = ("adapter_model.safetensors", "manifest.json")  # who reads one reads the other
    assert len({(folder / name).stat().st_mode for name in names}) == 1


def test_training_teaches(config: Any, tiny_model: Path) -> None:
    folder = train.run(config(full=True, lr=1e-2, max_steps=40, batch_size=16))["output_dir"]
    assert answers(folder)[0].startswith("<|begin_of_thought|>\n\nwait\n\n<|end_of_thought|>")
    assert answers(str(tiny_model))[0] != answers(folder)[0]


def test_full_training_writes_a_whole_model(config: Any, tiny_model: Path, tmp_path: Path) -> None:
    result = train.run(config(full=True, lr=1e-2))
    folder = tmp_path / "out"
    assert not (folder / "adapter_config.json").exists()
    before, after = weights(tiny_model), weights(folder)
    assert before.keys() == after.keys()
    assert all(not torch.equal(before[k], after[k]) for k in before if "proj" in k)
    assert not (folder / "checkpoints").exists()
    tuned = json.loads((folder / "config.json").read_text())
    old = json.loads((tiny_model / "config.json").read_text())
    same = {k for k in old if k != "transformers_version"}
    assert {k: tuned.get(k) for k in same} == {k: old[k] for k in same}
    assert (folder / "generation_config.json").exists()
    assert result["tokens"] == manifest(folder)["counts"]["tokens"]


@pytest.mark.parametrize("entry", ["skythought train", "skythought.train"])
def test_hyphens_and_underscores(
    entry: str, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "data.jsonl", ROWS[:4])
    monkeypatch.chdir(tmp_path)
    flags = (
        f"--dataset data.jsonl --base-model {tiny_model} --lora-r 2 --lora_alpha 4 --max-steps 1"
    )
    if entry == "skythought train":
        assert cli.main(["train", *flags.split()]) == 0
    else:
        monkeypatch.setattr(sys, "argv", [entry, *flags.split()])
        assert cli.train() == 0
    folder = tmp_path / "runs" / "tiny-lora-r2"
    assert json.loads((folder / "adapter_config.json").read_text())["lora_alpha"] == 4


def test_all_shapes_of_data(config: Any, tmp_path: Path) -> None:
    from skythought.training import data

    words = json.dumps(SHAPES).lower().replace("it is ", "")  # that the model knows
    known = json.loads(words)
    mixed = write(tmp_path / "mixed.jsonl", list(known.values()))
    result = train.run(config(dataset=mixed, batch_size=len(SHAPES), max_steps=1))
    assert result["samples"] == len(SHAPES)
    assert len({(e.messages, e.completion) for e in data.read(mixed)}) == 1
    run = tmp_path / "run"
    run.mkdir()
    shutil.copy(write(tmp_path / "t.jsonl", [known["our trace"]]), run / "traces.jsonl")
    again = train.run(config(dataset=run, batch_size=1, max_steps=1, output_dir=tmp_path / "o2"))
    assert again["loss"] == pytest.approx(result["loss"], abs=1e-4)


def test_a_finished_run_is_not_trained_again(
    config: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = train.run(config())
    files = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").iterdir()}
    same = config(save_every=1, micro_batch_size=2, wandb_run="x", lr=1e-4, lora_alpha=8)
    assert train.run(same) == first
    assert "already trained with these settings" in capsys.readouterr().err
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "out").iterdir()} == files


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"lr": 1e-5}, "was made with lr=0.0001, now 1e-05"),
        ({"seed": 1}, "was made with seed=0, now 1"),
        ({"full": True}, "was made with full=False, now True"),
        ({"max_steps": 4}, "was made with max_steps=3, now 4"),
    ],
)
def test_a_folder_of_another_run_is_refused(change: Any, told: str, config: Any) -> None:
    folder = Path(train.run(config())["output_dir"])
    before = weights(folder)
    with pytest.raises(UserError, match="choose another output folder") as caught:
        train.run(config(**change))
    assert told in str(caught.value)
    assert all(torch.equal(before[k], v) for k, v in weights(folder).items())


def test_a_preset_is_written_down_with_what_it_stands_for(config: Any) -> None:
    plain: dict[str, Any] = {"lora_r": None, "batch_size": None, "max_steps": 1}
    folder = Path(train.run(config(**plain, preset="article-lora", epochs=1.0))["output_dir"])
    found = manifest(folder)["config"]
    expected = {"preset": "article-lora", "lora_r": 128, "lora_alpha": 256, "epochs": 1.0}
    assert {k: found[k] for k in expected} == expected
    same = config(**(plain | {"lora_r": 128}), lora_alpha=256, lr=1e-4, epochs=1)
    assert train.run(same)["steps"] == 1  # the same run, by whatever name


def test_other_data_or_another_base_are_another_run(
    config: Any, tiny_model: Path, tmp_path: Path
) -> None:
    train.run(config())
    moved = shutil.copytree(tiny_model, tmp_path / "elsewhere" / "tiny")
    train.run(config(base_model=str(moved)))  # where a model lies does not matter
    with pytest.raises(UserError, match="was made with dataset="):
        train.run(config(dataset=write(tmp_path / "other.jsonl", ROWS[1:17])))
    full = train.run(config(full=True, output_dir=tmp_path / "full"))["output_dir"]
    with pytest.raises(UserError, match="was made with base_model='tiny@"):
        train.run(config(base_model=full))


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ("--dataset none.jsonl", "none.jsonl: no such file"),
        ("--dataset owner/none", "--dataset owner/none: no such file here, and the hub says: "),
        ("--dataset empty.jsonl", "the dataset is empty; nothing to train on"),
        ("--dataset broken.jsonl", "broken.jsonl:2: not valid JSON"),
        ("--dataset other.jsonl", "other.jsonl:1: unknown row with fields text; expected messages"),
        ("--dataset foreign.jsonl", "tokens are unknown to the tokenizer"),
        ("--max_length 6", "all 4 samples are longer than --max-length 6"),
        ("--base_model none/none/none", "model 'none/none/none': no such folder"),
        ("--base_model none", "model 'none': no such folder; the hub has owner/name"),
        ("--base_model org/none", "cannot be loaded: there is no such folder, and the hub says: "),
        ("--max_steps 0", "--max_steps 0: give 1 or more, or -1 for all epochs"),
        ("--base_model bare", "has no chat template; put a chat_template.jinja file into its"),
        ("--base_model adapter", "the adapter's config names no base model (base_model_name_or_pa"),
        ("--lora_target q_poj", "unknown lora_target 'q_poj': did you mean 'q_proj'?"),
        ("--lora_r 0", "--lora_r 0: give 1 or more"),
        ("--lora_alpha 0", "--lora_alpha 0: give 1 or more"),
        ("--batch_size 0", "--batch_size 0: give 1 or more"),
        ("--micro_batch_size 0", "--micro_batch_size 0: give 1 or more"),
        ("--attention flashy", "--attention flashy: "),
        ("--lr 0", "--lr 0: give more than 0"),
        ("--lr nan", "--lr nan: give more than 0"),
        ("--max_steps -1 --epochs 0", "--epochs 0: give more than 0"),
        ("--warmup 1", "--warmup 1: give a share from 0 to below 1"),
        ("--lora_dropout 1.5", "--lora_dropout 1.5: give a share from 0 to below 1"),
        ("--save_every -1", "--save_every -1: give 0 or more"),
        ("--lora_layers 1-", "--lora_layers '1-': give numbers or ranges from 0, as in 0-15,28"),
        ("--lora_layers 0-2", "--lora_layers '0-2': the model has layers 0 to 1"),
        ("--preset sky-t1-full --lora_r 8", "--lora_r 8: preset sky-t1-full trains all weights"),
        (
            "--preset sky-t1-full --dora",
            "--dora is of an adapter, and all weights are trained",
        ),
        ("--qlora", "--qlora needs a GPU, and none is there; leave it out for plain LoRA"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(
    flags: str,
    told: str,
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "data.jsonl", ROWS[:4])
    write(tmp_path / "other.jsonl", [{"text": "x"}])
    write(tmp_path / "foreign.jsonl", [{"problem": "3?", "response": "quokka"}] * 4)
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "broken.jsonl").write_text(json.dumps(ROWS[0]) + "\n{'problem': 1}\n")
    shutil.copytree(tiny_model, tmp_path / "bare")
    (tmp_path / "bare" / "chat_template.jinja").unlink()
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "adapter_config.json").write_text("{}")
    plain = {"--base_model": str(tiny_model), "--dataset": "data.jsonl", "--max_steps": "1"}
    words = flags.split()
    command = [*words, *(w for name in plain.keys() - {*words} for w in (name, plain[name]))]
    assert cli.main(["train", *command, "--output_dir", "out"]) == 2
    said = capsys.readouterr().err
    assert told in said
    assert said.startswith("skythought train: ")
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_cut_samples_are_told(
    config: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    long = {"problem": "oak?", "response": "fir " * 100}
    endless = {"problem": "oak " * 100, "response": "fir"}
    dataset = write(tmp_path / "long.jsonl", [*ROWS[:6], long, endless])
    result = train.run(config(dataset=dataset, max_length=40))
    assert (result["samples"], result["truncated"], result["dropped"]) == (7, 1, 1)
    assert "1 of 8 samples cut at 40 tokens, 1 left out because" in capsys.readouterr().err


def test_a_sample_that_may_not_fit_is_told(
    config: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from skythought.training import memory

    train.run(config(max_steps=1))
    assert "thought to fit" not in capsys.readouterr().err
    monkeypatch.setattr(memory, "device_memory", lambda: 0)
    train.run(config(max_steps=1, resume=False))
    said = " ".join(capsys.readouterr().err.split())
    assert "tokens, and 0 are thought to fit into a pass; should memory run out, lower" in said


def test_the_loss_mask_is_shown_first(config: Any, capsys: pytest.CaptureFixture[str]) -> None:
    train.run(config(max_steps=1))
    said = " ".join(capsys.readouterr().err.split())
    assert "sample 1 of 16, the loss is on what is marked:" in said
    assert "<|user|>what is 0 plus 0?<|assistant|>⟦<|begin_of_thought|> wait" in said
    assert "sample 2 of 16" in said
    assert "sample 3 of 16" not in said
    assert "lint: 16 samples" in said
    train.run(config(max_steps=1, show_mask=0, resume=False))
    assert "⟦" not in capsys.readouterr().err


def test_the_base_is_named_by_a_path_that_holds_from_anywhere(
    config: Any, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny_model.parent)
    folder = train.run(config(base_model="tiny"))["output_dir"]
    adapter = json.loads((Path(folder) / "adapter_config.json").read_text())
    assert adapter["base_model_name_or_path"] == str(tiny_model.resolve())


def test_the_same_seed_trains_the_same_weights(config: Any, tmp_path: Path) -> None:
    first, again, other = (
        weights(Path(train.run(config(seed=seed, output_dir=tmp_path / name))["output_dir"]))
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert all(torch.equal(first[k], again[k]) for k in first)
    assert not all(torch.equal(first[k], other[k]) for k in first)


def test_a_cpu_multiplies_in_bfloat16_if_told(config: Any, tmp_path: Path) -> None:
    import torch

    exact = train.run(config(max_steps=3, lr=1e-3))
    found = train.run(config(max_steps=3, lr=1e-3, dtype="bfloat16", output_dir=tmp_path / "b"))
    assert found["loss"] == pytest.approx(exact["loss"], rel=0.02)
    assert found["loss"] != exact["loss"]
    adapter = weights(tmp_path / "b")
    assert {tensor.dtype for tensor in adapter.values()} == {torch.float32}
    assert any(tensor.abs().sum() > 0 for name, tensor in adapter.items() if "lora_B" in name)


def test_derived_settings(config: Any) -> None:
    for values, name in (
        ({"wandb_run": "w"}, "runs/w"),
        ({"base_model": "Qwen/Qwen2.5-7B"}, "runs/Qwen2.5-7B-lora-r4"),
        ({"base_model": "Qwen/Qwen2.5-7B", "full": True}, "runs/Qwen2.5-7B-full"),
    ):
        assert train.output_folder(config(output_dir=None, **values)) == Path(name)
