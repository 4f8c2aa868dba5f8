"""What workers do for `skythought score`: answers a second, and memory, alone and with workers.

    python benchmarks/score_workers.py --input traces.jsonl --copies 20 --workers 2

Writes the rows of the input again and again under new ids, and scores the file with one worker and
with several, each in a process of its own. The peak of memory is that of the process that reads
and writes; a last run grades the same rows with the verifier `number`, which costs little, to show
what reading alone needs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CODE = """
import resource, sys, time
from pathlib import Path
from skythought import score
began = time.monotonic()
score.run(score.Config(input=Path(sys.argv[1]), output=Path(sys.argv[2]), verifier=sys.argv[3],
                       workers=int(sys.argv[4])))
print(time.monotonic() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def measure(path: Path, verifier: str, workers: int) -> tuple[float, float]:
    """Score a file anew; returns seconds and MiB."""
    with tempfile.TemporaryDirectory() as folder:
        output = str(Path(folder) / "verdicts.jsonl")
        command = [sys.executable, "-c", CODE, str(path), output, verifier, str(workers)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    seconds, size = done.stdout.split()
    return float(seconds), float(size)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", type=Path, required=True, help="JSONL of responses")
    parser.add_argument("--copies", type=int, default=20, help="how often each row is written")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--verifier", default="math")
    args = parser.parse_args()
    rows = [json.loads(line) for line in args.input.open(encoding="utf-8")]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        with path.open("w", encoding="utf-8") as file:
            for copy in range(args.copies):
                for number, row in enumerate(rows):
                    file.write(json.dumps({**row, "id": f"{copy}-{number}"}) + "\n")
        n = len(rows) * args.copies
        print(f"{n:,} rows, {path.stat().st_size / 2**20:,.0f} MiB")
        alone = 0.0
        runs = ((args.verifier, 1), (args.verifier, args.workers), ("number", 1))
        for verifier, workers in runs:
            seconds, size = measure(path, verifier, workers)
            alone = alone or seconds
            print(
                f"{verifier}, {workers} workers: {seconds:.1f} s, {n / seconds:,.0f} rows/s, "
                f"{alone / seconds:.2f} times as fast, {size:,.0f} MiB"
            )


if __name__ == "__main__":
    started = time.monotonic()
    main()
    print(f"in all {time.monotonic() - started:.0f} s")
