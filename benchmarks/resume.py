"""How long a finished run takes to go on: time to the first request, and memory.

    python benchmarks/resume.py --rows 1000000 --kb 1.3

Makes a run folder with that many finished samples, 8 of each problem, and 8 that are not. Then runs
the real command against a server on this machine, and stops the clock when its first request
arrives. Results stand in benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from skythought.core import store
from skythought.core.records import Problem, Sampling, Trace, sample_ids
from skythought.generating import work as asking
from skythought.tasks import benchmarks

N = 8
SAMPLING = "temperature=0.6,top_p=0.95,max_tokens=16384"
WORDS = ("so", "let me", "check", "wait", "the sum of", "two", "and", "three", "is", "five", "hmm")


def build(folder: Path, rows: int, kb: float, base_url: str) -> tuple[list[str], float]:
    """Make the run; gives the command that goes on with it, and the size of its traces in GB."""
    source, run = folder / "problems.jsonl", folder / "run"
    rng = random.Random(0)
    with source.open("w", encoding="utf-8") as file:
        for number in range(rows // N + 1):
            text = " ".join(rng.choices(WORDS, k=40))
            row = {"id": f"p{number}", "problem": f"{number}: {text}?", "answer": str(number)}
            file.write(msgspec.json.encode(row).decode() + "\n")
    command = [
        *(sys.executable, "-m", "skythought", "generate", "--task", str(source)),
        *("--backend", "openai", "--model", "Qwen/QwQ-32B", "--n", str(N)),
        *("--backend-args", f"base_url={base_url},retries=0,concurrency=1"),
        *("--sampling-params", SAMPLING, "--result-dir", str(run)),
    ]
    begin(command, run)
    problems = store.read(run / "problems.jsonl", Problem)
    sampling = Sampling(temperature=0.6, top_p=0.95, max_tokens=16384)
    thoughts = ["\n\n".join(sentences(rng, kb)) for _ in range(64)]
    with (run / "traces.jsonl").open("wb") as file:
        for problem in problems[:-1]:
            messages = asking.prompt(problem, benchmarks.SYSTEM_PROMPT)
            ids = sample_ids(problem.id, messages, "Qwen/QwQ-32B", sampling, N)
            for sample, key in enumerate(ids):
                made = Trace(
                    id=key,
                    problem_id=problem.id,
                    model="Qwen/QwQ-32B",
                    messages=messages,
                    thought=rng.choice(thoughts),
                    answer=f"The answer is \\boxed{{{problem.answer}}}.",
                    sampling=sampling,
                    sample=sample,
                    prompt_tokens=90,
                    completion_tokens=int(250 * kb),
                    served_model="Qwen/QwQ-32B",
                )
                file.write(msgspec.json.encode(made) + b"\n")
    return command, (run / "traces.jsonl").stat().st_size / 1e9


def sentences(rng: random.Random, kb: float) -> list[str]:
    """Write paragraphs of a thought, so many kB in all."""
    size = max(0.0, kb * 1000 - 700)  # the rest of a row
    return [" ".join(rng.choices(WORDS, k=20)) for _ in range(int(size / 100))]


def begin(command: list[str], run: Path) -> None:
    """Let the command itself make the run folder; nobody answers it, so it asks nothing."""
    subprocess.run(command, stderr=subprocess.DEVNULL, check=False)
    assert (run / "problems.jsonl").exists()


def measure(command: list[str], listener: socket.socket) -> tuple[float, float, float]:
    """Run the command to its first request: seconds, those of the processor, most memory in MB."""
    listener.settimeout(600)
    began = time.perf_counter()
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        connection, _ = listener.accept()
        connection.recv(1)  # the first byte of the request
        took = time.perf_counter() - began
        process.send_signal(signal.SIGKILL)
        _, _, usage = os.wait4(process.pid, 0)
        connection.close()
    return took, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--kb", type=float, default=1.3, help="size of a row")
    parser.add_argument("--folder", type=Path, help="where the run is made; for temporary files")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as name, socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        command, size = build(Path(name), args.rows, args.kb, url)
        listener.listen()
        found = [measure(command, listener) for _ in range(args.rounds)]
    seconds, used_s = min(row[0] for row in found), min(row[1] for row in found)
    memory = max(row[2] for row in found)
    print(
        f"| {datetime.now(UTC):%Y-%m-%d} | {args.rows:,} | {size / args.rows * 1e6:.1f} kB "
        f"| {size:.1f} GB | {seconds:.1f} s | {used_s:.1f} s | {memory:,.0f} MB |"
    )
    rounds = ", ".join(f"{wall:.1f} s ({used:.1f} s)" for wall, used, _ in found)
    print(f"rounds: {rounds}; load {os.getloadavg()[0]:.1f}", file=sys.stderr)
