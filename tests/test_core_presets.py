"""skythought/core/presets.py: which model is sampled how, and who says so."""

from __future__ import annotations

import doctest
import re

import pytest

from skythought.core import presets
from skythought.core.errors import UserError
from skythought.core.records import Sampling


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("deepseek-ai/DeepSeek-R1", "DeepSeek-R1 and its distilled models"),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-32B", "DeepSeek-R1 and its distilled models"),
        ("deepseek-reasoner", "DeepSeek-R1 and its distilled models"),
        ("/models/QwQ-32B/", "QwQ"),
        ("Qwen/QwQ-32B-Preview", "QwQ"),
        ("Qwen/Qwen3-32B", "Qwen3, thinking"),
        ("Qwen/Qwen3-0.6B", "Qwen3, thinking"),
        ("Qwen/Qwen3-235B-A22B-Thinking-2507", "Qwen3, thinking"),
        ("Qwen/Qwen3-30B-A3B-FP8", "Qwen3, thinking"),
        ("NovaSky-AI/Sky-T1-32B-Preview", "Sky-T1"),
        ("NovaSky-AI/Sky-T1-mini", "Sky-T1"),
        ("o3", "OpenAI reasoning models"),
        ("o4-mini-2025-04-16", "OpenAI reasoning models"),
        ("o3-pro", "OpenAI reasoning models"),
        ("gpt-5.1", "OpenAI reasoning models"),
        ("gpt-5.2-mini-2026-01-01", "OpenAI reasoning models"),
        ("o1-mini", "OpenAI reasoning models of one effort"),
        ("o1-preview-2024-09-12", "OpenAI reasoning models of one effort"),
        ("gpt-5-pro-2025-10-06", "OpenAI reasoning models of one effort"),
        ("gpt-5.2-pro", "OpenAI reasoning models"),  # medium, high and xhigh
        ("gpt-5.6-sol", "OpenAI reasoning models"),
        ("openai/gpt-oss-120b", "gpt-oss"),
        ("gpt-oss:20b", "gpt-oss"),
        ("Qwen/Qwen3-Next-80B-A3B-Thinking", "Qwen3-Next, thinking"),
        ("Qwen/Qwen3-Next-80B-A3B-Thinking-FP8", "Qwen3-Next, thinking"),
        ("qwen3:32b", "Qwen3, thinking"),
        ("qwen3:latest", "Qwen3, thinking"),
        ("qwen3:30b-a3b-thinking-2507-q4_K_M", "Qwen3, thinking"),
        ("unsloth/Qwen3-32B-GGUF", "Qwen3, thinking"),
        ("/models/Qwen3-32B-Q4_K_M.gguf", "Qwen3, thinking"),
        ("Qwen/Qwen3-32B-AWQ", "Qwen3, thinking"),
        ("unsloth/Qwen3-8B-bnb-4bit", "Qwen3, thinking"),
        ("Qwen/QwQ-32B-AWQ", "QwQ"),
        ("qwq:32b", "QwQ"),
        ("deepseek-r1:32b", "DeepSeek-R1 and its distilled models"),
        ("DeepSeek-R1-Distill-Qwen-32B-Q4_K_M.gguf", "DeepSeek-R1 and its distilled models"),
        ("gpt-5-chat-latest", None),
        ("qwen3:4b-instruct-2507-q8_0", None),
        ("Qwen/Qwen3-Next-80B-A3B-Instruct", None),
        ("qwen3-coder:30b", None),
        ("Qwen/Qwen2.5-32B-Instruct", "Qwen2.5-Instruct"),
        ("Qwen/Qwen2.5-Math-7B-Instruct", "Qwen2.5-Instruct"),
        ("meta-llama/Llama-3.3-70B-Instruct", "Llama-3-Instruct"),
        ("meta-llama/Meta-Llama-3-8B-Instruct", "Llama-3-Instruct"),
        ("Qwen/Qwen3-4B-Instruct-2507", None),  # does not think
        ("Qwen/Qwen3-8B-Base", None),
        ("Qwen/Qwen3-Coder-30B-A3B-Instruct", None),
        ("Qwen/Qwen2.5-32B", None),
        ("runs/sky-t1-replica", None),  # somebody's own, of whatever size
        ("gpt-4o", None),
        ("mini", None),
        ("", None),
    ],
)
def test_families(model: str, family: str | None) -> None:
    known = presets.find(model)
    assert (known.family if known else None) == family


def test_every_row_says_who_says_so() -> None:
    for preset in presets.PRESETS:
        assert re.match(r"https://[\w.]+/\S+$", preset.source), preset.family
        assert preset.sampling.max_tokens >= 4096
        assert not preset.reasons or preset.sampling.temperature > 0


def test_a_reasoning_model_is_sampled_as_its_family() -> None:
    found = presets.choose("", "Qwen/QwQ-32B", 7)
    assert found.sampling == Sampling(
        temperature=0.6, top_p=0.95, top_k=40, min_p=0.0, max_tokens=32768, seed=7
    )
    assert found.why == "preset of QwQ, https://huggingface.co/Qwen/QwQ-32B#usage-guidelines"
    assert not found.warning


@pytest.mark.parametrize("model", ["Qwen/Qwen2.5-32B-Instruct", "gpt-4o", "runs/mine"])
def test_other_models_are_decoded_greedily(model: str) -> None:
    assert presets.choose("", model, 7) == (Sampling(seed=7), "", "")


def test_what_is_given_is_all_that_holds() -> None:
    """So that a run of before presets goes on."""
    text = "temperature=0.6,top_p=0.95,max_tokens=16384"
    found = presets.choose(text, "Qwen/QwQ-32B", 0)
    assert found == (Sampling(temperature=0.6, top_p=0.95, max_tokens=16384), "", "")
    assert type(found.sampling) is Sampling
    assert presets.choose("seed=3", "m", 7).sampling.seed == 3


@pytest.mark.parametrize("text", ["temperature=0.7", "seed=3", "temperature=0"])
def test_a_reasoning_model_is_not_cut_off_at_1024_tokens(text: str) -> None:
    found = presets.choose(text, "Qwen/QwQ-32B", 0)
    assert found.sampling.max_tokens == 32768
    assert found.why.startswith("max_tokens of QwQ, https://")
    for model in ("Qwen/Qwen2.5-7B-Instruct", "gpt-4o"):
        assert presets.choose(text, model, 0).sampling.max_tokens == 1024


def test_the_examples() -> None:
    assert doctest.testmod(presets).failed == 0


def test_a_preset_by_name_may_be_changed() -> None:
    found = presets.choose("preset,max_tokens=8192,top_k=5", "Qwen/Qwen2.5-7B-Instruct", 0)
    assert found.sampling == Sampling(
        temperature=0.7, top_p=0.8, top_k=5, repetition_penalty=1.05, max_tokens=8192
    )
    assert found.why.startswith("preset of Qwen2.5-Instruct, https://")


@pytest.mark.parametrize("text", ["temperature=0", "max_tokens=4096", "preset,temperature=0.0"])
def test_greedy_decoding_of_a_reasoning_model_warns(text: str) -> None:
    found = presets.choose(text, "Qwen/Qwen3-8B", 0)
    assert found.sampling.temperature == 0
    assert found.warning.startswith("greedy decoding of Qwen/Qwen3-8B, a reasoning model, tends to")
    assert not presets.choose(text.replace("preset,", ""), "Qwen/Qwen2.5-7B-Instruct", 0).warning


def test_a_server_that_decides_itself() -> None:
    found = presets.choose("max_tokens=100", "o4-mini", 0)
    assert (found.sampling.temperature, found.sampling.top_p, found.warning) == (1.0, 1.0, "")
    assert presets.choose("", "o4-mini", 0).sampling.reasoning_effort == "medium"
    high = presets.choose("reasoning_effort=high", "o4-mini", 0)
    assert high.sampling.reasoning_effort == "high"
    assert "temperature" not in presets.describe(high.sampling, "o4-mini")
    with pytest.raises(UserError, match=r"temperature=0\.6: o4-mini takes no temperature; leave"):
        presets.choose("temperature=0.6", "o4-mini", 0)


@pytest.mark.parametrize(
    ("text", "stop"),
    [("stop=</answer>", ("</answer>",)), ('stop=["a,b", "c"]', ("a,b", "c"))],
)
def test_texts_that_end_an_answer(text: str, stop: tuple[str, ...]) -> None:
    assert presets.choose(text, "m", 0).sampling.stop == stop


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("preset", "'m' is of no family that has one; known: DeepSeek-R1"),
        ("top_k=0", "Expected `int` >= 1"),
        ("min_p=2", "Expected `float` <= 1.0"),
        ("repetition_penalty=0", "Expected `float` > 0.0"),
        ("presence_penalty=3", "Expected `float` <= 2.0"),
        ("stop=[a]", "expected a text or"),
        ("stop=", "Expected `str` of length >= 1"),
        ("top_q=1", "known: temperature, top_p, max_tokens, seed, top_k"),
    ],
)
def test_mistakes(text: str, told: str) -> None:
    with pytest.raises(UserError, match=re.escape(told)):
        presets.choose(text, "m", 0)


def test_a_sampling_on_one_line() -> None:
    assert presets.describe(Sampling()) == (
        "temperature 0 (greedy), top_p 1, max_tokens 1024, seed 0"
    )
    found = presets.describe(Sampling(temperature=0.6, stop=("x",), extra={"a": 1}))
    assert found.endswith(', max_tokens 1024, seed 0, stop ["x"], extra {"a":1}')
