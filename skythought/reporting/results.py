"""A study's answers in, results.json out: accuracies, paired changes, and the three tests.

    summarize(study)["arms"][1]["accuracy"]  ->  0.694

Arms are compared with `correct` (LoRA on correct traces) on the seeds and problems both have. A
problem with an `error` in any of the answers that are compared is left out of that comparison; in
an arm's own accuracy, out of all its seeds. Fractions are 0-1; only `paper_change` is in points.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skythought.core import metrics
from skythought.core.metrics import Difference
from skythought.reporting import findings, losses, paper
from skythought.reporting.runs import Answers, Arm, Study

REFERENCE = "correct"
STRUCTURE = ("shuffled_67", "deleted_67", "inserted_67")
CONTENT = ("wrong_answers", "digits_50", "keywords_100")
DIGITS = 6  # kept of each figure, so that two machines agree
TIMES = ("seconds", "train_seconds", "eval_seconds", "peak_memory_gb", "tokens_per_s")

Matrix = NDArray[np.float64]


def without_times(results: Any) -> Any:
    """Leave out what differs between two identical runs: times, speed and memory."""
    if isinstance(results, dict):
        return {k: without_times(v) for k, v in results.items() if k not in TIMES}
    if isinstance(results, list):
        return [without_times(item) for item in results]
    return results


def summarize(study: Study) -> dict[str, Any]:
    """Compute everything the report shows."""
    arms = {arm.name: arm for arm in study.arms}
    settings = {k: v for k, v in study.config.items() if k not in ("study", "settings")}
    nested = study.config.get("settings")
    settings |= nested if isinstance(nested, dict) else {}
    tested = tests(arms)
    lift = tested.get("lift_lora")
    judged = paper.judgeable(100 * lift["low"] if lift else None, settings.get("max_steps"))
    found: dict[str, Any] = {
        "study": study.name,
        "settings": settings,
        "versions": study.versions,
        "arms": [describe(arm, arms.get(REFERENCE), judged) for arm in study.arms],
        "tests": tested,
    }
    found["findings"] = findings.write(found)
    return found


def describe(arm: Arm, reference: Arm | None, judged: bool) -> dict[str, Any]:
    """Give the row of an arm, with a verdict only where the study is `judged`."""
    card, facts = arm.card, [seed.facts for seed in arm.seeds]
    greedy = figures(arm, reference, "greedy")
    published = paper.change(arm.name)
    verdict = None
    if judged and published is not None and greedy["delta_low"] is not None:
        bounds = 100 * greedy["delta_low"], 100 * greedy["delta_high"]
        verdict = paper.agreement(published, *bounds)
    speeds = [step.tokens_per_s for seed in arm.seeds for step in seed.log]
    learned = {str(s.number): steps for s in arm.seeds if (steps := losses.learned(s.log))}
    return {
        "name": card.name,
        "title": card.title,
        "group": card.group,
        "kind": card.kind,
        "fraction": card.fraction,
        "method": card.method,
        "seeds": [seed.number for seed in arm.seeds],
        **greedy,
        "sampled": figures(arm, reference, "sampled"),
        "paper_change": published,
        "agreement": verdict,
        "train_tokens": sum(f.train_tokens for f in facts),
        "train_seconds": round(sum(f.train_seconds for f in facts), 2),
        "eval_seconds": round(sum(f.eval_seconds for f in facts), 2),
        "seconds": round(sum(f.train_seconds + f.eval_seconds for f in facts), 2),
        "peak_memory_gb": max(f.peak_memory_gb for f in facts),
        "tokens_per_s": round(sum(speeds) / len(speeds), 1) if speeds else None,
        **({"learned": learned} if learned else {}),
    }


def figures(arm: Arm, reference: Arm | None, mode: str) -> dict[str, Any]:
    """Give an arm's figures in one mode; those that cannot be computed are None."""
    answers = arm.answers(mode)
    found: dict[str, Any] = {
        "n": 0,
        "n_problems": 0,
        **dict.fromkeys(("accuracy", "low", "high")),
        "per_seed": {},
    }
    own = align([arm], mode)
    if own is not None:
        seeds, (x,) = own
        low, high = metrics.mean_interval(x)
        found |= {
            "n": x.size,
            "n_problems": x.shape[1],
            "accuracy": _round(x.mean()),
            "low": _round(low),
            "high": _round(high),
            "per_seed": {str(s): _round(row.mean()) for s, row in zip(seeds, x, strict=True)},
        }
    outcomes = [outcome for a in answers.values() for outcome in a.outcomes.values()]
    return {
        **found,
        **compare(reference, arm, mode),
        "truncated": sum(a.truncated for a in answers.values()),
        "no_answer": outcomes.count("no_answer"),
        "errors": outcomes.count("error"),
        "mean_tokens": (
            round(sum(a.tokens for a in answers.values()) / len(outcomes), 1) if outcomes else None
        ),
        "inspected": _inspected(list(answers.values())),
    }


def _inspected(answers: list[Answers]) -> dict[str, float]:
    """Give the mean over seeds of each share that every seed has."""
    shared = set.intersection(*(set(a.inspected) for a in answers)) if answers else set()
    return {name: _round(np.mean([a.inspected[name] for a in answers])) for name in sorted(shared)}


def compare(reference: Arm | None, arm: Arm, mode: str) -> dict[str, Any]:
    """Give an arm's change against the reference; None for the reference itself."""
    keys = ("delta", "delta_low", "delta_high", "p", "detectable")
    pair = None
    if reference is not None and arm.name != reference.name:
        pair = align([reference, arm], mode)
    if pair is None:
        return {**dict.fromkeys(keys), "paired_seeds": [], "paired_problems": 0}
    seeds, (x, y) = pair
    values = map(_round, metrics.difference(x, y))
    return {
        **dict(zip(keys, values, strict=True)),
        "paired_seeds": seeds,
        "paired_problems": x.shape[1],
    }


def align(arms: Sequence[Arm], mode: str) -> tuple[list[int], list[Matrix]] | None:
    """Bring arms to the seeds and problems that all of them have; None where there are none.

    An untrained model is the same for every training seed, so its greedy answers are repeated.

    Returns:
        the seeds, and for each arm outcomes of shape (S, P), 1 where the answer was right.
    """
    answers = [arm.answers(mode) for arm in arms]
    fixed = [arm.card.method == "none" and mode == "greedy" for arm in arms]
    trained = [set(a) for a, same in zip(answers, fixed, strict=True) if not same]
    if not all(answers):
        return None
    seeds = sorted(set.intersection(*(trained or map(set, answers))))
    rows = [[_row(a, seed) for seed in seeds] for a in answers]
    flat = [row.outcomes for some in rows for row in some]
    if not flat:
        return None
    shared = set.intersection(*map(set, flat))
    problems = sorted(key for key in shared if all(o[key] != "error" for o in flat))
    if not problems:
        return None
    return seeds, [
        np.array([[r.outcomes[key] == "correct" for key in problems] for r in some], dtype=float)
        for some in rows
    ]


def _row(answers: Mapping[int, Answers], seed: int) -> Answers:
    return answers[seed] if seed in answers else answers[min(answers)]


def tests(arms: Mapping[str, Arm]) -> dict[str, Any]:
    """Answer the study's three questions; a question whose arms are missing is left out."""
    found: dict[str, Any] = {}
    for key, name in (("lift_lora", "correct"), ("lift_full", "correct_full")):
        if (
            "base" in arms
            and name in arms
            and (pair := align([arms["base"], arms[name]], "greedy"))
        ):
            seeds, (x, y) = pair
            found[key] = _difference(metrics.difference(x, y), seeds, x.shape[1])
    content = [arms[name] for name in CONTENT if name in arms]
    structure = [arms[name] for name in STRUCTURE if name in arms]
    if content and structure and (group := align([*content, *structure], "greedy")):
        seeds, rows = group
        x = np.mean(rows[: len(content)], axis=0)
        y = np.mean(rows[len(content) :], axis=0)
        found["structure_against_content"] = {
            **_difference(metrics.difference(x, y), seeds, x.shape[1]),
            "content": [arm.name for arm in content],
            "structure": [arm.name for arm in structure],
        }
    return found


def _difference(d: Difference, seeds: list[int], n_problems: int) -> dict[str, Any]:
    values = {key: _round(value) for key, value in d._asdict().items()}
    return {**values, "seeds": seeds, "n_problems": n_problems}


def _round(value: Any) -> float:
    return round(float(value), DIGITS) + 0.0  # no negative zero
