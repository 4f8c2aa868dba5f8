"""Floating-point operations per token of training: what the model needs, and what is executed.

    of_model(architecture.of(config), context=4000).counted  ->  4.9e10

A multiplication with an addition counts as two. Counted are the matrices and attention; norms,
activations and the optimizer are left out, as is usual (Chowdhery et al., PaLM, arXiv 2204.02311,
appendix B). A pass forward costs 2 N per token, the way back to the activations 2 N, through frozen
weights too, and the gradients of the weights that are trained another 2 per weight.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from skythought.training.architecture import Architecture


class Flops(NamedTuple):
    """Operations per token, forward and backward."""

    counted: float  # needed: the numerator of MFU
    executed: float  # with what checkpointing computes again: the numerator of HFU


def mean_context(lengths: Iterable[int]) -> float:
    """Give the mean number of tokens that a token attends to, itself included.

    In a sequence of n tokens that is (n + 1) / 2; longer sequences hold more of the tokens.

    >>> mean_context([3]), mean_context([1, 3])
    (2.0, 1.75)
    """
    lengths = list(lengths)
    return sum(n * (n + 1) / 2 for n in lengths) / max(1, sum(lengths))


def of_model(
    model: Architecture, *, context: float, adapter: int | None = None, checkpointing: bool = False
) -> Flops:
    """Count the operations of a token.

    Args:
        model: the sizes.
        context: tokens that a token attends to, in the mean; see `mean_context`.
        adapter: parameters of the LoRA adapter; None where all weights are trained.
        checkpointing: the layers' forward pass is computed a second time.
    """
    attention = 4 * model.q_dim * context * model.n_layers  # scores and weighted values
    layers = 2 * model.n_layers * model.layer + attention + 2 * (adapter or 0)
    forward = layers + 2 * model.head
    # Attention has no weights: its way back costs twice the way forward.
    back = forward + attention
    trained = model.n_layers * model.layer + model.head if adapter is None else adapter
    counted = forward + back + 2 * trained
    return Flops(counted, counted + (layers if checkpointing else 0))
