"""A LoRA layer of PEFT with one large product in place of three, for the same result.

    y = x W'^T,  W' = W + scale B A        where PEFT computes  x W^T + scale ((x A^T) B^T)

W' is made once per optimizer step. Backwards, the gradient of x is one product with W' too, and
those of A and B are exact: s B^T (dy^T x) and s (dy^T x) A^T, multiplied in the order that is
cheaper. In float32 only: rounding W' to bfloat16 would swallow small updates. There the second
product is added where the first one lies, and x is not copied to float32 and back:

    y = x W^T + (x A^T) (scale B)^T        rounded once, where PEFT rounds each part
"""

from __future__ import annotations

import types
from typing import Any

import torch
from peft.tuners.lora import Linear

HALVES = (torch.bfloat16, torch.float16)


class _Product(torch.autograd.Function):  # type: ignore[misc]
    """x (n, in) times W' (out, in), and the gradients of A (r, in) and B (out, r)."""

    @staticmethod
    def forward(ctx: Any, x: Any, merged: Any, bias: Any, a: Any, b: Any, scale: float) -> Any:
        ctx.save_for_backward(x, merged, a, b)
        ctx.scale = scale
        return torch.nn.functional.linear(x, merged, bias)

    @staticmethod
    def backward(ctx: Any, dy: Any) -> tuple[Any, ...]:
        x, merged, a, b = ctx.saved_tensors
        dx = dy @ merged if ctx.needs_input_grad[0] else None
        grad_a, grad_b = adapter_gradients(dy, x, a, b, ctx.scale)
        return dx, None, None, grad_a, grad_b, None


class _Sum(torch.autograd.Function):  # type: ignore[misc]
    """The same in the type of W, bfloat16 or float16; gradients of A and B in their own."""

    @staticmethod
    def forward(
        ctx: Any, x: Any, weight: Any, bias: Any, a: Any, b: Any, made: Any, scale: float
    ) -> Any:
        x = x.to(weight.dtype)
        half = made or halves(a, b, scale, weight.dtype)
        low = x @ half[0].T
        y = torch.nn.functional.linear(x, weight, bias)
        flat = y.view(-1, y.shape[-1])
        flat.addmm_(low.reshape(-1, low.shape[-1]), half[1].T)
        ctx.save_for_backward(x, weight, a, b, low)
        ctx.made, ctx.scale = made, scale
        return y

    @staticmethod
    def backward(ctx: Any, dy: Any) -> tuple[Any, ...]:
        x, weight, a, b, low = ctx.saved_tensors
        dx = None
        flat = dy.to(weight.dtype).reshape(-1, dy.shape[-1])
        half = ctx.made or halves(a, b, ctx.scale, weight.dtype)
        d_low = flat @ half[1]
        if ctx.needs_input_grad[0]:
            dx = (flat @ weight).addmm_(d_low, half[0]).view(x.shape)
        grad_a = d_low.T @ x.reshape(-1, x.shape[-1])
        grad_b = (flat.T @ low.reshape(-1, low.shape[-1])).float().mul_(ctx.scale)
        return dx, None, None, grad_a.to(a.dtype), grad_b.to(b.dtype), None, None


def halves(a: Any, b: Any, scale: float, dtype: Any) -> tuple[Any, Any]:
    """Give A and scale B in a type of 16 bits."""
    return a.to(dtype), (b * scale).to(dtype)


def adapter_gradients(dy: Any, x: Any, a: Any, b: Any, scale: float) -> tuple[Any, Any]:
    """Give the gradients of A (r, in) and B (out, r).

    Args:
        dy: gradient of the output, (..., out).
        x: input, (..., in).
        a: (r, in).
        b: (out, r).
        scale: of the adapter.
    """
    dy, x = dy.reshape(-1, dy.shape[-1]), x.reshape(-1, x.shape[-1])
    (rank, n_in), n_out, n = a.shape, len(b), len(x)
    if 2 * n * rank * (n_in + n_out) < n_in * n_out * (n + 2 * rank):
        # The gradient of A as (in, r): a CPU multiplies that a fifth faster than (r, in).
        return (x.T @ (dy @ b).mul_(scale)).T, dy.T @ (x @ a.T).mul_(scale)
    whole = (dy.T @ x).mul_(scale)
    return b.T @ whole, whole @ a.T


def merged_weight(layer: Any, name: str) -> Any:
    """Give W + scale B A of a layer, made where it was not made since the last step."""
    if getattr(layer, "merged_tensor", None) is None:
        a, b = layer.lora_A[name].weight, layer.lora_B[name].weight
        with torch.no_grad():
            weight = layer.get_base_layer().weight
            layer.merged_tensor = torch.addmm(weight, b, a, alpha=layer.scaling[name])
    return layer.merged_tensor


def made_halves(layer: Any, name: str) -> tuple[Any, Any]:
    """Give `halves` of a layer, made where they were not made since the last step."""
    if getattr(layer, "half_tensors", None) is None:
        a, b = layer.lora_A[name].weight, layer.lora_B[name].weight
        with torch.no_grad():
            dtype = layer.get_base_layer().weight.dtype
            layer.half_tensors = halves(a, b, layer.scaling[name], dtype)
    found: tuple[Any, Any] = layer.half_tensors
    return found


def forget(model: Any) -> None:
    """Have the products made again: A and B have changed."""
    for module in model.modules():
        if isinstance(module, Linear):
            module.merged_tensor = module.half_tensors = None


def plain(layer: Any, name: str = "default") -> str:
    """Say what a layer that is LoRA as it was first, without dropout and variants, is computed in.

    Returns:
        "whole" (float32 or float64), "half" with an adapter in float32, or nothing.
    """
    base = layer.get_base_layer()
    known = bool(
        type(layer) is Linear
        and type(base) is torch.nn.Linear
        and list(layer.active_adapters) == [name]
        and name in layer.lora_A
        and name not in layer.lora_variant
        and isinstance(layer.lora_dropout[name], torch.nn.Identity)
        and layer.lora_A[name].bias is None
        and layer.lora_B[name].bias is None
        and not base.weight.requires_grad
    )
    kinds = {p.dtype for p in layer.parameters()} if known else set()
    if kinds in ({torch.float32}, {torch.float64}):
        return "whole"
    adapter = {layer.lora_A[name].weight.dtype, layer.lora_B[name].weight.dtype} if known else set()
    return "half" if base.weight.dtype in HALVES and adapter == {torch.float32} else ""


def _forward(self: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
    if args or kwargs or self.disable_adapters or self.merged or not self.training:
        return Linear.forward(self, x, *args, **kwargs)
    a, b = self.lora_A["default"].weight, self.lora_B["default"].weight
    base, scale = self.get_base_layer(), self.scaling["default"]
    if base.weight.dtype in HALVES:
        made = made_halves(self, "default") if self.keeps else None
        return _Sum.apply(x, base.weight, base.bias, a, b, made, scale)
    return _Product.apply(x, merged_weight(self, "default"), base.bias, a, b, scale)


def merge_products(model: Any, kind: str = "whole", *, keeps: bool = True) -> int:
    """Let every plain LoRA layer of a PEFT model that is in training compute in fewer passes.

    Whoever changes A or B calls `forget`, as `follow` does after each step of an optimizer: fused
    optimizers do not raise the versions of what they change.

    Args:
        model: of PEFT.
        kind: of layers, as `plain` says; "half" under autocast to the type of their weights.
        keeps: what is made of A and B is kept until they change. FSDP's weights are there for the
            time of a layer only, so nothing is kept of them, and "whole" is not for them.

    Returns:
        How many layers do.
    """
    layers = [m for m in model.modules() if isinstance(m, Linear) and plain(m) == kind]
    for layer in layers:
        layer.keeps = keeps
        layer.forward = types.MethodType(_forward, layer)
    return len(layers)


def follow(model: Any, optimizer: Any) -> None:
    """Forget the products after every step of an optimizer."""
    optimizer.register_step_post_hook(lambda *_: forget(model))
