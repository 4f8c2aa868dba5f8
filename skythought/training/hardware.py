"""Cards: memory, speed and price, and the words that name a machine.

    parse("2x8xH100")  ->  Hardware(card=H100, per_node=8, n_nodes=2)

Peaks are the vendor's figures for dense bfloat16. `reached` is the share of the peak that the
matrices of a training run reach: fitted to published runs for A100 and H100, taken from the nearest
of these otherwise.
Prices are what one provider asked for an hour on a day; `--price` goes before.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace
from typing import NamedTuple

from skythought.core.errors import UserError, require, unknown

GIB = 2**30


@dataclass(frozen=True)
class Card:
    """One device."""

    name: str
    memory: int  # bytes a program can have
    flops: float  # dense bfloat16, per second; float32 for a CPU
    bandwidth: float  # bytes per second of its memory
    link: float  # bytes per second to another card of the node, one way
    network: float  # bytes per second to another node, per card
    reached: float  # share of `flops` that matrices reach in training
    price: float | None = None  # dollars an hour
    source: str = ""  # of the price

    def at(self, price: float) -> Card:
        """Give the card at another price."""
        return replace(self, price=price, source="as given")


class Hardware(NamedTuple):
    """Cards of one kind, in nodes."""

    card: Card
    per_node: int = 1
    n_nodes: int = 1

    @property
    def n_devices(self) -> int:
        """Count the cards."""
        return self.per_node * self.n_nodes

    def __str__(self) -> str:
        """Write it as `parse` reads it."""
        if self.card.name == CPU:
            return CPU
        nodes = f"{self.n_nodes}x" if self.n_nodes > 1 else ""
        return f"{nodes}{self.per_node}x{self.card.name}"


CPU = "cpu"
TECHBYTES = "read 2026-05-07 by techbytes.app, serverless GPU pricing matrix"
LAMBDA, MODAL = f"Lambda's list, {TECHBYTES}", f"Modal's list, {TECHBYTES}"
RUNPOD = "RunPod's list, read 2026-03-10 by deploybase.ai/articles/runpod-gpu-pricing"
MERCATUS = "middle of specialised clouds, 2026-05, mercatus-ai.com/blog/cloud-gpu-pricing"

CARDS = {
    card.name: card
    for card in (
        #    name           memory           peak     memory/s  link    network reached $/h
        Card("A100-40GB", int(39.4 * GIB), 312e12, 1.555e12, 250e9, 25e9, 0.70, 1.48, LAMBDA),
        Card("A100-80GB", int(79.1 * GIB), 312e12, 2.039e12, 250e9, 25e9, 0.70, 2.50, MODAL),
        Card("H100", int(79.1 * GIB), 989e12, 3.35e12, 370e9, 50e9, 0.47, 3.78, LAMBDA),
        Card("H200", int(139.8 * GIB), 989e12, 4.8e12, 370e9, 50e9, 0.47, 4.00, MERCATUS),
        Card("L40S", int(44.4 * GIB), 362e12, 0.864e12, 25e9, 25e9, 0.50, 1.95, MODAL),
        Card("L4", int(22.0 * GIB), 121e12, 0.300e12, 12e9, 12e9, 0.50, 0.80, MODAL),
        Card("A10", int(22.0 * GIB), 125e12, 0.600e12, 25e9, 12e9, 0.50, 0.86, LAMBDA),
        Card("A10G", int(22.0 * GIB), 70e12, 0.600e12, 25e9, 12e9, 0.70),
        Card("RTX-A6000", int(47.5 * GIB), 154.8e12, 0.768e12, 25e9, 12e9, 0.50),
        Card("RTX-4090", int(23.5 * GIB), 165.2e12, 1.008e12, 20e9, 12e9, 0.70, 0.60, RUNPOD),
        Card("RTX-3090", int(23.5 * GIB), 71e12, 0.936e12, 20e9, 12e9, 0.70, 0.39, RUNPOD),
    )
}
ALIASES = {
    **{"A100": "A100-80GB", "A100-80": "A100-80GB", "A100-40": "A100-40GB"},
    **{"H100-80GB": "H100", "H100-SXM": "H100", "80GB": "A100-80GB"},
    **{"4090": "RTX-4090", "3090": "RTX-3090", "A6000": "RTX-A6000"},
}
WORDS = re.compile(r"(?:([0-9]+)[x*])?(?:([0-9]+)[x*])?(.+)")
SLOWER = re.compile(r"^H[12]00\b.*\b(?:PCIE|NVL)\b|\bMIG\b")  # than the card they are named for
MOST = 4096  # cards; more is a slip of the keyboard


def of_card(name: str) -> Card:
    """Find a card by its name, or by what CUDA calls it, as "NVIDIA H100 80GB HBM3".

    Raises:
        UserError: no such card; the message lists the known ones.
    """
    plain = re.sub(r"[\s_]+", "-", name.strip().upper()).removeprefix("NVIDIA-")
    plain = plain.removeprefix("GEFORCE-").replace("RTX4", "RTX-4").replace("RTX3", "RTX-3")
    plain = ALIASES.get(plain, plain)
    if plain in CARDS:
        return CARDS[plain]
    if SLOWER.search(plain):
        raise unknown("card", name, [*CARDS, CPU])
    for card in sorted(CARDS, key=len, reverse=True):
        if re.match(rf"{card.split('-')[0]}\b", plain) and all(p in plain for p in card.split("-")):
            return CARDS[card]
    raise unknown("card", name, [*CARDS, CPU])


def parse(words: str) -> Hardware:
    """Read what names a machine: H100, 4xH100, 2x8xH100 (two nodes of eight), cpu.

    Raises:
        UserError: no such card, or no number of cards.
    """
    found = WORDS.fullmatch(words.strip().lower())
    if not found:
        raise UserError("--hardware: give a number and a card, as 4xH100 or 2x8xH100, or cpu")
    first, second, name = found.groups()
    nodes, cards = (int(first), int(second)) if second else (1, int(first or 1))
    if not (nodes > 0 and cards > 0 and nodes * cards <= MOST):
        raise UserError(f"--hardware {words}: give 1 to {MOST} cards")
    if name == CPU:
        if nodes * cards > 1:
            raise UserError(f"--hardware {words}: plan knows one CPU, this one; give cpu")
        return Hardware(this_cpu())
    return Hardware(of_card(name), cards, nodes)


def this_cpu() -> Card:
    """Measure this machine's processor; training on it is in float32."""
    import psutil

    return Card(CPU, int(psutil.virtual_memory().total), peak_here("cpu"), 0, 0, 0, CPU_REACHED)


CPU_REACHED = 0.7


def here() -> Card:
    """Give the card of this process, or its processor; the peak is measured where none is known."""
    torch = require("torch", "train")
    if not torch.cuda.is_available():
        return this_cpu()
    properties = torch.cuda.get_device_properties(torch.cuda.current_device())
    try:
        return replace(of_card(properties.name), memory=int(properties.total_memory))
    except UserError:
        base = CARDS["A100-80GB"]
        peak = peak_here("cuda")
        memory = int(properties.total_memory)
        return replace(base, name=properties.name, memory=memory, flops=peak, price=None, source="")


def peak_here(device: str, seconds: float = 0.3) -> float:
    """Measure how many operations per second a large matrix product reaches here.

    In bfloat16 on a GPU and float32 on a CPU; the best of several runs.
    """
    torch = require("torch", "train")
    cuda = device == "cuda"
    n = 8192 if cuda else 1024
    a = torch.ones(n, n, device=device, dtype=torch.bfloat16 if cuda else torch.float32)
    best, until = 0.0, time.monotonic() + seconds
    a @ a
    while time.monotonic() < until:
        if cuda:
            torch.cuda.synchronize()
        began = time.perf_counter()
        a @ a
        if cuda:
            torch.cuda.synchronize()
        best = max(best, 2 * n**3 / (time.perf_counter() - began))
    return best
