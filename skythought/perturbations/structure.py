"""Change which steps a thought has and in which order; no step's own text changes.

Steps are the paragraphs of `steps.split`, n of them. A fraction means round(fraction * n) steps.
The thought is written again with one blank line between steps; where nothing is chosen, it stays as
it was.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import msgspec

from skythought import steps
from skythought.errors import UserError
from skythought.records import Trace

TRIES = 64  # draws of a donor before all of them are searched


def shuffle(trace: Trace, rng: random.Random, *, fraction: float) -> Trace:
    """Permute a fraction of the steps among their places; every one of them leaves its own.

    One step alone cannot change places, so where one would be chosen, two are.
    """
    parts = steps.split(trace.thought)
    n_chosen = round(fraction * len(parts))
    if n_chosen == 1:
        n_chosen = min(2, len(parts))
    if n_chosen < 2:
        return trace
    old = sorted(rng.sample(range(len(parts)), n_chosen))
    new = old[:]
    while any(a == b for a, b in zip(old, new, strict=True)):  # e draws on average
        rng.shuffle(new)
    moved = parts[:]
    for source, target in zip(old, new, strict=True):
        moved[target] = parts[source]
    return _with(trace, moved)


def swap_adjacent(trace: Trace, rng: random.Random, *, fraction: float) -> Trace:
    """Swap neighbouring steps, in pairs that share no step: a fraction of them moves by one."""
    parts = steps.split(trace.thought)
    n_pairs = min(round(fraction * len(parts) / 2), len(parts) // 2)
    # Pairs without overlap are choices among the places that are left when each pair is one place.
    chosen = sorted(rng.sample(range(len(parts) - n_pairs), n_pairs))
    for pairs_before, place in enumerate(chosen):
        first = place + pairs_before
        parts[first], parts[first + 1] = parts[first + 1], parts[first]
    return _with(trace, parts) if chosen else trace


def delete(trace: Trace, rng: random.Random, *, fraction: float) -> Trace:
    """Remove a fraction of the steps, keeping the order; at 1.0 the thought is empty."""
    parts = steps.split(trace.thought)
    gone = set(rng.sample(range(len(parts)), round(fraction * len(parts))))
    kept = [part for i, part in enumerate(parts) if i not in gone]
    return _with(trace, kept) if gone else trace


def truncate(trace: Trace, rng: random.Random, *, fraction: float) -> Trace:
    """Remove the last fraction of the steps; nothing is drawn."""
    parts = steps.split(trace.thought)
    n_gone = round(fraction * len(parts))
    return _with(trace, parts[: len(parts) - n_gone]) if n_gone else trace


def insert(
    trace: Trace, rng: random.Random, *, fraction: float, donors: Sequence[Trace] = ()
) -> Trace:
    """Put steps of other problems between the steps, which all stay, in their order.

    round(fraction * n) of the n + 1 gaps (before the first step, between two, after the last) are
    chosen, and each takes one step: a random one of a random donor. So the thought grows. The paper
    says only that steps of other correct traces are inserted; this procedure is ours.

    Args:
        trace: what to change.
        rng: where the gaps, donors and steps are drawn from.
        fraction: number of inserted steps per step of the trace.
        donors: traces to take steps from; those of the same problem are passed over.

    Raises:
        UserError: no donor with a thought answers another problem.
    """
    parts = steps.split(trace.thought)
    gaps = set(rng.sample(range(len(parts) + 1), round(fraction * len(parts))))
    grown: list[str] = []
    for i in range(len(parts) + 1):
        if i in gaps:
            grown.append(_foreign_step(trace, rng, donors))
        grown += parts[i : i + 1]
    return _with(trace, grown) if gaps else trace


def same_problem(one: Trace, other: Trace) -> bool:
    """Say whether two traces answer the same problem, by its id or by the words of the prompt."""
    return one.problem_id == other.problem_id or _asked(one) == _asked(other)


def _asked(trace: Trace) -> list[str]:
    return [word for turn in trace.messages if turn.role == "user" for word in turn.content.split()]


def _foreign_step(trace: Trace, rng: random.Random, donors: Sequence[Trace]) -> str:
    for _ in range(TRIES if donors else 0):
        donor = rng.choice(donors)
        if donor.thought.strip() and not same_problem(trace, donor):
            return rng.choice(steps.split(donor.thought))
    fit = [d for d in donors if d.thought.strip() and not same_problem(trace, d)]
    if not fit:
        raise UserError(
            f"trace {trace.id}: no thought of another problem to insert from; give a file that "
            "holds other problems with --donors"
        )
    return rng.choice(steps.split(rng.choice(fit).thought))


def _with(trace: Trace, parts: list[str]) -> Trace:
    return msgspec.structs.replace(trace, thought=steps.join(parts))
