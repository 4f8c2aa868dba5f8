r"""A model and tasks in, scores with their intervals out: generate and score in one.

    skythought evaluate --model runs/sky-t1-replica --task math500,aime24 --n 8 \
        --sampling-params preset --result-dir runs/eval/tuned

The folder is an ordinary run folder (of several tasks, one for each in it), so every answer can be
read and graded again; the score is written to scores.json in it. An answer that is cut off or holds
nothing to grade is wrong (`no_answer`); a failed request or check is no answer at all (`errors`).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import msgspec
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from skythought import generate, grading, score, tasks, verifiers
from skythought.backends import hf
from skythought.core import progress, store
from skythought.core.errors import UserError, plain, unknown
from skythought.core.records import Problem, Sampling, Trace
from skythought.evaluating import answers as reading
from skythought.evaluating import figures, votes
from skythought.evaluating.answers import Answer
from skythought.structure import loops

SHOWN = ("accuracy", "low", "high", "n", "no_answer", "truncated", "errors", "mean_tokens")
SCORED = ("accuracy", "low", "high", "n", "truncated", "mean_tokens")
COMPARED = ("number", "math", "math_strict", "math_lenient", "choice")  # whose answers can be


@dataclass(frozen=True, kw_only=True)
class Config(generate.Config):
    """Score a model on tasks, with intervals."""

    by: str = ""
    """Field of the problems to give accuracies by: subject, level, difficulty."""
    verifier: str = ""
    """Verifier to use in place of the task's own."""
    allow_unsafe_execution: bool = False
    """Run the programs of answers without a sandbox. They can do whatever you can."""


def run(config: Config) -> dict[str, Any]:
    """Evaluate and print the scores; returns them, of several tasks by their names.

    Raises:
        UserError: as `measure`.
    """
    several = parts(config)
    for one in several.values():  # what is wrong with the last is found before the first is asked
        ready(one)
        if config.dry_run:
            generate.ask(_asked(one), exact=True)
    if config.dry_run:
        return {}
    found = {name: measure(one) for name, one in several.items()}
    model = config.model or config.backend
    title = model if len(found) > 1 else f"{model} on {config.task or config.input}"
    progress.console.print(table(title, found))
    for name, result in found.items():
        for line in remarks(result):
            progress.say(f"{name}: {line}" if len(found) > 1 else line)
    [first, *others] = found.values()
    return found if others else first


def exit_code(found: dict[str, Any]) -> int:
    """Give 1 where answers could not be had or graded."""
    results = [found] if "complete" in found else [*found.values()]
    return int(any(not result["complete"] for result in results))


def ready(config: Config) -> None:
    """Draw the problems, and try what grades them.

    Raises:
        UserError: no such task, problems, verifier or field; or a verifier does not work here.
    """
    problems = generate.problems(_asked(config))
    if config.verifier:
        verifiers.get(config.verifier)
    how = grading.How(verifier=config.verifier or None, unsafe=config.allow_unsafe_execution)
    if not config.dry_run:
        generate.try_verifiers(problems, how)
    if config.by:
        _labels(config.by, {problem.id: problem for problem in problems})


def parts(config: Config) -> dict[str, Config]:
    """Give the config of each task named, whose folders lie in the result folder where several are.

    Raises:
        UserError: a task twice, or a copy of one dataset for several.
    """
    names = [name.strip() for name in config.task.split(",") if name.strip()]
    if Path(config.task).is_file() or not names:
        return {config.task or config.input: config}
    if len(names) == 1:
        return {names[0]: replace(config, task=names[0])}
    if config.data:
        raise UserError(f"--data {config.data}: is a copy of one dataset, and several are named")
    folders = [Path(name).stem if Path(name).is_file() else name for name in names]
    safe = [name.replace("/", "_").replace(":", "_") for name in folders]
    if len({*safe}) < len(names):
        raise UserError(f"--task {config.task}: names a task twice")
    return {
        name: replace(config, task=name, result_dir=config.result_dir / folder)
        for name, folder in zip(names, safe, strict=True)
    }


def table(title: str, found: dict[str, dict[str, Any]]) -> Table:
    """Lay scores out for a terminal, one row for each task."""
    made = Table(title=Text(plain(title)), box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    if len(found) > 1:
        made.add_column("task")
    one = next(iter(found.values()))
    voted = [(kind, k) for kind in ("pass_at", "cons_at") for k in list(one.get(kind, {}))[-1:]]
    for name in SHOWN:
        made.add_column(name.replace("_", "\n"), justify="right")
    for kind, k in voted:
        made.add_column(f"{kind.removesuffix('_at')}@{k}", justify="right")
    for name, result in found.items():
        tokens = result["mean_tokens"]
        shown = result | {"mean_tokens": "" if tokens is None else round(tokens)}
        cells = [f"{v:.3f}" if isinstance(v := shown[k], float) else str(v) for k in SHOWN]
        cells += [f"{v[0]:.3f}" if (v := result.get(kind, {}).get(k)) else "" for kind, k in voted]
        made.add_row(*([Text(plain(name))] if len(found) > 1 else []), *cells)
    return made


def remarks(result: dict[str, Any]) -> list[str]:
    """Say what a person has to know before believing a score."""
    said = []
    if result["chance"] and result["low"] <= result["chance"]:
        said.append(f"not above chance, which is {result['chance']:.2f}")
    if result["truncated"] * 10 > result["n"]:
        share = result["truncated"] / result["n"]
        said.append(f"{share:.0%} of the answers were cut off and count as wrong; raise max_tokens")
    if result["loops"]:
        loops_, end = ("answers", "end") if result["loops"] > 1 else ("answer", "ends")
        said.append(f"{result['loops']:,} {loops_} {end} in saying the same again and again")
    for label, row in result.get("by", {}).items():
        ends = f"{row['low']:.3f} to {row['high']:.3f}"
        said.append(f"{label or '(none)'}: {row['accuracy']:.3f} ({ends}), {row['problems']:,}")
    if result["ungraded"]:
        said.append(
            f"incomplete: {result['ungraded']:,} answers are missing or not graded, and in no score"
        )
    if result["errors"]:
        n = result["errors"]
        answers, are, them = ("answer", "is", "it") if n == 1 else ("answers", "are", "them")
        said.append(
            f"incomplete: {n:,} {answers} could not be had or graded and {are} in no score; run "
            f"the same command again to ask for {them}"
        )
    return said


def _asked(config: Config) -> generate.Config:
    """Give the part that generate does."""
    return generate.Config(**{f.name: getattr(config, f.name) for f in fields(generate.Config)})


def measure(config: Config, *, announce: bool = True) -> dict[str, Any]:
    """Generate what is missing, grade it, write scores.json and return its content.

    Raises:
        UserError: as `skythought generate` and `skythought score`, or nothing could be graded.
    """
    if config.verifier:
        verifiers.get(config.verifier)  # a wrong name is found before anything is asked
    how = grading.How(verifier=config.verifier or None, unsafe=config.allow_unsafe_execution)
    generate.ask(_asked(config), how=how, announce=announce, exact=True)
    score.run(
        score.Config(
            run_dir=config.result_dir,
            verifier=config.verifier or None,
            allow_unsafe_execution=config.allow_unsafe_execution,
        )
    )
    result = summary(config.result_dir, by=config.by)
    text = msgspec.json.format(msgspec.json.encode(result), indent=1)
    store.write_whole(config.result_dir / "scores.json", text + b"\n")
    return result


def summary(folder: Path, *, by: str = "") -> dict[str, Any]:
    """Sum up a graded run folder (`figures.summarize`), with what its task counts in thoughts.

    Args:
        folder: the run folder.
        by: field of the problems to give accuracies by.

    Raises:
        UserError: nothing was graded, or no problem has the field.
    """
    problems = reading.problems(folder)
    inspected = Inspected(problems)
    found = reading.read(folder, loops.loop, inspected.look)
    if all(answer.outcome == "error" for answer in found):
        why = found[0].why if found else "there is none"
        raise UserError(f"{folder}: no answer could be graded; the first: {why}")
    first = next(iter(problems.values()), None)
    result = figures.summarize(found, _votes(found, problems))
    result["ungraded"] = reading.ungraded(folder)
    result["complete"] &= not result["ungraded"]
    result["chance"] = _chance(first)
    result["inspected"] = inspected.shares()
    if by:
        result["by"] = figures.by_label(found, _labels(by, problems))
    return result


def _labels(by: str, problems: dict[str, Problem]) -> dict[str, str]:
    known = {name for problem in problems.values() for name in problem.extra}
    if by not in known:
        raise unknown("field in --by", by, known)
    return {key: str(problem.extra.get(by, "")) for key, problem in problems.items()}


def _chance(problem: Problem | None) -> float:
    if problem is None or problem.task.startswith(tasks.FILE):
        choices = problem.extra.get("choices") if problem else None
        return 1 / len(choices) if choices else 0.0
    return tasks.get(problem.task).chance


def _votes(found: Sequence[Answer], problems: dict[str, Problem]) -> dict[str, list[int]] | None:
    """Number what the samples of each problem state; None where answers cannot be compared."""
    said: dict[str, list[int]] = {}
    for key, group in reading.by_problem(found).items():
        problem, name = problems.get(key), group[0].verifier
        if problem is None or name not in COMPARED:
            return None
        stated = [answer.said for answer in group]
        said[key] = votes.number(stated, [a.right for a in group], alike(problem, name))
    return said


def alike(problem: Problem, verifier: str) -> Callable[[str, str], bool]:
    """Make what says whether two answers to a problem mean the same to its verifier."""
    grader = verifiers.get(verifier)

    def same(one: str, other: str) -> bool:
        asked = msgspec.structs.replace(problem, answer=one)
        said = f"\\boxed{{{other}}}"
        return verifiers.checked(asked, said, grader).outcome == "correct"

    return same


class Inspected:
    """Counts what a task counts in thoughts, trace by trace; nothing where it counts nothing."""

    def __init__(self, problems: dict[str, Problem]) -> None:
        self.problems = problems
        self.counts: dict[str, tuple[int, int]] = {}

    def look(self, trace: Trace) -> None:
        """Count in one trace."""
        problem = self.problems.get(trace.problem_id)
        inspect = tasks.inspector(problem.task) if problem else None
        if problem is None or inspect is None:
            return
        for name, (hold, of) in inspect(problem.question, trace.thought).items():
            before = self.counts.get(name, (0, 0))
            self.counts[name] = before[0] + hold, before[1] + of

    def shares(self) -> dict[str, float]:
        """Give the shares of all that was seen."""
        return {name: hold / of for name, (hold, of) in self.counts.items() if of}


class Live(hf.HuggingFace):
    """A model that is in memory already, as one in training is."""

    def __init__(self, model: Any, tokenizer: Any, name: str) -> None:
        self.model, self.tokenizer, self.identity = model, tokenizer, name
        self.device, self.max_batch = str(model.device), 512


def asked_with(name: str, given: str | None) -> str | None:
    """Give the system prompt that a task is asked with, "" for none; None where no task is named.

    Raises:
        UserError: no such task.
    """
    if not name:
        return None
    return tasks.get(name).system_prompt if given is None else given


def scorer(
    name: str,
    limit: int,
    max_tokens: int,
    system_prompt: str | None,
    tokenizer: Any,
    folder: Path,
) -> Callable[[int, Any], dict[str, float]] | None:
    """Give what evaluates a model in training at a step, greedily; None where no task is named.

    Its answers are an ordinary run folder, `<folder>/evaluations/step-<n>`; one of an earlier try
    at this step, from which a stopped run was not gone on with, is replaced. What it gives back are
    accuracy, low and high (its 95 % interval), n, truncated and mean_tokens.

    Raises:
        UserError: no such task, or one whose answers cannot be graded here.
    """
    if not name:
        return None
    problems = tasks.draw(name, "test", 0, 0, limit)
    generate.try_verifiers(problems)

    def evaluate(step: int, model: Any) -> dict[str, float]:
        place = folder / "evaluations" / f"step-{step}"
        shutil.rmtree(place, ignore_errors=True)
        generate.collect(
            problems,
            Live(model, tokenizer, f"{folder.name}-step-{step}"),
            Sampling(max_tokens=max_tokens),
            place,
            system_prompt=system_prompt or "",
            announce=False,
        )
        score.run(score.Config(run_dir=place))
        found = summary(place)
        return {key: round(float(found[key]), 5) for key in SCORED}

    return evaluate
