"""skythought/training/mask.py: a person sees what is learned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from skythought.core.records import Example, Message
from skythought.training import data, mask

transformers: Any = pytest.importorskip("transformers", reason="needs skythought[train]")


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> Any:
    return transformers.AutoTokenizer.from_pretrained(tiny_model)


def shown(tokenizer: Any, said: str, ask: str = "3?", colour: bool = False) -> Any:
    example = Example(id="e", trace_id="", messages=(Message("user", ask),), completion=said)
    rows = data.tokenize(tokenizer, [example], 1000)
    return mask.show(tokenizer, rows.input_ids[0], rows.labels[0], colour=colour)


def test_what_is_learned_stands_in_brackets(tokenizer: Any) -> None:
    assert shown(tokenizer, "4.").plain == "<|user|>3?<|assistant|>⟦4.<|end|>⟧"


def test_what_is_learned_is_green(tokenizer: Any) -> None:
    text = shown(tokenizer, "4.", colour=True)
    styles = [(text.plain[s.start : s.end], s.style) for s in text.spans]
    assert styles == [("<|user|>3?<|assistant|>", "dim"), ("4.<|end|>", "green")]


def test_the_middle_of_a_long_part_is_left_out(tokenizer: Any) -> None:
    text = shown(tokenizer, "7" * 500, "3" * 300).plain
    assert text == (
        f"<|user|>{'3' * 79} … 182 tokens … {'3' * 39}<|assistant|>"
        f"⟦{'7' * 80} … 381 tokens … {'7' * 39}<|end|>⟧"
    )


def test_nothing_steers_the_terminal() -> None:
    class Bytes:
        def decode(self, ids: list[int], **_: Any) -> str:
            return bytes(ids).decode()

    text = mask.show(Bytes(), [27, 65, 10], [27, 65, 10], colour=True).plain
    assert text == "\N{REPLACEMENT CHARACTER}A\n"
