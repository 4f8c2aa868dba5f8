"""Counts what the traces of each teacher state and how much of it holds, also with wrong digits.

    python benchmarks/grounding_audit.py ../shared/data/traces/traces.jsonl

Prints two tables in Markdown, by teacher and by the share of digits redrawn at random, and what
becomes of statements that hold when one digit of their last number is another. docs/grounding.md
has the numbers of a run. With `--failed` it prints every statement that fails, in its place.
"""

from __future__ import annotations

import argparse
import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from skythought import perturbations
from skythought.core import shapes
from skythought.core.records import Trace
from skythought.structure import grounding, statements
from skythought.structure.grounding import Audit, audit

LEVELS = (0.0, 0.1, 0.2, 0.5, 1.0)
AROUND = 60  # characters shown on both sides of what fails


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("traces", type=Path)
    parser.add_argument("--failed", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    traces = list(shapes.read_traces(options.traces))
    if options.failed:
        show_failed(traces)
        return
    began = time.perf_counter()
    by_teacher: dict[str, list[Audit]] = defaultdict(list)
    for trace in traces:
        by_teacher[trace.model].append(audit(text_of(trace)))
    took = time.perf_counter() - began
    print("| teacher | traces | statements | checkable | hold | share |\n|---|---|---|---|---|---|")
    for teacher, found in sorted(by_teacher.items(), key=lambda item: -len(item[1])):
        print(row(teacher, found))
    print(row("all", [a for found in by_teacher.values() for a in found]))
    size = sum(len(text_of(trace)) for trace in traces)
    print(f"\n{size / took / 1e6:.2f} million characters a second, one process\n")
    print("| digits redrawn | traces | statements | checkable | hold | share |")
    print("|---|---|---|---|---|---|")
    for level in LEVELS:
        change = perturbations.make("digits", fraction=level, seed=options.seed)
        print(row(f"{level:.0%}", [audit(change(t).thought) for t in traces if t.thought]))
    judged = Counter(wrong_digit(traces, options.seed))
    print("\none digit of a result changed:", dict(judged))


def wrong_digit(traces: Iterable[Trace], seed: int) -> Iterator[str]:
    """Change a digit of the last number of every tenth statement that holds, and check it again."""
    rng = random.Random(seed)
    for trace in traces:
        text = text_of(trace)
        for found in statements.find(text):
            if found.relation != "=" or rng.random() > 0.1 or grounding.check(found) != "holds":
                continue
            number = re.search(r"[\d,.]*\d(?=\D*$)", text[found.start : found.end])
            if number is None or len(number[0]) > 9:
                continue
            places = [number.start() + i for i, char in enumerate(number[0]) if char.isdigit()]
            place = found.start + rng.choice(places)
            digit = rng.choice([d for d in "123456789" if d != text[place]])
            before = max(0, found.start - 600)
            new = f"{text[before:place]}{digit}{text[place + 1 : found.end + 200]}"
            again = [s for s in statements.find(new) if s.start == found.start - before]
            yield grounding.check(again[0]) if again else "not found"


def text_of(trace: Trace) -> str:
    """Give the thought, or the answer where there is none."""
    return trace.thought or trace.answer


def row(name: str, found: Iterable[Audit]) -> str:
    """Write the counts of some audits as a row of a table."""
    audits = list(found)
    checkable, holding = sum(a.checkable for a in audits), sum(a.holding for a in audits)
    share = f"{100 * holding / checkable:.1f} %" if checkable else "–"
    counts = (len(audits), sum(a.found for a in audits), checkable, holding)
    return f"| {name} | {' | '.join(f'{n:,}' for n in counts)} | {share} |"


def show_failed(traces: Iterable[Trace]) -> None:
    """Print what fails between what stands before and behind it."""
    for trace in traces:
        text = text_of(trace)
        for found in audit(text).failed:
            before = text[max(0, found.start - AROUND) : found.start]
            behind = text[found.end : found.end + AROUND]
            what = text[found.start : found.end]
            print(f"{trace.id} {found.start} {before!r} >> {what!r} << {behind!r}")


if __name__ == "__main__":
    main()
