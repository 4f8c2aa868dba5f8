"""The whole study in one command: prompts, teacher, verdicts, students, ablations, report.

    skythought reproduce mini

Every stage is the verb a user would call on a large model, with the same files in between:

    runs/mini/teacher/               generate, score
    runs/mini/data/                  curate, perturb: the training data of every arm
    runs/mini/arms/<arm>/seed<k>/    train, evaluate (greedy and sampled)
    runs/mini/report.html            report

Stopped and started again it goes on at the arm and step where it was.
"""

from __future__ import annotations

import json
import resource
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from skythought import curate, evaluate, generate, perturb, report, score, train
from skythought import study as plan
from skythought.backends import hf
from skythought.core import progress, store
from skythought.core.errors import UserError, require
from skythought.study import Arm, Settings

NEEDED_BYTES = 400 * 2**20


@dataclass(frozen=True, kw_only=True)
class Config:
    """Run a whole study, from problems to report."""

    study: Annotated[Literal["mini"], tyro.conf.Positional] = "mini"
    """Which study; mini runs on two CPU cores."""
    arms: str = "default"
    """default, paper (all rows of the paper), or names separated by commas."""
    seeds: str = "0"
    """Training seeds separated by commas; more of them tell effects from luck in training."""
    out: Path = Path("runs/mini")
    """Folder of the study."""
    fast: bool = False
    """A smoke run of a minute: few problems, few steps, no conclusions."""
    base_model: str = hf.MINI
    """Folder or hub name of the student; mini is the one in the package."""
    split: Literal["test", "dev"] = "test"
    """Problems the students are scored on; choose settings on dev."""


def run(config: Config) -> dict[str, Any]:
    """Run what is missing of the study and report; returns the results.

    Raises:
        UserError: an unknown arm, bad seeds, a folder of another study, a missing extra, or too
            little disk space.
    """
    arms = plan.choose(config.arms, config.fast)
    seeds = read_seeds(config.seeds)
    settings = plan.FAST_STUDY if config.fast else plan.FULL_STUDY
    torch = require("torch", "train")
    require("trl", "train")
    base = hf.locate(config.base_model)
    check_disk(config.out)
    identity = {
        "study": config.study,
        "base_model": hf.identity(base),
        "split": config.split,
        "settings": asdict(settings),
    }
    store.claim(config.out, "reproduce", identity)
    torch.set_num_threads(plan.THREADS)
    began = time.monotonic()
    make_data(config.out, settings, arms)
    todo = [(s, a) for s in seeds for a in arms if a.method != "none" or s == seeds[0]]
    left = [(seed, arm) for seed, arm in todo if not _done(config.out, arm, seed).exists()]
    for number, (seed, arm) in enumerate(left, 1):
        started = time.monotonic()
        facts = run_arm(config, settings, arm, seed, base)
        spent = time.monotonic() - started
        eta = (time.monotonic() - began) / number * (len(left) - number)
        progress.say(
            f"[{len(todo) - len(left) + number}/{len(todo)}] {arm.name} seed {seed}: "
            f"{facts['greedy']:.1%} right, {spent:.0f} s; about {eta / 60:.1f} min left"
        )
    results = report.run(report.Config(study=config.out))
    store.finish(config.out, arms=[a.name for a in arms], seeds=list(seeds))
    return results


def make_data(out: Path, settings: Settings, arms: list[Arm]) -> None:
    """Ask the teacher, grade, curate, and perturb into one training set per arm."""
    for style in ("long", "short") if any(a.source == "short" for a in arms) else ("long",):
        folder = out / ("teacher" if style == "long" else "teacher_short")
        generate.run(
            generate.Config(
                task=plan.TASK,
                split="train",
                backend="symbolic",
                backend_args=f"style={style}",
                n=settings.samples,
                limit=settings.problems,
                result_dir=folder,
            )
        )
        score.run(score.Config(run_dir=folder))
    sources = {arm.source for arm in arms if arm.method != "none"} | {"correct"}
    for source in sorted(sources):
        counts = curate.run(
            curate.Config(
                runs=(out / ("teacher_short" if source == "short" else "teacher"),),
                out=out / "data" / f"{_SOURCE[source]}.jsonl",
                outcome="incorrect" if source == "incorrect" else "correct",
                per_problem=1,
                limit=settings.demos,
            )
        )
        if counts["kept"] < settings.demos:
            raise ValueError(f"{source}: {counts['kept']} demonstrations, not {settings.demos}")
    shutil.copyfile(out / "data" / "correct.jsonl.card.md", out / "data" / "card.md")
    for arm in arms:
        if arm.kind:
            perturb.run(
                perturb.Config(
                    input=out / "data" / "correct.jsonl",
                    output=_data(out, arm),
                    kind=arm.kind,
                    fraction=arm.fraction,
                )
            )


_SOURCE = {"correct": "correct", "incorrect": "wrong_answers", "short": "short_answers"}


def run_arm(config: Config, settings: Settings, arm: Arm, seed: int, base: str) -> dict[str, Any]:
    """Train one student with one seed and evaluate it, greedy and sampled."""
    out = config.out
    folder = out / "arms" / arm.name / f"seed{seed}"
    paper = report.paper_change(arm.name)
    card = plan.describe(arm) | {"paper_change": paper}
    store.write_whole(folder.parent / "arm.json", json.dumps(card, indent=1) + "\n")
    began = time.monotonic()
    model, tokens = base, 0
    if arm.method != "none":
        full = arm.method == "full"
        trained = train.run(
            train.Config(
                base_model=base,
                dataset=_data(out, arm),
                output_dir=folder / "train",
                full=full,
                lora_r=settings.lora_r,
                lora_target=settings.lora_target,
                lr=settings.full_lr if full else settings.lora_lr,
                epochs=settings.epochs,
                max_steps=settings.max_steps,
                batch_size=settings.batch_size,
                max_length=1024,
                save_every=settings.save_every,
                show_mask=0,
                seed=seed,
            )
        )
        model, tokens = str(folder / "train"), trained["tokens"]
    trained_at = time.monotonic()
    scores = {}
    for mode, temperature in (("greedy", 0.0), ("sampled", settings.temperature)):
        scores[mode] = evaluate.measure(
            evaluate.Config(
                model=model,
                task=plan.TASK,
                split=config.split,
                limit=settings.test_problems,
                sampling_params=(
                    f"temperature={temperature},max_tokens={settings.max_tokens},seed={seed}"
                ),
                result_dir=folder / mode,
            ),
            announce=False,
        )["accuracy"]
    facts = {
        "train_seconds": round(trained_at - began, 2),
        "eval_seconds": round(time.monotonic() - trained_at, 2),
        "train_tokens": tokens,
        "peak_memory_gb": round(peak_memory_gb(), 2),
    }
    store.write_whole(_done(out, arm, seed), json.dumps(facts) + "\n")
    return {**facts, **scores}


def read_seeds(text: str) -> tuple[int, ...]:
    """Read `0,1,2`.

    Raises:
        UserError: something else.
    """
    try:
        seeds = tuple(dict.fromkeys(int(part) for part in text.split(",")))
    except ValueError as error:
        raise UserError(f"--seeds {text!r}: expected whole numbers such as 0,1,2") from error
    if min(seeds) < 0:
        raise UserError(f"--seeds {text!r}: a seed is 0 or more")
    return seeds


def check_disk(out: Path) -> None:
    """Refuse to start where the study would not fit.

    Raises:
        UserError: fewer than 400 MB are free.
    """
    place = next(p for p in _up(out.absolute()) if p.exists())
    free = shutil.disk_usage(place).free
    if free < NEEDED_BYTES:
        raise UserError(
            f"{place}: {free / 2**20:.0f} MB free, the study needs {NEEDED_BYTES // 2**20}; free "
            "some or choose another --out"
        )


def peak_memory_gb() -> float:
    """Give the largest resident memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**30 if sys.platform == "darwin" else 2**20)


def _up(path: Path) -> Iterator[Path]:
    yield path
    yield from path.parents


def _data(out: Path, arm: Arm) -> Path:
    name = arm.name if arm.kind else _SOURCE[arm.source]
    return out / "data" / f"{name}.jsonl"


def _done(out: Path, arm: Arm, seed: int) -> Path:
    return out / "arms" / arm.name / f"seed{seed}" / "done.json"
