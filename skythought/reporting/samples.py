"""A few answers of each arm, to be read: the problem, the thought, the answer and its verdict.

The same ten problems for every arm, drawn with a fixed seed, answered greedily by the first
finished seed. What a model wrote is hostile text: all of it is escaped, and cut where very long.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from skythought.core import store
from skythought.core.records import Problem, Trace, Verdict
from skythought.reporting.runs import Arm
from skythought.reporting.wording import safe

SAMPLES = 10
LONGEST = 6_000  # characters of one text that are shown


class Sample(NamedTuple):
    """One graded answer."""

    problem: Problem
    trace: Trace
    verdict: Verdict | None


def choose(folder: Path, n: int = SAMPLES) -> list[Sample]:
    """Draw graded answers of a run folder, the same problems from every folder of a study."""
    problems = {p.id: p for p in store.read(folder / "problems.jsonl", Problem)}
    verdicts = {v.id: v for v in store.read(folder / "verdicts.jsonl", Verdict)}
    traces = {t.problem_id: t for t in store.read(folder / "traces.jsonl", Trace)}
    known = sorted(problems.keys() & traces.keys())
    drawn = random.Random(0).sample(known, min(n, len(known)))
    return [Sample(problems[i], traces[i], verdicts.get(traces[i].id)) for i in drawn]


def section(study: Path, arm: Arm) -> str:
    """Write the samples of an arm, folded."""
    place = f"arms/{arm.name}/seed{arm.seeds[0].number}/greedy"
    found = choose(study / place)
    if not found:
        return ""
    right = sum(s.verdict is not None and s.verdict.outcome == "correct" for s in found)
    items = "".join(item(sample, place) for sample in found)
    return (
        f'<details><summary>{safe(arm.card.title)} <span class="soft">{len(found)} answers, '
        f"{right} correct</span></summary>"
        f'<p class="note">From <a href="{quote(place)}/">{safe(place)}</a>, {_model(arm)}.</p>'
        f"{items}</details>"
    )


def _model(arm: Arm) -> str:
    return f"model {safe(arm.seeds[0].answers['greedy'].model)}"


def item(sample: Sample, place: str) -> str:
    """Write one answer, folded; `place` is named where its rest is."""
    problem, trace, verdict = sample
    outcome = verdict.outcome if verdict else "error"
    kind = "right" if outcome == "correct" else "wrong"
    rule = "not graded"
    if verdict:
        rule = (
            f"{verdict.verifier}: {verdict.reason or 'no rule named'}; found "
            f"{verdict.extracted or 'nothing'!r}, expected {verdict.expected!r}"
        )
    parts = (
        ("problem", problem.question),
        ("thought", trace.thought or "(none)"),
        ("answer", trace.answer or "(none)"),
        ("verdict and its rule", f"{outcome.replace('_', ' ')}. {rule}"),
    )
    texts = "".join(
        f'<p class="what">{name}</p><pre>{safe(cut(text, place))}</pre>' for name, text in parts
    )
    note = "cut off at the token limit, " if trace.finish == "length" else ""
    return (
        f'<details><summary><span class="{kind}">{outcome.replace("_", " ")}</span> '
        f'{safe(cut_short(problem.question))} <span class="soft">{note}'
        f"{trace.completion_tokens:,} tokens</span></summary>{texts}</details>"
    )


def cut(text: str, place: str) -> str:
    """Shorten a long text, and say so and where the rest is."""
    if len(text) <= LONGEST:
        return text
    left = len(text) - LONGEST
    return f"{text[:LONGEST]}\n[cut here: {left:,} more characters in {place}/traces.jsonl]"


def cut_short(text: str, most: int = 90) -> str:
    """Give the beginning of a text on one line."""
    line = " ".join(text[: 10 * most].split())
    return line if len(line) <= most else f"{line[:most].rstrip(' .,;')}…"
