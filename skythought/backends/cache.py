"""A key-value cache that is allocated once and can drop rows.

Transformers' dynamic cache copies itself for every token; this one writes in place.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicLayer


class _Layer(DynamicLayer):  # type: ignore[misc]
    """Keys and values of one layer, (B, heads, room, width), filled up to `used`."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room, self.used = room, 0
        self.is_initialized: bool = False

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append (B, heads, new, width) and return all that is filled."""
        rows, heads, new, width = key_states.shape
        if not self.is_initialized:
            self.dtype, self.device = key_states.dtype, key_states.device
            self.keys = key_states.new_empty((rows, heads, self.room, width))
            self.values = value_states.new_empty((rows, heads, self.room, value_states.shape[-1]))
            self.is_initialized = True
        self.keys[:, :, self.used : self.used + new] = key_states
        self.values[:, :, self.used : self.used + new] = value_states
        self.used += new
        return self.keys[:, :, : self.used], self.values[:, :, : self.used]

    def get_seq_length(self) -> int:
        """Return how many positions are filled."""
        return self.used

    def keep_rows(self, rows: torch.Tensor) -> None:
        """Keep these rows of the batch; copies the layer."""
        self.keys, self.values = self.keys[rows], self.values[rows]


class PreallocatedCache(Cache):  # type: ignore[misc]
    """A cache with room for a known number of positions."""

    def __init__(self, config: Any, room: int) -> None:
        n_layers = config.get_text_config().num_hidden_layers
        super().__init__(layers=[_Layer(room) for _ in range(n_layers)])

    def keep_rows(self, rows: torch.Tensor) -> None:
        """Drop all rows of the batch but these."""
        for layer in self.layers:
            layer.keep_rows(rows)
