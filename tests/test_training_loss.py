"""skythought/training: the loss that never holds all logits equals the one that does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch: Any = pytest.importorskip("torch", reason="needs skythought[train]")
transformers: Any = pytest.importorskip("transformers", reason="needs skythought[train]")
pytest.importorskip("trl", reason="needs skythought[train]")


def tensors(n: int, dtype: Any, bias: bool, device: str) -> tuple[Any, Any, Any, Any]:
    torch.manual_seed(0)
    sizes = [(n, 16), (50, 16), (50,)]
    made = [torch.randn(*size, dtype=dtype).to(device).requires_grad_() for size in sizes]
    return made[0], made[1], made[2] if bias else None, torch.randint(50, (n,)).to(device)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("dtype", "near"), [("float32", 1e-5), ("bfloat16", 6e-2)])
@pytest.mark.parametrize("piece", [1, 7, 100])
def test_pieces_give_the_loss_and_the_gradients_of_the_whole(
    piece: int, dtype: str, near: float, bias: bool, device: str
) -> None:
    from skythought.training import loss

    hidden, weight, extra, labels = tensors(23, getattr(torch, dtype), bias, device)
    total, log_probs = loss.cross_entropy(hidden, weight, extra, labels, piece)
    (total * 0.5).backward()
    given = [hidden, weight] + [extra] * bias
    exact = [t.detach().double().requires_grad_() for t in given]
    logits = torch.nn.functional.linear(*exact)
    expected = torch.nn.functional.cross_entropy(logits, labels, reduction="sum")
    (expected * 0.5).backward()
    assert total.item() == pytest.approx(expected.item(), rel=near)
    assert log_probs.sum().item() == pytest.approx(-total.item(), rel=1e-6)
    assert not log_probs.requires_grad
    for found, wanted in zip(given, exact, strict=True):
        scale = wanted.grad.abs().max()
        assert (found.grad.double() - wanted.grad).abs().max() < near * scale


@pytest.mark.parametrize("autocast", [False, True])
def test_what_is_learned_of_sure_tokens_survives_rounding(autocast: bool, device: str) -> None:
    """Most tokens of a trace are nearly certain; their gradient is a difference of like numbers."""
    from skythought.training import loss

    torch.manual_seed(0)
    weight = torch.randn(50, 64).bfloat16().float().to(device).requires_grad_()
    labels = torch.arange(50, device=device)
    noise = 0.02 * torch.randn(50, 64).to(device)
    hidden = (weight.detach() * 0.15 + noise).bfloat16().float().requires_grad_()
    exact = [t.detach().double().requires_grad_() for t in (hidden, weight)]
    logits = exact[0] @ exact[1].T
    torch.nn.functional.cross_entropy(logits, labels, reduction="sum").backward()
    assert logits.softmax(-1)[labels, labels].median() > 0.99
    given = [t.detach() if autocast else t.detach().bfloat16() for t in (hidden, weight)]
    given = [t.requires_grad_() for t in given]
    with torch.autocast(device, torch.bfloat16, enabled=autocast):
        total, _ = loss.cross_entropy(given[0], given[1], None, labels)
    total.backward()
    for mine, true in zip(given, exact, strict=True):
        off = (mine.grad.double() - true.grad).norm(dim=-1) / true.grad.norm(dim=-1)
        assert off.max() < 0.06


def test_a_frozen_head_and_no_tokens(device: str) -> None:
    from skythought.training import loss

    hidden, weight, _, labels = tensors(5, torch.float32, False, device)
    total, _ = loss.cross_entropy(hidden, weight.detach(), None, labels)
    total.backward()
    assert weight.grad is None
    hidden.grad = None
    total, log_probs = loss.cross_entropy(hidden[:0], weight, None, labels[:0])
    total.backward()  # a process without a completion still takes part
    assert (total.item(), len(log_probs)) == (0.0, 0)
    assert hidden.grad.abs().sum() == 0


def head(tiny_model: Path) -> Any:
    from trl.trainer.utils import add_fused_lm_head

    model = transformers.AutoModelForCausalLM.from_pretrained(tiny_model)
    add_fused_lm_head(model)
    return model


def test_the_head_gives_what_the_model_itself_gives(device: str, tiny_model: Path) -> None:
    from skythought.training import loss

    ids = torch.randint(8, 60, (2, 9)).to(device)
    labels = ids.clone()
    labels[0, :4], labels[1, :6] = -100, -100
    model = head(tiny_model).to(device)
    plain = model(input_ids=ids, labels=labels)
    theirs = model(input_ids=ids, labels=labels, fused_lm_head=True)
    assert loss.add_head(model)
    ours = model(input_ids=ids, labels=labels, fused_lm_head=True)
    assert ours.loss.item() == pytest.approx(plain.loss.item(), rel=1e-6)
    assert torch.equal(ours.label_mask, theirs.label_mask)
    assert torch.allclose(ours.log_probs, theirs.log_probs[theirs.label_mask], atol=1e-5)
    assert torch.equal(model(input_ids=ids, labels=labels).logits, plain.logits)
    half = model(input_ids=ids, labels=labels, fused_lm_head=True, num_items_in_batch=16)
    assert half.loss.item() == pytest.approx(ours.loss.item() / 2, rel=1e-6)


def test_a_model_that_scales_its_logits_keeps_the_head_of_trl(tiny_model: Path) -> None:
    from skythought.training import loss

    model = head(tiny_model)
    before = model.forward
    model.config.final_logit_softcapping = 30.0
    assert not loss.add_head(model)
    assert model.forward == before


@pytest.mark.parametrize("packed", [True, False])
def test_who_watches_is_given_the_kinds_of_the_completion_tokens(
    packed: bool, tiny_model: Path, tmp_path: Path
) -> None:
    from datasets import Dataset
    from trl import SFTConfig

    from skythought.training.trainer import Trainer

    rows: dict[str, Any] = {
        "input_ids": [[9, 10, 11, 12], [13, 14, 15]],
        "labels": [[-100, -100, 11, 12], [-100, 14, 15]],
        "kinds": [[0, 0, 3, 4], [0, 5, 6]],
    }
    seen: list[tuple[list[int], list[float]]] = []
    trainer = Trainer(
        model=transformers.AutoModelForCausalLM.from_pretrained(tiny_model),
        args=SFTConfig(
            output_dir=str(tmp_path),
            learning_rate=0.0,
            max_steps=1,
            save_strategy="no",
            disable_tqdm=True,
            dataset_kwargs={"skip_prepare_dataset": True},
            report_to="none",
            use_cpu=True,
            bf16=False,
        ),
        train_dataset=Dataset.from_dict(rows),
        columns=rows,
        batch_size=2,
        micro_tokens=100,
        packed=packed,
        processing_class=transformers.AutoTokenizer.from_pretrained(tiny_model),
        watch=lambda logs, kinds: seen.append((kinds.tolist(), logs.tolist())),
    )
    result = trainer.train()
    [(kinds, logs)] = seen
    assert kinds == [3, 4, 5, 6]
    assert result.training_loss == pytest.approx(-sum(logs) / 4, rel=1e-6)
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny_model)
    for ids, labels, marks in zip(*rows.values(), strict=True):
        whole = model(torch.tensor([ids])).logits[0].log_softmax(-1)
        for i, label in enumerate(labels):
            if label != -100:
                expected = whole[i - 1, label].item()
                assert logs[kinds.index(marks[i])] == pytest.approx(expected, abs=1e-5)
