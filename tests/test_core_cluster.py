"""skythought/core/cluster.py: one line without a cluster, and nothing that names a secret."""

from __future__ import annotations

import socket
import sys

import pytest

from skythought.core import cluster
from skythought.core.errors import UserError


def test_what_to_install_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"run: pip install 'skythought\[ray\]'"):
        cluster.connect("auto")


@pytest.mark.engines
@pytest.mark.parametrize("kind", ["nobody", "ray://127.0.0.1:1", "nonsense", "nonsense:port"])
def test_a_cluster_that_is_not_there(kind: str) -> None:
    ray = pytest.importorskip("ray", reason="needs ray, in an environment of its own: make engines")
    assert not ray.is_initialized()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # not listening, so nobody answers there
        address = f"127.0.0.1:{taken.getsockname()[1]}" if kind == "nobody" else kind
        with pytest.raises(UserError) as caught:
            cluster.connect(address)
    assert str(caught.value).startswith(f"Ray at {address}: ")
    assert "\n" not in str(caught.value)


def test_what_nodes_are_told_holds_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_API_KEY", "sk-1")
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
    monkeypatch.setenv("HF_TOKEN", "hf-1")
    found = cluster.environment()
    assert found["VLLM_CPU_KVCACHE_SPACE"] == "1"
    assert found["HF_HUB_OFFLINE"] == "1"
    assert not {"sk-1", "hf-1"} & set(found.values())
