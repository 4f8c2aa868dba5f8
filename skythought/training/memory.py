"""How much memory training takes on one device, part by part, and how many tokens fit beside it.

    of(Setup(model=qwen_7b, method="lora"), tokens=16384).total / 2**30  ->  34.1

On a GPU: an adapter lies in float32 on frozen bfloat16 weights, with `full` the weights are float32
and computed with in bfloat16, and with `qlora` the matrices of the layers take 4 bits. On a CPU
everything is float32. AdamW keeps two float32 values per trained weight. FSDP splits weights,
gradients and optimizer, and gathers two layers at a time. What a layer keeps for its backward pass
was read off autograd (`kept_per_token`); tests hold the formula to what autograd keeps.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from skythought.core.errors import UserError
from skythought.training import architecture
from skythought.training.architecture import Architecture

Method = Literal["lora", "qlora", "full"]
METHODS: tuple[Method, ...] = ("lora", "qlora", "full")
PIECE = {True: 512, False: 2048}  # tokens whose logits exist at a time, on a CPU and a GPU
NF4_BITS = 4.127  # per value, with the double quantization of QLoRA (arXiv 2305.14314, section 3)
CONTEXT = int(1.5 * 2**30)  # CUDA, its libraries and their workspaces
GROUP = 2**30  # what NCCL and FSDP hold beside that
ZERO3 = 3 * 10**9  # weights and gradients that DeepSpeed holds on their way, at most
GROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
SHARE = 0.92  # of a device that training can have; the rest is gaps between blocks


@dataclass(frozen=True, kw_only=True)
class Setup:
    """A way to train a model."""

    model: Architecture
    method: Method
    r: int = 64
    targets: tuple[str, ...] = ()  # matrices with an adapter; all where none is named
    checkpointing: bool = False
    shards: int = 1  # devices that FSDP splits the model over
    devices: int = 1
    cpu: bool = False
    zero3: bool = False  # DeepSpeed splits the model
    offload: bool = False  # weights, gradients and optimizer lie in the machine's memory

    @property
    def adapter(self) -> int:
        """Count the parameters of the adapter."""
        return 0 if self.method == "full" else self.model.adapter(self.r, self.targets)

    @property
    def trained(self) -> int:
        """Count the parameters that are trained."""
        return self.model.n_params if self.method == "full" else self.adapter


class Memory(NamedTuple):
    """Bytes of one device at the peak of a step."""

    weights: float
    gradients: float
    optimizer: float
    activations: float
    logits: float
    runtime: float  # of CUDA and of communication

    @property
    def total(self) -> float:
        """Add the parts."""
        return sum(self)


def of(setup: Setup, tokens: int) -> Memory:
    """Predict the peak with `tokens` tokens in a forward and backward pass of a device."""
    model, n = setup.model, setup.shards
    layers = model.n_layers * model.layer
    full = setup.method == "full"
    size = 4 if setup.cpu else 2
    if full or setup.cpu:
        # On a CPU a LoRA layer is multiplied as one matrix, which is made beside the frozen one.
        weights = 4.0 * model.n_params + (0 if full else 4 * layers)
    elif setup.method == "lora":
        weights = 2.0 * model.n_params
    else:
        weights = NF4_BITS / 8 * layers + 2 * (model.n_params - layers) + 2 * max_matrix(model)
    weights = (weights + 4 * setup.adapter) / n
    if setup.method == "lora" and n == 1 and not setup.cpu:
        weights += 2 * setup.adapter  # rounded, for the products
    if n > 1:  # two layers, and the embedding and output layer throughout
        weights += 2 * (2 * model.layer + model.head * (1 if model.tied else 2))
    elif full and not setup.cpu:
        weights += 2 * (layers + model.head)  # the copies that are computed with
    gradients = 4 * setup.trained / n + (4 * model.layer if full and n > 1 else 0)
    optimizer = 8 * setup.trained / n
    if setup.offload:  # but for what is gathered, and the gradients on their way
        weights -= (4.0 * model.n_params + 4 * setup.adapter) / n
        gradients, optimizer = 4.0 * model.layer, 0.0
    kept = kept_per_token(setup)
    one = backward_per_token(setup)
    stream = model.hidden * (4 if full and n == 1 else size)
    if setup.checkpointing:
        activations = tokens * (model.n_layers * stream + kept)
    else:
        activations = tokens * model.n_layers * kept
    # Of a piece, on a GPU: the logits, the same in float32, and these rounded again.
    logits = min(tokens, PIECE[setup.cpu]) * model.vocab * (4 if setup.cpu else 8)
    logits += tokens * model.hidden * size  # the gradient of what the output layer reads
    # That of the output layer, in float32, and what a piece adds to it.
    logits += (8 if setup.cpu else 6) * model.head if full else 0
    # Either the loss is computed or a layer's backward pass, and the logits are gone by then.
    activations += max(0, tokens * one - logits)
    runtime = 0 if setup.cpu else CONTEXT + (GROUP if setup.devices > 1 else 0)
    runtime += ZERO3 if setup.zero3 and not setup.cpu else 0
    return Memory(weights, gradients, optimizer, activations, logits, runtime)


def max_matrix(model: Architecture) -> int:
    """Count the values of the largest matrix of a layer."""
    return max(a * b for a, b in model.linears.values())


def kept_per_token(setup: Setup) -> float:
    """Give the bytes that a layer keeps of a token for its backward pass.

    Two norms keep what they read in float32; where their weights are trained, also what they
    divided. The matrices keep their inputs if they are trained or have an adapter, attention its
    queries, keys, values and result, the gated activation three of the inner width and the last
    matrix one.
    """
    model = setup.model
    h, q, kv, i = model.hidden, model.q_dim, model.kv_dim, model.inner
    full = setup.method == "full"
    inner = (4 if model.gated else 2) * i
    if setup.cpu:
        return 4 * ((6 if full else 4) * h + 2 * q + 2 * kv + inner)
    if setup.method == "lora":  # as `lora.merge_products` computes it
        return 12 * h + 4 * q + 4 * kv + 2 * inner + 14 * setup.r
    if not full:  # as PEFT does, with copies of the inputs in float32
        return 18 * h + 6 * q + 4 * kv + 2 * inner + 14 * setup.r
    # In float32 weights every matrix makes its own bfloat16 copy of its input.
    return (26 if setup.shards == 1 else 16) * h + 4 * q + 4 * kv + 2 * inner


def backward_per_token(setup: Setup) -> float:
    """Give the bytes of a token's gradients while a layer's backward pass runs."""
    size = 4 if setup.cpu else 2
    return size * 3 * setup.model.inner + 8 * setup.model.hidden


def begins_with(setup: Setup) -> float:
    """Give the bytes of a device before the model is split: DeepSpeed moves all of it first."""
    return 2.0 * setup.model.n_params if setup.zero3 and not setup.cpu else 0.0


def fit_tokens(setup: Setup, memory: float) -> int:
    """Count the tokens that a pass can hold on a device of so many bytes; 0 where none fits."""
    if begins_with(setup) > SHARE * memory:
        return 0
    low, high = 0, 2**26
    while low < high:
        middle = (low + high + 1) // 2
        if of(setup, middle).total <= SHARE * memory:
            low = middle
        else:
            high = middle - 1
    return low


def tokens_that_fit(
    model: Any,
    *,
    full: bool,
    checkpointing: bool,
    memory: int,
    r: int = 64,
    shards: int = 1,
    zero3: bool = False,
    offload: bool = False,
) -> int | None:
    """Count the tokens that a pass can hold, as `fit_tokens`.

    Args:
        model: a causal language model of transformers.
        full: all weights are trained, not an adapter.
        checkpointing: activations are computed twice and not kept.
        memory: bytes of the device.
        r: rank of the adapter.
        shards: devices that the model is split over.
        zero3: by DeepSpeed.
        offload: weights and optimizer lie in the machine's memory.

    Returns:
        None for a model whose config does not tell its sizes.
    """
    import torch

    config = model.config.get_text_config()
    fields = {name: getattr(config, name, None) for name in architecture.FIELDS}
    quantized = getattr(model, "is_loaded_in_4bit", False)
    try:
        sizes = architecture.of(fields)
    except UserError:
        return None
    setup = Setup(
        model=sizes,
        method="full" if full else "qlora" if quantized else "lora",
        r=r,
        checkpointing=checkpointing,
        shards=shards,
        zero3=zero3,
        offload=offload,
        devices=int(os.environ.get("WORLD_SIZE", "1")),
        # Where it will be trained, not where it was loaded.
        cpu=not torch.cuda.is_available() or (model.dtype.itemsize == 4 and not full),
    )
    if not quantized:  # experts, or what else the sizes do not tell
        unknown = sum(p.numel() for p in model.parameters()) - sizes.n_params
        memory -= max(0, unknown) * (16 if full else model.dtype.itemsize) // shards
    return fit_tokens(setup, memory)


def device_memory() -> int:
    """Give the bytes of the GPU of this process, or its share of the machine's memory.

    The total, not what is free now, so that a resumed run cuts its batches as before.
    """
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory)
    import psutil

    limits = [int(psutil.virtual_memory().total), *_limits_of_group()]
    return min(limits) // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def _limits_of_group() -> list[int]:
    """Read what a container may use, from cgroups of version 2 and 1."""
    texts = [path.read_text().strip() for path in GROUP_LIMITS if path.is_file()]
    return [int(text) for text in texts if text.isdigit()]  # or "max"
