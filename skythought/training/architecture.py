"""The sizes of a decoder, read from a config.json: what memory and time are computed from.

    of({"model_type": "qwen2", "hidden_size": 3584, ...}).n_params  ->  7615616512

Counts match the models of Transformers for Llama, Mistral, Qwen2 and Qwen3; other dense decoders
are counted as a Llama of their sizes. Mixtures of experts are refused.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from skythought.core.errors import UserError

KNOWN = ("llama", "mistral", "qwen2", "qwen3")  # whose parameters are counted exactly
EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")
NEEDED = ("num_hidden_layers", "hidden_size", "num_attention_heads", "vocab_size")
FIELDS = (
    *(*NEEDED, "model_type", "head_dim", "num_key_value_heads", "intermediate_size"),
    *("attention_bias", "mlp_bias", "tie_word_embeddings"),
)


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """A dense decoder; widths in numbers of values."""

    n_layers: int
    hidden: int
    inner: int  # of the feed-forward part
    q_dim: int  # all heads
    kv_dim: int  # all heads of keys, and as much of values
    vocab: int
    tied: bool = False  # the output layer is the embedding
    gated: bool = True  # three feed-forward matrices, not two
    small: int = 0  # biases and norms of a layer
    exact: bool = True  # the model type is one of KNOWN

    @property
    def linears(self) -> dict[str, tuple[int, int]]:
        """Give the matrices of a layer as (in, out)."""
        h, i, q, kv = self.hidden, self.inner, self.q_dim, self.kv_dim
        gate = {"gate_proj": (h, i)} if self.gated else {}
        attention = {"q_proj": (h, q), "k_proj": (h, kv), "v_proj": (h, kv), "o_proj": (q, h)}
        return {**attention, **gate, "up_proj": (h, i), "down_proj": (i, h)}

    @property
    def layer(self) -> int:
        """Count the parameters of the matrices of a layer."""
        return sum(a * b for a, b in self.linears.values())

    @property
    def head(self) -> int:
        """Count the parameters of the output layer, which may be those of the embedding."""
        return self.hidden * self.vocab

    @property
    def n_params(self) -> int:
        """Count all parameters once."""
        outer = self.head * (1 if self.tied else 2) + self.hidden
        return self.n_layers * (self.layer + self.small) + outer

    def adapter(self, r: int, targets: Collection[str] = ()) -> int:
        """Count the parameters of a LoRA adapter of rank `r`, on all matrices or those named.

        Raises:
            UserError: a layer has no matrix of that name.
        """
        if unknown := sorted(set(targets) - {*self.linears}):
            raise UserError(
                f"no matrix {unknown[0]!r} in a layer; known: {', '.join(self.linears)}"
            )
        return self.n_layers * sum(
            r * (a + b) for name, (a, b) in self.linears.items() if not targets or name in targets
        )


def of(config: Mapping[str, Any]) -> Architecture:
    """Read the sizes from the content of a config.json, also one that wraps a text model.

    Raises:
        UserError: a size is missing, or the model is a mixture of experts.
    """
    if isinstance(inner := config.get("text_config"), Mapping):
        config = inner
    kind = str(config.get("model_type", ""))
    if any((config.get(name) or 0) > 1 for name in EXPERTS):
        raise UserError(f"config.json: {kind} is a mixture of experts, which plan cannot count")
    if lacking := [name for name in NEEDED if not isinstance(config.get(name), int)]:
        raise UserError(f"config.json: {lacking[0]} is missing; this is no decoder plan knows")
    layers, hidden, heads, vocab = (int(config[name]) for name in NEEDED)
    width = int(config.get("head_dim") or hidden // heads)
    q, kv = heads * width, int(config.get("num_key_value_heads") or heads) * width
    inner_size = int(config.get("intermediate_size") or 4 * hidden)
    small = 2 * hidden  # two norms
    if kind == "qwen2" or config.get("attention_bias"):
        small += q + 2 * kv + (0 if kind == "qwen2" else hidden)
    if config.get("mlp_bias"):
        small += 2 * inner_size + hidden
    if kind == "qwen3":
        small += 2 * width
    return Architecture(
        n_layers=layers,
        hidden=hidden,
        inner=inner_size,
        q_dim=q,
        kv_dim=kv,
        vocab=vocab,
        tied=bool(config.get("tie_word_embeddings", False)),
        small=small,
        exact=kind in KNOWN,
    )
