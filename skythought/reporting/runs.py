"""The folders of a study, read: what each arm is, and how each of its seeds answered each problem.

    read_study(Path("runs/mini"))  ->  Study(name="mini", arms=(Arm(name="base", ...), ...))

An arm counts once one of its seeds has a done.json. Answers are kept as outcomes, not as text:
`reporting/samples.py` reads the few that are shown. Changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from skythought.core import store
from skythought.core.errors import UserError
from skythought.core.records import Trace, Verdict
from skythought.reporting import paper

T = TypeVar("T")

GROUPS = ("base", "clean", "content", "structure", "short")
MODES = ("greedy", "sampled")


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """What arm.json says of an arm."""

    name: str
    title: str
    group: str
    kind: str = ""
    fraction: float = 0.0
    method: str = "lora"


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What done.json says of a finished seed."""

    train_seconds: float = 0.0
    eval_seconds: float = 0.0
    train_tokens: int = 0
    peak_memory_gb: float = 0.0


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a training log; losses in nats per token, None where there is none."""

    step: int
    loss: float | None
    loss_structural: float | None = None
    loss_content: float | None = None
    loss_opening: float | None = None
    loss_word: float | None = None
    loss_break: float | None = None
    loss_maths: float | None = None
    loss_rest: float | None = None
    loss_format: float | None = None
    tokens: int = 0
    tokens_per_s: float = 0.0
    mfu: float | None = None
    peak_memory_gib: float | None = None
    seconds: float = 0.0
    cost: float | None = None


@dataclass(frozen=True, kw_only=True)
class Answers:
    """How one student answered: an outcome for each problem, and what the answers cost."""

    outcomes: dict[str, str]  # by problem id
    tokens: int  # of all completions
    truncated: int
    model: str
    inspected: dict[str, float]  # shares the task counts in thoughts; {} where it counts none


@dataclass(frozen=True, kw_only=True)
class Seed:
    """One trained and evaluated student."""

    number: int
    facts: Facts
    answers: dict[str, Answers]  # by mode; a mode that was not run is missing
    log: tuple[Step, ...]


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One row of the table, with its finished seeds."""

    card: Card
    seeds: tuple[Seed, ...]

    @property
    def name(self) -> str:
        """Give the folder name under arms/."""
        return self.card.name

    def answers(self, mode: str) -> dict[int, Answers]:
        """Give the answers of a mode by seed."""
        return {s.number: s.answers[mode] for s in self.seeds if mode in s.answers}


@dataclass(frozen=True, kw_only=True)
class Study:
    """A study folder."""

    folder: Path
    name: str
    config: dict[str, Any]  # what decides the content
    versions: dict[str, str]
    revision: str
    arms: tuple[Arm, ...]


class _Scores(msgspec.Struct, frozen=True):
    inspected: dict[str, float] = {}


class _Manifest(msgspec.Struct, frozen=True):
    config: dict[str, Any] = {}
    versions: dict[str, str] = {}
    revision: str = ""


def read_study(folder: Path) -> Study:
    """Read a study folder.

    Raises:
        UserError: no such folder, not a study, no finished arm, or a file that cannot be read.
    """
    again = f"skythought reproduce mini --out {folder}"
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; make a study with: {again}")
    if not (folder / "manifest.json").is_file():
        if inside := sorted(path.parent for path in folder.glob("*/manifest.json")):
            raise UserError(f"{folder}: is no run, but holds some; name them: {inside[0]} ...")
        raise UserError(f"{folder}: holds no study (no manifest.json); make one with: {again}")
    manifest = _decode(folder / "manifest.json", _Manifest)
    places = sorted(path.parent for path in (folder / "arms").glob("*/arm.json"))
    arms = [arm for arm in map(_read_arm, places) if arm.seeds]
    if not arms:
        raise UserError(f"{folder}: no arm of the study is finished; go on with: {again}")
    name = manifest.config.get("study")
    return Study(
        folder=folder,
        name=name if isinstance(name, str) else folder.resolve().name,
        config=manifest.config,
        versions=manifest.versions,
        revision=manifest.revision,
        arms=tuple(sorted(arms, key=_place)),
    )


def _place(arm: Arm) -> tuple[int, int, str, float, str]:
    """Order arms as the paper's table does, others behind those of their group."""
    card, known = arm.card, list(paper.ROWS)
    group = GROUPS.index(card.group) if card.group in GROUPS else len(GROUPS)
    row = known.index(card.name) if card.name in known else len(known)
    return group, row, card.kind, card.fraction, card.name


def _read_arm(folder: Path) -> Arm:
    card = _decode(folder / "arm.json", Card)
    if card.name != folder.name:
        raise UserError(f"{folder / 'arm.json'}: names another arm, {card.name!r}")
    done = [path for path in folder.glob("seed*/done.json") if path.parent.name[4:].isdecimal()]
    seeds = sorted((_read_seed(path.parent) for path in done), key=lambda seed: seed.number)
    return Arm(card=card, seeds=tuple(seeds))


def _read_seed(folder: Path) -> Seed:
    log = folder / "train" / "log.jsonl"
    return Seed(
        number=int(folder.name[4:]),
        facts=_decode(folder / "done.json", Facts),
        answers={m: read_answers(folder / m) for m in MODES if (folder / m).is_dir()},
        log=tuple(store.read(log, Step)),
    )


def read_answers(folder: Path) -> Answers:
    """Read how a student answered; the last trace of an id and its last verdict hold.

    An answer without a verdict counts as an error, and so does a trace the backend failed to make.

    Raises:
        UserError: no answers, or a line that is no record.
    """
    verdicts = {v.id: v.outcome for v in store.read(folder / "verdicts.jsonl", Verdict)}
    traces = {t.id: t for t in store.read(folder / "traces.jsonl", Trace)}
    scores = folder / "scores.json"
    first = {t.problem_id: t for t in sorted(traces.values(), key=lambda t: -t.sample)}
    if not first:
        raise UserError(f"{folder}: no answers; go on with: skythought reproduce mini")
    return Answers(
        outcomes={key: str(verdicts.get(t.id, "error")) for key, t in first.items()},
        tokens=sum(t.completion_tokens for t in first.values()),
        truncated=sum(t.finish == "length" for t in first.values()),
        model=next(iter(first.values())).model,
        inspected=_decode(scores, _Scores).inspected if scores.is_file() else {},
    )


def _decode(path: Path, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error}); mend or delete it") from error
