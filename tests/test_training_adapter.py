"""skythought/training/adapter.py: where an adapter is put, and of which kind it is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from skythought.core.errors import UserError
from skythought.training import adapter

torch: Any = pytest.importorskip("torch", reason="needs skythought[train]")
transformers: Any = pytest.importorskip("transformers", reason="needs skythought[train]")
pytest.importorskip("peft", reason="needs skythought[train]")


@pytest.fixture
def model(tiny_model: Path) -> Any:
    return transformers.AutoModelForCausalLM.from_pretrained(tiny_model)


def adapted(model: Any, **values: Any) -> Any:
    return adapter.adapt(model, adapter.Lora(r=4, alpha=8, **values))


def places(model: Any) -> set[tuple[int, str]]:
    """Give (layer, module) of every adapted module."""
    found = (re.search(r"layers\.(\d+)\..*?(\w+)\.lora_A", n) for n, _ in model.named_parameters())
    return {(int(m[1]), m[2]) for m in found if m}


def test_targets(model: Any) -> None:
    assert places(adapted(model, target="q_proj, v_proj")) == {
        (layer, name) for layer in (0, 1) for name in ("q_proj", "v_proj")
    }


def test_names_that_the_model_does_not_have(model: Any) -> None:
    with pytest.raises(UserError, match="unknown lora_target 'q_porj': did you mean 'q_proj'"):
        adapted(model, target="v_proj,q_porj")
    with pytest.raises(UserError, match="--lora_target 'self_attn': "):
        adapted(model, target="self_attn")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", [0]), ("0-2", [0, 1, 2]), ("5, 0-1,1", [0, 1, 5]), ("3-3", [3])],
)
def test_ranges_of_layers(text: str, expected: list[int]) -> None:
    assert adapter.layers(text) == expected


@pytest.mark.parametrize("text", ["-1", "2-1", "a", "0,", "0-", "1.5", "0:3", "9999999"])
def test_what_is_no_range_of_layers(text: str) -> None:
    with pytest.raises(UserError, match="give numbers or ranges from 0"):
        adapter.layers(text)


def test_layers_are_counted_from_0_with_both_ends(model: Any) -> None:
    found = places(adapted(model, layers="1"))
    assert {layer for layer, _ in found} == {1}
    assert len(found) == 7


def test_all_linear_layers_but_the_output(model: Any) -> None:
    assert len(places(adapted(model))) == 14


def test_layers_the_model_does_not_have(model: Any) -> None:
    with pytest.raises(UserError, match="--lora_layers '0-2': the model has layers 0 to 1"):
        adapted(model, layers="0-2")


def test_rank_stabilised_scale(model: Any) -> None:
    """The scale is alpha / sqrt(r) in place of alpha / r."""
    for rslora, expected in ((True, 4.0), (False, 2.0)):
        net = adapted(transformers.AutoModelForCausalLM.from_config(model.config), rslora=rslora)
        assert {m.scaling["default"] for m in net.modules() if hasattr(m, "lora_A")} == {expected}


def test_dora_learns_a_length_per_column(model: Any) -> None:
    names = [n for n, p in adapted(model, dora=True).named_parameters() if p.requires_grad]
    assert sum("lora_magnitude_vector" in n for n in names) == 14


def test_four_bits_need_a_gpu_and_bitsandbytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(UserError, match="--qlora needs a GPU, and none is there"):
        adapter.quantization()
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(UserError, match="run: pip install bitsandbytes"):
        adapter.quantization()


def test_four_bits_are_those_of_qlora(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: "found")
    config = adapter.quantization()["quantization_config"]
    assert config.load_in_4bit
    assert config.bnb_4bit_quant_type == "nf4"
    assert config.bnb_4bit_use_double_quant
    assert config.bnb_4bit_compute_dtype == torch.bfloat16


def test_the_adapter_of_a_base_in_four_bits_is_exact_again(model: Any) -> None:
    """TRL rounds it, and steps of 1e-4 would be lost."""
    changed = adapted(model)
    trained = [p for p in changed.parameters() if p.requires_grad]
    for weight in trained:
        weight.data = weight.data.bfloat16()
    adapter.keep_exact(changed)
    assert {p.dtype for p in trained} == {torch.bfloat16}
    changed.is_loaded_in_4bit = True
    adapter.keep_exact(changed)
    assert {p.dtype for p in trained} == {torch.float32}
    assert {p.dtype for p in changed.parameters() if not p.requires_grad} == {torch.float32}
