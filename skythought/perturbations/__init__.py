"""Perturbations: generic changes to the text of a trace. They know nothing of any task.

A perturbation is a function

    (trace, rng, *, fraction, **options) -> trace

that changes `thought` (and `answer` only where its kind says so) and nothing else. Some options
are not written by people but given by who calls: `donors`, traces to take text from, and `counts`,
where to count. An option that is a function may be given as one or by its name,
`package.module:function`. `make` binds kind, fraction and seed, and is the one owner of lineage:
what comes out of it has its own id, its `parent`, and one more of the `edits`. `chain` makes one
perturbation of several.

    make("digits", fraction=0.5, seed=0)(trace).edits == ("digits fraction=0.5 seed=0",)
"""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from skythought.core import options as option_texts
from skythought.core import registry
from skythought.core.errors import UserError
from skythought.core.records import Trace, digest, trace_id
from skythought.perturbations.donors import Donors

PERTURBATIONS = {
    "answers": "skythought.perturbations.answers:answers",  # another, wrong final answer
    "digits": "skythought.perturbations.digits:digits",  # digits redrawn at random
    "keywords": "skythought.perturbations.keywords:keywords",  # reflection keywords removed
    "shuffle": "skythought.perturbations.structure:shuffle",  # steps change places
    "swap_adjacent": "skythought.perturbations.structure:swap_adjacent",  # only neighbours do
    "swap_roles": "skythought.perturbations.structure:swap_roles",  # only steps of unlike roles do
    "delete": "skythought.perturbations.structure:delete",  # steps removed
    "truncate": "skythought.perturbations.structure:truncate",  # the last steps removed
    "insert": "skythought.perturbations.structure:insert",  # steps of other problems put between
    "paraphrase": "skythought.perturbations.paraphrase:paraphrase",  # steps in other words
}

SILENT = ("counts",)  # options that change nothing of what is done

Perturbed = Callable[[Trace], Trace]


def get(name: str) -> Callable[..., Trace]:
    """Return a perturbation by name.

    Raises:
        UserError: no such perturbation, or what the name leads to is no function.
    """
    found: Callable[..., Trace] = registry.resolve("perturbation", name, PERTURBATIONS)
    if not callable(found):
        raise UserError(f"perturbation {name!r}: expected a function, found {type(found).__name__}")
    return found


def takes(name: str, option: str) -> bool:
    """Say whether a perturbation has an option.

    Raises:
        UserError: no such perturbation.
    """
    return option in inspect.signature(get(name)).parameters


def needs_donors(name: str) -> bool:
    """Say whether a perturbation takes text from other traces.

    Raises:
        UserError: no such perturbation.
    """
    return takes(name, "donors")


def read_options(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Read options as what a perturbation wants: numbers, and functions by their names.

    Raises:
        UserError: an option it does not have, a text that is no number, or names no function.
    """
    wanted = inspect.signature(get(name))
    first, *rest = wanted.parameters.values()
    taken = [p for p in rest if p.name not in ("rng", "fraction")]
    read = option_texts.typed(wanted.replace(parameters=[first, *taken]), given, "kind", name)
    for key, value in read.items():
        asked = wanted.parameters.get(key)
        if asked is not None and "Callable" in str(asked.annotation) and isinstance(value, str):
            read[key] = registry.resolve(key, value, {})
            if not callable(read[key]):
                raise UserError(f"{key} {value!r}: expected a function")
    return read


def check(name: str, fraction: float, given: Mapping[str, Any]) -> dict[str, Any]:
    """Read the options of a perturbation, and see that its fraction is one.

    Raises:
        UserError: as `read_options`, or a fraction that is not between 0 and 1.
    """
    if not 0 <= fraction <= 1:
        raise UserError(f"fraction {fraction:g}: give a number from 0 to 1 (50 % is 0.5)")
    return read_options(name, given)


def make(name: str, *, fraction: float, seed: int = 0, **options: Any) -> Perturbed:
    """Bind a perturbation, so that calling the result with a trace gives the perturbed trace.

    What is drawn depends on the seed, the trace's id, the kind and the fraction: the same trace is
    changed in the same way in whatever file and order it comes. The perturbed trace's
    `completion_tokens` is 0 (unknown) where its text changed.

    Raises:
        UserError: no such perturbation, a fraction that is not between 0 and 1, or an option that
            it does not have or cannot read.
    """
    change = get(name)
    bound = check(name, fraction, options)
    wanted = [
        option.name
        for option in inspect.signature(change).parameters.values()
        if option.kind is option.KEYWORD_ONLY and option.default is option.empty
    ]
    for option in wanted:
        if option not in (*bound, "fraction"):
            raise UserError(f"kind {name!r}: it needs the option {option}")
    edit = f"{name} fraction={fraction:g} seed={seed}"
    for key in bound:
        edit += f" {key}={_shown(options[key])}" if key not in SILENT else ""
    if "donors" in bound:
        bound["donors"] = Donors(bound["donors"])

    def perturbed(trace: Trace) -> Trace:
        rng = random.Random(digest(seed, trace.id, name, float(fraction)))
        new = change(trace, rng, fraction=fraction, **bound)
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


def chain(several: Sequence[Perturbed]) -> Perturbed:
    """Make one perturbation that does several in their order.

    Id, texts and edits are those of doing one after another; the `parent` is the trace that all
    began with, since those between are in no file.
    """

    def perturbed(trace: Trace) -> Trace:
        new = trace
        for change in several:
            new = change(new)
        return new if new is trace else msgspec.structs.replace(new, parent=trace.id)

    return perturbed


def _shown(value: Any) -> str:
    """Write an option into an edit: a function by its name, traces by their hash."""
    if isinstance(value, str | int | float):
        return str(value)
    if callable(value):
        return getattr(value, "label", "") or f"{value.__module__}:{value.__qualname__}"
    return digest(list(value), length=8)
