"""Two runs in, what really differs out: paired difference, interval, test, flips.

    skythought compare runs/eval/base runs/eval/tuned --out runs/eval/base-tuned

Both are graded run folders of the same problems, as `skythought evaluate` makes them. Says what
differs besides the model (engine, sampling, prompt, versions), since that moves numbers too. With
`--out` writes compare.json and compare.md into that folder; changes nothing in the runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import msgspec
import tyro
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from skythought.core import progress, store
from skythought.core.errors import UserError, plain
from skythought.evaluating import answers as reading
from skythought.evaluating import comparing
from skythought.evaluating.comparing import Divergence

SHOWN = 10  # flips on the terminal


@dataclass(frozen=True, kw_only=True)
class Config:
    """Compare two graded runs problem by problem."""

    a: Annotated[Path, tyro.conf.Positional]
    """Run folder to compare with."""
    b: Annotated[Path, tyro.conf.Positional]
    """Run folder that is compared."""
    out: Path | None = None
    """Folder for compare.json and compare.md."""
    flips: int = SHOWN
    """How many problems that went from right to wrong or back are shown."""


def run(config: Config) -> dict[str, Any]:
    """Compare; prints the figures, and returns what compare.json holds.

    Raises:
        UserError: a folder is missing or not graded, or they have no problem in common.
    """
    if config.flips < 0:
        raise UserError(f"--flips {config.flips}: give 0 or more")
    found = comparison(config.a, config.b)
    progress.console.print(table(found))
    for line in lines(found, config.flips):
        progress.say(line)
    if config.out is not None:
        text = msgspec.json.format(msgspec.json.encode(found), indent=1)
        store.write_whole(config.out / "compare.json", text + b"\n")
        store.write_whole(config.out / "compare.md", page(found))
        progress.say(f"{config.out / 'compare.md'}: all of it")
    return found


def comparison(a: Path, b: Path) -> dict[str, Any]:
    """Compare two run folders; `comparing.compare` names the figures.

    Raises:
        UserError: as `run`.
    """
    for folder in (a, b):
        if not (folder / "verdicts.jsonl").exists():
            raise UserError(
                f"{folder}: holds no verdicts; grade it: skythought score --run-dir {folder}"
            )
    changed = comparing.changed_problems(reading.problems(a), reading.problems(b))
    one, two = (
        [answer for answer in reading.read(folder) if answer.problem_id not in changed]
        for folder in (a, b)
    )
    parted = comparing.divergences(a, b, changed)
    return {
        "a": str(a),
        "b": str(b),
        **comparing.compare(one, two),
        "changed_problems": len(changed),
        "differs": comparing.differences(a, b),
        "identical": sum(row.at < 0 for row in parted),
        "pairs": len(parted),
        "divergences": [row._asdict() for row in parted if row.at >= 0],
    }


def table(found: dict[str, Any]) -> Table:
    """Lay the figures out for a terminal."""
    made = Table(
        title=Text(plain(f"{found['b']} against {found['a']}, {found['problems']:,} problems")),
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    made.add_column("")
    for name in ("a", "b", "b - a", "95 % interval", "p"):
        made.add_column(name, justify="right")
    made.add_row(*_accuracy(found))
    if found["tokens_p"] is not None:
        made.add_row(*_tokens(found))
    return made


def _accuracy(found: dict[str, Any]) -> tuple[str, ...]:
    return (
        "accuracy",
        f"{found['accuracy_a']:.3f}",
        f"{found['accuracy_b']:.3f}",
        f"{found['difference']:+.3f}",
        f"{found['low']:+.3f} to {found['high']:+.3f}",
        _p(found["p"]),
    )


def _tokens(found: dict[str, Any]) -> tuple[str, ...]:
    return (
        "tokens",
        f"{found['tokens_a']:,.0f}",
        f"{found['tokens_b']:,.0f}",
        f"{found['tokens_difference']:+,.0f}",
        f"{found['tokens_low']:+,.0f} to {found['tokens_high']:+,.0f}",
        _p(found["tokens_p"]),
    )


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def lines(found: dict[str, Any], flips: int) -> list[str]:
    """Say in words what the figures mean, and what to look at."""
    said = ["what smallest difference would be found cannot be said: no two answers differ"]
    if found["detectable"] is not None:
        told = "the smallest difference that 80 % of such comparisons would find at p < 0.05"
        said = [f"{told} is {found['detectable']:.3f}"]
    for name, other in (("a", "b"), ("b", "a")):
        if found[f"only_{name}"]:
            said.append(
                f"{found[f'only_{name}']:,} problems of {found[name]} are left out: "
                f"{found[other]} has no graded answer to them"
            )
    if found["changed_problems"]:
        said.append(
            f"warning: {found['changed_problems']:,} problems have the same id and another text; "
            "they are left out"
        )
    said += [f"warning: other {what}" for what in found["differs"]]
    if found["pairs"]:
        rows = [Divergence(**row) for row in found["divergences"]]
        parts = f"; the others part at {_place(rows)}" if rows else ""
        said.append(f"{found['identical']:,} of {found['pairs']:,} answers are the same{parts}")
    won = sum(row["b"] > row["a"] for row in found["flips"])
    lost = len(found["flips"]) - won
    said.append(f"flips: {won:,} problems are better in b, {lost:,} worse")
    for row in found["flips"][:flips]:
        said.append(
            f"  {row['problem_id']}: {row['a']:.2f} to {row['b']:.2f}, {_line(row['said_a'])} -> "
            f"{_line(row['said_b'])}"
        )
    return said


def _line(text: str) -> str:
    return " ".join(text.split())


def _place(rows: list[Divergence]) -> str:
    share = median(row.at / max(1, row.length) for row in rows)
    return f"character {median(row.at for row in rows):,.0f} ({share:.0%} of the text; medians)"


def page(found: dict[str, Any]) -> str:
    """Write compare.md."""
    cells = [_accuracy(found), *([_tokens(found)] if found["tokens_p"] is not None else [])]
    rows = "\n".join(f"| {' | '.join(row)} |" for row in cells)
    told = "\n".join(f"* {_cell(line)}" for line in lines(found, 0))
    flips = "\n".join(
        f"| {_cell(row['problem_id'])} | {row['a']:.2f} | {row['b']:.2f} | {_cell(row['said_a'])} "
        f"| {_cell(row['said_b'])} |"
        for row in found["flips"]
    )
    parted = "\n".join(
        f"| {_cell(row['problem_id'])} | {row['sample']} | {row['at']:,} | {_cell(row['a'])} | "
        f"{_cell(row['b'])} |"
        for row in found["divergences"][:100]
    )
    return (
        f"# {_cell(found['b'])} against {_cell(found['a'])}\n\n"
        f"{found['problems']:,} problems in both.\n\n"
        "| | a | b | b - a | 95 % interval | p |\n|---|---:|---:|---:|---|---:|\n"
        f"{rows}\n\n{told}\n\n"
        "## Flips\n\nShare of right answers, and what was taken as the answer.\n\n"
        f"| problem | a | b | said in a | said in b |\n|---|---:|---:|---|---|\n{flips}\n\n"
        "## First differences\n\nWhere answers to the same problem and sample part, a hundred at "
        f"most.\n\n| problem | sample | character | a | b |\n|---|---:|---:|---|---|\n{parted}\n"
    )


def _cell(text: str) -> str:
    """Write a text, of a model or of a user, as a cell of a Markdown table."""
    shown = plain(" ".join(text.split()))
    for sign in "\\`*_|<>[]#":
        shown = shown.replace(sign, f"\\{sign}")
    return shown
