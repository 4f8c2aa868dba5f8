"""What `skythought analyze` does a second, alone and with workers, and the memory it needs.

    python benchmarks/analyze.py --input traces.jsonl --copies 10 --workers 2

Writes the rows of the input again and again under new ids, and analyzes the file in processes of
their own: once as it is and with each row `--copies` times, to see whether memory grows with the
number of traces, then with several workers. The baseline reads the same file as traces and does
nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

BEGIN = (
    "import resource, sys, time\nfrom pathlib import Path\n"
    "from skythought import analyze\nfrom skythought.core import shapes\n"
)
READ = "for trace in shapes.read_traces(Path(sys.argv[1])): pass\n"
RUN = (
    "analyze.run(analyze.Config(input=Path(sys.argv[1]), out=Path(sys.argv[2]), "
    "workers=int(sys.argv[3])))\n"
)
CODE = (
    "{begin}began = time.monotonic()\n{work}"
    "used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]\n"
    "cpu = sum(one.ru_utime + one.ru_stime for one in used)\n"
    "print(time.monotonic() - began, cpu, used[0].ru_maxrss / 1024)"
)


def measure(path: Path, work: str, workers: int) -> tuple[float, float, float]:
    """Do the work in a process of its own; returns seconds, seconds of all cores, and MiB."""
    with tempfile.TemporaryDirectory() as folder:
        code = CODE.format(begin=BEGIN, work=work)
        command = [sys.executable, "-c", code, str(path), f"{folder}/out", str(workers)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    seconds, cpu, size = map(float, done.stdout.split())
    return seconds, cpu, size


def write(rows: list[dict[str, object]], copies: int, path: Path) -> Path:
    """Write each row so many times, under ids of its own."""
    with path.open("w", encoding="utf-8") as file:
        for copy in range(copies):
            for number, row in enumerate(rows):
                file.write(json.dumps({**row, "id": f"{copy}-{number}"}) + "\n")
    return path


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", type=Path, required=True, help="JSONL of traces")
    parser.add_argument("--copies", type=int, default=4, help="how often each row is written")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args()
    rows = [json.loads(line) for line in args.input.open(encoding="utf-8")]
    with tempfile.TemporaryDirectory() as folder:
        once = write(rows, 1, Path(folder) / "once.jsonl")
        often = write(rows, args.copies, Path(folder) / "often.jsonl")
        print(f"{len(rows):,} traces, {once.stat().st_size / 2**20:,.0f} MiB")
        jobs = (
            ("reading only", once, READ, 1, 1),
            ("one worker", once, RUN, 1, 1),
            (f"one worker, {args.copies} times the traces", often, RUN, 1, args.copies),
            (f"{args.workers} workers", once, RUN, args.workers, 1),
        )
        for name, path, work, workers, copies in jobs:
            seconds, cpu, size = measure(path, work, workers)
            n = copies * len(rows)
            each = f"{n / seconds:,.0f} traces/s, {1000 * cpu / n:.1f} ms of a core for each"
            print(f"{name}: {seconds:.1f} s, {each}, {size:.0f} MiB")


if __name__ == "__main__":
    main()
