"""A few traces, and a run of perturb on them: for the tests of `skythought perturb`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from skythought import perturb
from skythought.core.records import Message, Trace
from skythought.perturb import Config

THOUGHT = "3 boxes of 12.\n\nWait, 3 times 12 is 36.\n\nBut 4 are broken.\n\nSo 32."
ANSWERED = f"<think>\n{THOUGHT}\n</think>\n\nSo \\boxed{{32}}."


def trace(thought: str, answer: str = "It is \\boxed{7}.", name: str = "t") -> Trace:
    """Make a trace of one problem."""
    asked = (Message("user", f"What is {name}?"),)
    return Trace(
        id=name,
        problem_id=f"p-{name}",
        model="m",
        messages=asked,
        thought=thought,
        answer=answer,
        completion_tokens=9,
    )


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def traces(n: int = 6) -> list[Trace]:
    return [
        Trace(
            id=f"t{i}",
            problem_id=f"p{i}",
            model="m",
            messages=(Message("user", f"How many, {i}?"),),
            thought=f"{i}: {THOUGHT}",
            answer="So \\boxed{32}.",
        )
        for i in range(n)
    ]


def run(source: Path, output: Path, kind: str = "delete", **options: Any) -> dict[str, Any]:
    options = {"fraction": 0.5, **options}
    return perturb.run(Config(input=source, output=output, kind=kind, **options))
