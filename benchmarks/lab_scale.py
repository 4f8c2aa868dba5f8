"""What reading, analyzing and perturbing take as a set grows: traces a second, processor, memory.

    python benchmarks/lab_scale.py --input traces.jsonl
    python benchmarks/lab_scale.py --input traces.jsonl --rows 100000 --what read steps analyze
    python benchmarks/lab_scale.py --input traces.jsonl --rows 10000 1000000 --chars 700

`read` decodes the rows and is the baseline of all others; `steps` reads them as traces and cuts the
thoughts into steps; `analyze` and the kinds of `perturb`, each with its fraction, are the whole
command. "delete 0" changes nothing: it reads, cuts and writes. Each runs in a process of its own.
paraphrase says "So" before each step; what a model takes is its own affair.

Without --rows the input is measured as it is; else its rows are written again and again, under new
ids, to a folder that is removed at the end. With --chars each row is some steps on end of a real
thought and the end of its solution, about so many characters in all, beginning at another step
each time. Memory is the peak of the process that reads and writes, and of the largest other
one, where there is one.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from skythought import analyze, perturb
from skythought.core import jsonl, shapes, steps

KINDS = (
    *("delete 0", "delete 0.5", "truncate 0.5", "shuffle 0.5", "swap_adjacent 0.5"),
    *("swap_roles 0.5", "insert 0.5", "digits 0.5", "keywords 0.5", "answers 1", "paraphrase 0.5"),
    "digits,shuffle 0.5",
)
WHAT = ("read", "steps", "analyze", *KINDS)
HEAD = "| what | workers | traces/s | MB/s | CPU | of a trace | main process | largest other |"


def so(text: str) -> str:
    """Say a step otherwise."""
    return f"So {text}"


def write(source: Path, path: Path, n: int, chars: int) -> None:
    """Write n rows made of real ones, whole or cut to about so many characters."""
    real = [row for _, row in jsonl.read_rows(source)]
    parts = [_parts(row) for row in real] if chars else []
    rng = random.Random(0)
    with path.open("w", encoding="utf-8") as file:
        for number in range(n):
            row = {**real[number % len(real)], "id": f"r{number}"}
            if chars:
                thought, solution = parts[number % len(real)]
                room = max(80, chars - len(solution) - len(row["problem"]))
                chosen = "\n\n".join(_window(thought, rng.randrange(len(thought)), room))
                response = f"<think>\n{chosen}\n</think>\n\n{solution}"
                row = {key: row[key] for key in ("id", "problem")} | {"response": response}
            file.write(json.dumps(row) + "\n")


def _parts(row: dict[str, str]) -> tuple[list[str], str]:
    """Give the steps of a row's thought, or of all it says, and the end of its solution."""
    trace = shapes.trace(row)
    end = trace.answer.strip().rpartition("\n\n")[2]
    return steps.split(trace.thought) or steps.split(trace.answer), end[-200:]


def _window(thought: list[str], at: int, room: int) -> Iterator[str]:
    for step in thought[at:]:
        yield step[:room]
        room -= len(step)
        if room <= 0:
            return


def run_task(path: Path, what: str, workers: int) -> None:
    """Do one thing with a file and print what it took."""
    began, before = time.monotonic(), processor()
    with tempfile.TemporaryDirectory(dir=path.parent) as made:
        out = Path(made) / "out"
        if what == "read":
            for _ in jsonl.read_rows(path):
                pass
        elif what == "steps":
            for trace in shapes.read_traces(path):
                steps.split(trace.thought or trace.answer)
        elif what == "analyze":
            analyze.run(analyze.Config(input=path, out=out, workers=workers))
        else:
            kind, fraction = what.split()
            said = f"rewrite={Path(__file__).stem}:so" if kind == "paraphrase" else ""
            perturb.run(
                perturb.Config(
                    input=path,
                    output=out.with_suffix(".jsonl"),
                    kind=kind,
                    fraction=fraction,
                    options=said,
                    workers=workers,
                )
            )
        took = time.monotonic() - began, processor() - before
    other = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    # Not ru_maxrss, which begins with what the process had that started this one.
    status = Path("/proc/self/status").read_text()
    main = re.search(r"VmHWM:\s+(\d+) kB", status)
    print(json.dumps([*took, int(main[1]) / 1024 if main else 0, other / 1024]))


def processor() -> float:
    """Count the seconds of all cores that this process and those it waited for have used."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def measure(path: Path, n: int, what: str, workers: int) -> str:
    """Do one thing in a process of its own; gives a row of the table."""
    command = [sys.executable, __file__, "--task", what, "--input", str(path)]
    places = os.pathsep.join(filter(None, [str(Path(__file__).parent), os.getenv("PYTHONPATH")]))
    done = subprocess.run(
        [*command, "--workers", str(workers)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": places},
        text=True,
        check=True,
    )
    seconds, cpu, main, other = json.loads(done.stdout.splitlines()[-1])
    rate, size = n / seconds, path.stat().st_size / seconds / 1e6
    cells = [what, str(workers), f"{rate:,.0f}", f"{size:.1f}", f"{cpu:,.1f} s"]
    cells += [f"{1000 * cpu / n:.2f} ms", f"{main:,.0f} MiB"]
    cells.append(f"{other:,.0f} MiB" if workers > 1 and other else "-")
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", type=Path, required=True, help="JSONL of traces")
    parser.add_argument("--rows", type=int, nargs="*", default=[], help="write so many of them")
    parser.add_argument("--chars", type=int, default=0, help="of a row; 0 leaves them whole")
    parser.add_argument("--what", nargs="*", default=WHAT)
    parser.add_argument("--workers", type=int, nargs="+", default=[1])
    parser.add_argument("--task", default="", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.task:
        run_task(args.input, args.task, args.workers[0])
        return
    for rows in args.rows or [0]:
        with tempfile.TemporaryDirectory() as folder:
            path = args.input
            if rows:
                path = Path(folder) / "rows.jsonl"
                write(args.input, path, rows, args.chars)
            n = sum(1 for _ in path.open("rb"))
            size, load = path.stat().st_size / 1e6, os.getloadavg()[0]
            print(f"\n{n:,} rows, {size:,.1f} MB, load {load:.1f}\n\n{HEAD}", flush=True)
            print("|" + "---|" * (HEAD.count("|") - 1))
            for what in args.what:
                for workers in args.workers[:1] if what in ("read", "steps") else args.workers:
                    print(measure(path, n, what, workers), flush=True)


if __name__ == "__main__":
    main()
