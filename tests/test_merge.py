"""skythought/merge.py: the merged model is the base plus the adapter, and an ordinary folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from skythought import cli, merge
from skythought.backends import hf
from skythought.core.errors import UserError

torch: Any = pytest.importorskip("torch", reason="needs skythought[train]")
transformers: Any = pytest.importorskip("transformers", reason="needs skythought[train]")
peft: Any = pytest.importorskip("peft", reason="needs skythought[train]")


def adapt(base: Path, folder: Path, **values: Any) -> Path:
    """Write an adapter of random weights, with the tokenizer beside it, as a run leaves them."""
    torch.manual_seed(1)
    model = transformers.AutoModelForCausalLM.from_pretrained(base, dtype="float32")
    config = {"r": 4, "lora_alpha": 8, "target_modules": "all-linear", "init_lora_weights": False}
    net = peft.get_peft_model(model, peft.LoraConfig(task_type="CAUSAL_LM", **(config | values)))
    net.save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(base).save_pretrained(folder)
    (folder / "generation_config.json").write_text('{"eos_token_id": [1, 2]}')
    return folder


@pytest.fixture
def half(tiny_model: Path, tmp_path: Path) -> Path:
    """Give the tiny model as bfloat16, as large models are stored."""
    folder = tmp_path / "half"
    hf_model = transformers.AutoModelForCausalLM.from_pretrained(tiny_model, dtype="bfloat16")
    hf_model.save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(tiny_model).save_pretrained(folder)
    return folder


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    found: dict[str, Any] = {}
    for path in folder.glob("model*.safetensors"):
        found |= load_file(path)
    return found


def run(checkpoint: Path, out: Path, **values: Any) -> dict[str, Any]:
    return merge.run(merge.Config(checkpoint=checkpoint, out=out, **values))


def test_a_merged_weight_is_rounded_once(half: Path, tmp_path: Path) -> None:
    adapter = adapt(half, tmp_path / "adapter")
    result = run(adapter, tmp_path / "merged")
    assert (result["merged"], result["dtype"]) == (14, "bfloat16")
    base, after = weights(half), weights(tmp_path / "merged")
    assert base.keys() == after.keys()
    from safetensors.torch import load_file

    lora = load_file(adapter / "adapter_model.safetensors")
    for name, before in base.items():
        stem = f"base_model.model.{name.removesuffix('.weight')}"
        expected = before
        if f"{stem}.lora_A.weight" in lora:
            change = lora[f"{stem}.lora_B.weight"] @ lora[f"{stem}.lora_A.weight"]
            expected = (before.float() + 2.0 * change).to(torch.bfloat16)
            assert not torch.equal(before, expected)
        assert torch.equal(after[name], expected), name


@pytest.mark.parametrize("kind", [{}, {"use_dora": True}, {"use_rslora": True}])
def test_the_merged_model_is_the_adapter_on_its_base(
    kind: dict[str, Any], tiny_model: Path, tmp_path: Path
) -> None:
    adapter = adapt(tiny_model, tmp_path / "adapter", **kind)
    run(adapter, tmp_path / "merged")
    ids = torch.tensor([[4, 20, 21, 5]])
    plain = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    tuned = peft.AutoPeftModelForCausalLM.from_pretrained(adapter)
    base = transformers.AutoModelForCausalLM.from_pretrained(tiny_model)
    assert torch.allclose(plain(ids).logits, tuned(ids).logits, atol=1e-4)
    assert not torch.allclose(plain(ids).logits, base(ids).logits, atol=1e-1)


def test_what_lies_in_the_folder(tiny_model: Path, tmp_path: Path) -> None:
    adapter = adapt(tiny_model, tmp_path / "adapter")
    (adapter / "README.md").write_text('---\nlibrary_name: "peft"\n---\nA LoRA adapter for x\n')
    out = tmp_path / "merged"
    assert cli.main(["merge", str(adapter), str(out), "--max-shard-size", "20KB"]) == 0
    shards = sorted(out.glob("model-*.safetensors"))
    assert len(shards) > 1
    assert all(path.stat().st_size < 25_000 for path in shards)
    assert (out / "model.safetensors.index.json").exists()
    assert (out / "chat_template.jinja").read_text() == (
        tiny_model / "chat_template.jinja"
    ).read_text()
    assert json.loads((out / "generation_config.json").read_text())["eos_token_id"] == [1, 2]
    assert "transformers" in (out / "README.md").read_text()
    assert "merged into x" in (out / "README.md").read_text()
    assert not (out / "adapter_config.json").exists()
    net, _, _ = hf.load(str(out))
    assert net.dtype == torch.float32
    before = {p: p.stat().st_mtime_ns for p in out.iterdir()}
    assert cli.main(["merge", str(adapter), str(out), "--max-shard-size", "20KB"]) == 0
    assert {p: p.stat().st_mtime_ns for p in out.iterdir()} == before


def test_what_cannot_be_merged(tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(UserError, match="is no adapter"):
        run(tiny_model, out)
    with pytest.raises(UserError, match="no such folder"):
        run(tmp_path / "none", out)
    adapter = adapt(tiny_model, tmp_path / "adapter")
    with pytest.raises(UserError, match="is the checkpoint itself"):
        run(adapter, adapter)
    with pytest.raises(UserError, match="--max_shard_size big: give a size, as in 5GB"):
        run(adapter, out, max_shard_size="big")
    config = json.loads((adapter / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = str(tmp_path / "gone")
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="the adapter's base model is not at"):
        run(adapter, out)
    assert not out.exists()
    assert run(adapter, out, base=str(tiny_model))["merged"] == 14


def test_embeddings_shared_by_input_and_output_are_not_merged(
    tiny_model: Path, tmp_path: Path
) -> None:
    config = transformers.AutoConfig.from_pretrained(tiny_model, tie_word_embeddings=True)
    tied = tmp_path / "tied"
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(tied)
    transformers.AutoTokenizer.from_pretrained(tiny_model).save_pretrained(tied)
    adapter = adapt(tied, tmp_path / "adapter", target_modules=["lm_head", "q_proj"])
    with pytest.raises(UserError, match="changes the embeddings, which this base shares"):
        run(adapter, tmp_path / "out")
    assert not (tmp_path / "out").exists()
