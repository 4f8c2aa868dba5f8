"""`skythought view` of many traces: making the index, opening it again, pages, search, memory.

    python benchmarks/view_scale.py --traces r1-traces.jsonl --rows 100000

Rows are those of the file again and again under other ids, with a number in each answer, and every
third is graded. Structure is measured of the first of each and copied, since measuring takes the
same time per trace whatever the number. Pages are asked over HTTP from the server in a process of
its own, one connection each, as a browser does. The baseline is what a list costs without an index:
reading the file once and keeping the rows that match.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from skythought import view
from skythought.core import jsonl, shapes
from skythought.viewing import building
from skythought.viewing.index import connect

FILTERS = (
    "verdict=incorrect",
    "role=backtrack",
    "structure=fails",
    "tokens_from=1000&tokens_to=2000",
    "grounding_to=90&verdict=correct",
    "sort=-tokens",
    "sort=steps",
    "role=-verify&sort=-grounding",
)
SEARCHES = ("q=wait", "q=%22hold+on%22", "q=triangle+area", "q=multipl*", "q=number77", "q=the")
AGAIN = 40  # pages of each kind


def write(source: Path, path: Path, rows: int) -> int:
    """Write rows made of real ones; returns how many there are before they repeat."""
    real = [row for _, row in jsonl.read_rows(source)]
    with (
        path.open("w", encoding="utf-8") as file,
        shapes.verdicts_beside(path).open("w", encoding="utf-8") as verdicts,
    ):
        for n in range(rows):
            row = dict(real[n % len(real)])
            row["id"] = f"{n:06}"
            row["response"] = f"{row['response']}\n\nnumber{n}"
            file.write(json.dumps(row) + "\n")
            if n % 3 == 0:
                outcome = "incorrect" if n % 12 == 0 else "correct"
                graded = {"verifier": "none", "id": row["id"], "outcome": outcome}
                verdicts.write(json.dumps(graded) + "\n")
    return len(real)


def measure(index: Path, distinct: int) -> float:
    """Measure the first of each trace and copy it to the others; returns seconds for each."""
    began = time.perf_counter()
    work = view.measurer()
    with closing(connect(index)) as db:
        done = 0
        for places in building.unmeasured(db):
            building.measured(db, work(places))
            done += len(places)
            if done >= distinct:
                break
        took = (time.perf_counter() - began) / done
        names = ", ".join(building.Measured._fields[1:])
        db.execute(
            f"UPDATE traces SET (measured, {names}) = (SELECT 1, {names} FROM traces a"
            " WHERE a.n = (traces.n - 1) % ? + 1) WHERE n > ?",
            (distinct, done),
        )
    return took


def ask(port: int, path: str) -> tuple[float, str]:
    """Ask for a page; returns seconds until its last byte, and the page."""
    began = time.perf_counter()
    wire = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    wire.request("GET", path)
    body = wire.getresponse().read()
    wire.close()
    return time.perf_counter() - began, body.decode()


def tell(name: str, times: Iterable[float]) -> None:
    """Print the median, the 95th percentile and the longest of times."""
    found = sorted(times)
    shares = (found[len(found) // 2], found[int(0.95 * (len(found) - 1))], found[-1])
    told = ", ".join(f"{word} {1000 * t:.0f} ms" for word, t in zip(WORDS, shares, strict=True))
    print(f"{name}: {told} (n={len(found)})", flush=True)


WORDS = ("median", "95 %", "longest")


def serve(command: list[str]) -> tuple[subprocess.Popen[str], int, float]:
    """Start the command; returns its process, its port and how long until it answers."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.search(r"http://127\.0\.0\.1:(\d+)/", line):
            ask(int(found[1]), "/")
            return process, int(found[1]), time.perf_counter() - began
    raise SystemExit("the command ended without serving")


def busy(pid: int) -> float:
    """Give the seconds of processor time a process used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> str:
    """Say the most memory a process had."""
    text = Path(f"/proc/{pid}/status").read_text()
    return f"{int(text.split('VmHWM:')[1].split()[0]) / 1024:.0f} MB"


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--traces", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        path = folder / "traces.jsonl"
        distinct = write(options.traces, path, options.rows)
        print(f"{options.rows:,} traces, {path.stat().st_size / 1e6:.0f} MB", flush=True)
        began = time.perf_counter()
        index = view.index([path], folder / "cache")
        took = time.perf_counter() - began
        share = index.stat().st_size / path.stat().st_size
        mine = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"index: {took:.0f} s, {options.rows / took:,.0f} traces/s, {share:.2f} of the file")
        print(f"memory while indexing: {mine:.0f} MB", flush=True)
        began = time.perf_counter()
        found = [t.id for t in shapes.read_traces(path) if "hold on" in t.thought]
        scan = time.perf_counter() - began
        print(f"baseline, reading all of the file: {scan:.1f} s, {len(found):,} found", flush=True)
        print(f"structure: {1000 * measure(index, distinct):.0f} ms for a trace and core")
        look(path, folder, options.rows, scan)


def look(path: Path, folder: Path, rows: int, scan: float) -> None:
    """Measure pages of the index that is there."""
    rng = random.Random(0)
    command = [sys.executable, "-m", "skythought", "view", str(path), "--port", "0"]
    process, port, took = serve([*command, "--cache", str(folder / "cache")])
    try:
        used = busy(process.pid)
        print(f"from the command to the first page: {took:.2f} s, {used:.2f} s of processor time")
        tell("first page", [ask(port, "/")[0] for _ in range(AGAIN)])
        pages = [f"/?page={rng.randint(1, rows // 50)}" for _ in range(AGAIN)]
        tell("any page of all", [ask(port, page)[0] for page in pages])
        tell("filter or order, asked first", [ask(port, f"/?{f}")[0] for f in FILTERS])
        again = [f"/?{f}&page={rng.randint(1, 40)}" for f in FILTERS for _ in range(5)]
        tell("filter or order, paging", [ask(port, page)[0] for page in again])
        n = 2 * AGAIN + len(FILTERS) + len(again)
        print(f"processor time a page: {1000 * (busy(process.pid) - used) / n:.0f} ms", flush=True)
        for search in SEARCHES:
            took, body = ask(port, f"/?{search}")
            found = re.search(r'id="found">([\d,]+)', body)
            ratio = scan / took
            told = found[1] if found else "?"
            print(
                f"search {search}: {1000 * took:.0f} ms, {told} found, {ratio:.0f} times baseline"
            )
        links = re.findall(r'class="problem"><a href="([^"]+)"', ask(port, "/?sort=-tokens")[1])
        links += re.findall(r'class="problem"><a href="([^"]+)"', ask(port, pages[0])[1])
        tell("a trace", [ask(port, link.replace("&amp;", "&"))[0] for link in links])
        print(f"memory of the server: {memory(process.pid)}; load {os.getloadavg()[0]:.1f}")
    finally:
        process.kill()


if __name__ == "__main__":
    main()
