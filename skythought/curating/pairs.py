"""Preference pairs that teach shorter reasoning: what to write, and what to write no more.

| kind | chosen | rejected |
|---|---|---|
| `shortest` | the shortest of a problem's correct traces | the longest |
| `first_solution` | the first arrival at the answer and one reflection | all of it |

Both are those of Sky-T1-Flash (NovaSky, "Think less, achieve more", 2025): it compares the shortest
correct sample with the longest, and keeps the first correct solution and one more (FCS+1). The
reflection ends where the answer is stated again behind a reflection keyword. A thought that never
reflects ends at its second statement of the answer, or at its only one.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from skythought.core import steps
from skythought.core.records import Trace
from skythought.curating.facts import Facts

Kind = Literal["shortest", "first_solution"]
# A last sentence that asks, or says what comes next, behind one that says something.
ANNOUNCED = re.compile(
    r"(?<=[.!?)\]}])\s+(?:(?:(?:but|wait|hmm|now|so|well|ok|okay|just|maybe|perhaps)\b[,.…]* ){0,3}"
    r"(?:let me|let's|i'll|i should|i need to|another way)\b[^.!?:\n]{0,120}[.:…]*"
    r"|[^\s.!?][^.!?\n]{0,200}\?)\s*$",
    re.IGNORECASE,
)
SHORTER = 0.9  # of the rejected one's length, at most; pairs more alike teach nothing


def of_lengths(found: Sequence[Facts], n: int | None = None) -> list[tuple[Facts, Facts]]:
    """Pair the shortest with the longest, the next shortest with the next longest, ...

    At most n pairs of a prompt; the chosen one is shorter by a tenth at least.
    """
    groups: defaultdict[bytes, list[Facts]] = defaultdict(list)
    for facts in found:
        groups[facts.prompt].append(facts)
    pairs = []
    for group in groups.values():
        ordered = sorted(group, key=lambda facts: (facts.tokens, facts.lesson))
        for i in range(min(len(ordered) // 2, n or 1)):
            chosen, rejected = ordered[i], ordered[-1 - i]
            if chosen.tokens <= SHORTER * rejected.tokens:
                pairs.append((chosen, rejected))
    return pairs


def first_solution(
    trace: Trace, arrivals: Sequence[int], states: Callable[[str], bool]
) -> Trace | None:
    """Cut a thought behind its first solution and one reflection; None where that saves nothing.

    Sentences at the end that only ask or announce what is cut off ("Let me check that.") go too,
    as long as the rest states the answer.

    Args:
        trace: what is cut.
        arrivals: the numbers of the steps that state the final answer, in order.
        states: says whether a text states it.
    """
    if not arrivals or not trace.thought.strip():
        return None
    parts = steps.split(trace.thought)
    end = _reflected(parts, arrivals)
    if end is None:
        end = arrivals[min(1, len(arrivals) - 1)]
    while (shorter := ANNOUNCED.sub("", parts[end])) != parts[end] and states(shorter):
        parts[end] = shorter
    kept = steps.join(parts[: end + 1])
    if len(kept) > SHORTER * len(trace.thought):
        return None
    return msgspec.structs.replace(trace, thought=kept, completion_tokens=0)


def _reflected(parts: Sequence[str], arrivals: Sequence[int]) -> int | None:
    """Give the first arrival with a reflection keyword between it and the first of all."""
    first = arrivals[0]
    for place in range(first + 1, arrivals[-1] + 1):
        if steps.KEYWORD.search(parts[place]):
            return next(arrival for arrival in arrivals if arrival >= place)
    return None
