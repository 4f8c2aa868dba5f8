"""How many traces and prompts that answer benchmark problems are found, and how many others are.

    python benchmarks/contamination.py --data ../shared/data --hits hits.jsonl

Real data: every trace of `traces/traces.jsonl` with a `benchmark_id` answers that problem, by its
question or by its response alone; then copies of benchmark problems with other numbers, names,
units and words (`renaming.py`, one seed for each problem); then the training prompts, of which six
are word for word in MATH-500. The baseline is what most tools do: a row is contaminated that shares
a run of 8 words, cut at white space and in lower case, with any problem. Every hit among prompts is
written to --hits, to be looked at: near-copies among them are no false alarms. Times are those of
the processor.

    python benchmarks/contamination.py --data ../shared/data --encoder models/all-MiniLM-L6-v2

With --encoder, and nothing else, what a sentence encoder adds for questions, by the cosine from
which it counts; what it alone finds among prompts goes to --hits.
"""

from __future__ import annotations

import argparse
import json
import operator
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import renaming

from skythought import tasks
from skythought.core import jsonl, shapes
from skythought.core.records import Problem
from skythought.curating import encoders, question_of, response_of
from skythought.curating.contamination import Benchmarks, Found, Hit
from skythought.curating.encoders import Vectors

WORD_FOR_WORD = (
    *("aime-train-1983-1-2", "aime-train-1994-1-13", "aime-train-2001-2-3"),
    *("aime-train-2010-1-6", "aime-train-2015-2-6", "aime-train-2017-2-7"),
)
COSINES = (0.95, 0.9, 0.85, 0.8)
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


def remembered(where: str) -> Callable[[Sequence[str]], Vectors]:
    """Make what encodes a text once."""
    load, rows = encoders.load(where), dict[str, Any]()

    def encode(texts: Sequence[str]) -> Vectors:
        new = [*dict.fromkeys(text for text in texts if text not in rows)]
        rows.update(zip(new, load(new), strict=True))
        return np.stack([rows[text] for text in texts])

    return encode


def copied(known: list[tuple[str, Problem]], n: int) -> dict[str, list[tuple[str, str]]]:
    """Give copies of n problems for each strength: the problem's id and the text."""
    chosen = [(name, p) for name, p in known if name in RENAMED]
    chosen = random.Random(0).sample(chosen, min(n, len(chosen)))
    return {
        label: [
            (problem.id, renaming.rename(problem.question, random.Random(number), strength))
            for number, (_, problem) in enumerate(chosen)
        ]
        for label, strength in renaming.STRENGTHS.items()
    }


def by_encoder(args: argparse.Namespace) -> None:
    """Print what an encoder finds among questions beyond words, for each cosine."""
    known = list(problems(args.data))
    rows = [row for _, row in jsonl.read_rows(args.data / "traces" / "traces.jsonl")]
    prompts = [row for _, row in jsonl.read_rows(args.data / "prompts" / "train_prompts.jsonl")]
    copies = copied(known, args.renamed)
    sets = {
        "traces of benchmarks": [row["problem"] for row in rows if row.get("benchmark_id")],
        "other traces": [row["problem"] for row in rows if not row.get("benchmark_id")],
        **{f"copies with other {label}": [t for _, t in some] for label, some in copies.items()},
        "prompts": [row["problem"] for row in prompts],
    }
    encode = remembered(args.encoder)
    texts = {text for some in sets.values() for text in some}
    _, took = timed(lambda: encode([*texts]))
    print(f"{len(texts):,} texts encoded in {took:.0f} s", flush=True)
    words = Benchmarks(known)
    by_words = {name: [bool(words.hit(text)) for text in some] for name, some in sets.items()}
    alone = {c: Benchmarks(known, near=None, encode=encode, cosine=c) for c in COSINES}
    for name, some in sets.items():
        print(f"{name}: by words {share(sum(by_words[name]), len(some))}")
        for cosine, index in alone.items():
            hits = [hit is not None and hit.rule == "embedding" for hit in map(index.hit, some)]
            both = sum(map(operator.or_, by_words[name], hits))
            print(f"  an encoder from {cosine}: {both - sum(by_words[name]):,} more")
    if args.hits:
        lowest = alone[min(COSINES)]
        found = [(row, lowest.hit(row["problem"])) for row in prompts]
        write_hits(
            args.hits,
            [
                (row, hit)
                for (row, hit), old in zip(found, by_words["prompts"], strict=True)
                if hit and not old
            ],
        )


def write_hits(path: Path, found: Iterable[tuple[dict[str, str], Hit]]) -> None:
    """Write prompts that were flagged, with the passages that show why."""
    lines = (
        json.dumps(
            {**msgspec.to_builtins(Found(trace_id=row["id"], hit=hit)), "prompt": row["problem"]}
        )
        for row, hit in found
    )
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--hits", type=Path, default=None, help="where hits among prompts go")
    parser.add_argument("--renamed", type=int, default=1000, help="problems to make copies of")
    parser.add_argument("--encoder", default="", help="folder of a model, or URL#model")
    args = parser.parse_args()
    if args.encoder:
        by_encoder(args)
        return
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
    for label, copies in copied(known, args.renamed).items():
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
        write_hits(args.hits, [(r, h) for r, h in zip(prompts, hits, strict=True) if h])


if __name__ == "__main__":
    main()
