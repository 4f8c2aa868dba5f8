"""A few graded traces, and what curate makes of them: for the tests of `skythought curate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from skythought import curate
from skythought.core import jsonl, store
from skythought.core.records import Example, Message, Trace, Verdict
from skythought.curate import Config


def trace(key: str, problem: str = "p1", answer: str = "", **changes: Any) -> Trace:
    made = Trace(
        id=key,
        problem_id=problem,
        model="teacher",
        messages=(Message("user", f"{problem}?"),),
        thought=f"Hm.\n\nWait, {key}.",
        answer=answer or f"\\boxed{{{key}}}",
        completion_tokens=9,
    )
    return msgspec.structs.replace(made, **changes)


def verdict(key: str, outcome: str = "correct") -> Verdict:
    return msgspec.convert({"id": key, "verifier": "own@1", "outcome": outcome}, Verdict)


def run(*runs: Path, out: Path, **options: Any) -> dict[str, Any]:
    return curate.run(Config(runs=runs, out=out, **options))


def kept(out: Path) -> list[str]:
    return [e.trace_id for e in store.read(out, Example)]


def reasons(out: Path) -> dict[str, str]:
    rows = (row for _, row in jsonl.read_rows(out.with_name(out.name + ".dropped.jsonl")))
    return {row["trace_id"]: row["reason"] for row in rows}


def card_of(out: Path) -> list[str]:
    return out.with_name(out.name + ".card.md").read_text().splitlines()


def write(path: Path, *rows: object) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def graded(tmp_path: Path, *traces: tuple[Trace, str]) -> Path:
    store.write_records(tmp_path / "run" / "traces.jsonl", [t for t, _ in traces])
    store.write_records(tmp_path / "run" / "verdicts.jsonl", [verdict(t.id, o) for t, o in traces])
    return tmp_path / "run"
