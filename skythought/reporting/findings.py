"""What the numbers say, in plain sentences computed from them.

    write(results) -> ["LoRA on correct traces lifts accuracy from 11.2 % to 69.4 %: ...", ...]

First what the study as a whole shows and what limits it, then one sentence for each row that the
paper has too. A row that does not agree with the paper is said to; where training lifted too little
for any verdict, that is said in their place. See `paper.RULE`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from skythought.reporting import paper
from skythought.reporting.wording import between, p_clause, percent, points, several, signed

MANY_TRUNCATED = 0.1  # share of cut-off answers from which it is worth a sentence

Row = dict[str, Any]


def write(results: dict[str, Any]) -> list[str]:
    """Write all findings, the general ones first."""
    return [*general(results), *limits(results), *by_row(results["arms"])]


def general(results: dict[str, Any]) -> Iterator[str]:
    """Say what the study shows."""
    arms = {arm["name"]: arm for arm in results["arms"]}
    tests = results["tests"]
    for key, name, what in (
        ("lift_lora", "correct", "LoRA on correct traces"),
        ("lift_full", "correct_full", "Full fine-tuning on the same traces"),
    ):
        if key in tests:
            d, start, end = tests[key], arms["base"], arms[name]
            yield (
                f"{what} {_moves(d)} accuracy from {percent(start['accuracy'])} to "
                f"{percent(end['accuracy'])}: {_points(d)}."
            )
    full = arms.get("correct_full")
    if full and full["delta"] is not None:
        same = full["delta_low"] <= 0 <= full["delta_high"]
        yield (
            f"Full fine-tuning {'cannot be told from' if same else 'differs from'} LoRA on these "
            f"traces: {_row_points(full)}."
        )
    if "structure_against_content" in tests:
        yield _structure(tests["structure_against_content"], arms)
    if unjudged := _unjudged(results):
        yield unjudged
    elif order := _order(results["arms"]):
        yield order
    compared = [arm["agreement"] for arm in results["arms"] if arm["agreement"]]
    if compared:
        counts = [
            f"{compared.count(kind)} {kind}"
            for kind in ("reproduced", "not reproduced", "undecided")
            if compared.count(kind)
        ]
        rows = "row" if len(compared) == 1 else "rows"
        yield f"Of {len(compared)} {rows} with a published change: {', '.join(counts)}."
    short = arms.get("short_answers")
    if short and short["accuracy"] is not None and "base" in arms:
        yield (
            f"Training on short answers only ends at {percent(short['accuracy'])}, no training at "
            f"{percent(arms['base']['accuracy'])}."
        )


def _structure(d: Row, arms: dict[str, Row]) -> str:
    """Compare the broken structure with the broken content."""
    broken = several([arms[name]["title"] for name in d["structure"]])
    content = several([arms[name]["title"] for name in d["content"]])
    if d["low"] <= 0 <= d["high"]:
        where = "cannot be told from"
    else:
        where = "ends below" if d["value"] < 0 else "ends above"
    return f"Broken structure ({broken}) {where} broken content ({content}): {_points(d)}."


def _unjudged(results: dict[str, Any]) -> str:
    """Say why rows that stand in the paper have no verdict, "" where they have."""
    rows = [r for r in results["arms"] if r["paper_change"] is not None and r["delta"] is not None]
    if not rows or any(row["agreement"] for row in rows):
        return ""
    lift = results["tests"].get("lift_lora")
    if lift is None:
        return (
            "What training on correct traces lifts is not known without the arm `base`, so what "
            "perturbing them costs cannot be judged: no row has a verdict."
        )
    if 100 * lift["low"] > paper.MIN_LIFT:
        return "Training was stopped early (max_steps): no row has a verdict."
    return (
        f"Training on correct traces lifted accuracy by {points(lift['value'])} points only (95 % "
        f"interval {between(lift['low'], lift['high'])}, which does not lie above "
        f"{paper.MIN_LIFT:g}), so what perturbing them costs cannot be judged: no row has a "
        "verdict."
    )


def _order(rows: list[Row]) -> str:
    """Say which pairs of a content and a structure row stand in another order than published."""
    known = [r for r in rows if r["paper_change"] is not None and r["delta"] is not None]
    pairs = [
        (c, s)
        for c in known
        for s in known
        if (c["group"], s["group"]) == ("content", "structure")
        and c["paper_change"] > s["paper_change"]
    ]
    if not pairs:
        return ""
    turned = [(c, s) for c, s in pairs if c["delta"] <= s["delta"]]
    text = (
        f"{len(pairs) - len(turned)} of {len(pairs)} pairs of a content and a structure row stand "
        "in the published order"
    )
    if not turned:
        return f"{text}: each content row lost less."
    shown = [
        f"{c['title']} ({points(c['delta'])}) lost as much as {s['title']} ({points(s['delta'])}) "
        "or more"
        for c, s in turned[:3]
    ]
    more = f", and {len(turned) - 3} more" if len(turned) > 3 else ""
    return f"{text}; not so: {'; '.join(shown)}{more}."


def limits(results: dict[str, Any]) -> Iterator[str]:
    """Say what stands against believing the numbers."""
    arms, settings = results["arms"], results["settings"]
    if isinstance(steps := settings.get("max_steps"), int) and steps > 0:
        yield f"Training stopped after {steps} steps (max_steps): a smoke run, no conclusions."
    if settings.get("split") == "dev":
        yield "Scored on the dev split, on which settings were chosen: no conclusions."
    reference = next((arm for arm in arms if arm["name"] == "correct"), None)
    if reference is None:
        yield "The arm `correct` is not finished, so there are no changes to report yet."
    elif len(reference["seeds"]) == 1:
        yield (
            "One training seed: the intervals hold the luck of the problems, not that of training."
        )
    alike: dict[tuple[str, str], list[str]] = {}
    for arm in arms:
        fixed = arm["method"] == "none"
        if arm["paired_seeds"] and not fixed and reference is not None:
            if set(arm["seeds"]) ^ set(reference["seeds"]):
                seeds = _list(arm["seeds"]), _list(arm["paired_seeds"])
                alike.setdefault(seeds, []).append(arm["title"])
        elif reference is not None and arm is not reference and not arm["paired_seeds"]:
            yield f"{arm['title']} shares no seed or no problem with `correct`: no change given."
    for (own, paired), titles in alike.items():
        assert reference is not None
        has = "has" if len(titles) == 1 else "have"
        yield (
            f"{several(titles)} {has} seeds {own}, {reference['title']} "
            f"{_list(reference['seeds'])}: compared on {paired} only."
        )
    for arm in arms:
        asked = arm["n_problems"] * len(arm["seeds"])
        if arm["errors"]:
            one = arm["errors"] == 1
            yield (
                f"{arm['title'].capitalize()}: {arm['errors']} answer{'' if one else 's'} could "
                f"not be graded; {'its problem is' if one else 'their problems are'} left out."
            )
        if asked and arm["truncated"] / asked >= MANY_TRUNCATED:
            yield (
                f"{arm['title'].capitalize()}: {percent(arm['truncated'] / asked)} of the answers "
                "were cut off at the token limit; they count as wrong."
            )


def by_row(rows: Iterable[Row]) -> Iterator[str]:
    """Set each measured change beside the published one."""
    for row in rows:
        if row["agreement"] is None:
            continue
        published = row["paper_change"]
        if row["agreement"] == "reproduced":
            start = f"Reproduced: {row['title']}"
        elif row["agreement"] == "undecided":
            start = f"Undecided (the interval holds {paper.BOUNDARY:g} points): {row['title']}"
        else:
            start = f"This row does not reproduce: {row['title']}"
        yield (
            f"{start} changed accuracy by {_row_points(row)} here; "
            f"{signed(published)} in the paper (published, not measured here)."
        )


def _moves(d: Row) -> str:
    if d["low"] <= 0 <= d["high"]:
        return "does not clearly move"
    return "lifts" if d["value"] > 0 else "lowers"


def _points(d: Row) -> str:
    return (
        f"{points(d['value'])} points (95 % interval {between(d['low'], d['high'])}; "
        f"{p_clause(d['p'])})"
    )


def _row_points(row: Row) -> str:
    d = {"value": row["delta"], "low": row["delta_low"], "high": row["delta_high"], "p": row["p"]}
    return _points(d)


def _list(seeds: list[int]) -> str:
    return ", ".join(map(str, seeds))
