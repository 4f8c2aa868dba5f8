"""Near-duplicates and decontamination as a set grows: rows a second, MB a second, memory.

    python benchmarks/curate_scale.py --data ../shared/data --rows 10000 100000 --others

Rows are real responses to other questions, with their digits permuted and each sixth word another,
by a seed, so that none is like another, but one in ten, which repeats an earlier one with a few
words more. They are written to a folder that is removed at the end. Each measurement runs in a
process of its own: `near` finds near-duplicates of responses, `clean` looks for benchmark problems
in questions and responses. With --others the same rows (at the smallest number) go through
datasketch and datatrove, for near-duplicates, and through a loop over runs of 8 words, for
benchmarks, where these are installed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from skythought import curate
from skythought.core import jsonl

THRESHOLD = 0.8
SMALL = ("Wait, that is so.", "Let me see now.", "That was clear.", "Good so far.")


def write(data: Path, path: Path, rows: int, chars: int, seed: int = 0) -> int:
    """Write rows made of real ones; returns how many repeat an earlier one."""
    source = data / "traces" / "traces.jsonl"
    real = [row for _, row in jsonl.read_rows(source) if len(row["response"]) > 200]
    asked = jsonl.read_rows(data / "prompts" / "train_prompts.jsonl")
    prompts = [row["problem"] for _, row in asked]
    rng = random.Random(seed)
    vocabulary = sorted({word for row in real[::10] for word in row["response"].split()})
    repeats, recent = 0, list[tuple[str, str]]()
    with path.open("w", encoding="utf-8") as file:
        for number in range(rows):
            if recent and rng.random() < 0.1:
                repeats += 1
                question, response = rng.choice(recent)
                cut = rng.randrange(len(response) // 2, len(response))
                response = f"{response[:cut]} {rng.choice(SMALL)} {response[cut:]}"
            else:
                row = real[rng.randrange(len(real))]
                digits = "".join(rng.sample("0123456789", 10))
                table = str.maketrans("0123456789", digits)
                response = row["response"][:chars].translate(table)
                # Other words between the words: digits alone would leave prose alike.
                words = response.split(" ")
                for at in range(rng.randrange(6), len(words), 6):
                    words[at] = vocabulary[rng.randrange(len(vocabulary))]
                question, response = prompts[rng.randrange(len(prompts))], " ".join(words)
                if len(recent) < 2000:
                    recent.append((question, response))
                else:
                    recent[rng.randrange(2000)] = (question, response)
            made = {"id": f"r{number}", "problem": question, "response": response}
            file.write(json.dumps(made) + "\n")
    return repeats


def near(path: Path, workers: int) -> int:
    """Leave out near-duplicate responses with the whole of curate; gives how many."""
    return curated(path, workers, near_duplicates=THRESHOLD, duplicates_by=("response",))


def clean(path: Path, data: Path, workers: int) -> int:
    """Leave out answers to benchmark problems with the whole of curate; gives how many."""
    names = tuple(sorted(str(file) for file in (data / "benchmarks").glob("*.jsonl")))
    return curated(path, workers, decontaminate=names, keep_duplicates=True)


def curated(path: Path, workers: int, **options: Any) -> int:
    """Curate a file; gives how many traces were left out."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        out = Path(folder) / "out.jsonl"
        config = curate.Config(runs=(path,), out=out, outcome="any", workers=workers, **options)
        return sum(curate.run(config)["dropped"].values())


def loop(path: Path, data: Path) -> int:
    """Count the rows that share a run of 8 words with a benchmark problem."""
    from contamination import Loop, problems

    known = Loop([problem.question for _, problem in problems(data)])
    texts = (f"{row['problem']}\n{row['response']}" for _, row in jsonl.read_rows(path))
    return sum(known.hit(text) for text in texts)


def datasketch(path: Path) -> int:
    """Find near-duplicates with datasketch's MinHashLSH, and the same runs of 5 words."""
    from datasketch import MinHash, MinHashLSH

    index, found = MinHashLSH(threshold=THRESHOLD, num_perm=128), 0
    for number, row in jsonl.read_rows(path):
        words = row["response"].lower().split()
        made = MinHash(num_perm=128)
        made.update_batch([" ".join(words[i : i + 5]).encode() for i in range(len(words) - 4)])
        if index.query(made):
            found += 1
        else:
            index.insert(str(number), made)
    return found


def datatrove(path: Path) -> int:
    """Find near-duplicates with the four steps of datatrove's MinHash."""
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import MinhashDedupSignature
    from datatrove.pipeline.dedup.minhash import (
        MinhashConfig,
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
    )
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.utils.hashing import HashConfig

    config = MinhashConfig(
        n_grams=5, num_buckets=21, hashes_per_bucket=6, hash_config=HashConfig(hash_fc="sha1")
    )
    with tempfile.TemporaryDirectory() as made:
        read = JsonlReader(str(path.parent), text_key="response", glob_pattern=path.name)
        steps = (
            ([read, MinhashDedupSignature(f"{made}/s", config=config)], 1),
            ([MinhashDedupBuckets(f"{made}/s", f"{made}/b", config=config)], 21),
            ([MinhashDedupCluster(f"{made}/b", f"{made}/r", config=config)], 1),
        )
        for pipeline, tasks in steps:
            LocalPipelineExecutor(pipeline, tasks=tasks, logging_dir=f"{made}/logs").run()
        last = MinhashDedupFilter(f"{made}/r")
        left = sum(1 for _ in last.run(read.run(rank=0, world_size=1), rank=0, world_size=1))
    return sum(1 for _ in path.open("rb")) - left


def measure(task: str, path: Path, data: Path, workers: int) -> None:
    """Run one task in a process of its own and print what it took."""
    command = [sys.executable, __file__, "--task", task, "--file", str(path), "--data", str(data)]
    command += ["--workers", str(workers)]
    load = os.getloadavg()[0]
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    done = subprocess.run(command, **quiet, text=True, check=False)
    if done.returncode:
        print(f"  {task}: failed (is it installed?)")
        return
    said = json.loads(done.stdout.splitlines()[-1])
    rows, size = said["rows"], path.stat().st_size
    print(
        f"  {task:10} {said['seconds']:8.1f} s, {rows / said['seconds']:8,.0f} rows/s, "
        f"{size / said['seconds'] / 1e6:6.1f} MB/s, {said['mib']:6,.0f} MiB, "
        f"processor {said['cpu']:.1f} s, found {said['found']:,} (load {load:.1f})",
        flush=True,
    )


def run_task(args: argparse.Namespace) -> None:
    """Do one task and print it as JSON."""
    tasks = {
        "near": lambda: near(args.file, args.workers),
        "clean": lambda: clean(args.file, args.data, args.workers),
        "loop": lambda: loop(args.file, args.data),
        "datasketch": lambda: datasketch(args.file),
        "datatrove": lambda: datatrove(args.file),
    }
    began = time.monotonic()
    found = tasks[args.task]()
    seconds = time.monotonic() - began
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    said = {
        "seconds": seconds,
        "found": found,
        "rows": sum(1 for _ in args.file.open("rb")),
        "mib": used[0].ru_maxrss / 1024,
        "cpu": sum(each.ru_utime + each.ru_stime for each in used),
    }
    print(json.dumps(said))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000])
    parser.add_argument("--chars", type=int, default=2**20, help="of a response that are used")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--others", action="store_true")
    parser.add_argument("--tasks", nargs="+", default=["near", "clean"])
    parser.add_argument("--task", default="", help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.task:
        run_task(args)
        return
    for rows in sorted(args.rows):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "rows.jsonl"
            repeats = write(args.data, path, rows, args.chars)
            size = path.stat().st_size
            print(f"{rows:,} rows, {size / 1e6:,.0f} MB, {repeats:,} repeat another", flush=True)
            others = ["datasketch", "datatrove", "loop"] if rows == min(args.rows) else []
            for task in [*args.tasks, *(others if args.others else [])]:
                measure(task, path, args.data, args.workers)


if __name__ == "__main__":
    main()
