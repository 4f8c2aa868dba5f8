"""Change which steps a thought has and in which order; no step's own text changes.

Steps are the paragraphs of `steps.split`, n of them. A fraction means round(fraction * n) steps.
The thought is written again with one blank line between steps; where nothing is chosen, it stays as
it was.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache

import msgspec

from skythought.core import steps
from skythought.core.records import Trace
from skythought.perturbations.donors import Donors


def shuffle(trace: Trace, rng: random.Random, *, fraction: float) -> Trace:
    """Permute a fraction of the steps among their places; every one of them leaves its own.

    One step alone cannot change places, so where one would be chosen, two are.
    """
    parts = _parts(trace)
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
    parts = _parts(trace)
    n_pairs = min(round(fraction * len(parts) / 2), len(parts) // 2)
    # Pairs without overlap are choices among the places that are left when each pair is one place.
    chosen = sorted(rng.sample(range(len(parts) - n_pairs), n_pairs))
    for pairs_before, place in enumerate(chosen):
        first = place + pairs_before
        parts[first], parts[first + 1] = parts[first + 1], parts[first]
    return _with(trace, parts) if chosen else trace


def swap_roles(
    trace: Trace,
    rng: random.Random,
    *,
    fraction: float,
    roles: Callable[[Trace, Sequence[str]], Sequence[str]],
) -> Trace:
    """Swap steps of different roles, in pairs that share no step: a fraction of them moves.

    So the steps stay and the sequence of their roles changes, at every place that is touched. Where
    one role has more than half of the steps, no more pairs are made than the others allow.

    Args:
        trace: what to change.
        rng: where the pairs are drawn from.
        fraction: share of the steps that change places.
        roles: gives the role of each step of a trace, in their order.
    """
    parts = _parts(trace)
    found = list(roles(trace, parts))
    most = max(Counter(found).values(), default=0)
    n_pairs = min(round(fraction * len(parts) / 2), len(parts) // 2, len(parts) - most)
    if not n_pairs:
        return trace
    # Twice as many steps as pairs, of no role more than there are pairs: ordered by role, the first
    # half and the second differ place by place.
    taken: dict[str, list[int]] = {}
    left = 2 * n_pairs
    for place in rng.sample(range(len(parts)), len(parts)):
        same = taken.setdefault(found[place], [])
        if left and len(same) < n_pairs:
            same.append(place)
            left -= 1
    drawn = [place for same in taken.values() for place in same]
    for one, other in zip(drawn[:n_pairs], drawn[n_pairs:], strict=True):
        parts[one], parts[other] = parts[other], parts[one]
    return _with(trace, parts)


def delete(trace: Trace, rng: random.Random, *, fraction: float) -> Trace:
    """Remove a fraction of the steps, keeping the order; at 1.0 the thought is empty."""
    parts = _parts(trace)
    gone = set(rng.sample(range(len(parts)), round(fraction * len(parts))))
    kept = [part for i, part in enumerate(parts) if i not in gone]
    return _with(trace, kept) if gone else trace


def truncate(trace: Trace, rng: random.Random, *, fraction: float) -> Trace:
    """Remove the last fraction of the steps; nothing is drawn."""
    parts = _parts(trace)
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
    parts = _parts(trace)
    gaps = set(rng.sample(range(len(parts) + 1), round(fraction * len(parts))))
    pool = donors if isinstance(donors, Donors) else Donors(donors)
    grown: list[str] = []
    for i in range(len(parts) + 1):
        if i in gaps:
            grown.append(pool.draw(trace, rng))
        grown += parts[i : i + 1]
    return _with(trace, grown) if gaps else trace


def _parts(trace: Trace) -> list[str]:
    return list(_split(trace.thought))


@lru_cache(maxsize=4)
def _split(thought: str) -> tuple[str, ...]:
    """Cut a thought into steps once, where several edits begin with it."""
    return tuple(steps.split(thought))


def _with(trace: Trace, parts: list[str]) -> Trace:
    return msgspec.structs.replace(trace, thought=steps.join(parts))
