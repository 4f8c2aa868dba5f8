"""What providers charge for a million tokens, as read on a day; prices change, and flags go before.

    find("api.openai.com", "o4-mini") -> Price(1.1, 4.4, "OpenAI's list, read 2026-03-21 ...")

Only a provider's own address has a price: a model of the same name on another server costs what
that server costs. A dated version has the price of its own row only: it may cost more than the name
without the date. Cached input and other discounts are left out, so a bill may be lower.
"""

from __future__ import annotations

from typing import NamedTuple

from skythought.core.errors import UserError

GIVEN = "as given"


class Price(NamedTuple):
    """Dollars for a million tokens."""

    input: float
    output: float
    source: str = GIVEN

    def of(self, prompt_tokens: float, completion_tokens: float) -> float:
        """Give the dollars for so many tokens."""
        return (prompt_tokens * self.input + completion_tokens * self.output) / 1e6


OPENAI = "OpenAI's list, read 2026-03-21 by deploybase.ai/articles/openai-pricing"
# Peak hours and no cache hits; other hours cost half.
DEEPSEEK = (
    "DeepSeek's list for peak hours, read 2026-10-27 by "
    "github.com/benderandrew069/deepseek-api-pricing-2026"
)

PRICES = {
    "api.openai.com": {
        "gpt-4o": Price(2.50, 10.00, OPENAI),
        "gpt-4o-mini": Price(0.15, 0.60, OPENAI),
        "gpt-4.1": Price(2.00, 8.00, OPENAI),
        "gpt-4.1-mini": Price(0.40, 1.60, OPENAI),
        "gpt-4.1-nano": Price(0.10, 0.40, OPENAI),
        "gpt-5": Price(1.25, 10.00, OPENAI),
        "gpt-5-mini": Price(0.25, 2.00, OPENAI),
        "gpt-5-nano": Price(0.05, 0.40, OPENAI),
        "o3": Price(2.00, 8.00, OPENAI),
        "o3-mini": Price(1.10, 4.40, OPENAI),
        "o4-mini": Price(1.10, 4.40, OPENAI),
    },
    "api.deepseek.com": {
        "deepseek-flash": Price(0.30, 1.20, DEEPSEEK),
        "deepseek-v4-pro": Price(1.32, 3.96, DEEPSEEK),
    },
}


def find(host: str, model: str) -> Price | None:
    """Find what the provider at this host charges for a model; None where nobody knows."""
    return PRICES.get(host, {}).get(model)


def choose(host: str, model: str, given: tuple[float | None, float | None]) -> Price | None:
    """Take the prices that were given, input and output, or those of the table.

    Raises:
        UserError: one of the two is missing, or is no price.
    """
    if given == (None, None):
        return find(host, model)
    for flag, value in zip(("--price-in", "--price-out"), given, strict=True):
        if value is None:
            raise UserError(f"{flag} is missing; give both, in dollars for a million tokens")
        if not 0 <= value < 1e6:
            raise UserError(f"{flag} {value:g}: give dollars for a million tokens")
    price_in, price_out = given
    assert price_in is not None
    assert price_out is not None
    return Price(price_in, price_out)


def dollars(amount: float) -> str:
    """Write an amount so that a small one is not nothing.

    >>> dollars(12.3), dollars(0.00042), dollars(0)
    ('$12.30', '$0.00042', '$0')
    """
    if amount == 0:
        return "$0"
    return f"${amount:,.2f}" if amount >= 0.995 else f"${amount:.2g}"
