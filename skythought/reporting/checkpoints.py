"""Checkpoints in, a page of their training out: losses by kind of token, speed, memory and cost.

    summarize(read([Path("runs/seed0"), Path("runs/seed1")]))["learned"]["structure"]
    -> {"steps": [13, 14], "mean": 13.5, "low": 7.1, "high": 19.9}

Reads log.jsonl and manifest.json of each; loads no model and changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from skythought.core import prices, store
from skythought.core.errors import UserError
from skythought.reporting import losses, markdown, pages
from skythought.reporting.runs import Step
from skythought.reporting.wording import NONE, count, percent, safe, seconds

LOG = "log.jsonl"


class Run(NamedTuple):
    """A training run."""

    name: str
    folder: Path
    log: tuple[Step, ...]
    settings: dict[str, Any]


class _Manifest(msgspec.Struct):
    config: dict[str, Any] = {}


def is_one(folder: Path) -> bool:
    """Say whether a folder holds a training log."""
    return (folder / LOG).is_file()


def read(folders: Sequence[Path]) -> list[Run]:
    """Read the runs.

    Raises:
        UserError: a folder without a log, or a file that cannot be read.
    """
    found = []
    for folder in folders:
        if not is_one(folder):
            raise UserError(f"{folder}: holds no {LOG}; give folders that skythought train wrote")
        log = tuple(store.read(folder / LOG, Step))
        if not log:
            raise UserError(f"{folder / LOG}: holds no step yet; wait for the first")
        manifest = folder / "manifest.json"
        try:
            text = manifest.read_bytes() if manifest.is_file() else b"{}"
            settings = msgspec.json.decode(text, type=_Manifest).config
        except msgspec.DecodeError as error:
            raise UserError(f"{manifest}: cannot be read ({error}); mend or delete it") from error
        found.append(Run(folder.resolve().name, folder, log, settings))
    return found


def summarize(runs: Sequence[Run]) -> dict[str, Any]:
    """Compute everything the page shows; losses in nats per token, speeds of all devices."""
    rows = [_row(run) for run in runs]
    falls = [losses.learned(run.log) for run in runs]
    learned = {}
    if told := [steps for steps in falls if steps]:
        for name in told[0]:
            learned[name] = _over_runs([steps[name] for steps in told])
        after = [steps["content"] - steps["structure"] for steps in told]
        learned["content after structure"] = _over_runs(after)
    return {"runs": rows, "learned": learned}


def _over_runs(steps: list[int]) -> dict[str, Any]:
    found = losses.interval(steps) or (float(steps[0]), None, None)
    return {"steps": steps, **dict(zip(("mean", "low", "high"), found, strict=True))}


def _row(run: Run) -> dict[str, Any]:
    last = run.log[-1]
    falls = {part: losses.fall(run.log, part) for part in ("loss", *losses.PARTS, *losses.KINDS)}
    shares = [step.mfu for step in run.log if step.mfu is not None]
    return {
        "name": run.name,
        "folder": str(run.folder),
        "step": last.step,
        **{part: found._asdict() if found else None for part, found in falls.items()},
        "tokens": last.tokens,
        "tokens_per_s": sum(step.tokens_per_s for step in run.log) / len(run.log),
        "mfu": sum(shares) / len(shares) if shares else None,
        "peak_memory_gib": last.peak_memory_gib,
        "seconds": last.seconds,
        "cost": last.cost,
        "settings": run.settings,
    }


def finding(results: dict[str, Any]) -> str:
    """Say in a sentence what was learned first."""
    learned = results["learned"]
    if not learned:
        return (
            "What was learned first is not known: the logs do not tell structure from content, one "
            f"of the two losses did not fall, or there are fewer than {losses.LEAST} steps."
        )
    after = learned["content after structure"]
    order = "before" if after["mean"] > 0 else "after" if after["mean"] < 0 else "together with"
    told = (
        f"Structure was learned at step {_steps(learned['structure'])}, content at step "
        f"{_steps(learned['content'])}: structure {order} content"
    )
    if after["low"] is None:
        return f"{told}, in one run."
    sure = "" if after["low"] > 0 or after["high"] < 0 else ", which is not certain"
    return (
        f"{told}, by {_steps(after)} steps over {len(after['steps'])} runs (95 % interval){sure}."
    )


def _steps(found: dict[str, Any]) -> str:
    if found["low"] is None:
        return f"{found['mean']:.0f}"
    return f"{found['mean']:.1f} ({found['low']:.1f} to {found['high']:.1f})"


def tables(results: dict[str, Any]) -> dict[str, list[tuple[str, ...]]]:
    """Lay out what both pages show: rows of texts, the head first."""
    rows = results["runs"]
    learned = [("run", *(f"90 % of {name}, step" for name in losses.PARTS.values()))]
    learned += [(row["name"], *(_reached(row[part]) for part in losses.PARTS)) for row in rows]
    kinds = [("loss, first to last", *(row["name"] for row in rows))]
    names = {"loss": "all tokens", **losses.PARTS, **losses.KINDS}
    kinds += [(name, *(_from_to(row[part]) for row in rows)) for part, name in names.items()]
    speed = [("run", "steps", "tokens", "tokens/s", "MFU", "memory, GiB", "time", "cost")]
    speed += [
        (
            row["name"],
            count(row["step"]),
            count(row["tokens"]),
            count(row["tokens_per_s"]),
            percent(row["mfu"]),
            NONE if row["peak_memory_gib"] is None else f"{row['peak_memory_gib']:.1f}",
            seconds(row["seconds"]),
            NONE if row["cost"] is None else prices.dollars(row["cost"]),
        )
        for row in rows
    ]
    return {"Learned first": learned, "Losses": kinds, "Speed, memory and cost": speed}


def _reached(found: dict[str, Any] | None) -> str:
    return NONE if found is None or found["step"] is None else count(found["step"])


def _from_to(found: dict[str, Any] | None) -> str:
    return NONE if found is None else f"{found['first']:.2f} to {found['last']:.2f}"


def text(results: dict[str, Any]) -> str:
    """Write report.md."""
    parts = []
    for name, rows in tables(results).items():
        heads, *others = (tuple(map(markdown.cell, row)) for row in rows)
        grid = markdown.grid(heads, others, "l" + "r" * (len(heads) - 1))
        parts.append(f"## {name}\n\n{grid}\n\n")
    return (
        f"# Training\n\n{finding(results)}\n\n{''.join(parts)}{losses.CAPTION}\n\n{losses.RULE}\n"
    )


def page(runs: Sequence[Run], results: dict[str, Any]) -> str:
    """Write report.html."""
    return pages.frame(
        "Training",
        kicker=f"skythought train: {', '.join(run.name for run in runs)}",
        question="What does a student learn first?",
        lead=finding(results),
        sections=sections(runs, results),
        foot_html="",
    )


def sections(runs: Sequence[Run], results: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Write the sections of a page: by their key, heading and content as HTML."""
    logs = [run.log for run in runs]
    wide, narrow = losses.plot(logs, 990), losses.plot(logs, 350)
    figure = "<p>No log tells structure from content.</p>"
    if wide:
        figure = (
            f'<figure><div class="wide">{wide}</div><div class="narrow">{narrow}</div>'
            f"<figcaption>{safe(losses.CAPTION)}</figcaption></figure>"
        )
    made = {}
    for name, (heads, *rows) in tables(results).items():
        body = f"<tbody>{''.join(map(_line, rows))}</tbody>"
        key = name.split()[0].lower()
        made[key] = name, pages.table(pages.head(*heads), body, "", name)
    first, table = made["learned"]
    made["learned"] = first, f'{figure}{table}<p class="note">{safe(losses.RULE)}</p>'
    settings = "".join(
        f"<details><summary>{safe(run.name)}</summary>{pages.facts(run.settings.items())}</details>"
        for run in runs
    )
    return {**made, "settings": ("Settings", settings)}


def _line(row: tuple[str, ...]) -> str:
    return f'<tr><th scope="row">{safe(row[0])}</th>{pages.cells(*row[1:])}</tr>'
