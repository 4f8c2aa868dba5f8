"""The inputs of curate: run folders and files of traces, with the verdicts beside them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from skythought.core import jsonl, progress, shapes, store
from skythought.core.errors import UserError
from skythought.core.spread import Spread
from skythought.curating.contamination import Found
from skythought.curating.facts import Facts, Unusable, outcomes


def said(row: dict[str, Any], name: str) -> str:
    """Give what a row says in a field, its own or one of its `extra`; "" where nothing."""
    extra = row.get("extra")
    value = row.get(name, extra.get(name) if isinstance(extra, dict) else None)
    return str(value) if isinstance(value, str | int | float) else ""


@dataclass
class Input:
    """A run folder or a file of traces, and what was read of it."""

    path: Path
    number: int = 0  # among the inputs
    files: list[Path] = field(default_factory=list)
    verdicts: dict[str, str] = field(default_factory=dict)
    rows: list[Facts] = field(default_factory=list)
    unusable: list[Unusable] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.path.is_dir() and not (self.path / "traces.jsonl").exists():
            raise UserError(
                f"{self.path}: no traces; make some with: skythought generate --result-dir "
                f"{self.path}"
            )
        self.files = shapes.files(self.path)

    @property
    def size(self) -> int:
        """Count its bytes."""
        return sum(file.stat().st_size for file in self.files)

    @property
    def sources(self) -> list[Path]:
        """List its files: of traces, and of verdicts where there is one."""
        graded = shapes.verdicts_beside(self.path)
        return [*self.files, *([graded] if graded.exists() else [])]

    def fingerprint(self) -> str:
        """Hash its traces and verdicts."""
        return store.hash_files(self.sources)

    def require_verdicts(self) -> None:
        """Refuse one that has not been graded.

        Raises:
            UserError: no trace of it has a verdict.
        """
        if self.rows and not any(facts.outcome for facts in self.rows):
            flag = "--run-dir" if self.path.is_dir() else "--input"
            raise UserError(
                f"{self.path}: not graded yet; run: skythought score {flag} {self.path}"
            )

    def labels(self, fields: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Give what the problems of a run folder say in some fields, by the problem's id."""
        problems = self.path / "problems.jsonl"
        if not fields or not self.path.is_dir() or not problems.exists():
            return {}
        return {
            str(row.get("id")): tuple(said(row, name) for name in fields)
            for _, row in jsonl.read_rows(problems)
        }

    def task(self) -> str:
        """Name the task of a run folder, "" where nothing says it."""
        problems = self.path / "problems.jsonl"
        if not self.path.is_dir() or not problems.exists():
            return ""
        return next((str(row.get("task", "")) for _, row in jsonl.read_rows(problems)), "")

    def made_by(self) -> str:
        """Say from the manifest what made it."""
        beside = self.path.with_name(self.path.name + ".manifest.json")
        path = self.path / "manifest.json" if self.path.is_dir() else beside
        try:
            made = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
        except (OSError, msgspec.DecodeError):
            return ""
        config = made.get("config")
        config = config if isinstance(config, dict) else {}
        shown = [f"{key} {config[key]}" for key in ("task", "model", "kind") if config.get(key)]
        return " ".join([str(made.get("stage", "")), *shown])

    def read(self, spread: Spread, tell: Callable[[Found], None], *, stop: bool) -> None:
        """Read what matters of each trace; of one that failed and was asked again, the last.

        The passages that show that a trace answers a problem are told at once, and not held.
        """
        self.verdicts = outcomes(shapes.verdicts_beside(self.path))
        found: dict[str, Facts] = {}
        seen: dict[str, str] = {}
        with progress.bar(f"read {self.path.name} (MB)", self.size >> 20) as bar:
            read = 0
            for batch in spread.over(self._numbered()):
                for facts in batch:
                    if isinstance(facts, Unusable):
                        if stop:
                            raise UserError(f"{facts.place}: {facts.why}")
                        self.unusable.append(facts)
                        continue
                    if not self.path.is_dir():
                        facts.id = shapes.own_id(facts.id, facts.lesson.hex(), seen)
                        seen[facts.id] = facts.finish
                    if facts.hit is not None:
                        tell(Found(trace_id=facts.id, hit=facts.hit))
                        bare = {"benchmark_text": "", "row_text": ""}
                        facts.hit = msgspec.structs.replace(facts.hit, **bare)
                    facts.given, facts.finish = self.number, sys.intern(facts.finish)
                    facts.early, facts.late = sys.intern(facts.early), sys.intern(facts.late)
                    facts.outcome = self.verdicts.get(facts.id, "")
                    found[facts.id] = facts
                    read += facts.size
                done = min(read, self.size) >> 20
                bar.advance(done - bar.done)
        self.rows = list(found.values())
        if not self.rows:
            if self.unusable:
                raise UserError(f"{self.unusable[0].place}: {self.unusable[0].why}")
            raise UserError(f"{self.path}: holds no traces")

    def _numbered(self) -> Iterator[tuple[list[int], list[shapes.Line]]]:
        """Give lines with the number of their file among `files`."""
        numbers = {file: number for number, file in enumerate(self.files)}
        for batch in shapes.batches(self.path):
            yield [numbers[line.file] for line in batch], batch
