"""results.json in, Markdown out: the table of the README, and report.md.

table(results)    the main table alone
page(results)     the whole of report.md
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from skythought.reporting import losses, paper
from skythought.reporting.wording import (
    NONE,
    between,
    count,
    each_seed,
    inspected,
    p_value,
    percent,
    points,
    share_between,
    signed,
    verdict,
)

OPEN, CLOSE = "<!-- results -->", "<!-- /results -->"

TESTS = {
    "lift_lora": "LoRA on correct traces against no training",
    "lift_full": "full SFT on correct traces against no training",
    "structure_against_content": "broken structure against broken content",
}


def table(results: dict[str, Any]) -> str:
    """Write the main table: what was measured, and beside it what was published.

    Each seed has its figure where there are several.
    """
    several = any(len(arm["per_seed"]) > 1 for arm in results["arms"])
    head = (
        "training data",
        "accuracy, %",
        "95 % interval",
        *(["each seed, %"] if several else ()),
        "change, points",
        "95 % interval",
        "p",
        "published change*",
        "published MATH-500*",
        "published AIME24*",
        "agreement",
    )
    rows = []
    for arm in results["arms"]:
        row = paper.ROWS.get(arm["name"])
        rows.append(
            (
                cell(arm["title"]),
                percent(arm["accuracy"], ""),
                share_between(arm["low"], arm["high"]),
                *([each_seed(arm)] if several else ()),
                "reference" if arm["name"] == "correct" else points(arm["delta"]),
                between(arm["delta_low"], arm["delta_high"]),
                p_value(arm["p"]),
                signed(arm["paper_change"]),
                f"{row.math500:.1f}" if row else NONE,
                f"{row.aime24:.1f}" if row else NONE,
                verdict(arm),
            )
        )
    return (
        f"{grid(head, rows, 'l' + 'r' * (len(head) - 2) + 'l')}\n\n"
        f"\\* {paper.LABEL} (Qwen2.5-32B-Instruct; {paper.SOURCE}). The change is that of the "
        "average over four benchmarks.\n"
    )


def page(results: dict[str, Any]) -> str:
    """Write report.md."""
    findings = "\n".join(f"* {cell(text)}" for text in results["findings"])
    settings = "\n".join(
        f"* {cell(key)}: {cell(value)}"
        for key, value in [*results["settings"].items(), *results["versions"].items()]
    )
    return f"""# Study `{cell(results["study"])}`

{lead(results)}

## Findings

{findings}

## Results

{OPEN}
{table(results)}{CLOSE}

Greedy answers. Changes are against correct traces (LoRA), paired over problems and seeds. p is not
corrected for the number of rows.

{paper.RULE}

{paper.CAVEAT}

## Tests

{tests(results)}

## Behind the numbers

{behind(results)}

`n` counts graded answers. `detectable` is the smallest change that 80 % of such studies would find
at p < 0.05. An answer without a result counts as wrong; an error counts as neither right nor wrong,
and its problem is left out.

{first(results)}## Settings

{settings}
"""


def learned(row: dict[str, Any]) -> list[str]:
    """Write the steps at which each seed of an arm had learned structure and content."""
    return [
        ", ".join(count(steps[part]) for steps in row["learned"].values())
        for part in losses.PARTS.values()
    ]


def first(results: dict[str, Any]) -> str:
    """Write what is learned first as a section; "" where the logs do not tell."""
    rows = [(cell(row["title"]), *learned(row)) for row in results["arms"] if "learned" in row]
    head = ("training data", *(f"90 % of {part}, step" for part in losses.PARTS.values()))
    return f"## Learned first\n\n{grid(head, rows, 'lrr')}\n\n{losses.RULE}\n\n" if rows else ""


def lead(results: dict[str, Any]) -> str:
    """Say in two sentences what a study is."""
    seeds = max(len(arm["seeds"]) for arm in results["arms"])
    problems = max(arm["n_problems"] for arm in results["arms"])
    return (
        f"{len(results['arms'])} arms: the same student, trained in the same way with "
        f"{seeds} seed{'s' if seeds > 1 else ''} on demonstrations that differ in one thing, and "
        f"asked the same {count(problems)} problems. The question is what in a demonstration "
        "teaches: its content (digits, words, final answers) or its structure (which step follows "
        "which)."
    )


def tests(results: dict[str, Any]) -> str:
    """Write the tests as a table."""
    rows = [
        (
            TESTS[key],
            points(d["value"]),
            between(d["low"], d["high"]),
            p_value(d["p"]),
            f"{100 * d['detectable']:.1f}",
            f"{len(d['seeds'])} × {count(d['n_problems'])}",
        )
        for key, d in results["tests"].items()
    ]
    head = ("question", "points", "95 % interval", "p", "detectable", "seeds × problems")
    return grid(head, rows, "lrrrrr") if rows else "No test could be made yet."


def behind(results: dict[str, Any]) -> str:
    """Write what stands behind each score as a table."""
    head = (
        *("training data", "seeds", "n", "each seed, %", "detectable", "no answer", "cut off"),
        *("errors", "mean tokens", "sampled, %", "sampled change"),
    )
    seen = inspected(results["arms"])
    rows = []
    for arm in results["arms"]:
        sampled, smallest = arm["sampled"], arm["detectable"]
        rows.append(
            (
                cell(arm["title"]),
                ", ".join(map(str, arm["seeds"])),
                count(arm["n"]),
                each_seed(arm),
                NONE if smallest is None else f"{100 * smallest:.1f}",
                count(arm["no_answer"]),
                count(arm["truncated"]),
                count(arm["errors"]),
                count(arm["mean_tokens"]),
                percent(sampled["accuracy"], ""),
                points(sampled["delta"]),
                *(percent(arm["inspected"].get(name), "") for name in seen),
            )
        )
    names = (f"{cell(seen[name])}, %" for name in seen)
    return grid((*head, *names), rows, "llrlrrrrrrr" + "r" * len(seen))


def cell(value: object) -> str:
    """Write a text that may hold anything so that it stays within its cell and is no markup."""
    text = " ".join(str(value).split())
    for mark, safe in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "\\|"), ("[", "\\[")):
        text = text.replace(mark, safe)
    return text


def grid(head: tuple[str, ...], rows: Sequence[tuple[str, ...]], sides: str) -> str:
    """Write a table; `sides` has an l or an r for each column."""
    line = ["---:" if side == "r" else "---" for side in sides]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, tuple(line), *rows])
