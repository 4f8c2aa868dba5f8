"""Attention that keeps packed samples apart, and the refusal of one that cannot.

    backend, packed = choose(model)
    use(model, backend)

Which backends isolate:

| backend | how |
|---|---|
| segments | ours: PyTorch's own attention, once per sample; nothing between samples is computed |
| flash_attention_* | one call, told where samples begin |
| sdpa, eager, flex_attention | a mask that transformers makes from position_ids that begin again |
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.utils import is_flash_attn_2_available

from skythought.core.errors import UserError, first_line
from skythought.training.packing import boundaries

SEGMENTS = "segments"
MASKED = ("sdpa", "eager", "flex_attention")
ISOLATED_LAYERS = {"full_attention", "sliding_attention", "chunked_attention"}


def segments_attention(
    module: Any,
    query: Any,
    key: Any,
    value: Any,
    attention_mask: Any,
    segments: list[int] | None = None,
    **kwargs: Any,
) -> tuple[Any, None]:
    """Attend within each segment of a row, causally.

    Args:
        module: the attention layer.
        query: (1, heads, tokens, width); key and value with as many heads or fewer.
        key: see query.
        value: see query.
        attention_mask: None where there are segments.
        segments: lengths, in order; None for rows that are not packed.
        kwargs: scaling, dropout and others, as transformers gives them.

    Returns:
        (1, tokens, heads, width), and None for the weights.
    """
    if segments is None or len(segments) == 1:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)  # type: ignore[no-any-return]
    parts = zip(*(x.split(segments, dim=2) for x in (query, key, value)), strict=True)
    out = [sdpa_attention_forward(module, q, k, v, None, **kwargs)[0] for q, k, v in parts]
    return torch.cat(out, dim=1), None


AttentionInterface.register(SEGMENTS, segments_attention)


@contextlib.contextmanager
def padded(model: Any) -> Iterator[None]:
    """Let a model leave padding out while the block runs, as decoding needs.

    Prompts of unlike length are padded, and `segments` knows only where samples begin.
    """
    plain = model.get_base_model() if hasattr(model, "get_base_model") else model
    if plain.config._attn_implementation != SEGMENTS:
        yield
        return
    plain.set_attn_implementation("sdpa")
    try:
        yield
    finally:
        plain.set_attn_implementation(SEGMENTS)


def obstacle(model: Any, backend: str) -> str:
    """Say why samples packed into one row would see each other; empty if they would not."""
    text = model.config.get_text_config()
    leaking = set(getattr(text, "layer_types", None) or ()) - ISOLATED_LAYERS
    if leaking:
        return f"its layers of type {', '.join(sorted(leaking))} carry on from sample to sample"
    if not getattr(model, "_supports_attention_backend", False):
        return "its attention layers take no backend of transformers"
    if backend == SEGMENTS and not _plain(text):
        return "it has layers with a sliding window or capped scores, which segments leaves out"
    if backend == SEGMENTS or backend in MASKED or "flash" in backend:
        return ""
    return f"nothing is known about the attention backend {backend!r}"


def use(model: Any, backend: str) -> None:
    """Let a model attend with a backend.

    Raises:
        UserError: there is none of this name, or its package is not installed.
    """
    # Where cuDNN goes first (Hopper, Blackwell) it makes a plan for every length that it meets, a
    # third of a second each.
    torch.backends.cuda.enable_cudnn_sdp(False)
    try:
        model.set_attn_implementation(backend)
    except (ValueError, ImportError) as error:
        raise UserError(f"--attention {backend}: {first_line(error)}") from error


def choose(model: Any, wanted: str = "auto", packing: bool | None = None) -> tuple[str, bool]:
    """Choose the backend, and whether to pack.

    Args:
        model: a causal language model of transformers.
        wanted: a backend, or "auto".
        packing: True insists, None packs where samples can be kept apart.

    Returns:
        backend and packing.

    Raises:
        UserError: packing is insisted on and the samples would see each other.
    """
    backend = wanted
    if wanted == "auto":
        backend = str(model.config._attn_implementation)
        if torch.cuda.is_available() and is_flash_attn_2_available():
            backend = "flash_attention_2"
        elif backend == "sdpa" and packing is not False and not obstacle(model, SEGMENTS):
            backend = SEGMENTS
    reason = obstacle(model, backend)
    if packing and reason:
        name = type(model).__name__
        raise UserError(f"--packing: {name} cannot be packed: {reason}; leave --packing out")
    return backend, packing is not False and not reason


def arguments(segments: list[int], backend: str, device: Any) -> dict[str, Any]:
    """Give what a model has to be called with so that this backend isolates the segments."""
    if backend == SEGMENTS:
        return {"segments": segments}
    if "flash" not in backend:
        return {}
    starts, longest = boundaries(segments).to(device), max(segments)
    return {
        **{"cu_seq_lens_q": starts, "cu_seq_lens_k": starts},
        **{"max_length_q": longest, "max_length_k": longest},
    }


def _plain(config: Any) -> bool:
    """Say whether every layer sees its whole sample, with scores as they are."""
    if getattr(config, "attn_logit_softcapping", None):
        return False
    types = getattr(config, "layer_types", None)
    if types:
        return set(types) == {"full_attention"}
    return not getattr(config, "sliding_window", None)
