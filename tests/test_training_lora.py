"""skythought/training: an adapter that is multiplied faster trains the same adapter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch: Any = pytest.importorskip("torch", reason="needs skythought[train]")
transformers: Any = pytest.importorskip("transformers", reason="needs skythought[train]")
peft: Any = pytest.importorskip("peft", reason="needs skythought[train]")


@pytest.mark.parametrize(("rank", "n"), [(2, 50), (7, 3), (60, 50), (60, 3)])
def test_the_gradients_of_an_adapter_are_exact_in_either_order(
    rank: int, n: int, device: str
) -> None:
    from skythought.training import lora

    torch.manual_seed(0)
    given = {"dtype": torch.float64, "device": device}
    x, dy = torch.randn(2, n, 24, **given), torch.randn(2, n, 40, **given)
    a = torch.randn(rank, 24, requires_grad=True, **given)
    b = torch.randn(40, rank, requires_grad=True, **given)
    ((x @ a.T @ b.T) * 0.5).backward(dy)
    found = lora.adapter_gradients(dy, x, a.detach(), b.detach(), 0.5)
    assert torch.allclose(found[0], a.grad)
    assert torch.allclose(found[1], b.grad)


def adapted(tiny_model: Path, **values: Any) -> Any:
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny_model)
    chosen = {"r": 4, "lora_alpha": 8, "target_modules": "all-linear", "task_type": "CAUSAL_LM"}
    return peft.get_peft_model(model, peft.LoraConfig(**chosen | values))


def steps(
    model: Any, n: int = 4, follows: bool = True, rounded: bool = False
) -> tuple[list[float], dict[str, Any]]:
    """Take steps large enough to be seen; gives losses and the adapter."""
    from skythought.training import lora

    model.train()
    torch.manual_seed(1)
    device = model.device
    ids = torch.randint(8, 60, (2, 12)).to(device)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=0.01, fused=True)  # changes no version
    if follows:
        lora.follow(model, optimizer)
    losses = []
    for _ in range(n):
        for part in ids[:, None]:  # two passes to a step: what is made once must not be stale
            with torch.autocast(device.type, torch.bfloat16, enabled=rounded):
                loss = model(input_ids=part, labels=part).loss
            loss.backward()
        losses.append(loss.item())
        optimizer.step()
        optimizer.zero_grad()
    return losses, {k: v.detach().clone() for k, v in peft.get_peft_model_state_dict(model).items()}


def adapted_products(tiny_model: Path, device: str) -> Any:
    from skythought.training import lora

    model = adapted(tiny_model).double().to(device)
    lora.merge_products(model)
    return model


def test_the_trainer_computes_with_what_it_has_learned(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from skythought import train
    from skythought.core import jsonl
    from skythought.training import lora

    pytest.importorskip("trl", reason="needs skythought[train]")
    data = tmp_path / "data.jsonl"
    rows = [f'{{"problem": "{i} plus 3?", "response": "{i + 3}."}}\n' for i in range(6)]
    data.write_text("".join(rows))
    losses = []
    for name in ("ours", "theirs"):
        if name == "theirs":
            monkeypatch.setattr(lora, "merge_products", lambda *_, **__: 0)
        folder = tmp_path / name
        train.run(
            train.Config(
                base_model=str(tiny_model),
                dataset=data,
                output_dir=folder,
                batch_size=6,
                lora_r=4,
                lr=0.02,
                max_steps=4,
                schedule="constant_with_warmup",
                warmup=0.0,
            )
        )
        losses.append([row["loss"] for _, row in jsonl.read_rows(folder / "log.jsonl")])
    assert losses[1][0] - losses[1][-1] > 0.1
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_one_product_trains_what_peft_trains(
    checkpointing: bool, device: str, tiny_model: Path, tmp_path: Path
) -> None:
    from skythought.training import lora

    theirs, ours = (adapted(tiny_model).double().to(device) for _ in range(2))
    assert lora.merge_products(ours) == 14  # seven linear layers in each of two blocks
    if checkpointing:
        ours.gradient_checkpointing_enable({"use_reentrant": False})
    expected, wanted = steps(theirs)
    found, weights = steps(ours)
    assert expected[0] - expected[-1] > 0.1
    stale, _ = steps(adapted_products(tiny_model, device), follows=False)
    assert stale[-1] == pytest.approx(expected[0], rel=1e-6)  # what is not followed learns nothing
    assert found == pytest.approx(expected, rel=1e-7)
    assert wanted.keys() == weights.keys()
    for name, tensor in wanted.items():
        assert torch.allclose(weights[name], tensor, atol=1e-7), name
    base = {k: v for k, v in ours.state_dict().items() if "base_layer" in k}
    assert all(torch.equal(v, theirs.state_dict()[k]) for k, v in base.items())
    ours.save_pretrained(tmp_path / "ours")
    theirs.save_pretrained(tmp_path / "theirs")
    one, two = ((tmp_path / who / "adapter_config.json").read_text() for who in ("ours", "theirs"))
    assert one == two
    fresh = transformers.AutoModelForCausalLM.from_pretrained(tiny_model).double().to(device)
    ids = torch.tensor([[9, 10, 11]], device=device)
    with ours.disable_adapter():
        assert torch.equal(ours(ids).logits, fresh(ids).logits)
    plain = peft.PeftModel.from_pretrained(fresh, tmp_path / "ours").double()
    assert torch.allclose(plain(ids).logits, ours.eval()(ids).logits, atol=1e-9)


@pytest.mark.parametrize("values", [{"lora_dropout": 0.1}, {"use_dora": True}, {"lora_bias": True}])
def test_other_adapters_are_left_to_peft(values: dict[str, Any], tiny_model: Path) -> None:
    from skythought.training import lora

    assert lora.merge_products(adapted(tiny_model, **values)) == 0


def test_bfloat16_is_left_to_peft(tiny_model: Path) -> None:
    from skythought.training import lora

    assert lora.merge_products(adapted(tiny_model).to(torch.bfloat16)) == 0


def of_one_step(tiny_model: Path, kind: str, dtype: str, device: str) -> dict[str, Any]:
    """Give the gradients of an adapter in float32, which is not zero, on a base of a type."""
    from skythought.training import lora

    model = adapted(tiny_model)
    model.train()
    torch.manual_seed(3)
    for name, weight in model.named_parameters():
        if "lora_" in name:
            weight.data = torch.randn_like(weight) * 0.1
        else:
            weight.data = weight.data.bfloat16().to(getattr(torch, dtype))
    model.to(device)
    if kind:
        assert lora.merge_products(model, "whole") == 0
        assert lora.merge_products(model, kind) > 0
    ids = torch.randint(8, 60, (2, 12)).to(device)
    with torch.autocast(device, torch.bfloat16, enabled=dtype == "bfloat16"):
        model(input_ids=ids, labels=ids).loss.backward()
    return {k: p.grad for k, p in model.named_parameters() if p.grad is not None}


def test_an_adapter_of_rounded_weights_is_as_exact_as_that_of_peft(
    device: str, tiny_model: Path
) -> None:
    exact, theirs, ours = (
        of_one_step(tiny_model, *how, device)
        for how in (("", "float32"), ("", "bfloat16"), ("half", "bfloat16"))
    )
    assert ours.keys() == exact.keys()
    assert {gradient.dtype for gradient in ours.values()} == {torch.float32}

    def off(found: dict[str, Any]) -> float:
        errors = [(found[name] - true).norm() / true.norm() for name, true in exact.items()]
        return float(sum(errors) / len(errors))

    assert 0 < off(ours) < 0.08  # 0.024 to 0.044 in eight draws
    assert off(ours) < 1.5 * off(theirs)  # 0.92 in the mean of 12 draws


@pytest.mark.parametrize("checkpointing", [False, True])
def test_what_is_rounded_once_a_step_is_what_every_pass_would_round(
    checkpointing: bool, device: str, tiny_model: Path
) -> None:
    from torch.utils._python_dispatch import TorchDispatchMode

    from skythought.training import lora

    class Count(TorchDispatchMode):  # type: ignore[misc]
        n = 0

        def __torch_dispatch__(
            self, function: Any, _: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            self.n += function is torch.ops.aten._to_copy.default
            return function(*args, **(kwargs or {}))

    def trained(keeps: bool, follows: bool = True) -> tuple[list[float], dict[str, Any], int]:
        model = adapted(tiny_model)
        for name, weight in model.named_parameters():
            weight.data = weight.data.to(torch.float32 if "lora_" in name else torch.bfloat16)
        model.to(device)
        assert lora.merge_products(model, "half", keeps=keeps) == 14
        if checkpointing:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        with Count() as copies:
            losses, weights = steps(model, follows=follows, rounded=True)
        return losses, weights, copies.n

    kept, each, stale = trained(True), trained(False), trained(True, follows=False)
    assert each[0][0] - each[0][-1] > 0.1
    assert kept[0] == each[0]
    assert all(torch.equal(tensor, each[1][name]) for name, tensor in kept[1].items())
    assert stale[0] != kept[0]
    # A and B of 14 layers, forward and back, again with checkpointing, in all passes but the first.
    assert each[2] - kept[2] == 2 * 14 * ((3 if checkpointing else 2) * 8 - 4)
