"""skythought/training/card.py: a checkpoint says what it was made of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from skythought import train
from skythought.training import card

CONFIG = {
    "full": False,
    "base_model": "tiny@0123456789ab",
    "dataset": "feedc0de00000000",
    "n_examples": 1234,
    "lora_r": 8,
    "preset": "",
    "lr": 1e-4,
}
RESULT = {
    "steps": 20,
    "samples": 1230,
    "truncated": 3,
    "dropped": 4,
    "tokens": 98765,
    "loss": 0.5,
    "tokens_per_s": 321.4,
    "mfu": 0.413,
    "seconds": 307.2,
}
LOG: list[dict[str, Any]] = [
    {"step": i, "loss": 2 - i / 20, "loss_structural": 1 / i, "tokens": 1000 * i}
    for i in range(1, 20)
]
LOG.append({"step": 20, "loss": None, "tokens": 20_000})  # it was no number


@pytest.fixture
def made(tmp_path: Path) -> card.Card:
    base = tmp_path / "tiny"
    base.mkdir()
    (base / "README.md").write_text("---\ntags: [x]\nlicense: apache-2.0\n---\n# Tiny\n")
    data = tmp_path / "r1.jsonl"
    data.write_text("")
    return card.Card(
        name="student",
        base=str(base),
        base_folder=base,
        dataset=data,
        command="skythought train",
        manifest={"config": CONFIG, "versions": {"torch": "2.13"}, "revision": "abc"},
        result=RESULT,
        log=LOG,
    )


def test_what_a_card_says(made: card.Card) -> None:
    text = card.write(made)
    assert text.startswith(
        '---\nbase_model: "tiny"\nlibrary_name: "peft"\npipeline_tag: "text-generation"\n'
        'license: "apache-2.0"\ntags: ["reasoning", "skythought", "lora"]\n---\n\n# student\n'
    )
    for said in (
        "A LoRA adapter for `tiny` (`tiny@0123456789ab`)",
        'AutoPeftModelForCausalLM.from_pretrained("student")',
        "| tokens, without padding | 98,765 |",
        "| 1 | 1.950 | 1.000 | – | 1,000 |",
        "| 20 | – | – | – | 20,000 |",
        "| model FLOPs utilisation | 41.3% |",
        "| hash of its prompts and completions | feedc0de00000000 |",
        "| made by | not stated: no manifest of skythought beside it |",
        "Base: apache-2.0. Data: not stated beside the dataset.",
        "| lr | 0.0001 |",
        "| torch | 2.13 |",
        "| revision | abc |",
    ):
        assert said in text, said
    assert "| preset |" not in text
    assert str(made.dataset.parent) not in text  # no paths of this machine
    assert text.count("\n| 1") <= card.LOSSES + 2


def test_the_lineage_of_a_curated_set(made: card.Card) -> None:
    facts = {
        "stage": "curate",
        "config": {"outcome": "correct", "inputs": ["d24b"], "benchmarks": None},
        "counts": {"kept": 37, "dropped": {"verdict incorrect": 3}},
    }
    Path(f"{made.dataset}.manifest.json").write_text(json.dumps(facts))
    Path(f"{made.dataset}.card.md").write_text(
        '---\nlicense: "mit"\n---\n# x\n\n## Where it came from\n\n'
        "| input | licence |\n|---|---|\n| tolls\x1b[2J | MIT |\n\n## Rest\n\nmore\n"
    )
    text = card.write(made)
    assert "| made by | skythought curate |\n| outcome | correct |" in text
    assert '| inputs | ["d24b"] |' in text
    assert '| dropped, then | {"verdict incorrect": 3} |' in text
    assert "Where it came from:\n\n| input | licence |\n|---|---|\n| tolls" in text
    assert "\x1b" not in text
    assert "more" not in text
    assert "Data: mit." in text


def test_the_card_of_full_weights_and_of_a_hub_model(made: card.Card) -> None:
    full = made._replace(
        base="Qwen/Qwen2.5-7B-Instruct",
        base_folder=None,
        dataset=Path("owner/name"),
        manifest={**made.manifest, "config": CONFIG | {"full": True}},
    )
    text = card.write(full)
    assert 'base_model: "Qwen/Qwen2.5-7B-Instruct"\nlibrary_name: "transformers"\n' in text
    assert "license:" not in text
    assert "from transformers import AutoModelForCausalLM\n" in text
    assert "| dataset | owner/name |" in text
    assert "see the card of the base" in text


@pytest.mark.parametrize("broken", ["", "{", "[]", '{"stage": 1}', '{"stage": "x", "config": 3}'])
def test_a_broken_manifest_is_none(broken: str, made: card.Card) -> None:
    Path(f"{made.dataset}.manifest.json").write_text(broken)
    assert "no manifest of skythought beside it" in card.write(made)


def test_names_cannot_break_the_card(made: card.Card) -> None:
    text = card.write(made._replace(name="a\n# b | c\x1b"))
    assert "\n# a # b \\| c" in text
    assert "\x1b" not in text


def test_the_card_of_a_merged_model(made: card.Card) -> None:
    text = card.of_merged(card.write(made))
    assert 'library_name: "transformers"' in text
    assert "A LoRA adapter merged into `tiny`" in text
    assert "peft" not in text.lower().replace("| peft |", "")


def test_the_command_is_the_one_that_was_given() -> None:
    values: dict[str, Any] = {"base_model": "my model", "dataset": Path("r1.jsonl"), "lora_r": 128}
    config = train.Config(**values, lr=1e-4, dora=True, resume=False)
    assert card.command_line("train", config).split(" \\\n  ") == [
        "skythought train",
        "--base_model 'my model'",
        "--dataset r1.jsonl",
        "--lora_r 128",
        "--dora",
        "--lr 0.0001",
        "--no_resume",
    ]
