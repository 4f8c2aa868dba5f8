"""Teach the miniature study's student to answer shorter, as Sky-T1-Flash was made from Sky-T1.

    python recipes/mini/shorter.py --out runs/shorter

    student/     fine-tuned on the study's correct traces, as its arm `correct`
    answers/     several answers of the student to each of other training problems, and verdicts
    pairs.jsonl  the shortest correct answer to a problem against the longest
    simpo-.../   the student's adapter, trained on by SimPO
    scores/      both on the same problems, and a table: tokens and accuracy, paired

Every stage is a verb, so the script goes on where it was stopped. The rate and the number of epochs
were chosen on the dev split (`--split dev`); LOG.md has what was tried.
"""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import tyro

from skythought import compare, curate, evaluate, generate, reproduce, score, study, train
from skythought.backends import hf
from skythought.core import shapes, store


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings; those of the student are the study's."""

    out: Path = Path("runs/shorter")
    """Folder of the experiment."""
    split: Literal["test", "dev"] = "test"
    """Problems both students are scored on."""
    problems: int = 400
    """Training problems the student is asked; none of them was taught."""
    samples: int = 8
    """Answers to each, at temperature 1."""
    beta: float = 2.0
    gamma: float = 0.3
    lr: float = 3e-4
    epochs: float = 3
    batch_size: int = 16
    seed: int = 0


def run(config: Config) -> dict[str, Any]:
    """Run what is missing; gives what the file NAME.SPLIT.json of the trained adapter holds."""
    torch.set_num_threads(study.THREADS)
    make_student(config)
    make_pairs(config)
    after = config.out / name(config)
    trained = train.run(
        train.Config(
            base_model=str(config.out / "student"),
            dataset=config.out / "pairs.jsonl",
            objective="simpo",
            beta=config.beta,
            gamma=config.gamma,
            lr=config.lr,
            epochs=config.epochs,
            batch_size=config.batch_size,
            max_length=1024,
            seed=config.seed,
            output_dir=after,
        )
    )
    found: dict[str, Any] = {"split": config.split, "trained": trained}
    for mode in ("greedy", "sampled"):
        found[mode] = figures(*(evaluated(config, m, mode) for m in ("student", after.name)))
    store.write_whole(config.out / f"{after.name}.{config.split}.json", json.dumps(found, indent=1))
    show(found)
    return found


def make_student(config: Config) -> None:
    """Fine-tune the base on the study's correct traces, with the study's settings."""
    settings, arm = study.FULL_STUDY, study.ARMS["correct"]
    reproduce.make_data(config.out, settings, [arm])
    train.run(
        train.Config(
            base_model=hf.locate("mini"),
            dataset=config.out / "data" / "correct.jsonl",
            output_dir=config.out / "student",
            lora_r=settings.lora_r,
            lora_target=settings.lora_target,
            lr=settings.lora_lr,
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            max_length=1024,
            seed=config.seed,
        )
    )


def evaluated(config: Config, model: str, mode: str) -> Path:
    """Score a model on the study's problems; gives the run folder."""
    settings = study.FULL_STUDY
    temperature = settings.temperature if mode == "sampled" else 0.0
    folder = config.out / "scores" / config.split / mode / model
    evaluate.measure(
        evaluate.Config(
            model=str(config.out / model),
            task=study.TASK,
            split=config.split,
            limit=settings.test_problems,
            sampling_params=(
                f"temperature={temperature},max_tokens={settings.max_tokens},seed={config.seed}"
            ),
            result_dir=folder,
        ),
        announce=False,
    )
    return folder


def name(config: Config) -> str:
    """Name the folder of a training run by what it was trained with."""
    return f"simpo-lr{config.lr:g}-e{config.epochs:g}-b{config.batch_size}-s{config.seed}"


def make_pairs(config: Config) -> None:
    """Ask the student, grade, and pair the shortest with the longest correct answer."""
    start = study.FULL_STUDY.problems  # behind those the teacher was asked
    generate.run(
        generate.Config(
            task=study.TASK,
            split="train",
            model=str(config.out / "student"),
            start=start,
            end=start + config.problems,
            n=config.samples,
            sampling_params=f"temperature=1,max_tokens={study.FULL_STUDY.max_tokens}",
            result_dir=config.out / "answers",
        )
    )
    score.run(score.Config(run_dir=config.out / "answers"))
    curate.run(
        curate.Config(
            runs=(config.out / "answers",), out=config.out / "pairs.jsonl", pairs="shortest"
        )
    )


def figures(before: Path, after: Path) -> dict[str, Any]:
    """Compare two graded runs of the same problems; the median of tokens beside."""
    found = compare.comparison(before, after)
    for side, folder in (("a", before), ("b", after)):
        tokens = [trace.completion_tokens for trace in shapes.read_traces(folder)]
        found[f"median_tokens_{side}"] = statistics.median(tokens)
    kept = ("divergences", "flips", "differs")
    return {k: v for k, v in found.items() if k not in kept}


def show(found: dict[str, Any]) -> None:
    """Print the comparison."""
    for mode in ("greedy", "sampled"):
        print(mode, json.dumps(found[mode], indent=1))


if __name__ == "__main__":
    run(tyro.cli(Config))
