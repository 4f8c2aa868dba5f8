"""Majority votes of the samples of a problem (self-consistency, Wang et al. 2023).

    number(["1/2", "0.5", "7"], right=[True, True, False], alike=...)  -> [0, 0, 1]
    majority([0, 0, 1], k=3)                                          -> 1.0

Answers that mean the same are one vote. What stated no answer does not vote.
"""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter
from collections.abc import Callable, Sequence

RIGHT = 0  # the vote of right answers
NONE = -1  # no vote
ALL = 1_000  # subsets of k samples that are all looked at
DRAWS = 1_000  # of them, where there are more


def number(
    said: Sequence[str], right: Sequence[bool], alike: Callable[[str, str], bool]
) -> list[int]:
    """Number the answers of a problem so that those that mean the same share a number.

    Args:
        said: what each sample states, "" where it states nothing.
        right: which are right; these mean the same by their verdicts.
        alike: says whether two wrong answers, a first one and a later one, mean the same.
    """
    first: dict[str, int] = {}  # of each wrong text, its number
    kinds: list[str] = []  # of each number but the first, the text that was met first
    votes = []
    for text, is_right in zip(said, right, strict=True):
        key = "".join(text.split())
        if is_right:
            votes.append(RIGHT)
        elif not key:
            votes.append(NONE)
        else:
            if key not in first:
                same = next((i for i, kind in enumerate(kinds, 1) if alike(kind, text)), 0)
                if not same:
                    kinds.append(text)
                first[key] = same or len(kinds)
            votes.append(first[key])
    return votes


def majority(votes: Sequence[int], k: int, seed: int = 0) -> float:
    """Give the share of votes of k samples that the right answer wins; of a tie its part.

    Mean over all subsets of k samples, or over `DRAWS` of them where there are too many.

    Raises:
        ValueError: there are fewer than k samples.
    """
    if not 0 < k <= len(votes):
        raise ValueError(f"a vote of {k} needs as many samples, found {len(votes)}")
    if math.comb(len(votes), k) <= ALL:
        won = [_won(subset) for subset in itertools.combinations(votes, k)]
        return sum(won) / len(won)
    rng = random.Random(f"{seed} {k} {len(votes)}")
    return sum(_won(rng.sample(votes, k)) for _ in range(DRAWS)) / DRAWS


def _won(votes: Sequence[int]) -> float:
    counts = Counter(vote for vote in votes if vote != NONE)
    if not counts:
        return 0.0
    most = max(counts.values())
    first = [vote for vote, count in counts.items() if count == most]
    return (RIGHT in first) / len(first)
