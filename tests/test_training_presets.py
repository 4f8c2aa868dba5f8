"""skythought/training/presets.py: what is published, and what wins over what."""

from __future__ import annotations

from typing import Any, get_args, get_type_hints

import pytest

from skythought import train
from skythought.core.errors import UserError
from skythought.training import presets

SHARED = {"batch_size": 96, "warmup": 0.1, "schedule": "cosine", "max_length": 16384}


@pytest.mark.parametrize(
    ("preset", "given", "expected"),
    [
        ("", {}, {"full": False, "lora_r": 64, "lora_alpha": 128, "lr": 1e-4, "epochs": 3}),
        ("", {"full": True}, {"full": True, "lr": 1e-5, "epochs": 3}),
        ("", {"lora_r": 8}, {"lora_r": 8, "lora_alpha": 16}),
        ("", {"lora_r": 8, "lora_alpha": 4, "lr": 2.0}, {"lora_r": 8, "lora_alpha": 4, "lr": 2}),
        ("sky-t1-full", {}, {"full": True, "lr": 1e-5, "epochs": 3}),
        ("sky-t1-lora", {}, {"full": False, "lora_r": 64, "lora_alpha": 128, "lr": 1e-4}),
        ("article-lora", {}, {"lora_r": 128, "lora_alpha": 256, "lr": 1e-4, "epochs": 2}),
        ("article-lora", {"lora_r": 16}, {"lora_r": 16, "lora_alpha": 32, "epochs": 2}),
        ("article-lora", {"epochs": 1.5, "lr": 3e-4}, {"epochs": 1.5, "lr": 3e-4, "lora_r": 128}),
        ("sky-t1-full", {"full": True, "lr": 2e-5}, {"full": True, "lr": 2e-5}),
    ],
)
def test_a_flag_wins_over_the_preset_and_that_over_the_defaults(
    preset: str, given: dict[str, Any], expected: dict[str, Any]
) -> None:
    found = presets.choose(preset, given)
    expected = SHARED | {"lora_dropout": 0.0} | expected
    assert {k: getattr(found, k) for k in expected} == expected


@pytest.mark.parametrize(
    ("preset", "given", "told"),
    [
        ("sky-t1", {}, "unknown preset 'sky-t1': did you mean"),
        ("sky-t1-full", {"lora_alpha": 8}, "--lora_alpha 8: preset sky-t1-full trains all weights"),
        ("article-lora", {"full": True}, "--full: preset article-lora trains an adapter; choose"),
    ],
)
def test_what_contradicts_a_preset_is_refused(
    preset: str, given: dict[str, Any], told: str
) -> None:
    with pytest.raises(UserError, match=told):
        presets.choose(preset, given)


def test_the_flag_knows_every_preset() -> None:
    for name in presets.PRESETS:
        config = train.Config(base_model="m", dataset="d", preset=name)  # type: ignore[arg-type]
        assert train.hyperparameters(config) == presets.choose(name, {})
    assert {*get_args(get_type_hints(train.Config)["preset"])} == {"", *presets.PRESETS}
