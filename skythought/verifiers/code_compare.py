r"""Whether a program wrote what a test expects: LiveCodeBench's rules for text.

    differ("1 2\n3.50\n", "1 2 \n3.5\n") -> "": alike
    differ("1\n2\n", "1\n3\n")           -> "line 2: expected '2', found '3'"

Text is compared line by line, without spaces around it and around each line. Two lines that differ
as text are alike where both are decimals, as many and each of the same value, without tolerance.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from skythought.core.errors import plain

SHOWN = 60  # characters of a line that a verdict quotes


def differ(expected: str, found: str) -> str:
    """Say where a program's output differs from what is expected; "" where it does not."""
    wanted, written = expected.strip().split("\n"), found.strip().split("\n")
    for number, (want, have) in enumerate(zip(wanted, written, strict=False), 1):
        want, have = want.strip(), have.strip()
        if want != have and not same_decimals(want, have):
            return f"line {number}: expected {quote(want)}, found {quote(have)}"
    if len(wanted) != len(written):
        return f"expected {len(wanted):,} lines, found {len(written):,}"
    return ""


def same_decimals(expected: str, found: str) -> bool:
    """Say whether two lines hold the same decimals."""
    wanted, written = expected.split(), found.split()
    if len(wanted) != len(written):
        return False
    try:
        return all(Decimal(a) == Decimal(b) for a, b in zip(wanted, written, strict=True))
    except InvalidOperation:
        return False


def quote(text: str) -> str:
    """Write text on one line, shortened."""
    return plain(repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}..."))
