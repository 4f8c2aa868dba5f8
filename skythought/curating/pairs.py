"""Preference pairs that teach shorter reasoning: what to write, and what to write no more.

| kind | chosen | rejected |
|---|---|---|
| `shortest` | the shortest of a problem's correct traces | the longest |
| `first_solution` | the trace up to its second arrival at the answer | the whole trace |

Both are those of Sky-T1-Flash (NovaSky, "Think less, achieve more", 2025): it compares the shortest
correct sample with the longest, and keeps the first correct solution and one more (FCS+1). Where a
thought arrives once only, `first_solution` ends there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Literal

import msgspec

from skythought import steps
from skythought.curating.facts import Facts
from skythought.records import Trace

Kind = Literal["shortest", "first_solution"]
SHORTER = 0.9  # of the rejected one's length, at most; pairs more alike teach nothing


def of_lengths(found: Sequence[Facts], n: int | None = None) -> list[tuple[Facts, Facts]]:
    """Pair the shortest with the longest, the next shortest with the next longest, ...

    At most n pairs of a prompt; the chosen one is shorter by a tenth at least.
    """
    groups: defaultdict[str, list[Facts]] = defaultdict(list)
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


def first_solution(trace: Trace, arrivals: Sequence[int]) -> Trace | None:
    """Cut a thought behind its second arrival at the answer (behind the only one); None in vain.

    `arrivals` are the numbers of the steps that state the final answer, in order.
    """
    if not arrivals:
        return None
    parts = steps.split(trace.thought)
    kept = steps.join(parts[: arrivals[min(1, len(arrivals) - 1)] + 1])
    if len(kept) > SHORTER * len(trace.thought):
        return None
    return msgspec.structs.replace(trace, thought=kept, completion_tokens=0)
