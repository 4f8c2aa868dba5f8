"""Where graders of mathematical answers disagree, and which side each rule set takes.

`math` takes what most published graders accept; `math_strict` takes an answer only as the
reference states it; `math_lenient` takes what any of them accepts, as far as it can be right.
docs/math.md has the table with the graders and their sources.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Rules:
    """One side for each of the questions."""

    percent: Literal["literal", "sign", "any"] = "sign"
    """50 % is 0.5 only; 50 % is 0.5 and 50; 50 is 0.5 also where neither has a sign."""
    decimals: Literal["exact", "rounded", "near"] = "rounded"
    """A decimal is what it says; or, from four places on, what it is the rounding of; or whatever
    differs from it by less than one part in 10,000."""
    reduced: bool = False
    """Whether 2/4 is wrong where 1/2 is asked for."""
    units: bool = False
    """Whether a unit of the reference has to be in the answer."""
    ordered: bool = False
    """Whether `1, 2` differs from `2, 1` where neither has brackets."""
    brackets: bool = True
    """Whether [1, 2] differs from (1, 2), and (1, 2, 3) from a column of three."""
    texts: bool = True
    """Whether the text of a choice stands for its letter."""
    case: bool = False
    """Whether `Even` differs from `even`."""
    last_number: bool = True
    """Whether the last number of a text without any marker is taken as its answer."""


DEFAULT = Rules()
STRICT = Rules(
    percent="literal",
    decimals="exact",
    reduced=True,
    units=True,
    ordered=True,
    texts=False,
    case=True,
    last_number=False,
)
LENIENT = Rules(percent="any", decimals="near", brackets=False)
NEAR = (1, 10_000)  # of the reference; Qwen2.5-Math's numeric_equal
