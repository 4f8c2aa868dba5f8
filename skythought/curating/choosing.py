"""Choose among traces that are all good enough: which of a problem's, and which of all.

Every function keeps the order of what it is given, and draws nothing but from its seed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Literal

from skythought.core.records import digest
from skythought.curating import topics
from skythought.curating.facts import Facts

Prefer = Literal["first", "shortest", "longest", "structured"]
By = Literal["structure", "shortest", "longest", "random"]


def rank(how: str, seed: int = 0) -> Callable[[Facts], tuple[float, str]]:
    """Give the key by which the best come first; what is equal is ordered by a hash, not by place.

    >>> sorted(found, key=rank("shortest"))[0].tokens  # doctest: +SKIP
    """

    def key(facts: Facts) -> tuple[float, str]:
        tie = digest(seed, facts.lesson.hex())
        if how == "random":
            return 0.0, tie
        by = {"shortest": facts.tokens, "longest": -facts.tokens}
        return by.get(how, -facts.score), tie

    return key


def per_problem(found: Sequence[Facts], n: int, prefer: Prefer = "first") -> list[Facts]:
    """Keep at most n traces of each problem: the first, shortest, longest or most structured."""
    groups: defaultdict[str, list[Facts]] = defaultdict(list)
    for facts in found:
        groups[facts.problem].append(facts)
    kept: set[int] = set()
    for group in groups.values():
        best = group if prefer == "first" else sorted(group, key=rank(prefer))
        kept.update(map(id, best[:n]))
    return [facts for facts in found if id(facts) in kept]


def select(found: Sequence[Facts], n: int, by: By, seed: int = 0) -> list[Facts]:
    """Choose n traces of all.

    `structure` takes the most structured of every topic in turn (`topics.groups` of the questions),
    so that one kind of problem that makes long searches does not fill the set; the others look at
    length or chance alone.
    """
    if len(found) <= n:
        return list(found)
    if by != "structure":
        chosen = sorted(found, key=rank(by, seed))[:n]
    else:
        topic = topics.groups([facts.topic for facts in found], topics.how_many(n), seed)
        queues: defaultdict[int, list[Facts]] = defaultdict(list)
        for facts, number in zip(found, topic, strict=True):
            queues[number].append(facts)
        turns = [
            (turn, rank("structured")(facts), facts)
            for queue in queues.values()
            for turn, facts in enumerate(sorted(queue, key=rank("structured")))
        ]
        chosen = [facts for *_, facts in sorted(turns, key=lambda item: item[:2])[:n]]
    kept = set(map(id, chosen))
    return [facts for facts in found if id(facts) in kept]
