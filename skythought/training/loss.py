"""The loss on the completion, without ever holding the logits of all tokens.

    total, log_probs = cross_entropy(hidden, head.weight, head.bias, labels)

Only positions that have a label are multiplied with the output layer, a few hundred at a time, and
the gradient is made in the same pass: two products with the output layer for a frozen one, three
for one that is trained, where keeping or repeating the logits takes a product or gigabytes more.
"""

from __future__ import annotations

import types
from dataclasses import dataclass
from typing import Any

import torch
from transformers.utils import ModelOutput
from trl.trainer.utils import maybe_gather_lm_head_ctx

IGNORED = -100
HALVES = (torch.bfloat16, torch.float16)
# Tokens whose logits exist at a time. A CPU is fastest when they stay near its caches.
PIECE = {"cpu": 512, "cuda": 2048}
APART = 16  # numbers between rows of logits

# Models with one of these set do more to their logits than the product; TRL's own head knows how.
SCALED = (
    *("final_logit_softcapping", "logit_scale", "output_multiplier"),
    *("lm_head_multiplier", "logits_scaling", "output_router_logits"),
)


@dataclass
class Scored(ModelOutput):  # type: ignore[misc]
    """What a forward with this head gives."""

    loss: Any = None  # sum of -log p over the tokens of the global batch; has a gradient
    log_probs: Any = None  # (n,) of the labels in order, float32, without a gradient
    label_mask: Any = None  # (samples, tokens - 1): where the next token has a label


class _CrossEntropy(torch.autograd.Function):  # type: ignore[misc]
    """Sum of -log p(label) over n tokens; see `cross_entropy`."""

    @staticmethod
    def forward(
        ctx: Any, hidden: Any, weight: Any, bias: Any, labels: Any, piece: int
    ) -> tuple[Any, Any]:
        wanted = ctx.needs_input_grad
        grad_hidden = torch.empty_like(hidden) if wanted[0] else None
        # Summed over pieces, so in float32 whatever the weights are.
        grad_weight = torch.zeros_like(weight, dtype=torch.float32) if wanted[1] else None
        grad_bias = torch.zeros_like(bias, dtype=torch.float32) if wanted[2] else None
        log_probs = hidden.new_empty(len(labels), dtype=torch.float32)
        rounded = hidden.dtype in HALVES or torch.is_autocast_enabled(hidden.device.type)
        room = _room(hidden, weight, min(piece, len(labels)))
        for start in range(0, len(labels), piece):
            part = slice(start, start + piece)
            h, label = hidden[part], labels[part]
            logits = _logits(h, weight, bias, room)
            highest = logits.amax(-1, keepdim=True)
            picked = logits.gather(-1, label[:, None])
            weights = logits.sub_(highest).exp_()  # the softmax before it is divided by `total`
            total = weights.sum(-1, keepdim=True)
            log_probs[part] = (picked - highest - total.log())[:, 0]
            # d(-log p)/d logits = softmax - onehot(label), here times `total`. The two are nearly
            # the same where the model is sure, so what will be rounded is subtracted before; in
            # float32 the onehot picks rows of the weight.
            if rounded:
                weights.scatter_add_(1, label[:, None], -total)
            if grad_bias is not None:
                grad_bias += (weights / total).sum(0)
            weights = weights.to(h.dtype)
            if grad_hidden is not None:
                grad_hidden[part] = (weights @ weight).div_(total)
            if grad_weight is not None:
                grad_weight += weights.T @ (h / total).to(h.dtype)
            if rounded:
                continue
            if grad_hidden is not None:
                grad_hidden[part] -= weight[label]
            if grad_weight is not None:
                grad_weight.index_add_(0, label, -h.float())
            if grad_bias is not None:
                grad_bias.index_add_(0, label, -torch.ones_like(label, dtype=torch.float32))
        # Kept here, not saved: on the way back they are scaled where they lie.
        ctx.gradients = grad_hidden, grad_weight, grad_bias
        ctx.dtypes = weight.dtype, None if bias is None else bias.dtype
        ctx.mark_non_differentiable(log_probs)
        return -log_probs.sum(), log_probs

    @staticmethod
    def backward(ctx: Any, scale: Any, _: Any) -> tuple[Any, ...]:
        if (found := ctx.gradients) is None:
            raise RuntimeError("this loss gives its gradients once; compute it again")
        ctx.gradients = None
        dtypes = found[0] if found[0] is None else found[0].dtype, *ctx.dtypes
        scaled = [
            None if gradient is None else gradient.mul_(scale).to(dtype)
            for gradient, dtype in zip(found, dtypes, strict=True)
        ]
        return (*scaled, None, None)


def _room(hidden: Any, weight: Any, n: int) -> Any:
    """Give room for the logits of n tokens on a CPU, used again for each piece.

    Its rows are not a whole number of pages long, as 49,152 numbers are: those share their places
    in a cache. None on a GPU, and where autocast chooses the precision of the product.
    """
    if hidden.device.type != "cpu" or torch.is_autocast_enabled("cpu"):
        return None
    width = len(weight)
    return hidden.new_empty(n, width + APART)[:, :width]


def _logits(h: Any, weight: Any, bias: Any, room: Any) -> Any:
    """Give the logits of a piece in float32, in `room` where there is one."""
    if room is None:
        return torch.nn.functional.linear(h, weight, bias).float()
    logits = torch.mm(h, weight.T, out=room[: len(h)])
    return (logits if bias is None else logits.add_(bias)).float()


def cross_entropy(
    hidden: Any, weight: Any, bias: Any, labels: Any, piece: int | None = None
) -> tuple[Any, Any]:
    """Sum -log p(label) over tokens.

    Args:
        hidden: (n, width), what the output layer reads.
        weight: (vocabulary, width).
        bias: (vocabulary,) or None.
        labels: (n,), the next token of each; none is ignored.
        piece: tokens whose logits exist at a time.

    Returns:
        The sum, which has a gradient, and the log probability of each label (n,) in float32, which
        has none.
    """
    piece = piece or PIECE.get(hidden.device.type, 1024)
    found: tuple[Any, Any] = _CrossEntropy.apply(hidden, weight, bias, labels, piece)
    return found


def add_head(model: Any) -> bool:
    """Let a causal language model answer `fused_lm_head=True` with this loss instead of TRL's.

    The call `model(..., labels=labels, fused_lm_head=True, num_items_in_batch=n)` gives a `Scored`.
    Labels are those of `data.Rows`: the token where it stands, or -100; `shift_labels` are moved
    already.

    Args:
        model: given a head by TRL's `add_fused_lm_head` before; not a PEFT model but what is in it.

    Returns:
        False for a model that scales its logits: it keeps TRL's.
    """
    text = model.config.get_text_config()
    if any(getattr(text, name, None) not in (None, False, 1, 1.0) for name in SCALED):
        return False
    before = model.forward

    def forward(
        self: Any, *args: Any, fused_lm_head: bool = False, labels: Any = None, **kwargs: Any
    ) -> Any:
        if not fused_lm_head:
            return before(*args, **kwargs, **({} if labels is None else {"labels": labels}))
        n_items, shifted = kwargs.pop("num_items_in_batch", None), kwargs.pop("shift_labels", None)
        hidden = self.base_model(*args, **kwargs | {"use_cache": False}).last_hidden_state
        if shifted is None:
            hidden, shifted = hidden[:, :-1], labels[:, 1:]
        head = self.get_output_embeddings()
        with maybe_gather_lm_head_ctx(head.weight, head.bias):  # of ZeRO-3
            weight, bias = _whole(head.weight), _whole(head.bias)
            hidden, shifted = hidden.to(weight.device), shifted.to(weight.device)
            mask = shifted != IGNORED
            total, log_probs = cross_entropy(hidden[mask], weight, bias, shifted[mask])
        n_items = mask.sum() if n_items is None else torch.as_tensor(n_items, device=total.device)
        return Scored(loss=total / n_items.clamp(min=1), log_probs=log_probs, label_mask=mask)

    model.forward = types.MethodType(forward, model)
    return True


def _whole(weight: Any) -> Any:
    """Gather what FSDP2 has spread over processes; the gradient goes back the same way."""
    return weight.full_tensor() if hasattr(weight, "full_tensor") else weight
