"""What to look at: the files of traces that paths stand for, each with a name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from skythought.core import shapes
from skythought.core.errors import UserError

TRACES = "traces.jsonl"
PROBLEMS = "problems.jsonl"


class Source(NamedTuple):
    """A file of traces."""

    label: str  # short and unlike all others: part of the address of its traces
    path: Path
    run: bool  # of a run folder: a row replaces an earlier one of the same id

    @property
    def problems(self) -> Path:
        """Name the file of its problems; only a run folder has one."""
        return self.path.with_name(PROBLEMS)

    @property
    def verdicts(self) -> list[Path]:
        """List the files of verdicts on its traces, the one that decides first."""
        if self.run:
            own = shapes.verdicts_beside(self.path.parent)
        else:
            own = shapes.verdicts_beside(self.path)
        stem = own.name.removesuffix(".jsonl")
        others = sorted(own.parent.glob(f"{_literal(stem)}.*.jsonl"))
        return [path for path in (own, *others) if path.is_file()]


def find(paths: Sequence[Path]) -> list[Source]:
    """List the files of traces that paths stand for; a folder of run folders stands for each.

    Raises:
        UserError: nothing is there.
    """
    found = dict.fromkeys(file.resolve() for path in paths for file in _files(path))
    labels = name_apart(found)
    return [Source(labels[path], path, _is_run(path)) for path in found]


def _files(path: Path) -> list[Path]:
    if path.is_dir() and not any(path.glob("*.jsonl")):
        runs = sorted(path.rglob(TRACES))
        if not runs:
            raise UserError(f"{path}: no run folder and no .jsonl file in it")
        return runs
    return shapes.files(path)


def _is_run(path: Path) -> bool:
    return path.name == TRACES and path.with_name(PROBLEMS).is_file()


def name_apart(paths: Iterable[Path]) -> dict[Path, str]:
    """Name files by the end of their paths, as much of it as tells them apart.

    >>> a, b = Path("/runs/a/traces.jsonl"), Path("/data/clean.jsonl")
    >>> list(name_apart([a, b]).values())
    ['a', 'clean']
    """
    parts = {}
    for path in paths:
        folders = path.parent.parts[1:]
        parts[path] = folders if path.name == TRACES and folders else (*folders, path.stem)
    taken = dict.fromkeys(parts, 1)
    while True:
        labels = {path: "/".join(own[-taken[path] :]) for path, own in parts.items()}
        counts = Counter(labels.values())
        unclear = [p for p, own in parts.items() if counts[labels[p]] > 1 and taken[p] < len(own)]
        if not unclear:
            break
        for path in unclear:
            taken[path] += 1
    seen: Counter[str] = Counter()
    for path, label in labels.items():  # the same path but for its suffix
        seen[label] += 1
        if seen[label] > 1:
            labels[path] = f"{label}~{seen[label]}"
    return labels


def _literal(text: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in text)
