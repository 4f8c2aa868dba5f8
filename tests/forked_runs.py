"""Training runs of one or several processes, killed on the way: torch is imported once for all.

    python tests/forked_runs.py < jobs.json

A job has `values` of `train.Config`, perhaps `processes` (1 where not given), and perhaps `moment`
(the run kills itself there) or `kills` (so often it is killed, each time after a random time
`between` two shares of what the job before took, and gone on with until it ends). `memory` is what
each process thinks that it has, `blind` processes but the first fail if they read weights, and with
`patience` processes wait for each other so many seconds only, less than an evaluation takes. Prints
for each job how often it was killed.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any

MOMENTS = ("after step 5", "after step 7", "in a checkpoint", "after the last step")


def run_all(jobs: list[dict[str, Any]]) -> list[int]:
    """Run jobs one after the other in a Python of their own; gives how often each was killed."""
    done = subprocess.run(
        [sys.executable, __file__],
        env={**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        input=json.dumps(jobs, default=str),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-12000:]
    found: list[int] = json.loads(done.stdout.splitlines()[-1])
    return found


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def hook(moment: str) -> None:
    """Let this process kill itself at a moment; of several processes, the last one does."""
    from transformers import Trainer

    from skythought.training.log import Log

    written, saved = Log.on_log, Trainer._save_optimizer_and_scheduler
    save_model = Trainer.save_model

    def on_log(self: Any, args: Any, state: Any, control: Any, **more: Any) -> None:
        written(self, args, state, control, **more)
        if moment == f"after step {state.global_step}":
            die()

    def save_optimizer(self: Any, folder: str) -> None:
        if moment == "in a checkpoint" and self.state.global_step == 6:
            die()
        saved(self, folder)

    def save(self: Any, folder: str | None = None, _internal_call: bool = False) -> None:
        save_model(self, folder, _internal_call)
        if moment == "after the last step" and not _internal_call:
            die()

    Log.on_log = on_log  # type: ignore[method-assign, assignment]
    Trainer._save_optimizer_and_scheduler = save_optimizer
    Trainer.save_model = save


def arrange(job: dict[str, Any], rank: int) -> None:
    """Change what this process meets."""
    import transformers

    from skythought import evaluate
    from skythought.training import memory, sft

    if "memory" in job:
        memory.device_memory = lambda: job["memory"][rank]
    if "blind" in job and rank > 0:
        transformers.AutoModelForCausalLM.from_pretrained = None
    if "patience" in job:
        summary, patience = evaluate.summary, sft._patience

        def slow(*args: Any, **kwargs: Any) -> Any:
            time.sleep(2.5 * job["patience"])
            return summary(*args, **kwargs)

        evaluate.summary = slow
        sft._patience = lambda wait: patience(True) if wait else job["patience"]


def begin(job: dict[str, Any]) -> list[int]:
    """Fork the processes of a run; gives their ids."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    n = job.get("processes", 1)
    found = []
    for rank in range(n):
        pid = os.fork()
        if pid == 0:
            run(job, rank, n, port)
        found.append(pid)
    return found


def run(job: dict[str, Any], rank: int, n: int, port: int) -> None:
    """Train in this process, and end it."""
    code = 1
    try:
        if n > 1:
            where = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
            ranks = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": n, "LOCAL_WORLD_SIZE": n}
            os.environ |= {**where, **{k: str(v) for k, v in ranks.items()}}
        if "moment" in job and rank == n - 1:
            hook(job["moment"])
        arrange(job, rank)
        from skythought import train

        paths = {name: Path(job["values"][name]) for name in ("dataset", "output_dir")}
        train.run(train.Config(**(job["values"] | paths)))
        code = 0
    finally:
        if code:
            traceback.print_exc()
        sys.stderr.flush()
        os._exit(code)


def wait(pids: list[int], seconds: float = 300) -> bool:
    """Wait for a run; kill it after so long. Says whether it was killed, here or by itself."""
    until = time.monotonic() + seconds
    left, killed = set(pids), False
    while left:
        for pid in list(left):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                left.remove(pid)
                if os.WIFSIGNALED(status):
                    killed = True
                elif not killed:
                    assert os.WEXITSTATUS(status) == 0
        if left and (killed or time.monotonic() > until):
            killed = True
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            for pid in left:
                os.waitpid(pid, 0)
            left.clear()
        time.sleep(0.005)
    return killed


def main() -> None:
    """Run the jobs of standard input."""
    import transformers  # noqa: F401
    import trl  # noqa: F401

    from skythought import train  # noqa: F401
    from skythought.training import preference, sft  # noqa: F401

    os.environ["ACCELERATE_USE_CPU"] = "1"
    counts = []
    took = 0.0
    for job in json.load(sys.stdin):
        chance, killed = random.Random(job.get("seed", 0)), 0
        while killed < job.get("kills", 0):
            if not wait(begin(job), took * chance.uniform(*job["between"])):
                break  # it was ready before
            killed += 1
        start = time.monotonic()
        killed += wait(begin(job))
        took = time.monotonic() - start
        counts.append(killed)
    sys.stdout.write(f"{json.dumps(counts)}\n")


if __name__ == "__main__":
    main()
