"""skythought/backends/cache.py: written in place, and rows can leave."""

from __future__ import annotations

from typing import Any

import pytest

torch: Any = pytest.importorskip("torch", reason="needs skythought[train]")
transformers: Any = pytest.importorskip("transformers", reason="needs skythought[train]")


def test_the_cache_keeps_rows_in_place() -> None:
    from skythought.backends.cache import PreallocatedCache

    config = transformers.LlamaConfig(num_hidden_layers=2)
    cache = PreallocatedCache(config, room=4)
    assert cache.get_seq_length() == 0
    first, second = torch.randn(3, 1, 2, 5), torch.randn(3, 1, 1, 5)
    keys, _ = cache.update(first, -first, 0)
    place = cache.layers[0].keys.data_ptr()
    assert torch.equal(keys, first)
    keys, values = cache.update(second, -second, 0)
    assert cache.layers[0].keys.data_ptr() == place
    assert torch.equal(keys, torch.cat([first, second], 2))
    assert torch.equal(values, -keys)
    cache.update(first, first, 1)
    cache.keep_rows(torch.tensor([0, 2]))
    assert cache.get_seq_length() == 3
    keys, values = cache.update(second[:2], -second[:2], 0)
    kept = torch.cat([first, second], 2)[[0, 2]]
    assert torch.equal(keys, torch.cat([kept, second[:2]], 2))
    assert torch.equal(values, -keys)
