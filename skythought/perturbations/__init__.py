"""Perturbations: generic changes to the text of a trace. They know nothing of any task.

A perturbation is a function

    (trace, rng, *, fraction, **options) -> trace

that changes `thought` (and `answer` only where its kind says so) and nothing else. One that takes
the option `donors` is given traces to take text from. `make` binds kind, fraction and seed, and is
the one owner of lineage: what comes out of it has its own id, its `parent`, and one more of the
`edits`.

    make("digits", fraction=0.5, seed=0)(trace).edits == ("digits fraction=0.5 seed=0",)
"""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable
from typing import Any

import msgspec

from skythought import registry
from skythought.errors import UserError
from skythought.records import Trace, digest, trace_id

PERTURBATIONS = {
    "answers": "skythought.perturbations.answers:answers",  # another, wrong final answer
    "digits": "skythought.perturbations.digits:digits",  # digits redrawn at random
    "keywords": "skythought.perturbations.keywords:keywords",  # reflection keywords removed
    "shuffle": "skythought.perturbations.structure:shuffle",  # steps change places
    "swap_adjacent": "skythought.perturbations.structure:swap_adjacent",  # only neighbours do
    "delete": "skythought.perturbations.structure:delete",  # steps removed
    "truncate": "skythought.perturbations.structure:truncate",  # the last steps removed
    "insert": "skythought.perturbations.structure:insert",  # steps of other problems put between
}


def get(name: str) -> Callable[..., Trace]:
    """Return a perturbation by name.

    Raises:
        UserError: no such perturbation, or what the name leads to is no function.
    """
    found: Callable[..., Trace] = registry.resolve("perturbation", name, PERTURBATIONS)
    if not callable(found):
        raise UserError(f"perturbation {name!r}: expected a function, found {type(found).__name__}")
    return found


def needs_donors(name: str) -> bool:
    """Say whether a perturbation takes text from other traces.

    Raises:
        UserError: no such perturbation.
    """
    return "donors" in inspect.signature(get(name)).parameters


def make(name: str, *, fraction: float, seed: int = 0, **options: Any) -> Callable[[Trace], Trace]:
    """Bind a perturbation, so that calling the result with a trace gives the perturbed trace.

    What is drawn depends on the seed, the trace's id, the kind and the fraction: the same trace is
    changed in the same way in whatever file and order it comes. The perturbed trace's
    `completion_tokens` is 0 (unknown) where its text changed.

    Raises:
        UserError: no such perturbation, or a fraction that is not between 0 and 1.
    """
    change = get(name)
    if not 0 <= fraction <= 1:
        raise UserError(f"fraction {fraction:g}: give a number from 0 to 1 (50 % is 0.5)")
    edit = f"{name} fraction={fraction:g} seed={seed}"
    for key, value in options.items():
        plain = isinstance(value, str | int | float)
        edit += f" {key}={value if plain else digest(value, length=8)}"

    def perturbed(trace: Trace) -> Trace:
        rng = random.Random(digest(seed, trace.id, name, float(fraction)))
        new = change(trace, rng, fraction=fraction, **options)
        edits = (*trace.edits, edit)
        same = (new.thought, new.answer) == (trace.thought, trace.answer)
        key = trace_id(
            trace.problem_id,
            trace.messages,
            trace.model,
            trace.sampling,
            trace.sample,
            parent=trace.id,
            edits=edits,
        )
        return msgspec.structs.replace(
            new,
            id=key,
            parent=trace.id,
            edits=edits,
            completion_tokens=trace.completion_tokens if same else 0,
        )

    return perturbed
