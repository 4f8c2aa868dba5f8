"""skythought/training: samples in one row are as if each were alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skythought.core.errors import UserError

torch: Any = pytest.importorskip("torch", reason="needs skythought[train]")
transformers: Any = pytest.importorskip("transformers", reason="needs skythought[train]")
pytest.importorskip("trl", reason="needs skythought[train]")

LENGTHS = st.lists(st.integers(1, 60), min_size=1, max_size=40)
RANKS, TOKENS, MOST = st.integers(1, 5), st.integers(1, 120), st.integers(1, 9)


@given(LENGTHS, TOKENS, MOST, RANKS)
def test_rows_hold_every_sample_once_and_keep_to_the_limits(
    lengths: list[int], tokens: int, samples: int, n_ranks: int
) -> None:
    from skythought.training import packing

    rows = packing.pack(lengths, tokens=tokens, samples=samples, n_ranks=n_ranks)
    loads = [sum(lengths[i] for i in row) for row in rows]
    assert sorted(i for row in rows for i in row) == list(range(len(lengths)))
    assert len(rows) % n_ranks == 0
    assert loads == sorted(loads, reverse=True)
    assert max(loads) <= max(tokens, *lengths)
    assert max(map(len, rows)) <= samples
    groups = packing.pad(lengths, tokens=tokens, samples=samples, n_ranks=n_ranks)
    assert sorted(i for group in groups for i in group) == list(range(len(lengths)))
    assert len(groups) % n_ranks == 0
    assert max(map(len, groups)) <= samples
    assert all(
        len(group) == 1 or len(group) * max(lengths[i] for i in group) <= tokens
        for group in groups
        if group
    )


def test_rows_are_few_and_balanced() -> None:
    from skythought.training import packing

    assert packing.pack([900, 700, 300, 100], tokens=1000) == [[0, 3], [1, 2]]
    assert packing.pack([5, 3], tokens=100, n_ranks=4) == [[0], [1], [], []]
    lengths = [(37 * i) % 500 + 500 for i in range(96)]
    rows = packing.pack(lengths, tokens=8192, n_ranks=8)
    loads = [sum(lengths[i] for i in row) for row in rows]
    assert len(rows) == 16  # 71,000 tokens fill 8.7 rows
    assert min(loads) > 0.9 * max(loads)


@given(LENGTHS, RANKS, st.booleans())
def test_a_step_has_the_same_samples_however_many_processes_share_it(
    lengths: list[int], n_ranks: int, packed: bool
) -> None:
    from skythought.training.packing import Batches

    def steps(ranks: int, epoch: int) -> list[list[int]]:
        batches = Batches(lengths, batch_size=7, tokens=100, n_ranks=ranks, packed=packed, seed=3)
        batches.set_epoch(epoch)
        dealt = list(batches)
        assert len(dealt) == len(batches)
        shares = [dealt[i : i + ranks] for i in range(0, len(dealt), ranks)]
        for share in shares:
            assert len({len(passes) for passes in share}) == 1  # so that no process waits for ever
        return [sorted(i for p in share for one in p for i in one) for share in shares]

    assert steps(n_ranks, 1) == steps(1, 1)
    assert sorted(i for step in steps(1, 1) for i in step) == list(range(len(lengths)))


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    from skythought.training.packing import Batches

    def first(seed: int, epoch: int) -> list[list[int]]:
        batches = Batches([1] * 50, batch_size=8, tokens=100, seed=seed)
        batches.set_epoch(epoch)
        return next(iter(batches))

    orders = [str(first(seed, epoch)) for seed in (0, 1) for epoch in (0, 1)]
    assert len(set(orders)) == 4
    assert first(1, 1) == first(1, 1)


# --- the samples of a row do not see each other ------------------------------------------------

SAMPLES = [[9, 10, 11, 12, 13], [20, 21], [30, 31, 32, 33, 34, 35, 36, 37]]
LABELS = [[-100, -100, *row[2:]] if len(row) > 2 else [-100, row[1]] for row in SAMPLES]
BACKENDS = ("segments", "sdpa", "eager")


def passes(packed: bool, samples: list[list[int]], labels: list[list[int]]) -> Any:
    from skythought.training.packing import Batches, Passes

    batches = Batches([len(s) for s in samples], batch_size=9, tokens=99, packed=packed)
    return Passes({"input_ids": samples, "labels": labels}, batches, 0)


def model_of(tiny_model: Path, backend: str, **values: Any) -> Any:
    """A model whose training loss can be asked, with this attention."""
    from trl.trainer.utils import add_fused_lm_head

    from skythought.training import attention, loss

    torch.manual_seed(0)
    config = transformers.AutoConfig.from_pretrained(tiny_model)
    if values:
        config = transformers.MistralConfig(**config.to_dict() | {"model_type": "mistral"} | values)
    model = transformers.AutoModelForCausalLM.from_config(config)
    add_fused_lm_head(model)
    assert loss.add_head(model)
    attention.use(model, backend)
    return model


def asked(model: Any, one: dict[str, Any], backend: str) -> Any:
    from skythought.training import attention

    device = model.device
    inputs = {k: v.to(device) for k, v in one.items() if k not in ("segments", "n_tokens")}
    if "segments" in one:
        inputs |= attention.arguments(one["segments"], backend, device)
    return model(**inputs, fused_lm_head=True, num_items_in_batch=10)


@pytest.mark.parametrize("sliding_window", [None, 3])
@pytest.mark.parametrize("backend", BACKENDS)
def test_packed_loss_and_gradients_equal_those_of_samples_alone(
    backend: str, sliding_window: int | None, device: str, tiny_model: Path
) -> None:
    from skythought.training import attention

    values = {} if sliding_window is None else {"sliding_window": sliding_window}
    model = model_of(tiny_model, backend, **values).to(device)
    if sliding_window and backend == "segments":
        assert "sliding window" in attention.obstacle(model, backend)
        return
    assert attention.obstacle(model, backend) == ""
    packed = asked(model, passes(True, SAMPLES, LABELS)[[0, 1, 2]], backend)
    packed.loss.backward()
    found = {name: p.grad.clone() for name, p in model.named_parameters()}
    model.zero_grad()
    alone = passes(False, SAMPLES, LABELS)
    plain = model_of(tiny_model, "eager", **values).to(device)
    losses = [asked(plain, alone[[i]], "eager") for i in range(3)]
    total = sum(one.loss for one in losses)
    total.backward()
    assert packed.loss.item() == pytest.approx(total.item(), rel=1e-5)
    assert torch.allclose(packed.log_probs, torch.cat([o.log_probs for o in losses]), atol=1e-5)
    for name, p in plain.named_parameters():
        near = 1e-6 if device == "cpu" else 1e-5  # packed or alone, a GPU has other kernels
        assert torch.allclose(found[name], p.grad, atol=near, rtol=1e-3), name


@pytest.mark.parametrize("backend", [*BACKENDS, "none"])
def test_a_sample_changes_nothing_for_its_neighbours(
    backend: str, device: str, tiny_model: Path
) -> None:
    """And it would be seen: attention that is told nothing does leak."""
    used = "segments" if backend == "none" else backend
    model = model_of(tiny_model, used).to(device)
    other = [[40, 41, 42, 43, 44], *SAMPLES[1:]]
    first, second = (passes(True, rows, LABELS)[[0, 1, 2]] for rows in (SAMPLES, other))
    if backend == "none":
        for one in (first, second):
            del one["segments"]
    before, after = (asked(model, one, used).log_probs for one in (first, second))
    assert not torch.allclose(before[:3], after[:3], atol=1e-3)
    leaks = not torch.allclose(before[3:], after[3:], atol=1e-6)
    assert leaks == (backend == "none")


def test_what_flash_attention_is_told() -> None:
    from skythought.training import attention

    told = attention.arguments([5, 2, 8], "flash_attention_2", "cpu")
    assert told["cu_seq_lens_q"].tolist() == told["cu_seq_lens_k"].tolist() == [0, 5, 7, 15]
    assert told["cu_seq_lens_q"].dtype == torch.int32
    assert (told["max_length_q"], told["max_length_k"]) == (8, 8)
    assert attention.arguments([5], "sdpa", "cpu") == {}


def test_a_padded_pass_and_one_of_no_samples() -> None:
    padded = passes(False, SAMPLES, LABELS)[[0, 1]]
    assert padded["input_ids"].tolist() == [[9, 10, 11, 12, 13], [20, 21, 0, 0, 0]]
    assert padded["attention_mask"].tolist() == [[1] * 5, [1, 1, 0, 0, 0]]
    assert padded["labels"].tolist() == [[-100, -100, 11, 12, 13], [-100, 21, *[-100] * 3]]
    assert padded["n_tokens"] == 7
    row = passes(True, SAMPLES, [s[:] for s in SAMPLES])[[0, 1]]
    assert row["position_ids"].tolist() == [[0, 1, 2, 3, 4, 0, 1]]
    assert row["labels"].tolist() == [[-100, 10, 11, 12, 13, -100, 21]]
    for packed in (True, False):
        empty = passes(packed, SAMPLES, LABELS)[[]]
        assert (empty["labels"].tolist(), empty["n_tokens"]) == ([[-100]], 0)


@pytest.mark.parametrize(
    ("change", "wanted", "told"),
    [
        ({"layer_types": ["full_attention", "linear_attention"]}, "auto", "linear_attention"),
        ({}, "paged|sdpa", "nothing is known about the attention backend 'paged|sdpa'"),
        ({"attn_logit_softcapping": 50.0}, "segments", "capped scores"),
    ],
)
def test_packing_is_refused_with_a_reason_where_samples_would_see_each_other(
    change: dict[str, Any], wanted: str, told: str, tiny_model: Path
) -> None:
    from skythought.training import attention

    model = model_of(tiny_model, "sdpa")
    for name, value in change.items():
        setattr(model.config, name, value)
    assert attention.choose(model, wanted)[1] is False
    with pytest.raises(
        UserError, match=r"--packing: LlamaForCausalLM cannot be packed: "
    ) as caught:
        attention.choose(model, wanted, packing=True)
    assert told in str(caught.value)


def test_what_is_chosen(tiny_model: Path) -> None:
    from skythought.training import attention

    model = model_of(tiny_model, "sdpa")
    assert attention.choose(model) == ("segments", True)
    assert attention.choose(model, packing=False) == ("sdpa", False)
    assert attention.choose(model, "eager") == ("eager", True)
    assert attention.choose(model, "flash_attention_2", packing=True)[1]
    sliding = model_of(tiny_model, "sdpa", sliding_window=3)
    assert attention.choose(sliding) == ("sdpa", True)
    with pytest.raises(UserError, match="--attention flashy: "):
        attention.use(model, "flashy")
