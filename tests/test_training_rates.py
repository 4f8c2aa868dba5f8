"""skythought/training/rates.py: what a token needs and what an hour costs, for a model and data."""

from __future__ import annotations

from array import array
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from skythought.training import hardware, rates
from skythought.training.data import Rows

torch: Any = pytest.importorskip("torch", reason="needs skythought[train]")
transformers: Any = pytest.importorskip("transformers", reason="needs skythought[train]")
peft: Any = pytest.importorskip("peft", reason="needs skythought[train]")

# Six tokens of which two are learned; a token sees (1 + 2 + 1 + 2 + 3 + 4) / 6 in the mean.
IDS = [array("i", ids) for ids in ([5, 6], [5, 6, 7, 8])]
LABELS = [array("i", labels) for labels in ([-100, 6], [-100, -100, -100, 8])]
ROWS = Rows(IDS, LABELS, 0, 0, [], [])
CARD = hardware.Card("H100", 1, 1e15, 1, 1, 1, 0.5, 3.0, "a list")


@pytest.fixture
def model(tiny_model: Path) -> Any:
    """Give a model of two layers, width 32, 64 inside, one of two heads for keys."""
    return transformers.AutoModelForCausalLM.from_pretrained(tiny_model)


@pytest.fixture(autouse=True)
def card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "_card", lambda: CARD)


def test_what_a_token_needs_counted_by_hand(model: Any) -> None:
    layers = 2 * (32 * 32 + 32 * 16 + 32 * 16 + 32 * 32 + 3 * 32 * 64)  # q, k, v, o, feed-forward
    head = 32 * model.config.vocab_size
    attention = 2 * 4 * 32 * 13 / 6
    full = 6 * layers + 3 * attention + 6 * head / 3  # logits of a third of the tokens
    assert rates.needed(model, ROWS) == pytest.approx(full)
    adapted = peft.get_peft_model(
        model, peft.LoraConfig(r=4, target_modules=["q_proj"], task_type="CAUSAL_LM")
    )
    adapter = 2 * 4 * (32 + 32)
    frozen = 4 * layers + 3 * attention + 4 * head / 3 + 6 * adapter
    assert rates.needed(adapted, ROWS) == pytest.approx(frozen)


@pytest.mark.parametrize(("given", "price"), [(None, 3.0), (1.5, 1.5), (0.0, 0.0)])
def test_the_price_given_goes_before_the_list(given: float | None, price: float) -> None:
    found = rates.of_machine(4, given, None)
    assert (found.peak_flops, found.price) == (1e15, price)
    assert found.cost(1800) == {"cost": 2 * price}


def test_a_model_nobody_can_count_has_no_utilisation() -> None:
    config = SimpleNamespace(to_dict=lambda: {"model_type": "mamba"})
    model = SimpleNamespace(config=config)
    assert rates.needed(model, ROWS) is None
    found = rates.of_machine(1, None, None)
    assert found.pace(10, 2.0) == {"tokens_per_s": 5.0, "tokens_per_s_device": 5.0}
