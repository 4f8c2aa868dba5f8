"""How families of models are meant to be sampled, each with who says so.

    find("Qwen/QwQ-32B") -> QwQ: temperature 0.6, top_p 0.95, top_k 40, min_p 0, max_tokens 32768

A reasoning model is sampled so where no sampling is asked for, because greedily it repeats itself
without end. `--sampling-params preset` asks for the row of any family by name, and
`preset,max_tokens=8192` changes it. Models are known by the last part of their name.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import UNSET, Meta, UnsetType

from skythought.core import options
from skythought.core.errors import UserError
from skythought.core.records import Sampling

PRESET = "preset"
LISTS = ("stop",)


class Preset(NamedTuple):
    """How a family is sampled."""

    family: str
    pattern: str  # of the last part of a name, in small letters
    sampling: Sampling
    source: str
    reasons: bool = True  # thinks at length, and must not be decoded greedily
    fixed: bool = False  # the server chooses temperature and top_p, and refuses to be told


R1 = Sampling(temperature=0.6, top_p=0.95, max_tokens=32768)
QWEN3 = Sampling(temperature=0.6, top_p=0.95, top_k=20, min_p=0.0, max_tokens=32768)
# What files of fewer bits have at the end of their names: -AWQ, -Q4_K_M.gguf, -bnb-4bit.
FEWER_BITS = re.compile(
    r"([-.](gguf|awq|gptq(-int\d)?|fp8|fp16|bf16|nvfp4|mxfp4|int[48]|[2-8]bit|bnb|mlx|exl[23]"
    r"|w\d+a\d+|i1|ud|i?q\d\w*))+$"
)
OPENAI = "https://learn.microsoft.com/azure/ai-foundry/openai/how-to/reasoning"
PRESETS = (
    Preset(
        "DeepSeek-R1 and its distilled models",
        r"deepseek-(r1(-.*)?|reasoner)",
        R1,
        "https://github.com/deepseek-ai/DeepSeek-R1#usage-recommendations",
    ),
    Preset(
        "QwQ",
        r"qwq(-32b(-preview)?)?",
        Sampling(temperature=0.6, top_p=0.95, top_k=40, min_p=0.0, max_tokens=32768),
        "https://huggingface.co/Qwen/QwQ-32B#usage-guidelines",
    ),
    Preset(
        "Qwen3, thinking",
        r"qwen3(-[\d.]+b(-a[\d.]+b)?(-thinking(-\d+)?)?)?",
        QWEN3,
        "https://huggingface.co/Qwen/Qwen3-32B#best-practices",
    ),
    Preset(
        "Qwen3-Next, thinking",
        r"qwen3-next-[\d.]+b-a[\d.]+b-thinking",
        QWEN3,
        "https://huggingface.co/Qwen/Qwen3-Next-80B-A3B-Thinking#best-practices",
    ),
    Preset(
        "Sky-T1",
        r"sky-t1-(32b|7b|mini)(-preview|-flash)?",
        R1,
        "https://github.com/NovaSky-AI/SkyThought/blob/main/skythought/evals/README.md",
    ),
    Preset(
        "OpenAI reasoning models",
        r"(o1|o3|o3-mini|o3-pro|o4-mini|gpt-5(\.\d+)?(-mini|-nano)?|gpt-5\.\d+-(pro|sol|terra|luna))"
        r"(-\d{4}-\d\d-\d\d)?",
        Sampling(temperature=1.0, top_p=1.0, max_tokens=32768, reasoning_effort="medium"),
        OPENAI,
        fixed=True,
    ),
    # o1-mini and o1-preview know no effort (that page in January 2025); gpt-5-pro knows "high" only
    # (https://learn.microsoft.com/javascript/api/@azure/ai-projects/reasoningeffort).
    Preset(
        "OpenAI reasoning models of one effort",
        r"(o1-mini|o1-preview|gpt-5-pro)(-\d{4}-\d\d-\d\d)?",
        Sampling(temperature=1.0, top_p=1.0, max_tokens=32768),
        OPENAI,
        fixed=True,
    ),
    Preset(
        "gpt-oss",
        r"gpt-oss(-\d+b)?",
        Sampling(temperature=1.0, top_p=1.0, max_tokens=32768),
        "https://github.com/openai/gpt-oss#recommended-sampling-parameters",
    ),
    Preset(
        "Qwen2.5-Instruct",
        r"qwen2\.5-(math-|coder-)?[\d.]+b-instruct(-.*)?",
        Sampling(temperature=0.7, top_p=0.8, top_k=20, repetition_penalty=1.05, max_tokens=8192),
        "https://huggingface.co/Qwen/Qwen2.5-32B-Instruct/blob/main/generation_config.json",
        reasons=False,
    ),
    Preset(
        "Llama-3-Instruct",
        r"(meta-)?llama-3(\.[123])?-\d+b-instruct(-.*)?",
        Sampling(temperature=0.6, top_p=0.9, max_tokens=4096),
        "https://huggingface.co/meta-llama/Llama-3.3-70B-Instruct/blob/main/generation_config.json",
        reasons=False,
    ),
)


class Chosen(NamedTuple):
    """A sampling, and what is to be said of it."""

    sampling: Sampling
    why: str  # "" where every value was given or is the default
    warning: str = ""


def find(model: str) -> Preset | None:
    """Find the family of a model by its name, that of its folder or file, or Ollama's name.

    >>> [find(name).family for name in ("o3", "qwq:latest", "QwQ-32B-Q4_K_M.gguf")]
    ['OpenAI reasoning models', 'QwQ', 'QwQ']
    """
    name = re.split(r"[/\\]", model.rstrip("/\\"))[-1].lower()
    name = FEWER_BITS.sub("", name.removesuffix(":latest").replace(":", "-"))
    return next((p for p in PRESETS if re.fullmatch(p.pattern, name)), None)


def fixed(model: str) -> bool:
    """Say whether the server of a model refuses to be told temperature and top_p."""
    known = find(model)
    return known is not None and known.fixed


def choose(text: str, model: str, seed: int) -> Chosen:
    """Read --sampling-params, and say what a model's family makes of it.

    Raises:
        UserError: an unknown parameter, a value that is no number or out of range, a preset for a
            model of no known family, or a temperature for a model that takes none.
    """
    given = [part.strip() for part in options.parts(text) if part.strip()]
    known = find(model)
    base: dict[str, Any] = {}
    why = warning = ""
    if (not given and known and known.reasons) or PRESET in given:
        if known is None:
            families = ", ".join(preset.family for preset in PRESETS)
            raise UserError(
                f"--sampling-params preset: {model!r} is of no family that has one; known: "
                f"{families}; give temperature=...,top_p=...,max_tokens=..."
            )
        base = msgspec.to_builtins(known.sampling)
        why = f"preset of {known.family}, {known.source}"
    given = [part for part in given if part != PRESET]
    read = options.read(",".join(given))
    if known and known.reasons and not base and "max_tokens" not in read:
        base = {"max_tokens": known.sampling.max_tokens}
        why = f"max_tokens of {known.family}, {known.source}"
    if known and known.fixed:
        for name in ("temperature", "top_p"):
            if name in read:
                raise UserError(
                    f"--sampling-params {name}={read[name]}: {model} takes no {name}; leave it out"
                )
        base |= {"temperature": 1.0, "top_p": 1.0}
    elif known and known.reasons and _is_zero(read.get("temperature", base.get("temperature"))):
        warning = (
            f"greedy decoding of {model}, a reasoning model, tends to repeat itself without end; "
            "give --sampling-params preset, or leave it out"
        )
    return Chosen(_read({**base, "seed": seed, **read}, text), why, warning)


def _is_zero(value: str | float | None) -> bool:
    """Say whether a temperature is 0, which it is where none is given."""
    try:
        return not float(value or 0)
    except ValueError:  # told by `_read`
        return False


def describe(sampling: Sampling, model: str = "") -> str:
    """Write a sampling on one line; what a server of this model chooses itself is left out."""
    hidden = ("temperature", "top_p") if fixed(model) else ()
    shown = {k: v for k, v in msgspec.to_builtins(sampling).items() if k not in hidden}
    texts = {k: f"{v:g}" if isinstance(v, float) else _text(v) for k, v in shown.items()}
    if shown.get("temperature") == 0:
        texts["temperature"] = "0 (greedy)"
    return ", ".join(f"{k} {text}" for k, text in texts.items())


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _read(values: dict[str, Any], text: str) -> Sampling:
    for name in LISTS:
        value = values.get(name)
        if isinstance(value, str):
            values[name] = _list(name, value)
    try:
        return msgspec.convert(values, _Strict, strict=False).plain()
    except msgspec.ValidationError as error:
        known = ", ".join(name for name in Sampling.__struct_fields__ if name != "extra")
        raise UserError(f"--sampling-params {text!r}: {error}; known: {known}, preset") from error


def _list(name: str, value: str) -> list[str]:
    if not value.startswith("["):
        return [value]
    try:
        return msgspec.json.decode(value, type=list[str])
    except msgspec.DecodeError as error:
        raise UserError(
            f'--sampling-params {name}={value}: expected a text or ["one", "two"] ({error})'
        ) from error


class _Strict(Sampling, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`Sampling` that refuses names it does not know and values out of range."""

    temperature: Annotated[float, Meta(ge=0, le=100)] = Sampling().temperature
    top_p: Annotated[float, Meta(gt=0, le=1)] = Sampling().top_p
    max_tokens: Annotated[int, Meta(ge=1)] = Sampling().max_tokens
    top_k: Annotated[int, Meta(ge=1)] | UnsetType = UNSET
    min_p: Annotated[float, Meta(ge=0, le=1)] | UnsetType = UNSET
    presence_penalty: Annotated[float, Meta(ge=-2, le=2)] | UnsetType = UNSET
    repetition_penalty: Annotated[float, Meta(gt=0, le=10)] | UnsetType = UNSET
    stop: tuple[Annotated[str, Meta(min_length=1)], ...] | UnsetType = UNSET

    def plain(self) -> Sampling:
        """Give the plain record."""
        return Sampling(**{f: getattr(self, f) for f in Sampling.__struct_fields__})
