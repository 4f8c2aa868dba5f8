"""Does it matter which correct demonstrations are chosen? By structure, by length, or at random.

    python benchmarks/selection_study.py --out runs/selection --seeds 0,1,2

The miniature study's student, task and settings; one teacher run, graded; and for each way of
choosing, so many of its correct demonstrations, one of each problem at most. Writes results.json
and prints the table: accuracy of the students on the test problems, and the paired difference to
those of random demonstrations with a 95 % interval over problems and seeds (`metrics.difference`).
Finished students are not trained again.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from skythought import curate, evaluate, generate, score, study, train
from skythought.core import jsonl, metrics
from skythought.core.shapes import read_examples

WAYS: dict[str, dict[str, Any]] = {
    "random": {"by": "random"},
    "structure": {"by": "structure"},
    "longest": {"by": "longest"},
    "shortest": {"by": "shortest"},
}


def main() -> None:
    """Make the data, train and evaluate every student, compare."""
    args = parse()
    torch.set_num_threads(study.THREADS)
    settings = study.FAST_STUDY if args.fast else study.FULL_STUDY
    teacher = args.out / "teacher"
    generate.run(
        generate.Config(
            task=study.TASK,
            split="train",
            backend="symbolic",
            n=settings.samples,
            limit=settings.problems,
            result_dir=teacher,
        )
    )
    score.run(score.Config(run_dir=teacher))
    seeds = [int(seed) for seed in args.seeds.split(",")]
    found = {
        way: [student(args.out, settings, way, seed, args.base) for seed in seeds] for way in WAYS
    }
    rows = []
    for way, students in found.items():
        right = [s["right"] for s in students]
        low, high = metrics.mean_interval(right)
        row = {
            "way": way,
            "accuracy": sum(map(sum, right)) / sum(map(len, right)),
            "low": low,
            "high": high,
            "by_seed": [sum(r) / len(r) for r in right],
            "tokens": sum(s["tokens"] for s in students) / len(students),
        }
        if way != "random":
            gap = metrics.difference([s["right"] for s in found["random"]], right)
            row["against_random"] = gap._asdict()
        rows.append(row)
    (args.out / "results.json").write_text(json.dumps(rows, indent=1) + "\n")
    print("| chosen | accuracy | by seed | training tokens | against random |")
    print("|---|---|---|---|---|")
    for row in rows:
        print(line(row))


def student(out: Path, settings: study.Settings, way: str, seed: int, base: str) -> dict[str, Any]:
    """Choose demonstrations, train on them and evaluate; gives what was right."""
    data = out / "data" / f"{way}_{seed}.jsonl"
    curate.run(
        curate.Config(
            runs=(out / "teacher",),
            out=data,
            per_problem=1,
            prefer={"random": "first", "structure": "structured"}.get(way, way),  # type: ignore[arg-type]
            select=settings.demos,
            seed=seed,
            **WAYS[way],
        )
    )
    folder = out / way / f"seed{seed}"
    trained = train.run(
        train.Config(
            base_model=base,
            dataset=data,
            output_dir=folder / "train",
            lora_r=settings.lora_r,
            lora_target=settings.lora_target,
            lr=settings.lora_lr,
            epochs=settings.epochs,
            max_steps=settings.max_steps,
            batch_size=settings.batch_size,
            max_length=1024,
            show_mask=0,
            seed=seed,
        )
    )
    evaluate.measure(
        evaluate.Config(
            model=str(folder / "train"),
            task=study.TASK,
            split="test",
            limit=settings.test_problems,
            sampling_params=f"temperature=0.0,max_tokens={settings.max_tokens},seed={seed}",
            result_dir=folder / "greedy",
        ),
        announce=False,
    )
    verdicts = {
        row["id"]: row["outcome"] for _, row in jsonl.read_rows(folder / "greedy/verdicts.jsonl")
    }
    traces = [row for _, row in jsonl.read_rows(folder / "greedy/traces.jsonl")]
    right = {row["problem_id"]: int(verdicts[row["id"]] == "correct") for row in traces}
    assert len(list(read_examples(data))) == settings.demos
    return {"right": [right[key] for key in sorted(right)], "tokens": trained["tokens"]}


def line(row: dict[str, Any]) -> str:
    """Write a row of the table."""
    seeds = ", ".join(f"{100 * share:.1f}" for share in row["by_seed"])
    own = f"{100 * row['accuracy']:.1f} ({100 * row['low']:.1f} to {100 * row['high']:.1f})"
    against = "-"
    if gap := row.get("against_random"):
        points = [100 * gap[key] for key in ("value", "low", "high")]
        against = f"{points[0]:+.1f} ({points[1]:+.1f} to {points[2]:+.1f}), p = {gap['p']:.3f}"
    return f"| {row['way']} | {own} | {seeds} | {row['tokens']:,.0f} | {against} |"


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("runs/selection"))
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--base", default="mini")
    parser.add_argument("--fast", action="store_true", help="see that it runs; shows nothing")
    return parser.parse_args()


if __name__ == "__main__":
    main()
