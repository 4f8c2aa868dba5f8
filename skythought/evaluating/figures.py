"""The figures of an evaluation, each with its 95 % interval.

    summarize(answers, votes)  -> {"accuracy": 0.71, "low": 0.66, "high": 0.75, "pass_at": {...}}

Problems are what is drawn at random, not samples: samples of one problem are alike, so every
interval is clustered by problem (`metrics.mean_interval`). An answer with an error is in none of
them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from skythought.core import metrics
from skythought.evaluating import votes as voting
from skythought.evaluating.answers import Answer, by_problem

LEAST_BUDGET = 16  # tokens


def summarize(
    answers: Sequence[Answer], votes: Mapping[str, Sequence[int]] | None = None
) -> dict[str, Any]:
    """Sum up graded answers.

    Args:
        answers: of one run; those with errors are counted and left out.
        votes: of each problem, the numbers of what its samples state (`votes.number`), in the
            order of the samples; None where answers of this kind cannot be compared.

    Returns:
        accuracy, low, high: mean over problems of the share of right answers (avg@n).
        n, problems, no_answer, truncated, errors, mean_tokens, complete.
        pass_at, cons_at: {k: [value, low, high]}, where problems have several samples.
        tokens: median, p95, right, wrong: of all answers, and means of right and wrong ones; None
            where nobody counted them.
        at_budget: [{tokens, accuracy, low, high}]: what is right within so many tokens.
        loops: answers that end in saying the same again and again.

    Raises:
        ValueError: all answers are errors, or there is none.
    """
    groups = by_problem(answers)
    if not groups:
        raise ValueError("no answer was graded")
    counted = [answer for group in groups.values() for answer in group]
    n = min(map(len, groups.values()))
    value, low, high = share([[a.right for a in group] for group in groups.values()])
    lengths = np.array([a.tokens for a in counted])
    known = bool(lengths.any())  # some logs do not count tokens
    found: dict[str, Any] = {
        "accuracy": value,
        "low": low,
        "high": high,
        "n": len(counted),
        "problems": len(groups),
        "no_answer": sum(a.outcome == "no_answer" for a in counted),
        "truncated": sum(a.truncated for a in counted),
        "errors": len(answers) - len(counted),
        "mean_tokens": float(lengths.mean()) if known else None,
        "complete": len(answers) == len(counted),
        "loops": sum(a.loop for a in counted),
        "tokens": {
            "median": float(np.median(lengths)) if known else None,
            "p95": float(np.quantile(lengths, 0.95)) if known else None,
            "right": _mean([a.tokens for a in counted if a.right]) if known else None,
            "wrong": _mean([a.tokens for a in counted if not a.right]) if known else None,
        },
        "at_budget": [
            {"tokens": tokens, "accuracy": value, "low": low, "high": high}
            for tokens in (budgets(lengths) if known else ())
            for value, low, high in [
                share([[a.right and a.tokens <= tokens for a in g] for g in groups.values()])
            ]
        ],
    }
    if n > 1:
        tried = [(len(group), sum(a.right for a in group)) for group in groups.values()]
        found["pass_at"] = {
            str(k): interval([metrics.pass_at_k(*counts, k) for counts in tried]) for k in powers(n)
        }
        if votes is not None:
            found["cons_at"] = {
                str(k): interval([voting.majority(votes[name], k) for name in groups])
                for k in powers(n)
            }
    return found


def by_label(
    answers: Sequence[Answer], labels: Mapping[str, str]
) -> dict[str, dict[str, float | int]]:
    """Give the accuracy of the problems with each label, in the order of labels."""
    found: dict[str, dict[str, float | int]] = {}
    groups = by_problem(answers)
    for label in sorted({labels.get(name, "") for name in groups}):
        rows = [[a.right for a in g] for name, g in groups.items() if labels.get(name, "") == label]
        value, low, high = share(rows)
        found[label] = {"problems": len(rows), "accuracy": value, "low": low, "high": high}
    return found


def share(rows: Sequence[Sequence[bool]]) -> tuple[float, float, float]:
    """Give the mean over problems of the share that holds, and its interval.

    Wilson's where each problem was asked once; else a bootstrap over problems.
    """
    means = [sum(row) / len(row) for row in rows]
    n = sum(map(len, rows))
    if n == len(means):
        return (sum(means) / n, *metrics.wilson(int(sum(means)), n))
    value, low, high = interval(means)
    return value, low, high


def interval(values: Sequence[float]) -> list[float]:
    """Give the mean of one value per problem, and its interval."""
    return [sum(values) / len(values), *metrics.mean_interval([values])]


def powers(n: int) -> list[int]:
    """List the powers of two below n, and n."""
    return [*(1 << i for i in range((n - 1).bit_length())), n]


def budgets(lengths: np.ndarray[Any, Any]) -> list[int]:
    """List the powers of two from below the shortest answer to above the longest."""
    last = max(LEAST_BUDGET, int(lengths.max()))
    first = max(LEAST_BUDGET, 1 << max(0, int(lengths.min()).bit_length() - 1))
    found = [first]
    while found[-1] < last:
        found.append(found[-1] * 2)
    return found


def _mean(values: Sequence[int]) -> float | None:
    return sum(values) / len(values) if values else None
