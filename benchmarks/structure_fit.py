"""Fit the weights of the lexical estimator of structural consistency, and write them down.

    python benchmarks/structure_fit.py --input ../shared/data/traces/traces.jsonl

Real thoughts, their perturbed copies, and of each the pairs of neighbours: a step and what stands
before it, the question before the first, the answer after the last. A pair follows where it was a
pair of the original. A logistic regression with a ridge tells the two apart, on the half of the
problems with an even hash (`even`); `structure_validation.py` uses the other half. Every text
counts alike, whatever its number of steps; originals count three times.
What is printed replaces `skythought/structure/weights.py`.
"""

from __future__ import annotations

import argparse
import hashlib
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from skythought import perturbations
from skythought.core import shapes, steps
from skythought.core.records import Trace
from skythought.structure import consistency

KINDS = ("shuffle", "insert", "delete")
ORIGINAL = 3.0  # how much an original counts beside a copy, of which there are six
RIDGE = 1.0  # of weights on signals scaled to at most 1, against a mean loss times the texts
RARE = 20  # a signal of fewer pairs of originals gets no weight
HEAD = '''"""The weights of the lexical estimator, written by benchmarks/structure_fit.py.

Log-odds for each unit of a signal of `consistency.read`; one without a weight counts nothing.
"""

WEIGHTS = {
'''


def question(trace: Trace) -> str:
    """Give what a trace was asked."""
    return "\n\n".join(turn.content for turn in trace.messages if turn.role == "user")


def even(trace: Trace) -> bool:
    """Say whether a trace's problem is of the half that weights are fitted on."""
    asked = " ".join(question(trace).split())
    return int(hashlib.sha256(asked.encode()).hexdigest(), 16) % 2 == 0


def pairs(parts: Sequence[str]) -> set[tuple[str | None, str | None]]:
    """Give a thought's neighbours; None is the question, and the answer."""
    return set(zip([None, *parts], [*parts, None], strict=True))


class Seen(NamedTuple):
    """A text to fit on: an original, or a perturbed copy."""

    trace: Trace
    count: float  # how much it counts
    follow: list[bool]  # which of its pairs are pairs of the original
    signals: list[dict[str, float]]  # of each pair


def see(trace: Trace, donors: Sequence[Trace], seed: int) -> list[Seen]:
    """Read a trace and its copies."""
    true = pairs(steps.split(trace.thought))
    found = []
    for kind, fraction in [("", 0.0), *((k, f) for k in KINDS for f in (0.33, 0.67))]:
        options = {"donors": donors} if kind == "insert" else {}
        copy = trace
        if kind:
            copy = perturbations.make(kind, fraction=fraction, seed=seed, **options)(trace)
        parts = steps.split(copy.thought)
        signals = [dict(each) for each in consistency.read(question(copy), parts, copy.answer)]
        around = zip([None, *parts], [*parts, None], strict=True)
        follow = [pair in true for pair in around][: len(signals)]
        found.append(Seen(copy, 1.0 if kind else ORIGINAL, follow, signals))
    return found


def see_all(traces: Sequence[Trace], seed: int = 0) -> list[Seen]:
    """Read traces and their copies, on all cores."""
    with ProcessPoolExecutor() as pool:
        found = pool.map(partial(see, donors=traces, seed=seed), traces, chunksize=8)
        return [text for texts in found for text in texts if text.signals]


def fit(texts: Sequence[Seen]) -> dict[str, float]:
    """Fit the weights."""
    common = Counter(
        name for text in texts if not text.trace.edits for each in text.signals for name in each
    )
    names = sorted(name for name, n in common.items() if n >= RARE)
    column = {name: i for i, name in enumerate(names)}
    x = np.zeros((sum(len(text.signals) for text in texts), len(names)), dtype=np.float32)
    for i, row in enumerate(each for text in texts for each in text.signals):
        for name, value in row.items():
            if name in column:
                x[i, column[name]] = value
    scale = np.abs(x).max(0)
    scale[scale == 0] = 1
    right = np.array([true for text in texts for true in text.follow])
    counts = np.array([t.count / len(t.signals) for t in texts for _ in t.signals])
    found = _newton(x / scale, right, counts)
    return {name: float(w) for name, w in zip(names, found / scale, strict=True)}


def _newton(x: np.ndarray, y: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Minimise the weighted logistic loss plus a ridge (McCullagh, Nelder 1989, section 4.4)."""
    weights = np.zeros(x.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(-(x @ weights)))
        gradient = x.T @ (counts * (p - y)) + RIDGE * weights
        curved = (x * (counts * p * (1 - p))[:, None]).T @ x + RIDGE * np.eye(len(weights))
        step = np.linalg.solve(curved, gradient)
        weights -= step
        if np.abs(step).max() < 1e-6:
            break
    return weights


def main() -> None:
    """Fit and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", type=Path, required=True, help="JSONL of traces")
    parser.add_argument("--output", type=Path, help="weights.py; printed where not given")
    args = parser.parse_args()
    chosen = [
        t for t in shapes.read_traces(args.input) if even(t) and len(steps.split(t.thought)) > 2
    ]
    weights = fit(see_all(chosen))
    lines = [
        f'    "{name}": {value:.3f},\n' for name, value in weights.items() if abs(value) >= 5e-4
    ]
    text = HEAD + "".join(lines) + "}\n"
    if args.output:
        args.output.write_text(text, encoding="utf-8")
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
