"""Two runs of the same problems, compared problem by problem and sample by sample.

    compare(read(a), read(b))  -> {"difference": 0.041, "low": 0.012, "high": 0.070, ...}

What makes a problem hard makes it hard for both, so a paired test sees much smaller differences
than two intervals side by side (`metrics.difference`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from skythought.core import metrics, shapes, store
from skythought.core.errors import UserError
from skythought.core.records import Trace
from skythought.evaluating.answers import Answer, by_problem

SIZES = ("problems", "n_problems", "n")  # of a run's settings, which do not make answers differ
AROUND = 30  # characters shown before and behind the first difference


class Flip(NamedTuple):
    """A problem that one run solves more often than the other."""

    problem_id: str
    a: float  # share of right answers
    b: float
    said_a: str
    said_b: str


class Divergence(NamedTuple):
    """Where two answers to the same request part."""

    problem_id: str
    sample: int
    at: int  # character; -1 where they are the same
    length: int  # characters of the longer one
    a: str  # the text around it
    b: str


def compare(a: Sequence[Answer], b: Sequence[Answer]) -> dict[str, Any]:
    """Compare the problems that both runs hold.

    Returns:
        problems: how many both hold. only_a, only_b: those that one holds.
        accuracy_a, accuracy_b, difference, low, high, p, detectable: of the common problems, b less
            a, with the 95 % interval and p of `metrics.difference`.
        tokens_a, tokens_b, tokens_difference, tokens_low, tokens_high, tokens_p: mean tokens of an
            answer, in the same way; None where a run does not count them.
        flips: problems whose shares of right answers differ, largest change first.

    Raises:
        UserError: they have no graded problem in common.
    """
    one, two = by_problem(a), by_problem(b)
    common = [name for name in one if name in two]
    if not common:
        raise UserError("the runs have no graded problem in common")
    right = [[_share(group[name]) for name in common] for group in (one, two)]
    tokens = [[_tokens(group[name]) for name in common] for group in (one, two)]
    counted = all(any(row) for row in tokens)  # some logs do not count them
    found = _opened(metrics.difference([right[0]], [right[1]]), len(common))
    length = metrics.difference([tokens[0]], [tokens[1]])
    flips = [
        Flip(name, x, y, _said(one[name]), _said(two[name]))
        for name, x, y in zip(common, *right, strict=True)
        if x != y
    ]
    n = len(common)
    return {
        "problems": n,
        "only_a": len(one) - n,
        "only_b": len(two) - n,
        "samples_a": sum(len(one[name]) for name in common),
        "samples_b": sum(len(two[name]) for name in common),
        "accuracy_a": sum(right[0]) / n,
        "accuracy_b": sum(right[1]) / n,
        "difference": found.value,
        "low": found.low,
        "high": found.high,
        "p": found.p,
        "detectable": found.detectable or None,  # nothing can be said where none differ
        "tokens_a": sum(tokens[0]) / n if counted else None,
        "tokens_b": sum(tokens[1]) / n if counted else None,
        "tokens_difference": length.value if counted else None,
        "tokens_low": length.low if counted else None,
        "tokens_high": length.high if counted else None,
        "tokens_p": length.p if counted else None,
        "flips": [
            flip._asdict() for flip in sorted(flips, key=lambda f: (-abs(f.b - f.a), f.problem_id))
        ],
    }


def _opened(found: metrics.Difference, n: int) -> metrics.Difference:
    """Widen an interval that has nothing to draw from: n problems with one and the same change.

    By what Wilson's interval leaves open of a share of 0.
    """
    if found.low < found.high:
        return found
    most = metrics.wilson(0, n)[1]
    low, high = max(-1.0, found.value - most), min(1.0, found.value + most)
    return found._replace(low=low, high=high)


def differences(a: Path, b: Path) -> list[str]:
    """Name what differs between two runs besides the model: each is a reason for other numbers.

    Raises:
        UserError: a folder has no manifest that can be read.
    """
    one, two = _facts(a), _facts(b)
    return [
        f"{name}: {_short(one.get(name))} and {_short(two.get(name))}"
        for name in sorted({*one, *two})
        if one.get(name) != two.get(name)
    ]


def changed_problems(a: Mapping[str, Any], b: Mapping[str, Any]) -> set[str]:
    """Name the problems that have the same id in both runs and another question or answer."""
    return {
        name
        for name in a
        if name in b and (a[name].question, a[name].answer) != (b[name].question, b[name].answer)
    }


def divergences(a: Path, b: Path, without: Collection[str] = ()) -> list[Divergence]:
    """Find where the answers of two runs to the same problem and sample part.

    Holds the texts of one run. Failed requests have none; problems in `without` are passed over.

    Raises:
        UserError: a line is no trace.
    """
    texts = {(t.problem_id, t.sample): _text(t) for t in _answered(a)}
    found: dict[tuple[str, int], Divergence] = {}
    for trace in _answered(b):
        key = trace.problem_id, trace.sample
        if key in texts and trace.problem_id not in without:
            found[key] = _part(*key, texts[key], _text(trace))
    return [*found.values()]


def _answered(folder: Path) -> Iterator[Trace]:
    for trace in shapes.read_traces(folder / "traces.jsonl"):
        if not trace.error:
            yield trace


def _part(problem_id: str, sample: int, a: str, b: str) -> Divergence:
    length = max(len(a), len(b))
    if a == b:
        return Divergence(problem_id, sample, -1, length, "", "")
    low, high = 0, min(len(a), len(b))
    while low < high:  # the longest beginning that both share, by halves
        middle = (low + high + 1) // 2
        low, high = (middle, high) if a[:middle] == b[:middle] else (low, middle - 1)
    begin, end = max(0, low - AROUND), low + AROUND
    return Divergence(problem_id, sample, low, length, a[begin:end], b[begin:end])


def _text(trace: Trace) -> str:
    return f"{trace.thought}\n\n{trace.answer}" if trace.thought else trace.answer


def _facts(folder: Path) -> dict[str, Any]:
    if not (folder / "manifest.json").exists():
        return {}
    manifest = store.manifest(folder)
    config = {k: v for k, v in manifest.get("config", {}).items() if k not in (*SIZES, "model")}
    sampling = config.pop("sampling", {})
    return {
        **config,
        **{f"sampling.{name}": value for name, value in sampling.items()},
        **{f"version of {name}": value for name, value in manifest.get("versions", {}).items()},
        "engine": "; ".join(manifest.get("engines", [])) or None,
        "revision": manifest.get("revision"),
        "verifier": "; ".join(_verifiers(folder)) or None,
    }


def _verifiers(folder: Path) -> list[str]:
    path = folder / "verdicts.jsonl"
    if not path.exists():
        return []
    from skythought.core import jsonl

    last = {str(row.get("id")): str(row.get("verifier")) for _, row in jsonl.read_rows(path)}
    return sorted({*last.values()})


def _short(value: object) -> str:
    text = "nothing" if value is None else " ".join(str(value).split())
    return text if len(text) < 60 else f"{text[:57]}..."


def _share(group: Sequence[Answer]) -> float:
    return sum(answer.right for answer in group) / len(group)


def _tokens(group: Sequence[Answer]) -> float:
    return sum(answer.tokens for answer in group) / len(group)


def _said(group: Sequence[Answer]) -> str:
    return " | ".join(dict.fromkeys(answer.said or f"({answer.outcome})" for answer in group))[:200]
