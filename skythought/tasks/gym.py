"""Tasks of the library reasoning-gym: about a hundred kinds of puzzles, endless, exactly scored.

    tasks.get("reasoning_gym/chain_sum").load("train", seed=0)
    -> Problem(id="reasoning_gym-chain_sum-train-...", task="reasoning_gym/chain_sum",
               question="State the final answer to the following arithmetic problem: 4 + 3 =",
               answer="7", extra={"gym": {"dataset": "chain_sum", "metadata": {...}, ...}})

The library's scorers want the metadata of an entry as it was made, so `extra` holds it in a form of
JSON that `plain` writes and the verifier `reasoning_gym` reads back: tuples, sets, fractions and
keys that are no texts are marked. The split of a problem is a hash of its question, so train, dev
and test never share one, whatever seeds are used.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from typing import Any

from skythought.core import progress
from skythought.core.errors import UserError, require, unknown
from skythought.core.records import Problem, digest
from skythought.tasks import GYM, Task

SPLITS = {"test": range(0, 2), "dev": range(2, 4), "train": range(4, 16)}
CHUNK = 200  # entries of one seed; some datasets prepare all of a seed at once
MAX_MISSES = 3_000  # entries in a row that are known or of another split: there are no more
SYSTEM_PROMPT = (
    "Please reason step by step. Put your final answer, and nothing else, between <answer> and "
    "</answer>, in the form that the problem asks for."
)
ANY = "any that the scorer accepts"  # in place of a reference where the library has none
REFUSED = {
    "composite": "it mixes other datasets; name one of those",
    "game_of_life_halting": "its scorer accepts every answer",
}


def make(name: str) -> Task:
    """Make the task of one dataset of reasoning-gym.

    Raises:
        UserError: the library is not installed, there is no such dataset, or it cannot be scored.
    """
    known = require("reasoning_gym.factory", "gym").DATASETS
    if name in REFUSED:
        raise UserError(f"reasoning_gym dataset {name!r} is left out: {REFUSED[name]}")
    if name not in known:
        raise unknown("reasoning_gym dataset", name, set(known) - set(REFUSED))
    return Task(
        name=GYM + name,
        source="reasoning-gym",
        revision="",
        licence="Apache-2.0",
        verifier="reasoning_gym",
        chance=0.0,
        system_prompt=SYSTEM_PROMPT,
        load=partial(load, name=name),
        endless=True,
    )


def load(split: str, seed: int = 0, *, name: str, **_: object) -> Iterator[Problem]:
    """Yield distinct problems of one split, the same for the same seed and version of the library.

    A dataset with few different questions ends; a line on the terminal says so.

    Raises:
        UserError: there is no such split, or the metadata holds what cannot be written as JSON.
    """
    if split not in SPLITS:
        raise unknown(f"split of {GYM}{name}", split, SPLITS)
    return _problems(split, seed, name)


def _problems(split: str, seed: int, name: str) -> Iterator[Problem]:
    gym = require("reasoning_gym", "gym")
    seen: set[str] = set()
    misses = 0
    for chunk in itertools.count():
        number = int(digest("reasoning_gym", name, seed, chunk)[:8], 16) >> 1
        dataset = gym.create_dataset(name, seed=number, size=CHUNK)
        for index in range(CHUNK):
            entry = dataset[index]
            question = entry["question"]
            blank = isinstance(entry["answer"], str) and not entry["answer"].strip()
            if question in seen or blank or split_of(question) != split:
                misses += 1
                if misses > MAX_MISSES:
                    progress.say(f"{GYM}{name}: only {len(seen):,} problems in split {split!r}")
                    return
                continue
            misses = 0
            seen.add(question)
            yield _problem(name, split, entry)


def _problem(name: str, split: str, entry: dict[str, Any]) -> Problem:
    answer = entry["answer"]
    try:
        kept = {"dataset": name, "answer": plain(answer), "metadata": plain(entry["metadata"])}
    except TypeError as error:
        raise UserError(
            f"reasoning_gym dataset {name!r} is left out: its metadata cannot be kept ({error})"
        ) from error
    return Problem(
        id=f"reasoning_gym-{name}-{split}-{digest(entry['question'])}",
        task=GYM + name,
        question=entry["question"],
        answer=ANY if answer is None else str(answer),
        extra={"gym": kept},
    )


def split_of(question: str) -> str:
    """Name the split a question belongs to."""
    number = int(digest(question)[:8], 16) % 16
    return next(name for name, numbers in SPLITS.items() if number in numbers)


def plain(value: Any) -> Any:
    """Write a Python value as JSON from which the same value can be made again.

    Raises:
        TypeError: it holds an object of another kind.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value) if -(2**63) <= value < 2**63 else {"~": "int", "of": str(value)}
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"~": "float", "of": repr(float(value))}
    if isinstance(value, list):
        return [plain(part) for part in value]
    if isinstance(value, tuple):
        return {"~": "tuple", "of": [plain(part) for part in value]}
    if isinstance(value, set | frozenset):
        return {"~": "set", "of": [plain(part) for part in sorted(value, key=repr)]}
    if isinstance(value, Fraction):
        return {"~": "fraction", "of": str(value)}
    if isinstance(value, dict):
        if "~" not in value and all(isinstance(key, str) for key in value):
            return {key: plain(part) for key, part in value.items()}
        return {"~": "dict", "of": [[plain(key), plain(part)] for key, part in value.items()]}
    raise TypeError(f"an object of the kind {type(value).__name__}")
