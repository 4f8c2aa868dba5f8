"""What the miniature study consists of: its arms, and the settings every arm shares.

Nothing here differs between arms but the data they are trained on and, for the two clean arms, the
method. The settings were chosen on the dev split; LOG.md says what was seen on the test split.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from skythought.core.errors import unknown

TASK = "toll_roads"
THREADS = 2  # everywhere, because sums of floats depend on how they are split


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One row of the table: a student and what it was trained on."""

    name: str
    title: str
    group: str  # base, clean, content, structure or short
    method: str = "lora"  # none, lora or full
    source: str = "correct"  # which curated set it starts from: correct, incorrect or short
    kind: str = ""  # perturbation, "" for none
    fraction: float = 0.0


def _levels(name: str, title: str, group: str, kind: str, levels: tuple[int, ...]) -> list[Arm]:
    return [
        Arm(
            name=f"{name}_{level}",
            title=f"{title} {level} %",
            group=group,
            kind=kind,
            fraction=level / 100,
        )
        for level in levels
    ]


ARMS = {
    arm.name: arm
    for arm in [
        Arm(name="base", title="no training", group="base", method="none"),
        Arm(name="correct", title="correct traces, LoRA", group="clean"),
        Arm(name="correct_full", title="correct traces, full SFT", group="clean", method="full"),
        Arm(name="wrong_answers", title="wrong answers", group="content", source="incorrect"),
        *_levels("digits", "digits corrupted", "content", "digits", (20, 50, 70, 100)),
        *_levels("keywords", "keywords removed", "content", "keywords", (20, 50, 100)),
        *_levels("shuffled", "steps shuffled", "structure", "shuffle", (33, 67, 100)),
        *_levels("deleted", "steps deleted", "structure", "delete", (33, 67, 100)),
        *_levels("inserted", "steps inserted", "structure", "insert", (33, 67, 100)),
        Arm(name="short_answers", title="short answers only", group="short", source="short"),
    ]
}

DEFAULT = (
    "base",
    "correct",
    "correct_full",
    "wrong_answers",
    "digits_50",
    "keywords_100",
    "shuffled_67",
    "deleted_67",
    "inserted_67",
    "deleted_100",
)
FAST = ("base", "correct", "digits_50", "shuffled_67")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What all arms share."""

    problems: int = 1600  # train problems the teacher is asked
    samples: int = 4  # traces per problem
    demos: int = 400  # training examples per arm
    test_problems: int = 500
    max_tokens: int = 512  # longest answer at evaluation; the longest demonstration has about 430
    batch_size: int = 8
    lora_lr: float = 3e-3
    full_lr: float = 1e-3
    epochs: float = 2
    max_steps: int = -1
    lora_r: int = 32
    lora_target: str = "all-linear"
    temperature: float = 0.6
    save_every: int = 50


FULL_STUDY = Settings()
FAST_STUDY = Settings(
    problems=90, samples=4, demos=24, test_problems=24, max_tokens=450, max_steps=3
)


def choose(text: str, fast: bool) -> list[Arm]:
    """Read `--arms`: names separated by commas, or `default`, `paper` (the paper's rows), `all`.

    The base and the clean LoRA arm are always there: every other arm is compared with them.

    Raises:
        UserError: an arm no table knows.
    """
    names: list[str] = []
    for name in (part.strip() for part in text.split(",")):
        if name in ("", "default"):
            names += FAST if fast else DEFAULT
        elif name in ("paper", "all"):
            names += ARMS
        elif name in ARMS:
            names.append(name)
        else:
            raise unknown("arm", name, [*ARMS, "default", "paper", "all"])
    wanted = {"base", "correct", *names}
    return [arm for name, arm in ARMS.items() if name in wanted]


def describe(arm: Arm) -> dict[str, Any]:
    """Show an arm as arm.json holds it, without the paper's number."""
    return {
        "name": arm.name,
        "title": arm.title,
        "group": arm.group,
        "kind": arm.kind or arm.source,
        "fraction": arm.fraction,
        "method": arm.method,
    }
