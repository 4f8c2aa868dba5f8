"""Validate the estimators of structural consistency: do they see broken structure, and only that?

    python benchmarks/structure_validation.py --input ../shared/data/traces/traces.jsonl

Perturbs real thoughts in every kind and level of the paper, scores originals and copies with the
lexical estimator and prints tables for benchmarks/structure.md. Only the half of the problems that
the weights were not fitted on is scored (`structure_fit.even`); with --leave-out, each teacher too
with weights fitted without it. With --model, short thoughts are scored by a language model.

AUC: how often an original, drawn at random, scores above a copy, drawn at random, of whatever
thought (Mann-Whitney; ties count half); paired: how often above its own copy; shift: copy minus
original, on average. 95 % intervals are bootstraps over problems, each with all of its thoughts.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from structure_fit import even, fit, question, see_all

from skythought import likelihoods, perturbations
from skythought.core import shapes, steps
from skythought.core.records import Trace
from skythought.structure import consistency, likelihood, weights
from skythought.structure.scorers import Pair, Scorer

LEVELS = {
    **dict.fromkeys(("shuffle", "insert", "delete"), (0.33, 0.67, 1.0)),
    "digits": (0.2, 0.5, 0.7, 1.0),
    "keywords": (0.2, 0.5, 1.0),
}
SIZES = ((3, 8), (8, 16), (16, 40), (40, 10**9))
LEAST = 3  # steps; a thought of fewer has no order to speak of
RESAMPLES = 2_000


class Score(NamedTuple):
    """One text, scored."""

    problem: str
    teacher: str
    trace: str
    n: int  # steps of the original
    kind: str  # "" is the original
    fraction: float
    value: float
    left: int  # steps of this text


def copies(
    trace: Trace, donors: Sequence[Trace], seeds: Sequence[int], levels: dict[str, Sequence[float]]
) -> Iterator[tuple[str, float, list[str]]]:
    """Yield the kind, the level and the steps of a trace and of its copies; none that is empty."""
    yield "", 0.0, steps.split(trace.thought)
    for kind, fractions in levels.items():
        options = {"donors": donors} if kind == "insert" else {}
        for fraction in fractions:
            for seed in seeds:
                make = perturbations.make(kind, fraction=fraction, seed=seed, **options)
                if parts := steps.split(make(trace).thought):
                    yield kind, fraction, parts


def score(
    trace: Trace,
    donors: Sequence[Trace],
    seeds: Sequence[int],
    levels: dict[str, Sequence[float]],
) -> list[Score]:
    """Score a trace and its copies with the lexical estimator."""
    found = []
    for kind, fraction, parts in copies(trace, donors, seeds, levels):
        value = consistency.consistency(question(trace), parts, trace.answer)
        if value is not None:
            found.append(named(trace, kind, fraction, value, len(parts)))
    return found


def named(trace: Trace, kind: str, fraction: float, value: float, left: int) -> Score:
    """Note whose score this is."""
    key = " ".join(question(trace).split())
    n = len(steps.split(trace.thought))
    return Score(key, family(trace.model), trace.id, n, kind, fraction, value, left)


def family(model: str) -> str:
    """Name a teacher for tables."""
    name = model.split("(")[0].split(" via")[0].strip().split("/")[-1]
    return "DeepSeek-R1" if name in ("deepseek-reasoner", "DeepSeek-R1") else name


class Interval(NamedTuple):
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f}-{self.high:.3f})"


def auc(originals: Sequence[Score], changed: Sequence[Score], seed: int = 0) -> Interval:
    """Give the AUC of originals against copies, with a bootstrap over problems."""
    names = {p: i for i, p in enumerate(sorted({s.problem for s in originals}))}
    a = np.array([s.value for s in originals])
    b = np.array([s.value for s in changed])
    row = np.array([names[s.problem] for s in originals])
    column = np.array([names[s.problem] for s in changed])
    wins = np.zeros((len(names), len(names)))
    for value, i in zip(a, row, strict=True):
        np.add.at(wins[i], column, (value > b) + 0.5 * (value == b))
    n_a, n_b = np.bincount(row, minlength=len(names)), np.bincount(column, minlength=len(names))
    drawn = np.random.default_rng(seed).multinomial(
        len(names), np.full(len(names), 1 / len(names)), size=RESAMPLES
    )
    values = ((drawn @ wins) * drawn).sum(1) / np.maximum(1, (drawn @ n_a) * (drawn @ n_b))
    return Interval(wins.sum() / (len(a) * len(b)), *np.quantile(values, (0.025, 0.975)))


def paired(
    originals: Sequence[Score],
    changed: Sequence[Score],
    compare: Callable[[float, float], float],
    seed: int = 0,
) -> Interval:
    """Give the mean of what compares an original with its own copy, bootstrapped over problems."""
    own = {s.trace: s.value for s in originals}
    by: dict[str, list[float]] = defaultdict(list)
    for s in changed:
        by[s.problem].append(compare(own[s.trace], s.value))
    sums = np.array([sum(v) for v in by.values()])
    sizes = np.array([len(v) for v in by.values()])
    drawn = np.random.default_rng(seed).multinomial(
        len(by), np.full(len(by), 1 / len(by)), size=RESAMPLES
    )
    means = (drawn @ sums) / (drawn @ sizes)
    return Interval(sums.sum() / sizes.sum(), *np.quantile(means, (0.025, 0.975)))


def above(original: float, copy: float) -> float:
    """Say whether an original is above its copy."""
    return (original > copy) + 0.5 * (original == copy)


def table(scores: Sequence[Score]) -> Iterator[str]:
    """Write the table of all kinds and levels."""
    originals = [s for s in scores if not s.kind]
    values = [s.value for s in originals]
    yield (
        f"{len(originals)} thoughts of {len({s.problem for s in originals})} problems; originals "
        f"{np.mean(values):.3f} on average (standard deviation {np.std(values):.3f}).\n"
    )
    yield "| kind | level | AUC | paired | shift | AUC of the number of steps alone |"
    yield "|---|---|---|---|---|---|"
    for kind, fraction in dict.fromkeys((s.kind, s.fraction) for s in scores if s.kind):
        changed = [s for s in scores if (s.kind, s.fraction) == (kind, fraction)]
        shift = paired(originals, changed, lambda o, c: c - o)
        lengths = auc(
            [s._replace(value=s.left) for s in originals],
            [s._replace(value=s.left) for s in changed],
        )
        yield (
            f"| {kind} | {fraction:.0%} | {auc(originals, changed)} | "
            f"{paired(originals, changed, above)} | "
            f"{shift.value:+.4f} ({shift.low:+.4f} to {shift.high:+.4f}) | {lengths.value:.3f} |"
        )


def split(scores: Sequence[Score], groups: dict[str, Callable[[Score], bool]]) -> Iterator[str]:
    """Write AUCs at 67 %, and shifts, of groups of thoughts."""
    columns = [("shuffle", 0.67), ("insert", 0.67), ("delete", 0.67)]
    yield "| | thoughts | shuffle 67 % | insert 67 % | delete 67 % | shift, digits 50 % |"
    yield "|---|---|---|---|---|---|"
    for name, belongs in groups.items():
        chosen = [s for s in scores if belongs(s)]
        originals = [s for s in chosen if not s.kind]
        if len(originals) < 10:
            continue
        cells = [
            str(auc(originals, [s for s in chosen if (s.kind, s.fraction) == column]))
            for column in columns
        ]
        digits = [s for s in chosen if (s.kind, s.fraction) == ("digits", 0.5)]
        cells.append(
            f"{paired(originals, digits, lambda o, c: c - o).value:+.4f}" if digits else ""
        )
        yield f"| {name} | {len(originals)} | {' | '.join(cells)} |"


def by_size(scores: Sequence[Score]) -> Iterator[str]:
    """Write the table by number of steps."""
    yield from split(
        scores,
        {
            f"{low} to {high - 1} steps" if high < 10**9 else f"{low} steps or more": (
                lambda s, low=low, high=high: low <= s.n < high
            )
            for low, high in SIZES
        },
    )


def by_teacher(scores: Sequence[Score]) -> Iterator[str]:
    """Write the table by teacher."""
    names = sorted({s.teacher for s in scores})
    yield from split(scores, {name: (lambda s, name=name: s.teacher == name) for name in names})


def score_all(
    traces: Sequence[Trace], seeds: Sequence[int], levels: dict[str, Sequence[float]]
) -> list[Score]:
    """Score traces and copies with the lexical estimator, on all cores."""
    work = partial(score, donors=traces, seeds=seeds, levels=levels)
    with ProcessPoolExecutor() as pool:
        return [s for found in pool.map(work, traces, chunksize=8) for s in found]


def leave_out(traces: Sequence[Trace], seeds: Sequence[int]) -> Iterator[str]:
    """Score each large teacher with weights that were fitted without it."""
    levels = dict.fromkeys(("shuffle", "insert", "delete"), (0.67,)) | {"digits": (0.5,)}
    kept = dict(weights.WEIGHTS)
    scores: list[Score] = []
    texts = see_all([t for t in traces if even(t)])
    for name in sorted({family(t.model) for t in traces}):
        held = [t for t in traces if family(t.model) == name and not even(t)]
        if len(held) < 20:
            continue
        fitted = fit([text for text in texts if family(text.trace.model) != name])
        weights.WEIGHTS.clear()
        weights.WEIGHTS.update(fitted)
        scores += score_all(held, seeds, levels)
        weights.WEIGHTS.clear()
        weights.WEIGHTS.update(kept)
    yield from by_teacher(scores)


class Remembered:
    """A scorer that asks no pair twice: copies of a thought share most of theirs."""

    def __init__(self, scorer: Scorer) -> None:
        self.scorer = scorer
        self.known: dict[Pair, float] = {}

    def logprobs(self, pairs: Sequence[Pair]) -> list[float]:
        """Ask for the pairs that are new."""
        new = [pair for pair in dict.fromkeys(pairs) if pair not in self.known]
        self.known.update(zip(new, self.scorer.logprobs(new), strict=True))
        return [self.known[pair] for pair in pairs]


def by_model(traces: Sequence[Trace], model: str, n: int, seconds: float) -> Iterator[str]:
    """Score short thoughts with a language model, in several readings; stops after a while."""
    levels = dict.fromkeys(("shuffle", "insert", "delete"), (0.67,))
    levels |= {"digits": (0.5,), "keywords": (1.0,)}
    short = [t for t in traces if 5 <= len(steps.split(t.thought)) <= 9]
    chosen = random.Random(0).sample(short, min(n, len(short)))
    local = likelihoods.local(model)
    readings: dict[str, Callable[[Sequence[likelihood.Judged]], float]] = {
        "share of steps whose own predecessor is best": lambda j: float(
            np.mean([s.best for s in j])
        )
    }
    for t in (0.0, 0.05, 0.1, 0.2, 0.5):
        readings[f"others beaten, T = {t:g}"] = lambda j, t=t: likelihood.consistency(j, t) or 0.0
    scores: dict[str, list[Score]] = defaultdict(list)
    ends = time.monotonic() + seconds
    for done, trace in enumerate(chosen):
        if time.monotonic() > ends:
            break
        asker = Remembered(local)
        for kind, fraction, parts in copies(trace, traces, (0,), levels):
            if judged := likelihood.judge(parts, asker, question=question(trace)):
                for name, reading in readings.items():
                    value = reading(judged)
                    scores[name].append(named(trace, kind, fraction, value, len(parts)))
        print(f"{done + 1} of {len(chosen)}: {len(asker.known)} pairs", file=sys.stderr, flush=True)
    for name, found in scores.items():
        yield f"\n{name}:\n"
        yield from table(found)


def main() -> None:
    """Score, and print tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", type=Path, required=True, help="JSONL of traces")
    parser.add_argument("--seeds", type=int, default=2, help="copies of each kind and level")
    parser.add_argument("--leave-out", action="store_true", help="fit without each teacher too")
    parser.add_argument("--model", default="", help="score with this language model instead")
    parser.add_argument("--limit", type=int, default=0, help="traces at most; for the model, 50")
    parser.add_argument("--seconds", type=float, default=1e9, help="for the model, at most")
    args = parser.parse_args()
    read = list(shapes.read_traces(args.input))
    long = [t for t in read if len(steps.split(t.thought)) >= LEAST]
    held = [t for t in long if not even(t)]
    if args.model:
        for line in by_model(held, args.model, args.limit or 50, args.seconds):
            print(line)
        return
    print(f"{len(read) - len(long)} of {len(read)} traces have fewer than {LEAST} steps.")
    scores = score_all(held[: args.limit or None], range(args.seeds), LEVELS)
    for lines in (table(scores), by_size(scores), by_teacher(scores)):
        print("\n".join(lines), end="\n\n")
    if args.leave_out:
        print("\n".join(leave_out(long, (0,))))


if __name__ == "__main__":
    main()
