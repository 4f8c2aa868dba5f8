"""What the backend openai costs: share of the ideal throughput, and CPU per request.

    python benchmarks/openai_client.py --concurrency 1000 --latency 0.2 --requests 30000

The ideal is concurrency / latency, from the first request on: opening the connections is part of
it. The server is its own process; what it and other programs took of the processors is said too,
because on few cores they take it from the client. With --store the whole of
`skythought generate` is measured, which keeps every answer on disk before the next is counted.
Results stand in benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from skythought import backends, generate
from skythought.core.prices import Price
from skythought.core.records import Message, Problem, Request, Sampling

SAMPLING = Sampling(temperature=0.6, top_p=0.95, max_tokens=16384)
QUESTION = "From oak: pine 3, ash 2. From ash: fir 5. What is the toll from oak to fir? " * 4


PRICE = Price(1.0, 4.0)  # of a million tokens, where a budget is measured
COST = PRICE.of(100, 620)  # of one answer of the server


def busy() -> float:
    """Give the seconds that all cores have worked since they started; 0 where nobody says."""
    try:
        fields = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]
    except OSError:
        return 0.0
    user, nice, system, _, _, *interrupts = map(int, fields)
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")


def measure(n: int, concurrency: int, latency: float, *, store: bool, budget: float = 0) -> str:
    """Ask `n` requests of a server made for it; gives a row of the table.

    `budget` is how many times the whole cost of the answers may be spent; 0 for no limit.
    """
    server = Path(__file__).with_name("chat_server.py")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # inherited by the server
    words = [sys.executable, str(server), "--latency", str(latency)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        options = {"base_url": url, "concurrency": concurrency}
        backend = backends.make("openai", "echo", options)
        try:
            began, used, all_used = time.perf_counter(), time.process_time(), busy()
            if store:
                problems = [
                    Problem(id=str(i), task="t", question=f"{i} {QUESTION}", answer="")
                    for i in range(n)
                ]
                with tempfile.TemporaryDirectory() as folder:
                    counts = generate.collect(
                        problems,
                        backend,
                        SAMPLING,
                        Path(folder) / "run",
                        price=PRICE,
                        budget=budget * n * COST or None,
                        announce=False,
                    )
                done = counts["traces"]
            else:
                requests = [
                    Request(id=f"{i:016x}", messages=(Message("user", QUESTION),)) for i in range(n)
                ]
                answers = backend.complete(requests, SAMPLING)
                done = sum(answer.finish == "stop" for answer in answers)
            took, used = time.perf_counter() - began, time.process_time() - used
            all_used = busy() - all_used
        finally:
            process.kill()
            served = sum(os.wait4(process.pid, 0)[2][:2])
    assert done == n, f"{n - done} of {n} requests failed"
    share = n / took / (concurrency / latency)
    others = max(0.0, all_used - used - served) / took
    print(
        f"cores: client {used / took:.2f}, server {served / took:.2f}, others {others:.2f} of "
        f"{os.cpu_count()}; load {os.getloadavg()[0]:.1f} after the run",
        file=sys.stderr,
    )
    what = "generate" if store else "backend"
    what += f", budget {budget:g}" if budget else ""
    return (
        f"| {datetime.now(UTC):%Y-%m-%d} | {what} | {concurrency:,} | {latency * 1000:g} ms "
        f"| {n:,} | {n / took:,.0f}/s | {share:.2f} | {1000 * used / n:.2f} ms |"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=30_000)
    parser.add_argument("--concurrency", type=int, default=1000)
    parser.add_argument("--latency", type=float, default=0.2, help="seconds")
    parser.add_argument("--store", action="store_true", help="measure the whole of generate")
    parser.add_argument(
        "--budget", type=float, default=0, help="with --store: times the cost of all answers"
    )
    args = parser.parse_args()
    store = args.store or args.budget > 0
    print(measure(args.requests, args.concurrency, args.latency, store=store, budget=args.budget))
