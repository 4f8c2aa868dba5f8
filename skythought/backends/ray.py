"""Replicas of another backend on the machines of a Ray cluster.

    --backend ray --model FOLDER --backend-args address=auto,replicas=4,tensor_parallel_size=4

A replica is an actor that holds an engine (`inner`, vLLM unless said otherwise) on one node. Each
is fed as much as it has room for, and an answer comes back as soon as it is finished. When a node
is lost, the requests it had are asked again elsewhere; what was answered is not, and no answer
counts twice. Options that are not listed here are those of the inner backend.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Iterator
from operator import length_hint
from typing import Any

from skythought import backends
from skythought.backends.replica import Replica
from skythought.core import cluster, registry
from skythought.core.crew import Crew
from skythought.core.errors import UserError, unknown
from skythought.core.records import Completion, Request, Sampling


class Ray:
    """Asks replicas of another backend; `identity` and `continues` are those of the inner one.

    Args:
        model: what the inner backend takes.
        address: `auto`, HOST:PORT, or `local`.
        inner: the backend that answers on each node.
        replicas: how many engines.
        gpus: GPUs of one replica; what the inner backend needs where not given.
        cpus: CPUs of one replica.
        in_flight: requests at one replica at once; 0 is as many as it has room for.
        wait: seconds until the first replica must be ready.
        options: those of the inner backend.
    """

    lazy = True

    def __init__(
        self,
        model: str,
        address: str = "auto",
        inner: str = "vllm",
        replicas: int = 1,
        gpus: float = -1,
        cpus: float = 1,
        in_flight: int = 0,
        wait: float = 1800,
        **options: Any,
    ) -> None:
        kind = registry.resolve("backend", inner, backends.BACKENDS)
        _check_options(inner, kind, options)
        self.continues: bool = getattr(kind, "continues", False)
        self.own_samples: bool = getattr(kind, "own_samples", False)
        for name, value, least in (
            ("replicas", replicas, 1),
            ("cpus", cpus, 0),
            ("in_flight", in_flight, 0),
            ("wait", wait, 0),
        ):
            if not (value >= least and math.isfinite(value)):
                raise UserError(f"ray backend: {name}={value:g}: give {least} or more")
        self.crew = Crew(
            cluster.connect(address),
            "ray backend",
            Replica,
            (inner, model, options, cluster.environment()),
            size=replicas,
            cpus=cpus,
            gpus=_gpus(inner, options) if gpus < 0 else gpus,
            room=in_flight,
            wait=wait,
        )
        self.identity = self.crew.identity
        self.runs_on = f"ray, {inner}"

    def complete(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[Completion]:
        """Yield completions as they end on any node.

        Raises:
            UserError: a replica cannot work, or replicas are lost one after another.
        """
        return self.crew.work(requests, length_hint(requests), _key, sampling)


def _key(request: Request) -> str:
    return request.id


def _check_options(inner: str, kind: Any, options: dict[str, Any]) -> None:
    """Refuse what neither this backend nor the inner one has, before anything is started."""
    if inner == "ray":
        raise UserError("ray backend: inner=ray: give the backend that answers on each node")
    theirs = inspect.signature(kind).parameters
    if any(p.kind is p.VAR_KEYWORD for p in theirs.values()):
        return
    ours = [name for name in inspect.signature(Ray).parameters if name not in ("model", "options")]
    known = [*ours, *[*theirs][1:]]
    for name in options:
        if name not in known:
            raise unknown("option of ray", name, known)


def _gpus(inner: str, options: dict[str, Any]) -> float:
    """Say how many GPUs one replica of a backend needs."""
    if inner == "hf":
        return 0 if options.get("device") == "cpu" else 1
    if inner != "vllm":
        return 0
    try:
        sizes = [int(options.get(f"{kind}_parallel_size", 1)) for kind in ("tensor", "pipeline")]
    except ValueError:
        return 1  # the inner backend says what is wrong with it
    return math.prod(sizes)
