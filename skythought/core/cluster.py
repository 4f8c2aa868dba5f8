"""Ray, where a stage may use it: one place that connects, quietly and without reports to anybody.

An address is `auto` (the cluster this machine belongs to), `HOST:PORT`, or `local`, which starts
Ray on this machine for this process, on the loopback interface only.
"""

from __future__ import annotations

import logging
import os
import socket
from typing import Any

from skythought.core import store
from skythought.core.errors import UserError, first_line, require

LOCAL = "local"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
CONNECT_S = 10.0  # for somebody to answer at an address
CARRIED = ("HF_HUB_OFFLINE", "TOKENIZERS_PARALLELISM")  # and VLLM_*


def connect(address: str) -> Any:
    """Connect this process to a cluster, unless it is connected; gives the module `ray`.

    Raises:
        UserError: Ray is not installed, no cluster answers, or it runs another version.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # these before ray is imported
    if address == LOCAL:  # the only switch by which Ray keeps to the loopback interface
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    ray = require("ray", "ray")
    if ray.is_initialized():
        return ray
    if "://" in address:
        raise UserError(
            f"Ray at {address}: give HOST:PORT or auto, and run the command on a machine of the "
            "cluster"
        )
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address == LOCAL:
        quiet |= {"include_dashboard": False}
    try:
        if ":" in address:
            _knock(ray, address)
        ray.init(address=address, **quiet)
    except (ConnectionError, ValueError, RuntimeError, OSError) as error:
        raise UserError(
            f"Ray at {address}: {first_line(error)}; start a cluster with `ray start --head` and "
            "give its address, or address=local for one on this machine alone"
        ) from error
    return ray


def _knock(ray: Any, address: str) -> None:
    """See that somebody answers, because Ray itself would wait for hours.

    Raises:
        OSError: nobody does.
        ValueError: no such address.
    """
    host, _, port = address.rpartition(":")
    if host in LOOPBACK:  # Ray takes the machine's other address, where it is a cluster's
        host = ray.util.get_node_ip_address()
    socket.create_connection((host, int(port)), timeout=CONNECT_S).close()


def fits(ray: Any, cpus: float, gpus: float) -> bool:
    """Say whether some node has as much as this, whatever else runs there now."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return any(node.get("CPU", 0) >= cpus and node.get("GPU", 0) >= gpus for node in nodes)


def described(ray: Any) -> str:
    """Say what a cluster has: `2 nodes with 8 CPUs and 0 GPUs`."""
    have = ray.cluster_resources()
    n_nodes = sum(node["Alive"] for node in ray.nodes())
    nodes = "1 node" if n_nodes == 1 else f"{n_nodes} nodes"
    return f"{nodes} with {have.get('CPU', 0):g} CPUs and {have.get('GPU', 0):g} GPUs"


def environment() -> dict[str, str]:
    """Pick the settings that processes on other nodes need too; never a secret."""
    return {
        name: value
        for name, value in os.environ.items()
        if (name in CARRIED or name.startswith("VLLM_"))
        and not any(part in name.lower().split("_") for part in store.NEVER_WRITTEN)
    }
