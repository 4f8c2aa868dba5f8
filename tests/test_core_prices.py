"""skythought/core/prices.py: what a token costs, where somebody has said so."""

from __future__ import annotations

import doctest
import re

import pytest

from skythought.core import prices
from skythought.core.errors import UserError
from skythought.core.prices import Price


def test_the_examples() -> None:
    assert doctest.testmod(prices).failed == 0


def test_every_price_says_when_it_was_read_and_where() -> None:
    for host, models in prices.PRICES.items():
        for model, price in models.items():
            assert 0 < price.input < price.output < 1000, (host, model)
            assert re.search(r"read 20\d\d-\d\d-\d\d by \S+\.\S+/", price.source), (host, model)


@pytest.mark.parametrize(
    ("host", "model", "price"),
    [
        ("api.openai.com", "o4-mini", (1.1, 4.4)),
        ("api.openai.com", "gpt-4o-2024-05-13", None),  # twice that of gpt-4o
        ("api.openai.com", "gpt-4o-audio", None),
        ("127.0.0.1", "o4-mini", None),  # a name is no price
        ("", "o4-mini", None),
    ],
)
def test_find(host: str, model: str, price: tuple[float, float] | None) -> None:
    found = prices.find(host, model)
    assert (found[:2] if found else None) == price


def test_what_is_given_goes_before() -> None:
    assert prices.choose("api.openai.com", "o3", (1, 0)) == Price(1, 0, prices.GIVEN)
    assert prices.choose("api.openai.com", "o3", (None, None)) == prices.find(
        "api.openai.com", "o3"
    )
    for given in ((1.0, None), (None, 1.0), (float("nan"), 1.0), (1.0, float("inf"))):
        with pytest.raises(UserError, match="dollars for a million"):
            prices.choose("", "m", given)


def test_the_cost_of_tokens() -> None:
    assert Price(2.0, 8.0).of(1_000_000, 500_000) == 6.0
