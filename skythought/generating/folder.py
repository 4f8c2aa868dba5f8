"""What a run folder is for, and whether it may be asked for more of it.

A sample is its request (`records.trace_id`): more samples of a problem, or more problems of the
task, leave those on disk what they are. So a folder may be asked for more, and then is for that, or
for less, which changes nothing. Another model, sampling, prompt or task is another run.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from skythought.core import progress, store
from skythought.core.errors import UserError
from skythought.core.records import Problem, digest, digest_all
from skythought.generating import found as founds
from skythought.generating.work import Asked, ids, missing

STAGE = "generate"
SIZES = ("n", "n_problems", "problems")  # of the settings, how much is wanted
FILES = ("problems.jsonl", "traces.jsonl")


class Whole(NamedTuple):
    """All that a folder is for."""

    problems: Sequence[Problem]
    n: int  # samples of each
    more: bool  # than is asked for now
    settings: dict[str, Any]  # for its manifest
    grown: bool = False  # there are problems that it does not hold yet
    rebuilt: str = ""  # why its manifest has to be written anew


def settings(problems: Sequence[Problem], asked: Asked, n: int) -> dict[str, Any]:
    """Give what the manifest says of a run."""
    return {
        "problems": digest_all(problems),
        "n_problems": len(problems),
        "model": asked.model,
        "sampling": msgspec.to_builtins(asked.sampling),
        "n": n,
        "system_prompt": asked.system_prompt,
        **({"prefill": asked.prefill} if asked.prefill else {}),
    }


def look(folder: Path, problems: Sequence[Problem], asked: Asked, wanted: dict[str, Any]) -> Whole:
    """Find what a folder is for, with what is asked for now, whose `settings` are `wanted`.

    Raises:
        UserError: it holds another run, or files that are not from here.
    """
    try:
        owned = store.owns(folder, STAGE, wanted, sizes=SIZES)
    except store.Unreadable:
        return _rebuild(folder, problems, asked, f"{folder}/manifest.json: is cut off")
    if not owned:
        if not any((folder / name).exists() for name in FILES):
            return Whole(problems, asked.n, False, wanted)
        return _rebuild(folder, problems, asked, f"{folder}/manifest.json: is missing", gone=True)
    old = store.manifest(folder)["config"]
    n = max(asked.n, old.get("n", 1))
    if old.get("problems") == wanted["problems"]:
        return Whole(problems, n, n > asked.n, wanted | {"n": n})
    held = _held(folder)
    if not held:
        raise UserError(
            f"{folder / FILES[0]}: is missing or empty, and these are not the problems it was made "
            "with; run the command that made it, or choose another output folder"
        )
    both = _together(folder, held, problems)
    more = len(both) > len(problems) or n > asked.n
    return Whole(both, n, more, settings(both, asked, n), len(both) > len(held))


def claim(folder: Path, problems: Sequence[Problem], asked: Asked, wanted: dict[str, Any]) -> Whole:
    """Make a folder this run's own, for all that it was asked for and is now.

    Raises:
        UserError: as `look`, or the place may not be written.
    """
    whole = look(folder, problems, asked, wanted)
    path = folder / FILES[0]
    if whole.grown:  # before the manifest, which promises them
        store.write_records(path, whole.problems)
    if whole.rebuilt:
        progress.say(f"{whole.rebuilt}; it is written anew: its samples are of this command")
        (folder / "manifest.json").unlink(missing_ok=True)
    store.claim(folder, STAGE, whole.settings, sizes=SIZES)
    if not path.exists() or not path.stat().st_size:  # after it, which says whose they are
        store.write_records(path, whole.problems)
    return whole


def beyond(whole: Whole) -> str:
    """Say that a folder is for more than is asked for now."""
    n, samples = len(whole.problems), "sample" if whole.n == 1 else "samples"
    return (
        f"is for more than this asks for ({n:,} problems, {whole.n:,} {samples} of each); what it "
        "holds of that stays"
    )


def left(whole: Whole, asked: Asked, finished: set[str]) -> int:
    """Count the samples that a folder is for and does not hold."""
    return len(missing(whole.problems, msgspec.structs.replace(asked, n=whole.n), finished))


def _held(folder: Path) -> list[Problem]:
    return store.read(folder / FILES[0], Problem)


def _together(folder: Path, held: list[Problem], problems: Sequence[Problem]) -> list[Problem]:
    """Add to the problems of a folder those that are new.

    Raises:
        UserError: none is there already, or one is there and was another.
    """
    known = {problem.id: problem for problem in held}
    new = []
    for problem in problems:
        before = known.get(problem.id)
        if before is None:
            new.append(problem)
        elif digest(before) != digest(problem):
            field = next(
                name
                for name in problem.__struct_fields__
                if digest(getattr(before, name)) != digest(getattr(problem, name))
            )
            raise UserError(
                f"{folder}: was made with another {field} of problem {problem.id!r}; choose "
                "another output folder or delete this one"
            )
    if len(new) == len(problems):
        first, now = held[0], problems[0]
        raise UserError(
            f"{folder}: was made with other problems (task {first.task}, from {first.id!r} on), "
            f"none of which is asked for now (task {now.task}, from {now.id!r} on); choose another "
            "output folder, or a range that begins in this one's"
        )
    return [*held, *new]


def _rebuild(
    folder: Path, problems: Sequence[Problem], asked: Asked, why: str, *, gone: bool = False
) -> Whole:
    """Take a folder whose manifest is `gone` or torn, if all samples in it are of this run.

    Raises:
        UserError: they are not, or the files may be anybody's.
    """
    found = founds.read(folder / FILES[1])
    held = [name for name in FILES if (folder / name).exists()]
    known = found.finished | found.failed
    if gone and (len(held) < len(FILES) or not known):
        raise UserError(
            f"{folder / held[-1]}: exists, and not from generate; choose another --result-dir"
        )
    if FILES[0] not in held or (found.lines and not known):
        raise UserError(f"{why}; {store.TORN}")
    old = _held(folder) or [*problems]
    both = _together(folder, old, problems)
    strange = known.difference(ids(both, asked))
    if strange:
        raise UserError(
            f"{why}; {len(strange):,} of {len(known):,} samples in {FILES[1]} are not of this "
            "command; give the settings that they were made with, or choose another output folder"
        )
    more = len(both) > len(problems)
    return Whole(both, asked.n, more, settings(both, asked, asked.n), len(both) > len(old), why)
