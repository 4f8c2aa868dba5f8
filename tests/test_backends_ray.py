"""skythought/backends/ray.py: on a real cluster of two nodes, one of which is lost.

Those marked `engines` start Ray: `make engines`. Nothing listens beyond the loopback interface.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from skythought import backends
from skythought.backends import ray as ours
from skythought.core import store
from skythought.core.errors import UserError
from skythought.core.records import Completion, Message, Request, Sampling, Trace

WHY = "needs ray, in an environment of its own: make engines"
HERE = Path(__file__).parent
NAME = f"{__name__}:"


class Slow:
    """Takes a while for each answer, and says which process gave it. Runs on the nodes."""

    def __init__(self, model: str, pause: float = 0.05, same: str = "true") -> None:
        self.pause = pause
        self.identity = model if same == "true" else f"{model}-{os.getpid()}"

    def complete(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[Completion]:
        for request in requests:
            if "poison" in request.id:
                os._exit(1)
            if "bad" in request.id:
                raise UserError("the disk of the model is gone")
            time.sleep(self.pause)
            text = f"{os.getpid()} {sampling.max_tokens}"
            yield Completion(id=request.id, text=text, finish="stop", completion_tokens=1)


def requests(n: int, name: str = "r") -> list[Request]:
    return [Request(id=f"{name}{i}", messages=(Message("user", "q"),)) for i in range(n)]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"no": "1"}, "unknown option of ray 'no': "),
        ({"replica": "2"}, "unknown option of ray 'replica': did you mean 'replicas'?"),
        ({"max_model_length": "9"}, "did you mean 'max_model_len'?"),
        ({"inner": "hf", "max_num_seqs": "9"}, "unknown option of ray 'max_num_seqs': "),
        ({"inner": "vlm"}, "unknown backend 'vlm': did you mean 'vllm'?"),
        ({"inner": "ray"}, "inner=ray: give the backend that answers on each node"),
        ({"replicas": "0"}, "replicas=0: give 1 or more"),
        ({"replicas": "two"}, "replicas=two: give a whole number"),
        ({"wait": "nan"}, "wait=nan: give 0 or more"),
    ],
)
def test_a_wrong_option_is_one_line(options: dict[str, str], told: str) -> None:
    with pytest.raises(UserError) as caught:
        backends.make("ray", "mini", options)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("inner", "options", "gpus"),
    [
        ("vllm", {}, 1),
        ("vllm", {"tensor_parallel_size": "4", "pipeline_parallel_size": "2"}, 8),
        ("vllm", {"tensor_parallel_size": "four"}, 1),
        ("hf", {}, 1),
        ("hf", {"device": "cpu"}, 0),
        ("symbolic", {}, 0),
    ],
)
def test_the_gpus_of_a_replica(inner: str, options: dict[str, str], gpus: int) -> None:
    assert ours._gpus(inner, options) == gpus


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    """Give a cluster with a head that works on nothing; this process belongs to it."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # keep to the loopback interface
    pytest.importorskip("ray", reason=WHY)
    from ray.cluster_utils import Cluster

    before = os.environ.get("PYTHONPATH")
    paths = [str(HERE.parent), str(HERE), *filter(None, [before])]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)  # for the nodes
    each = {"node_ip_address": "127.0.0.1", "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **each})
    try:
        yield made
    finally:
        import ray

        ray.shutdown()
        made.shutdown()
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


@pytest.fixture
def two(nodes: Any) -> Any:
    """Give the cluster with two nodes of one CPU each, beside its head."""
    each = {"num_cpus": 1, "node_ip_address": "127.0.0.1", "include_dashboard": False}
    while len(nodes.worker_nodes) < 2:
        nodes.add_node(**each)
    return nodes


def made(two: Any, **options: Any) -> Any:
    given = {"address": two.address, "inner": f"{NAME}Slow", "replicas": "2", **options}
    return backends.make("ray", "m", given)


def take(answers: Iterator[Completion], found: list[str]) -> None:
    """Note the ids of answers as they come."""
    for answer in answers:
        found.append(answer.id)


def pids(answers: Sequence[Completion]) -> set[str]:
    return {c.text.split()[0] for c in answers}


@pytest.mark.engines
def test_two_nodes_share_the_work(two: Any) -> None:
    backend = made(two)
    assert backend.identity == "m"
    found = list(backend.complete(requests(40), Sampling(max_tokens=7)))
    assert sorted(c.id for c in found) == sorted(r.id for r in requests(40))
    assert {c.text.split()[1] for c in found} == {"7"}
    assert len(pids(found)) == 2
    again = list(backend.complete(requests(3, "again"), Sampling()))  # the engines are kept
    assert pids(again) <= pids(found)
    assert list(backend.complete([], Sampling())) == []


@pytest.mark.engines
def test_a_node_that_is_lost_loses_nothing(two: Any, capsys: pytest.CaptureFixture[str]) -> None:
    backend = made(two)
    asked = requests(80)
    answers = backend.complete(asked, Sampling())
    found = [next(answers) for _ in range(10)]
    while len(pids(found)) < 2:
        found.append(next(answers))
    two.remove_node(next(iter(two.worker_nodes)), allow_graceful=False)
    found.extend(answers)
    assert sorted(c.id for c in found) == sorted(r.id for r in asked)
    assert len(pids(found[-10:])) == 1
    told = " ".join(capsys.readouterr().err.split())
    assert "ray backend: a worker on node" in told
    assert "what it had goes to others: " in told


@pytest.mark.engines
def test_replicas_that_die_are_replaced(two: Any) -> None:
    backend = made(two)
    asked = requests(80)
    answers = backend.complete(asked, Sampling())
    found = [next(answers)]
    while len(pids(found)) < 2:
        found.append(next(answers))
    for victim in pids(found):
        os.kill(int(victim), signal.SIGKILL)
    found.extend(answers)
    assert sorted(c.id for c in found) == sorted(r.id for r in asked)
    assert len(pids(found)) > 2


@pytest.mark.engines
def test_a_request_that_kills_replicas_ends_the_run(two: Any) -> None:
    """After all others were answered, and with one line."""
    backend = made(two, pause="0.001", in_flight="1")
    asked = [*requests(10), *requests(1, "poison"), *requests(10, "more")]
    found: list[str] = []
    with pytest.raises(
        UserError, match="workers were lost and nothing was finished between"
    ) as caught:
        take(backend.complete(asked, Sampling()), found)
    assert "\n" not in str(caught.value)
    assert len(found) == len(set(found))
    assert "poison0" not in found


@pytest.mark.engines
def test_a_failure_on_a_node_is_one_line_and_keeps_answers(two: Any) -> None:
    backend = made(two, in_flight="1")
    found: list[str] = []
    with pytest.raises(UserError, match=r"node .*: the disk of the model is gone"):
        take(backend.complete([*requests(4), *requests(1, "bad")], Sampling()), found)
    assert found
    after = list(backend.complete(requests(4, "after"), Sampling()))  # nothing of the first call
    assert sorted(c.id for c in after) == [f"after{i}" for i in range(4)]


@pytest.mark.engines
@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"inner": "scripted", "pause": "1"}, "unknown option of ray 'pause'"),
        ({"inner": "scripted"}, r"ray backend, node .*: m: no such file"),
        ({"pause": "long"}, "pause=long: give a number"),
        ({"gpus": "1"}, r"needs 1 CPUs and 1 GPUs on one node, .* give gpus=0"),
        ({"cpus": "64"}, r"needs 64 CPUs .* none has them \(3 nodes with 2 CPUs and 0 GPUs\)"),
        ({"same": "false"}, r"has m-\d+, another node m-\d+; put the same model"),
    ],
)
def test_what_cannot_start_is_one_line(two: Any, options: dict[str, str], told: str) -> None:
    with pytest.raises(UserError, match=told) as caught:
        list(made(two, **options).complete(requests(40), Sampling()))
    assert "\n" not in str(caught.value)


@pytest.mark.engines
def test_no_room_for_a_replica_is_said_in_the_end(two: Any) -> None:
    first = made(two)  # takes both CPUs
    with pytest.raises(UserError, match=r"nothing is ready after 2 s .* free some of it"):
        made(two, wait="2")
    assert len(list(first.complete(requests(2), Sampling()))) == 2


@pytest.mark.engines
def test_a_killed_run_goes_on(two: Any, tmp_path: Path) -> None:
    """The command is killed in the middle, then given again: each answer once."""
    problems = tmp_path / "problems.jsonl"
    rows = [{"id": str(i), "problem": f"{i}?", "answer": "1"} for i in range(60)]
    problems.write_text("".join(json.dumps(row) + "\n" for row in rows))
    traces = tmp_path / "run" / "traces.jsonl"
    words = (
        f"-m skythought generate --task {problems} --backend ray --model m --backend-args "
        f"address={two.address},inner={NAME}Slow,replicas=2 --result-dir {tmp_path / 'run'}"
    )
    command = [sys.executable, *words.split()]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and not (traces.exists() and traces.stat().st_size):
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    before = traces.read_bytes()
    kept = before[: before.rfind(b"\n") + 1]
    assert 0 < kept.count(b"\n") < 60
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert traces.read_bytes().startswith(kept)
    ids = [t.id for t in store.read(traces, Trace)]
    assert len(ids) == len(set(ids)) == 60
