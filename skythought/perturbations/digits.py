"""Corrupt the digits of a thought.

    3 plus 4 is 7, so the total is 17.   ->   3 plus 9 is 7, so the total is 52.

round(fraction * n) of the n digits are chosen without replacement and each is replaced by a
uniformly random digit, which may be the old one again: one in ten of those chosen stays as it was.
Length and everything that is not one of 0-9 stay.
"""

from __future__ import annotations

import random

import msgspec

from skythought.core.records import Trace

DIGITS = "0123456789"


def digits(trace: Trace, rng: random.Random, *, fraction: float) -> Trace:
    """Redraw a fraction of the digits of the thought."""
    chars = list(trace.thought)
    places = [i for i, char in enumerate(chars) if char in DIGITS]
    for i in rng.sample(places, round(fraction * len(places))):
        chars[i] = rng.choice(DIGITS)
    return msgspec.structs.replace(trace, thought="".join(chars))
