"""Two verifiers on the same answers: how far they agree, and where they do not.

    write(Path("verdicts.jsonl"), [first, second], [outcomes of each], problems and traces)

writes disagreements.jsonl and disagreements.md beside the verdicts, anew each time, and prints the
first of them. Two verdicts agree if both say right or both say wrong (`no_answer` is wrong); what
either could not grade (`error`) is counted and left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from rich.table import Table
from rich.text import Text

from skythought.core import jsonl, metrics, progress, store
from skythought.core.errors import plain
from skythought.core.records import Outcome, Problem, Trace, Verdict

OUTCOMES: tuple[Outcome, ...] = ("correct", "incorrect", "no_answer", "error")
SHOWN = 10  # disagreements on the terminal
LISTED = 200  # in the Markdown file; the JSONL file has all
HEAD_CHARS = 60
TEXT_CHARS = 1_000  # of a question and of an answer, in the JSONL file


class Agreement(NamedTuple):
    """How two verifiers compare over the same traces."""

    table: Mapping[tuple[Outcome, Outcome], int]  # (first, second) -> traces
    n: int  # graded by both
    same: int
    share: float  # same / n; 0 where n is 0
    low: float  # 95 % interval of the share
    high: float
    kappa: float  # Cohen's; nan where one outcome is all there is


def compare(first: Mapping[str, Outcome], second: Mapping[str, Outcome]) -> Agreement:
    """Compare the outcomes of the traces that both have."""
    table: Counter[tuple[Outcome, Outcome]] = Counter(
        (outcome, second[key]) for key, outcome in first.items() if key in second
    )
    square = [[0, 0], [0, 0]]
    for (one, other), count in table.items():
        if "error" not in (one, other):
            square[one == "correct"][other == "correct"] += count
    n = sum(map(sum, square))
    same = square[0][0] + square[1][1]
    low, high = metrics.wilson(same, n)
    return Agreement(table, n, same, same / n if n else 0.0, low, high, metrics.kappa(square))


def differ(one: Outcome, other: Outcome) -> bool:
    """Say whether one verdict is right and the other wrong."""
    return "error" not in (one, other) and (one == "correct") != (other == "correct")


def second(output: Path, name: str) -> Path:
    """Name the file of the second verifier's verdicts: verdicts.jsonl -> verdicts.NAME.jsonl."""
    return output.with_name(f"{output.name.removesuffix('.jsonl')}.{name}.jsonl")


def beside(output: Path, suffix: str) -> Path:
    """Name the file of disagreements that belongs to a file of verdicts."""
    stem = output.name.removesuffix("verdicts.jsonl")
    return output.with_name(f"{output.stem}.{suffix}" if stem == output.name else stem + suffix)


def write(
    output: Path,
    files: Sequence[Path],
    outcomes: Sequence[Mapping[str, Outcome]],
    pairs: Iterable[tuple[Problem, Trace]],
) -> Agreement:
    """Write down where two verifiers differ, and say how far they agree."""
    first, other = outcomes
    agreement = compare(first, other)
    wanted = {key for key, one in first.items() if key in other and differ(one, other[key])}
    verdicts = [_last(path, wanted) for path in files]
    rows: list[dict[str, Any]] = []
    if wanted:
        for problem, trace in pairs:
            if trace.id in wanted:
                rows.append(
                    {
                        "id": trace.id,
                        "expected": problem.answer,
                        "question": problem.question[:TEXT_CHARS],
                        "answer": trace.answer[-TEXT_CHARS:],
                        "verdicts": [found[trace.id] for found in verdicts],
                    }
                )
    labels = [_label(path, of) for path, of in zip(files, verdicts, strict=True)]
    listed = beside(output, "disagreements.jsonl")
    store.write_records(listed, rows)
    page = beside(output, "disagreements.md")
    store.write_whole(page, markdown(agreement, labels, rows))
    progress.say(f"{labels[0]} and {labels[1]}: {sentence(agreement)}")
    if rows:
        progress.console.print(_table(labels, rows[:SHOWN]))
        progress.say(f"disagreements: {len(rows):,}, in {page} and {listed}")
    return agreement


def sentence(of: Agreement) -> str:
    """Say how far two verifiers agree, on one line."""
    if not of.n:
        return "no answer was graded by both"
    left_out = sum(of.table.values()) - of.n
    told = (
        f"agree on {of.same:,} of {of.n:,} ({100 * of.share:.1f} %, 95 % interval "
        f"{100 * of.low:.1f} to {100 * of.high:.1f}), kappa {of.kappa:.2f}"
    )
    return told + (f"; {left_out:,} not graded by both" if left_out else "")


def markdown(of: Agreement, labels: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """Write the page of disagreements."""
    used = [o for o in OUTCOMES if any(o in pair for pair in of.table)]
    lines = [
        f"# {labels[0]} and {labels[1]}",
        "",
        f"They {sentence(of)}.",
        "",
        f"| {_cell(labels[0])} \\ {_cell(labels[1])} | {' | '.join(used)} |",
        f"|---|{'---:|' * len(used)}",
        *(
            f"| {one} | {' | '.join(f'{of.table.get((one, other), 0):,}' for other in used)} |"
            for one in used
        ),
        "",
    ]
    if rows:
        lines += [
            f"| id | expected | {_cell(labels[0])} | {_cell(labels[1])} | question |",
            "|---|---|---|---|---|",
            *(f"| {' | '.join(map(_cell, _cells(row)))} |" for row in rows[:LISTED]),
            "",
        ]
    if len(rows) > LISTED:
        lines += [f"{len(rows) - LISTED:,} more are in the JSONL file beside this one.", ""]
    return "\n".join(lines)


def _cells(row: Mapping[str, Any]) -> list[str]:
    """Give the cells of one disagreement: id, reference, both verdicts, head of the question."""
    said = [
        f"{v.outcome}: {v.extracted[:HEAD_CHARS] or '-'} ({v.rule[:HEAD_CHARS]})"
        for v in row["verdicts"]
    ]
    question = " ".join(row["question"].split())
    return [row["id"], row["expected"][:HEAD_CHARS], *said, question[:HEAD_CHARS]]


def _table(labels: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(title="disagreements")
    for name in ("id", "expected", *labels, "question"):
        table.add_column(Text(plain(name)))
    for row in rows:
        table.add_row(*(Text(plain(" ".join(cell.split()))) for cell in _cells(row)))
    return table


def _last(path: Path, wanted: set[str]) -> dict[str, Verdict]:
    """Read the last verdict of each wanted trace."""
    found = {}
    for _, row in jsonl.read_rows(path):
        if row.get("id") in wanted:
            found[row["id"]] = msgspec.convert(row, Verdict)
    return found


def _label(path: Path, found: Mapping[str, Verdict]) -> str:
    """Give the label of the verifier that wrote a file last."""
    if found:
        return list(found.values())[-1].verifier
    label = path.stem
    for _, row in jsonl.read_rows(path):
        label = str(row.get("verifier", label))
    return label


def _cell(text: str) -> str:
    """Write a text that a model may have written as one cell of a Markdown table."""
    flat = " ".join(plain(text).replace("\\", "\\\\").replace("|", "\\|").split())
    return flat.replace("<", "&lt;").replace("`", "\\`")
