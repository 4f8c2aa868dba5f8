"""Tasks: where problems come from, and what grades their answers.

    TASKS["gsm8k"] -> Task(name="gsm8k", source="openai/gsm8k", verifier="math", ...)
    next(tasks.get("toll_roads").load("test", seed=0)) -> Problem(id="toll_roads-test-...", ...)
    tasks.get("reasoning_gym/chain_sum")  -> any dataset of reasoning-gym, by its name there

Wherever a task name is asked for, the path of a local JSONL or Parquet file is a task too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from skythought.core import registry
from skythought.core.errors import UserError, unknown
from skythought.core.labels import Labelled
from skythought.core.records import Problem

TASKS = {
    "toll_roads": "skythought.tasks.procedural:TOLL_ROADS",  # endless, exact, needs no download
    "gsm8k": "skythought.tasks.hub:GSM8K",
    "math500": "skythought.tasks.hub:MATH500",
    "aime24": "skythought.tasks.hub:AIME24",
    "aime25": "skythought.tasks.hub:AIME25",
    "amc23": "skythought.tasks.hub:AMC23",
    "olympiadbench": "skythought.tasks.hub:OLYMPIADBENCH",
    "minerva_math": "skythought.tasks.hub:MINERVA",
    "numina": "skythought.tasks.hub:NUMINA",
    "livecodebench": "skythought.tasks.hub:LIVECODEBENCH",
    "humaneval": "skythought.tasks.hub:HUMANEVAL",
    "mbpp": "skythought.tasks.hub:MBPP",
    "apps": "skythought.tasks.hub:APPS",
    "taco": "skythought.tasks.hub:TACO",
    "mmlu": "skythought.tasks.hub:MMLU",
    "mmlu_pro": "skythought.tasks.hub:MMLU_PRO",
    "gpqa_diamond": "skythought.tasks.hub:GPQA_DIAMOND",
    "arc_c": "skythought.tasks.hub:ARC_C",
    "ifeval": "skythought.tasks.hub:IFEVAL",
}

FILE = "file:"  # begins the task name of problems that came from a local file
FILE_SUFFIXES = (".jsonl", ".parquet")
FILE_VERIFIER = "math"
PROGRAM_VERIFIER = "code"
CHOICE_VERIFIER = "choice"
GYM_VERIFIER = "reasoning_gym"
INSTRUCTION_VERIFIER = "ifeval"
GYM = "reasoning_gym/"  # begins the task name of a dataset of reasoning-gym
TESTS = "tests "  # begins the reference of a problem that a program solves: a digest of its tests


@dataclass(frozen=True, kw_only=True)
class Task:
    """A source of problems."""

    name: str
    source: str  # dataset on the hub, module, or path
    revision: str  # commit of the dataset; "" where the source is code or a local file
    licence: str
    verifier: str  # by name: tasks and verifiers do not import each other
    chance: float  # accuracy of the best answer that ignores the problem, 0 to 1
    system_prompt: str
    load: Callable[..., Iterator[Problem]]  # load(split, seed=0, **options)
    endless: bool = False  # `load` never ends, so only a number of problems can be asked for
    # inspect(question, thought): what can be counted in a thought besides its answer, by name, each
    # as (how many hold, out of how many)
    inspect: Callable[[str, str], dict[str, tuple[int, int]]] | None = None


def get(name: str) -> Task:
    """Find a task by name, or make one of a local file.

    Raises:
        UserError: no such task or file, or what the name leads to is no task.
    """
    path = Path(name)
    if name.startswith(GYM) and path.suffix not in FILE_SUFFIXES:
        target = "skythought.tasks.gym:make"
        made = registry.resolve("task", target, TASKS)(name.removeprefix(GYM))
    elif name not in TASKS and (path.suffix in FILE_SUFFIXES or path.is_file()):
        return of_file(path)
    else:
        made = registry.resolve("task", name, TASKS)
    if not isinstance(made, Task):
        raise UserError(f"task {name!r}: expected a Task, found {type(made).__name__}")
    return made


def of_file(path: Path) -> Task:
    """Make a task of a local file.

    Raises:
        UserError: there is no such file.
    """
    made: Task = registry.resolve("task", "skythought.tasks.benchmarks:local", TASKS)(path)
    return made


def draw(
    name: str | Task,
    split: str,
    seed: int,
    start: int = 0,
    n: int | None = None,
    where: Sequence[Labelled] = (),
    **options: Any,
) -> list[Problem]:
    """Draw `n` problems of a task, all that follow `start` where no `n` is given.

    Only those whose fields say what `where` asks for are counted.

    Each is marked with a task name that leads back to its verifier: that of a task
    `package.module:TASK` is this name, whatever the task calls itself. `options` are the task's
    own.

    Raises:
        UserError: no such task or split, no problems there, none with the fields asked for, or an
            endless task without `n`.
    """
    task = get(name) if isinstance(name, str) else name
    name = task.source if isinstance(name, Task) else name
    if task.endless and n is None:
        raise UserError(f"task {name!r} makes its problems without end; give --limit N")
    if task.endless and where:
        raise UserError(f"--where {where[0].field}: the problems of {name!r} have no such field")
    drawn = task.load(split, seed=seed, **options)
    if where:
        drawn = _labelled(drawn, where)
    found = list(islice(drawn, start, None if n is None else start + n))
    if not found:
        raise UserError(f"task {name!r} has no problems in split {split!r} from --start {start} on")
    if task.name.startswith(FILE):
        return found
    return [msgspec.structs.replace(problem, task=name) for problem in found]


def _labelled(problems: Iterable[Problem], where: Sequence[Labelled]) -> Iterator[Problem]:
    """Keep the problems whose fields say what is asked for.

    Raises:
        UserError: none of the problems has a field that is asked for.
    """
    missing, fields = {label.field for label in where}, set[str]()
    for problem in problems:
        missing.difference_update(problem.extra)
        fields.update(problem.extra)
        if all(label.holds(str(problem.extra.get(label.field, ""))) for label in where):
            yield problem
    if missing:
        raise unknown("field in --where", min(missing), fields)


def verifier_of(problem: Problem) -> str:
    """Name the verifier of a problem: that of the task it says it belongs to.

    A local file has problems of all kinds, which tests, choices and puzzles tell apart.

    Raises:
        UserError: no such task.
    """
    if problem.task.startswith(GYM):
        return GYM_VERIFIER
    if not problem.task.startswith(FILE):
        return get(problem.task).verifier
    if problem.answer.startswith(TESTS):
        return PROGRAM_VERIFIER
    if "gym" in problem.extra:
        return GYM_VERIFIER
    if problem.extra.get("instruction_id_list"):
        return INSTRUCTION_VERIFIER
    return CHOICE_VERIFIER if problem.extra.get("choices") else FILE_VERIFIER


def inspector(name: str) -> Callable[[str, str], dict[str, tuple[int, int]]] | None:
    """Give the `inspect` of the task that a problem says it belongs to, if it has one.

    Raises:
        UserError: no such task.
    """
    return None if name.startswith((FILE, GYM)) else get(name).inspect
