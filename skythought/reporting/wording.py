"""Numbers as they are written in every form of the report.

percent(0.6942) -> "69.4 %"    points(-0.3) -> "−30.0"    p_value(0.00004) -> "< 0.001"
"""

from __future__ import annotations

from html import escape
from typing import Any

from skythought.core.errors import plain

NONE = "–"  # stands where there is no figure
MINUS = "−"


def safe(value: object) -> str:
    """Write any text for HTML: no markup, no control characters, none that turn the direction."""
    return escape(plain(str(value).replace("\r\n", "\n")))


def percent(share: float | None, unit: str = " %") -> str:
    """Write a share as a percentage with one decimal."""
    return NONE if share is None else f"{100 * share:.1f}{unit}"


def signed(value: float | None) -> str:
    """Write a number of points with its sign and one decimal."""
    if value is None:
        return NONE
    text = f"{abs(value):.1f}"
    if float(text) == 0:
        return text
    return f"{'+' if value > 0 else MINUS}{text}"


def points(share: float | None) -> str:
    """Write a difference of shares in points."""
    return signed(None if share is None else 100 * share)


def between(low: float | None, high: float | None) -> str:
    """Write the interval of a difference of shares, in points."""
    return NONE if low is None else f"{points(low)} to {points(high)}"


def share_between(low: float | None, high: float | None) -> str:
    """Write the interval of a share."""
    return NONE if low is None else f"{percent(low, '')} to {percent(high, '')}"


def each_seed(row: dict[str, Any]) -> str:
    """Write the accuracy of each training seed."""
    return ", ".join(percent(value, "") for value in row["per_seed"].values())


def verdict(row: dict[str, Any]) -> str:
    """Write whether a row agrees with the paper; a row that could have a verdict says it has none.

    See `paper.RULE`.
    """
    could = row["paper_change"] is not None and row["delta"] is not None
    return str(row["agreement"] or ("no verdict" if could else NONE))


def inspected(rows: list[dict[str, Any]]) -> dict[str, str]:
    """List the shares that any row has of what its task counts in thoughts, as they are headed."""
    return {name: name.replace("_", " ") for row in rows for name in row["inspected"]}


def p_value(p: float | None) -> str:
    """Write a p-value without false precision."""
    if p is None:
        return NONE
    if p < 0.001:
        return "< 0.001"
    return f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def p_clause(p: float) -> str:
    """Write `p = 0.03` or `p < 0.001`."""
    text = p_value(p)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def count(n: float | None) -> str:
    """Write a whole number with separators."""
    return NONE if n is None else f"{n:,.0f}"


def seconds(value: float) -> str:
    """Write a duration."""
    if value < 100:
        return f"{value:.0f} s"
    return f"{value / 60:.0f} min" if value < 6000 else f"{value / 3600:.1f} h"


def several(names: list[str]) -> str:
    """Write a list in a sentence."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
