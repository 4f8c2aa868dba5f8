"""The dataset card: what is in a set, where it came from, what was left out and why.

Markdown with the front matter that dataset hubs read. Figures of structure and grounding are those
of a part of a large set, chosen by hash, and say so.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import NamedTuple

import msgspec

from skythought.core.errors import plain
from skythought.curating.facts import histogram

MEASURED = 2000  # traces of a set that structure and grounding are measured on
NO_LICENCE = "not stated"
BAR = 30  # characters of the longest bar
SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"))
ROLES = {
    "R": "restate",
    "P": "plan",
    "C": "compute",
    "V": "verify",
    "B": "backtrack",
    "A": "alternative",
    "F": "conclude",
}


class Source(NamedTuple):
    """One input."""

    name: str
    traces: int
    kept: int
    made_by: str  # what its manifest says; "" where it has none
    licence: str


class Entry(msgspec.Struct, gc=False):
    """What the card counts of one example."""

    model: str
    problem: str
    tokens: int
    counted: bool  # tokens are those of a tokenizer or of the teacher's own count
    steps: int
    words: int
    keywords: int
    outcome: str
    origin: str = ""  # what the row says of its dataset
    licence: str = ""
    roles: str = ""  # these four only of the ones that were measured
    consistency: float | None = None
    checkable: int = 0
    holding: int = 0
    measured: bool = False


class Tally:
    """Counts examples as they are written."""

    def __init__(self) -> None:
        self.n = 0
        self.models: Counter[str] = Counter()
        self.problems: set[str] = set()
        self.outcomes: Counter[str] = Counter()
        self.origins: Counter[str] = Counter()
        self.licences: Counter[str] = Counter()
        self.lengths = array("i")
        self.counted = True
        self.steps = self.words = self.keywords = 0
        self.roles: Counter[str] = Counter()
        self.consistency = array("d")
        self.measured = self.checkable = self.holding = 0

    def add(self, entry: Entry) -> None:
        """Count one example."""
        self.n += 1
        self.models[entry.model] += 1
        self.problems.add(entry.problem)
        self.outcomes[entry.outcome or "not graded"] += 1
        self.origins[entry.origin] += bool(entry.origin)
        self.licences[entry.licence] += bool(entry.licence)
        self.lengths.append(entry.tokens)
        self.counted &= entry.counted
        self.steps += entry.steps
        self.words += entry.words
        self.keywords += entry.keywords
        if entry.measured:
            self.measured += 1
            self.roles.update(entry.roles)
            if entry.consistency is not None:
                self.consistency.append(entry.consistency)
            self.checkable += entry.checkable
            self.holding += entry.holding


def write(
    name: str,
    tally: Tally,
    sources: Sequence[Source],
    dropped: Mapping[str, int],
    settings: Mapping[str, object],
) -> str:
    """Write the card of a set."""
    lengths = sorted(tally.lengths)
    unit = "completion tokens" if tally.counted else "completion tokens (words, digits and signs)"
    rows = [
        ("examples", f"{tally.n:,}"),
        ("problems", f"{len(tally.problems):,}"),
        ("teachers", _listed(tally.models)),
        ("verdicts", _listed(tally.outcomes)),
        *([("datasets", _listed(+tally.origins))] if +tally.origins else []),
        (f"{unit}: median, longest", f"{median(lengths):,.0f}, {lengths[-1]:,}"),
        ("steps per thought (mean)", f"{tally.steps / tally.n:.1f}"),
        (
            "reflection keywords per 1,000 words",
            f"{1000 * tally.keywords / max(1, tally.words):.1f}",
        ),
    ]
    parts = [
        _front_matter(name, tally, sources),
        f"# Dataset card: {_cell(name)}\n\n{_table(('', ''), rows)}",
        "## Where it came from\n\n"
        + _table(
            ("input", "traces", "kept", "made by", "licence"),
            [
                (
                    s.name,
                    f"{s.traces:,}",
                    f"{s.kept:,}",
                    s.made_by or "-",
                    s.licence or "not stated",
                )
                for s in sources
            ],
        ),
        "## How it was chosen\n\n" + _table(("setting", "value"), _settings(settings)),
        "## Left out\n\n"
        + (_table(("reason", "traces"), [(k, f"{n:,}") for k, n in dropped.items()]) or "Nothing."),
        "## Length\n\n" + _bars(tally.lengths),
    ]
    if tally.measured:
        parts.append(_structure(tally))
    return "\n\n".join(parts) + "\n"


def _structure(tally: Tally) -> str:
    n_roles = max(1, tally.roles.total())
    shares = [(ROLES.get(r, r), f"{n / n_roles:.0%}") for r, n in tally.roles.most_common()]
    rows = [
        ("measured on", f"{tally.measured:,} of {tally.n:,} examples"),
        ("steps that follow from what came before", _mean(tally.consistency)),
        (
            "checkable statements that hold",
            f"{tally.holding / tally.checkable:.1%} of {tally.checkable:,}"
            if tally.checkable
            else "none is checkable",
        ),
        ("roles of steps", ", ".join(f"{name} {share}" for name, share in shares) or "-"),
    ]
    return "## Structure and grounding\n\n" + _table(("", ""), rows)


def _front_matter(name: str, tally: Tally, sources: Sequence[Source]) -> str:
    size = next((label for limit, label in SIZES if tally.n < limit), "n>1M")
    licences = {s.licence for s in sources} | set(+tally.licences)
    known = licences.pop().lower() if len(licences) == 1 and "" not in licences else "other"
    lines = [
        f"license: {msgspec.json.encode(known).decode()}",
        f"size_categories: [{msgspec.json.encode(size).decode()}]",
        'task_categories: ["text-generation"]',
        'tags: ["reasoning", "chain-of-thought", "skythought"]',
        f"configs: [{{config_name: default, data_files: {msgspec.json.encode(name).decode()}}}]",
    ]
    return "---\n" + "\n".join(lines) + "\n---"


def _settings(settings: Mapping[str, object]) -> list[tuple[str, str]]:
    return [(key, str(value)) for key, value in settings.items()] or [("-", "-")]


def _bars(lengths: array[int]) -> str:
    counts = list(histogram(lengths))
    most = max(n for _, n in counts)
    lines = [f"{label:>17}  {'#' * round(BAR * n / most):<{BAR}} {n:,}" for label, n in counts]
    return "Examples by tokens of the completion:\n\n```\n" + "\n".join(lines) + "\n```"


def _mean(values: Sequence[float]) -> str:
    return f"{sum(values) / len(values):.2f} (mean)" if values else "-"


def _listed(counts: Counter[str]) -> str:
    shown = [f"{name} ({count:,})" for name, count in counts.most_common(12)]
    more = len(counts) - len(shown)
    return ", ".join([*shown, *([f"{more} more"] if more > 0 else [])])


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows]
    if not lines:
        return ""
    top = f"| {' | '.join(head)} |".replace("  ", " ")
    return "\n".join([top, "|" + "---|" * len(head), *lines])


def _cell(text: str) -> str:
    """Write a text that a file or a user gave into a cell: one line, nothing that ends it."""
    return " ".join(plain(text).replace("|", "\\|").split())
