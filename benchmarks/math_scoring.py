r"""Answers per second of the verifier `math`, and whom it agrees with; math-verify is the baseline.

    python benchmarks/math_scoring.py --data ../shared/data
    python benchmarks/math_scoring.py --data ../shared/data --most 300 --show

Ours runs on two worker processes; math-verify as its README shows it, `verify(parse(gold),
parse(answer))` for each answer, in one process. Each set of answers goes through both, one after
the other. Starting processes and importing is not part of any time. Answers per second of processor
time, of all processes together, are the fairer comparison where other programs keep the processors
busy. Sets: real outputs with labels, real traces, each benchmark's reference in a box, and each
reference against those of other problems, which is wrong unless both are equal.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import os
import random
import re
import resource
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from skythought import score, verifiers
from skythought.core.records import Problem, Trace
from skythought.tasks import benchmarks
from skythought.verifiers import math

NAMES = (
    *("math500", "aime24", "aime25", "amc23"),
    *("gsm8k_test", "olympiadbench_math_en", "hmmt_24_25"),
)
WORKERS = 2
Item = tuple[Problem, Trace]
Grade = Callable[[Item], tuple[bool, str]]


class Result(NamedTuple):
    """What a grader said of a set of answers, and what that took."""

    right: list[bool]
    notes: list[str]
    wall_s: float
    cpu_s: float  # of all its processes, once they were up


def ours(item: Item) -> tuple[bool, str]:
    """Grade with the verifier `math`."""
    verdict = verifiers.verify(*item, math.MATH)
    return verdict.outcome == "correct", f"{verdict.extracted} [{verdict.rule}]"


def naive(item: Item) -> tuple[bool, str]:
    """Grade as math-verify's README shows."""
    from math_verify import parse, verify

    gold, answer = parse(f"${item[0].answer}$"), parse(item[1].answer)
    return bool(verify(gold, answer)), f"{answer!s:.80}"


def work(grade: Grade, items: list[Item], warm: Item, pipe: Connection) -> None:
    """Grade in a process of its own, from when it is told to."""
    logging.disable(logging.WARNING)
    grade(warm)
    before = running_s()
    before += processor_s()
    pipe.send("ready")
    pipe.recv()
    began = time.perf_counter()
    found = [grade(item) for item in items]
    wall = time.perf_counter() - began
    math.PROCESSES.close()  # their processor time counts once they have ended
    pipe.send((found, wall, processor_s() - before))


def processor_s() -> float:
    """Give the processor time of this process and of its children that have ended."""
    kinds = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
    return sum(sum(resource.getrusage(kind)[:2]) for kind in kinds)


def running_s() -> float:
    """Give the processor time of the math-verify processes that are running, on Linux."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        if int(fields[1]) == os.getpid():
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def run(grade: Grade, items: list[Item], workers: int) -> Result:
    """Share the answers among processes that are up already."""
    context = multiprocessing.get_context("spawn")
    pipes, processes = [], []
    for number in range(workers):
        near, far = context.Pipe()
        share = items[number::workers]
        processes.append(context.Process(target=work, args=(grade, share, WARM, far)))
        processes[-1].start()
        pipes.append(near)
    for pipe in pipes:
        pipe.recv()
    for pipe in pipes:
        pipe.send("go")
    parts = [pipe.recv() for pipe in pipes]
    for process in processes:
        process.join()
    found: list[tuple[bool, str]] = [(False, "")] * len(items)
    for number, (share_found, _, _) in enumerate(parts):
        found[number::workers] = share_found
    right, notes = [f[0] for f in found], [f[1] for f in found]
    return Result(right, notes, max(p[1] for p in parts), sum(p[2] for p in parts))


def answered(reference: str, text: str, question: str = "What?") -> Item:
    """Make a problem and an answer to it."""
    asked = Problem(id="p", task="t", question=question, answer=reference)
    trace = Trace(id="t", problem_id="p", model="m", messages=(), thought="", answer=text)
    return asked, trace


WARM = answered("\\sec^2(y)", "\\boxed{\\tan^2(y)+1}")


def boxed(text: str) -> str:
    """Say a reference as a model says its answer."""
    return f"So it is $\\boxed{{{text}}}$."


def sets(data: Path, most: int) -> Iterator[tuple[str, list[Item], list[bool | None]]]:
    """List the sets: name, answers, and what is known of each."""
    labelled = data / "traces" / "labelled_outputs_dev.jsonl"
    labels = [json.loads(line)["correct"] for line in labelled.open(encoding="utf-8")]
    pairs = list(score.read_file(labelled))
    families = [re.split(r"-", pair[1].id)[1] for pair in pairs]
    for family in sorted(set(families)):
        chosen = [i for i, f in enumerate(families) if f == family][:most]
        yield f"labelled {family}", [pairs[i] for i in chosen], [labels[i] for i in chosen]
    traces = [p for p in score.read_file(data / "traces" / "traces.jsonl") if p[0].answer]
    traces = random.Random(0).sample(traces, min(most, len(traces)))
    yield "traces", traces, [None] * len(traces)
    for name in NAMES:
        path = data / "benchmarks" / f"{name}.jsonl"
        rows = [json.loads(line) for line in path.open(encoding="utf-8")]
        golds = [benchmarks.problem(row, name).answer for row in rows]
        chosen_golds = random.Random(0).sample(golds, min(most, len(golds)))
        yield (
            f"{name}, itself",
            [answered(g, boxed(g)) for g in chosen_golds],
            [True] * len(chosen_golds),
        )
        known = sorted(set(golds))
        others = [(g, o) for g in known for o in known if g != o]
        others = random.Random(0).sample(others, min(most, len(others)))
        yield f"{name}, others", [answered(g, boxed(o)) for g, o in others], [False] * len(others)


def agreement(result: Result, labels: list[bool | None]) -> str:
    """Count the answers graded as they are labelled."""
    pairs = [(r, t) for r, t in zip(result.right, labels, strict=True) if t is not None]
    return f"{sum(r == t for r, t in pairs):,} of {len(pairs):,}" if pairs else "-"


def main() -> None:
    """Print a row for each set, and one for all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with benchmarks, traces")
    parser.add_argument("--most", type=int, default=500, help="answers of one set")
    parser.add_argument("--show", action="store_true", help="print what they do not agree on")
    args = parser.parse_args()
    print("| answers | n | ours/s | math-verify/s | ratio | ratio, processor | right | right |")
    print("|---|---|---|---|---|---|---|---|")
    walls, cpus, total, shown = [0.0, 0.0], [0.0, 0.0], 0, []
    for name, items, labels in sets(args.data, args.most):
        results = run(ours, items, WORKERS), run(naive, items, 1)
        total += len(items)
        for i, result in enumerate(results):
            walls[i] += result.wall_s
            cpus[i] += result.cpu_s
        rates = [len(items) / result.wall_s for result in results]
        counts = " | ".join(agreement(result, labels) for result in results)
        share = results[1].cpu_s / results[0].cpu_s
        speeds = f"{rates[0]:,.0f} | {rates[1]:,.0f} | {rates[0] / rates[1]:,.0f} | {share:,.0f}"
        print(f"| {name} | {len(items):,} | {speeds} | {counts} |", flush=True)
        for i, (item, label) in enumerate(zip(items, labels, strict=True)):
            said = [result.right[i] for result in results]
            if said[0] != said[1] or (label is not None and said[0] != label):
                notes = " / ".join(result.notes[i] for result in results)
                shown.append(f"{name}: {item[0].answer!r} label {label} {said} {notes}")
    rates = [total / wall for wall in walls]
    ratios = f"{rates[0] / rates[1]:,.0f} | {cpus[1] / cpus[0]:,.0f}"
    print(f"| all | {total:,} | {rates[0]:,.0f} | {rates[1]:,.0f} | {ratios} | | |")
    each = " / ".join(f"{1000 * cpu / total:.2f} ms" for cpu in cpus)
    print(f"processor time for an answer: {each}")
    print("\n".join(shown) if args.show else f"{len(shown)} differ")


if __name__ == "__main__":
    main()
