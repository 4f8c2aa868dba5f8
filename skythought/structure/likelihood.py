"""The language-model estimator of structural consistency: is a step likelier after its own?

For step t of a thought, the mean log-probability of its tokens after its predecessor is compared
with that after `others` other steps of the same thought:

    follows(t) = mean over others o of sigmoid((log p(step_t | step_{t-1}) - log p(step_t | o))/T)

in nats per token; with T = 0 it is the share of the others that the predecessor beats. The
consistency is the mean over its steps, one half where order tells the model nothing. The first step
is judged after the question where that is given, else not at all; so is the last. What is compared,
and how much of it, is a `Comparison`; what gives log-probabilities is a `Scorer` (`scorers.py`).
Steps are drawn from the seed, the number of steps and t alone, so that a thought and its corrupted
copy are asked the same.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

from skythought.core.errors import UserError
from skythought.structure.scorers import Pair, Scorer

TEMPERATURE = 0.0  # T, in nats per token; 0 was the best of those tried (benchmarks/structure.md)
BETWEEN = "\n\n"
LEAST = 3  # texts to compare: the question and the steps


@dataclass(frozen=True)
class Comparison:
    """What is compared with what; another one gives other figures.

    Raises:
        UserError: a number below 1.
    """

    others: int = 3  # steps each step is tried after, beside its own predecessor
    most: int = 100  # steps that are judged of a thought; of a longer one they are drawn
    context: int = 600  # characters of what comes before, its last ones, from the start of a word
    continuation: int = 240  # characters of the step, its first ones, up to the end of a word
    seed: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            if field.name != "seed" and getattr(self, field.name) < 1:
                raise UserError(f"{field.name}={getattr(self, field.name)}: give 1 or more")


class Judged(NamedTuple):
    """What a model says of one step."""

    own: float  # nats per token after its predecessor
    others: tuple[float, ...]  # after other steps of the thought

    def follows(self, temperature: float = TEMPERATURE) -> float:
        """Give the share of the others that the predecessor beats, 0-1, softly where T > 0."""
        return sum(_beats(self.own - o, temperature) for o in self.others) / len(self.others)

    @property
    def best(self) -> bool:
        """Say whether no other step makes it likelier than its predecessor does."""
        return self.own >= max(self.others)


def judge(
    parts: Sequence[str],
    scorer: Scorer,
    *,
    question: str = "",
    comparison: Comparison | None = None,
) -> list[Judged]:
    """Judge the steps of a thought, in order; none where there are fewer than three to compare.

    Args:
        parts: the steps.
        scorer: what gives log-probabilities.
        question: what the first step follows.
        comparison: what is compared, where not as usual.
    """
    asked = ask(parts, question, comparison or Comparison())
    return judged(asked, scorer.logprobs([pair for pairs in asked for pair in pairs]))


def ask(parts: Sequence[str], question: str, comparison: Comparison) -> list[list[Pair]]:
    """List what is to be scored for each step that is judged: after its predecessor, then others.

    A pair is (context, continuation), cut as the comparison says.
    """
    before = ([question] if question.strip() else []) + list(parts)
    if len(before) < LEAST:
        return []
    return [
        [
            (_last(before[o], comparison.context) + BETWEEN, _first(before[t], comparison))
            for o in (t - 1, *_drawn(len(before), t, comparison))
        ]
        for t in _chosen(len(before), comparison)
    ]


def judged(asked: Sequence[Sequence[Pair]], values: Iterable[float]) -> list[Judged]:
    """Give what was scored, in the order of what was asked, back to its steps."""
    found = iter(values)
    return [Judged(next(found), tuple(next(found) for _ in pairs[1:])) for pairs in asked]


def consistency(judged: Sequence[Judged], temperature: float = TEMPERATURE) -> float | None:
    """Give the fraction of steps that follow, 0-1; None where nothing was judged."""
    if not judged:
        return None
    return sum(step.follows(temperature) for step in judged) / len(judged)


def _chosen(n: int, comparison: Comparison) -> Iterable[int]:
    """Choose the steps to judge among n texts; the first has nothing before it."""
    if n - 1 <= comparison.most:
        return range(1, n)
    return sorted(random.Random(f"{comparison.seed} {n}").sample(range(1, n), comparison.most))


def _drawn(n: int, t: int, comparison: Comparison) -> list[int]:
    """Draw other texts than t and its predecessor, out of n."""
    rng = random.Random(f"{comparison.seed} {n} {t}")
    drawn = rng.sample(range(n - 2), min(comparison.others, n - 2))
    return [i if i < t - 1 else i + 2 for i in drawn]


def _last(text: str, n: int) -> str:
    """Give the last n characters, from the start of a word on where there is one."""
    if len(text) <= n:
        return text
    kept = text[-n:]
    if not text[-n - 1].isspace():
        _, _, rest = kept.partition(" ")
        kept = rest or kept
    return kept


def _first(text: str, comparison: Comparison) -> str:
    """Give the first characters that are judged, up to the end of a word where there is one."""
    n = comparison.continuation
    if len(text) <= n or text[n].isspace():
        return text[:n]
    rest, _, _ = text[:n].rpartition(" ")
    return rest if rest.strip() else text[:n]


def _beats(difference: float, temperature: float) -> float:
    if temperature <= 0:
        return 0.5 + 0.5 * ((difference > 0) - (difference < 0))
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, difference / temperature))))
