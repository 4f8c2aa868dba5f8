"""What `skythought perturb` does a second, for each kind, alone and with workers.

    python benchmarks/perturb_speed.py --input traces.jsonl --copies 3 --workers 2
    python benchmarks/perturb_speed.py --input traces.jsonl --copies 70 --kinds "insert 0.5"

Writes the rows of the input again and again under new ids and perturbs the file, each run in a
process of its own. The baseline of a kind is the same command with one worker; the first row,
delete at 0 %, reads and writes every trace and changes none. Memory is the peak of the process that
reads and writes, and of the largest worker. paraphrase says "So" before each step; what a model
takes is its own affair.
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

KINDS = (
    *("delete 0", "delete 0.5", "truncate 0.5", "shuffle 0.5", "swap_adjacent 0.5"),
    *("swap_roles 0.5", "insert 0.5", "digits 0.5", "keywords 0.5", "answers 1", "paraphrase 0.5"),
    "digits,shuffle 0.5",
)
CODE = """
import resource, sys, time
from pathlib import Path
from skythought import perturb
began = time.monotonic()
kind, fraction = sys.argv[3].split()
options = f"rewrite={sys.argv[5]}:so" if kind == "paraphrase" else ""
perturb.run(perturb.Config(input=Path(sys.argv[1]), output=Path(sys.argv[2]), kind=kind,
                           fraction=fraction, workers=int(sys.argv[4]), options=options))
used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print(time.monotonic() - began, sum(u.ru_utime + u.ru_stime for u in used),
      *(u.ru_maxrss / 1024 for u in used))
"""


def so(text: str) -> str:
    """Say a step otherwise."""
    return f"So {text}"


def measure(path: Path, kind: str, workers: int) -> tuple[float, float, float, float]:
    """Perturb a file anew; returns seconds, seconds of processors, MiB, and MiB of a worker."""
    here = Path(__file__)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", CODE, str(path), str(Path(folder) / "out.jsonl")]
        places = os.pathsep.join(filter(None, [str(here.parent), os.environ.get("PYTHONPATH")]))
        done = subprocess.run(
            [*command, kind, str(workers), here.stem],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": places},
            text=True,
            check=True,
        )
    seconds, used, size, worker = map(float, done.stdout.split())
    return seconds, used, size, worker


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", type=Path, required=True, help="JSONL of traces")
    parser.add_argument("--copies", type=int, default=3, help="how often each row is written")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", action="store_true", help="with so many workers alone")
    parser.add_argument("--kinds", nargs="*", default=KINDS, help="only these, with a fraction")
    args = parser.parse_args()
    rows = [json.loads(line) for line in args.input.open(encoding="utf-8")]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        with path.open("w", encoding="utf-8") as file:
            for copy in range(args.copies):
                for number, row in enumerate(rows):
                    file.write(json.dumps({**row, "id": f"{copy}-{number}"}) + "\n")
        n, mib = len(rows) * args.copies, path.stat().st_size / 2**20
        print(f"{n:,} rows, {mib:,.0f} MiB")
        print("| kind | workers | traces/s | MiB/s | as fast | CPU | memory | of a worker |")
        for kind in args.kinds:
            alone = 0.0
            for workers in dict.fromkeys((1, args.workers) if not args.only else (args.workers,)):
                seconds, used, size, worker = measure(path, kind, workers)
                alone = alone or seconds
                print(
                    f"| {kind} | {workers} | {n / seconds:,.0f} | {mib / seconds:,.0f} "
                    f"| {alone / seconds:.2f} | {1000 * used / n:.2f} ms | {size:,.0f} MiB "
                    f"| {worker:,.0f} MiB |",
                    flush=True,
                )


if __name__ == "__main__":
    started = time.monotonic()
    main()
    print(f"in all {time.monotonic() - started:.0f} s")
