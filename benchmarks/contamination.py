"""How many traces and prompts that answer benchmark problems are found, and how many others are.

    python benchmarks/contamination.py --data ../shared/data --hits hits.jsonl

Real data: every trace of `traces/traces.jsonl` with a `benchmark_id` answers that problem, by its
question or by its response alone; then copies of benchmark problems with other numbers, names,
units and words (`renaming.py`, one seed for each problem); then the training prompts, of which six
are word for word in MATH-500. The baseline is what most tools do: a row is contaminated that shares
a run of 8 words, cut at white space and in lower case, with any problem. Every hit among prompts is
written to --hits, to be looked at: near-copies among them are no false alarms. Times are those of
the processor.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import renaming

from skythought import tasks
from skythought.core import jsonl, shapes
from skythought.core.records import Problem
from skythought.curating import question_of, response_of
from skythought.curating.contamination import Benchmarks, Found, Hit

WORD_FOR_WORD = (
    *("aime-train-1983-1-2", "aime-train-1994-1-13", "aime-train-2001-2-3"),
    *("aime-train-2010-1-6", "aime-train-2015-2-6", "aime-train-2017-2-7"),
)
RENAMED = ("math500", "aime24", "aime25", "amc23", "gsm8k_test", "olympiadbench_math_en")


class Loop:
    """The baseline: runs of 8 words in a Python set."""

    def __init__(self, texts: list[str], n: int = 8) -> None:
        self.n = n
        self.known = {run for text in texts for run in self.runs(text)}

    def runs(self, text: str) -> Iterator[tuple[str, ...]]:
        """Give the runs of a text."""
        words = text.lower().split()
        return zip(*(words[i:] for i in range(self.n)), strict=False)

    def hit(self, text: str) -> bool:
        """Say whether a text shares a run with a problem."""
        return any(run in self.known for run in self.runs(text))


def problems(data: Path) -> Iterator[tuple[str, Problem]]:
    """Read every benchmark of the folder."""
    for path in sorted((data / "benchmarks").glob("*.jsonl")):
        for problem in tasks.of_file(path).load("test", answers=False):
            yield path.stem, problem


def timed(function: Callable[[], Any]) -> tuple[Any, float]:
    """Run and take the time, in seconds of the processor."""
    began = time.process_time()
    return function(), time.process_time() - began


def share(found: int, of: int) -> str:
    """Write a count and its share."""
    return f"{found:,} / {of:,} ({100 * found / max(1, of):.1f} %)"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--hits", type=Path, default=None, help="where hits among prompts go")
    parser.add_argument("--renamed", type=int, default=1000, help="problems to make copies of")
    args = parser.parse_args()
    known = list(problems(args.data))
    index, seconds = timed(lambda: Benchmarks(known))
    loop = Loop([problem.question for _, problem in known])
    load = os.getloadavg()[0]
    print(f"{len(index):,} problems, index made in {seconds:.1f} s (load {load:.1f})")
    path = args.data / "traces" / "traces.jsonl"
    rows = [row for _, row in jsonl.read_rows(path)]
    traces = [shapes.trace(row) for row in rows]
    of = [row.get("benchmark_id") for row in rows]

    def count(
        what: str, hits: list[Hit | None], base: list[bool], seconds: tuple[float, float]
    ) -> None:
        answers = [i for i, key in enumerate(of) if key]
        others = [i for i, key in enumerate(of) if not key]
        right = sum(1 for i in answers if (hit := hits[i]) and hit.problem_id == of[i])
        for name, found, took in (("ours", hits, seconds[0]), ("loop", base, seconds[1])):
            print(
                f"traces by {what}, {name}: "
                f"found {share(sum(bool(found[i]) for i in answers), len(answers))}, "
                f"of others {share(sum(bool(found[i]) for i in others), len(others))}, "
                f"{len(rows) / took:,.0f} rows/s"
            )
        print(f"  the right problem named: {right:,}")

    asked = [question_of(trace) for trace in traces]
    said = [response_of(trace) for trace in traces]
    for what, questions, responses in (
        ("question", asked, [""] * len(said)),
        ("response alone", [""] * len(asked), said),
        ("both", asked, said),
    ):
        hits, ours = timed(
            lambda q=questions, r=responses: [index.hit(a, b) for a, b in zip(q, r, strict=True)]
        )
        base, theirs = timed(
            lambda q=questions, r=responses: [
                loop.hit(f"{a}\n{b}") for a, b in zip(q, r, strict=True)
            ]
        )
        count(what, hits, base, (ours, theirs))
    chosen = [(name, p) for name, p in known if name in RENAMED]
    chosen = random.Random(0).sample(chosen, min(args.renamed, len(chosen)))
    for label, strength in renaming.STRENGTHS.items():
        copies = [
            (problem.id, renaming.rename(problem.question, random.Random(n), strength))
            for n, (_, problem) in enumerate(chosen)
        ]
        found = [(key, index.hit(text)) for key, text in copies]
        n = sum(bool(hit) for _, hit in found)
        right = sum(hit is not None and hit.problem_id == key for key, hit in found)
        base_n = sum(loop.hit(text) for _, text in copies)
        print(
            f"copies with other {label}: found {share(n, len(copies))}, right {right:,}; "
            f"loop {share(base_n, len(copies))}"
        )
    prompts = [row for _, row in jsonl.read_rows(args.data / "prompts" / "train_prompts.jsonl")]
    hits, ours = timed(lambda: [index.hit(row["problem"]) for row in prompts])
    base, theirs = timed(lambda: [loop.hit(row["problem"]) for row in prompts])
    by_id = {row["id"]: hit for row, hit in zip(prompts, hits, strict=True)}
    rules = Counter(
        (hit.rule, row["dataset"]) for row, hit in zip(prompts, hits, strict=True) if hit
    )
    print(
        f"prompts: word for word {sum(bool(by_id[key]) for key in WORD_FOR_WORD)} / 6, "
        f"hits {share(sum(map(bool, hits)), len(prompts))}: {dict(rules)}; "
        f"loop {share(sum(base), len(prompts))}; "
        f"{len(prompts) / ours:,.0f} prompts/s, loop {len(prompts) / theirs:,.0f} prompts/s"
    )
    if args.hits:
        lines = [
            json.dumps(
                {
                    **msgspec.to_builtins(Found(trace_id=row["id"], hit=hit)),
                    "prompt": row["problem"],
                }
            )
            for row, hit in zip(prompts, hits, strict=True)
            if hit
        ]
        args.hits.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    main()
