"""What is predicted from the sizes of a model, held against Transformers, autograd and torch."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
peft = pytest.importorskip("peft")

from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from skythought.core.errors import UserError  # noqa: E402
from skythought.training import architecture, flops, lora, loss, memory, quiet  # noqa: E402
from skythought.training.memory import Setup  # noqa: E402

SIZES = {
    "hidden_size": 128,
    "intermediate_size": 352,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 500,
}
KINDS: list[tuple[str, dict[str, Any]]] = [
    ("llama", {}),
    ("llama", {"tie_word_embeddings": True, "attention_bias": True, "mlp_bias": True}),
    ("mistral", {"head_dim": 64}),
    ("qwen2", {"tie_word_embeddings": True}),
    ("qwen3", {"head_dim": 64}),
]


def built(kind: str, **options: Any) -> Any:
    config = transformers.AutoConfig.for_model(kind, **{**SIZES, **options}, use_cache=False)
    return transformers.AutoModelForCausalLM.from_config(config, attn_implementation="sdpa")


def adapted(model: Any, r: int) -> Any:
    config = peft.LoraConfig(task_type="CAUSAL_LM", r=r, target_modules="all-linear")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return peft.get_peft_model(model, config)


@pytest.mark.parametrize(("kind", "options"), KINDS)
def test_parameters_are_counted_as_transformers_makes_them(
    kind: str, options: dict[str, Any]
) -> None:
    with torch.device("meta"):
        model = built(kind, **options)
        sizes = architecture.of(model.config.to_dict())
        assert sizes.exact
        assert sizes.n_params == sum(p.numel() for p in model.parameters())
        trained = sum(p.numel() for p in adapted(model, 8).parameters() if p.requires_grad)
    assert sizes.adapter(8) == trained


def test_an_adapter_on_some_matrices_is_smaller() -> None:
    sizes = architecture.of({**SIZES, "model_type": "llama"})
    assert sizes.adapter(8, ["q_proj"]) == 3 * 8 * (128 + 128)


def kept(model: Any, n: int, autocast: bool) -> int:
    """Sum the bytes that autograd keeps of `n` tokens for the backward pass, weights apart."""
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    seen: dict[int, int] = {}
    alive = []

    def pack(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        # Tensors of the sizes of weights are the copies that autocast makes of them.
        if storage.data_ptr() not in weights and n in tensor.shape:
            seen[storage.data_ptr()] = storage.nbytes()
            alive.append(tensor)
        return tensor

    body = getattr(model, "base_model", model)
    body = body.model.model if isinstance(model, peft.PeftModel) else model.model
    hooks = torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor)
    with hooks, torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        body(torch.randint(0, SIZES["vocab_size"], (1, n)))
    return sum(seen.values())


@pytest.mark.parametrize("kind", ["llama", "qwen2"])
@pytest.mark.parametrize("method", ["lora", "qlora", "full"])
@pytest.mark.parametrize("cpu", [True, False])
def test_a_layer_keeps_what_the_formula_says(kind: str, method: Any, cpu: bool) -> None:
    """Twice the layers keep twice as much, so that what is outside of them drops out."""
    if cpu and method == "qlora":
        pytest.skip("4 bits need a GPU")
    n, found = 301, []
    for layers in (2, 4):
        model = built(kind, num_hidden_layers=layers)
        if method != "full":
            model = adapted(model if cpu else model.to(torch.bfloat16), 16)
        if method == "lora":  # not of layers in 4 bits, here stood for by bfloat16
            assert lora.merge_products(model, "whole" if cpu else "half") == 7 * layers
        found.append(kept(model, n, autocast=not cpu))
    per_layer = (found[1] - found[0]) / 2 / n
    setup = Setup(
        model=architecture.of({**SIZES, "model_type": kind}), method=method, r=16, cpu=cpu
    )
    assert memory.kept_per_token(setup) == pytest.approx(per_layer, rel=0.03)


@pytest.mark.parametrize("r", [None, 16])
def test_operations_are_those_that_torch_counts(r: int | None) -> None:
    """Eager attention computes all scores, so that a token's context is the whole sequence."""
    n = 64
    model = built("qwen2")
    model.set_attn_implementation("eager")
    sizes = architecture.of(model.config.to_dict())
    if r:
        model = adapted(model, r)
    with FlopCounterMode(display=False) as counter:
        ids = torch.randint(0, SIZES["vocab_size"], (1, n))
        model(input_ids=ids, labels=ids).loss.backward()
    adapter = sizes.adapter(r) if r else None
    told = flops.of_model(sizes, context=n, adapter=adapter)
    assert told.executed == told.counted
    # With an adapter, nothing is computed back through the first projections of the first of three
    # layers, as nothing before them is trained.
    assert counter.get_total_flops() / n == pytest.approx(
        told.counted, rel=0.02 if r is None else 0.1
    )


def test_computing_again_adds_a_forward_pass_of_the_layers() -> None:
    sizes = architecture.of({**SIZES, "model_type": "llama"})
    once = flops.of_model(sizes, context=10)
    again = flops.of_model(sizes, context=10, checkpointing=True)
    assert again.counted == once.counted == once.executed
    extra = again.executed - once.executed
    assert extra == 2 * 3 * sizes.layer + 4 * 128 * 10 * 3


def test_logits_are_held_in_the_pieces_of_the_loss() -> None:
    assert {True: loss.PIECE["cpu"], False: loss.PIECE["cuda"]} == memory.PIECE


def test_a_pass_that_fits_is_the_largest_one() -> None:
    setup = Setup(model=architecture.of({**SIZES, "model_type": "llama"}), method="full", cpu=True)
    room = 2**30
    n = memory.fit_tokens(setup, room)
    assert memory.of(setup, n).total <= memory.SHARE * room < memory.of(setup, n + 1).total
    assert memory.fit_tokens(setup, 2**20) == 0


def test_nothing_is_said_of_a_model_that_tells_no_sizes() -> None:
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(
            transformers.AutoConfig.for_model("mamba", num_hidden_layers=1, vocab_size=50)
        )
    told = memory.tokens_that_fit(model, full=False, checkpointing=False, memory=2**36)
    assert told is None


def test_what_a_container_may_use_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit, none = tmp_path / "memory.max", tmp_path / "none"
    monkeypatch.setattr(memory, "GROUP_LIMITS", (none,))
    whole = memory.device_memory()
    monkeypatch.setattr(memory, "GROUP_LIMITS", (limit, none))
    limit.write_text("max\n")
    assert memory.device_memory() == whole
    limit.write_text("1073741824\n")
    assert memory.device_memory() == 2**30
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert memory.device_memory() == 2**29


def test_full_memory_is_told_in_one_line() -> None:
    with (
        pytest.raises(
            UserError, match=r"out of memory with 4,096 tokens in a forward pass: .*; gi"
        ),
        quiet.full_device(4096),
    ):
        torch.empty(2**60, dtype=torch.uint8)
    with (
        pytest.raises(UserError, match=r"with 9 tokens .*: CUDA out of memory\. Tried to allocate"),
        quiet.full_device(9),
    ):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nMore")
    with pytest.raises(RuntimeError, match="shapes"), quiet.full_device(9):
        torch.empty(2, 3) @ torch.empty(2, 3)
