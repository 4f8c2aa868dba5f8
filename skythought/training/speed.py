"""How long a step of training takes on a machine, from the sizes of the model.

    of_step(setup, parse("4xH100"), tokens=5e5, ...).tokens_per_s  ->  7000.0

A roofline of four terms. Matrices run at the share of the card's peak that published runs reach,
and attention at a smaller one; everything between the matrices moves what the backward pass keeps
through memory a few times; what FSDP gathers and scatters, and the start of the kernels, run beside
both and count where they take longer. The constants are fitted to published runs, that of the
kernels to our own on one H200; benchmarks/plan_error.py shows the error. Weights and optimizer in
the machine's memory (ZeRO-3 with offload) pass its link to a card, beside the rest, and are stepped
by its cores, behind it; these two are assumed, not fitted.
"""

from __future__ import annotations

from typing import NamedTuple

from skythought.training import flops
from skythought.training.hardware import CPU, Hardware
from skythought.training.lengths import Shares
from skythought.training.memory import Setup, kept_per_token

ATTENTION = 0.4  # of the rate of matrices
STARTS = 7.5e-3  # seconds of a layer and pass that its kernels take to be started, forward and back
MOVES = 1.5  # times a forward pass moves what it keeps; the way back twice as often
GRADIENT_BYTES = 4  # of a value that is summed over devices
HOST_LINK = 25e9  # bytes per second between a card and its machine's memory (PCIe 4.0 x16)
HOST_BANDWIDTH = 100e9  # bytes per second that AdamW on the cores of a machine moves
HOST_ADAM = 42  # bytes of a parameter that it moves: the gradient scaled, four values read, three
# written, and one read again and rounded


class Step(NamedTuple):
    """One optimizer step, of all devices."""

    seconds: float
    tokens: float
    executed: float  # operations per token
    counted: float

    @property
    def tokens_per_s(self) -> float:
        """Give the tokens per second of all devices together."""
        return self.tokens / self.seconds


def of_step(
    setup: Setup, hardware: Hardware, *, tokens: float, shares: Shares, context: float
) -> Step:
    """Predict one optimizer step.

    Args:
        setup: the model and how it is trained.
        hardware: the machine.
        tokens: of the global batch.
        shares: how the devices share it.
        context: tokens that a token attends to, in the mean.
    """
    model, card, n = setup.model, hardware.card, hardware.n_devices
    adapter = None if setup.method == "full" else setup.adapter
    work = flops.of_model(
        model, context=context, adapter=adapter, checkpointing=setup.checkpointing
    )
    again = 1 if setup.checkpointing else 0
    attention = 4 * model.q_dim * context * model.n_layers * (3 + again)
    rate = card.flops * card.reached
    per_token = (work.executed - attention) / rate + attention / (rate * ATTENTION)
    if card.name != CPU:  # whose share of the peak holds it all
        kept = model.n_layers * kept_per_token(setup)
        per_token += kept * MOVES * (3 + again) / card.bandwidth
    compute, talk = tokens / n * per_token * shares.waiting, 0.0
    if setup.method == "qlora":  # each pass over a layer writes its weights out and reads them
        weights = model.n_layers * model.layer
        compute += shares.passes * (2 + again) * weights * 4.5 / card.bandwidth
    if card.name != CPU:
        compute = max(compute, shares.passes * model.n_layers * STARTS * (1 + again))
    if n > 1:
        link = card.link
        if hardware.n_nodes > 1:  # the cards of a node send through all its adapters at once
            link = min(link, card.network * hardware.per_node)
        share = (n - 1) / n
        if setup.shards > 1:  # gathered forward and backward, gradients scattered
            gathered = 2 + (again if setup.zero3 else 0)
            moved = shares.passes * (2 * gathered * model.n_params + GRADIENT_BYTES * setup.trained)
        else:
            moved = 2 * GRADIENT_BYTES * setup.trained
        talk = moved * share / link
    seconds = max(compute, talk)
    if setup.offload:  # a part of each layer up for every gathering, of its gradients down
        moved = shares.passes * (2 * (2 + again) * model.n_params + GRADIENT_BYTES * setup.trained)
        seconds = max(seconds, moved / n / HOST_LINK)
        seconds += HOST_ADAM * setup.trained / hardware.n_nodes / HOST_BANDWIDTH
    return Step(seconds, tokens, work.executed, work.counted)
