"""skythought/core/metrics.py: against known values, brute force and simulation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from skythought.core import metrics


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [  # R: binom::binom.wilson, and Brown, Cai, DasGupta 2001
        (45, 50, 0.7864, 0.9565),
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (81, 263, 0.2553, 0.3662),
        (1, 1, 0.2065, 1.0),
        (0, 0, 0.0, 1.0),
        (250, 500, 0.4564, 0.5436),
    ],
)
def test_wilson(right: int, n: int, low: float, high: float) -> None:
    assert metrics.wilson(right, n) == pytest.approx((low, high), abs=6e-5)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_solves_its_equation(counts: tuple[int, int]) -> None:
    """The limits are the shares whose z-test against the observed one is just 1.96."""
    right, n = counts
    low, high = metrics.wilson(right, n)
    assert 0 <= low <= right / n <= high <= 1
    for limit in (low, high):
        if 0 < limit < 1:
            z = abs(right / n - limit) / math.sqrt(limit * (1 - limit) / n)
            assert z == pytest.approx(1.96, abs=1e-3)


def mcnemar(b: int, c: int) -> float:
    """Exact two-sided McNemar from the definition, with b and c discordant pairs."""
    n = b + c
    at_least: int = sum(math.comb(n, k) for k in range(max(b, c), n + 1))
    return float(min(1.0, 2 * at_least / 2**n))


@pytest.mark.parametrize(
    ("b", "c", "p"), [(6, 16, 0.0525), (10, 0, 0.00195), (5, 5, 1.0), (1, 8, 0.0391), (0, 1, 1.0)]
)
def test_one_seed_is_mcnemars_exact_test(b: int, c: int, p: float) -> None:
    a_right = [1] * b + [0] * c + [1] * 20 + [0] * 7
    b_right = [0] * b + [1] * c + [1] * 20 + [0] * 7
    found = metrics.difference([a_right], [b_right])
    assert found.p == pytest.approx(mcnemar(b, c), rel=1e-9)
    assert found.p == pytest.approx(p, abs=6e-5)
    assert found.value == pytest.approx((c - b) / len(a_right))


def test_many_discordant_pairs() -> None:
    assert metrics.sign_flip([1] * 700 + [-1] * 500) == pytest.approx(mcnemar(700, 500))
    assert 0 <= metrics.sign_flip([1.0] * 3000) < 1e-300


def enumerated(d: list[float]) -> float:
    seen = abs(sum(d))
    flips = [sum(s * x for s, x in zip(signs, d, strict=True)) for signs in signs_of(len(d))]
    return sum(abs(f) >= seen - 1e-9 for f in flips) / len(flips)


def signs_of(n: int) -> list[tuple[int, ...]]:
    return list(itertools.product((-1, 1), repeat=n))


@given(st.lists(st.integers(-6, 6).map(lambda k: k / 6), min_size=1, max_size=9))
def test_sign_flip_is_that_of_all_flips(d: list[float]) -> None:
    assert metrics.sign_flip(d) == pytest.approx(enumerated(d))


def test_random_flips_come_near_all_flips() -> None:
    rng = np.random.default_rng(3)
    d = rng.choice([-1, -0.5, 0.5, 1, 1], 16)
    assert d.size > metrics.MAX_ENUMERATED
    signs = np.array(signs_of(16))
    exact = float(np.mean(np.abs(signs @ d) >= abs(d.sum()) - 1e-9))
    assert metrics.sign_flip(d) == pytest.approx(exact, abs=0.015)
    assert metrics.sign_flip(d) == metrics.sign_flip(d)
    assert metrics.sign_flip(d) >= 1 / (1 + metrics.FLIPS)


def test_problems_without_a_difference_say_nothing() -> None:
    assert metrics.sign_flip([]) == 1.0
    assert metrics.sign_flip([0.0, 0.0]) == 1.0
    assert metrics.sign_flip([1, 1, 0.5]) == metrics.sign_flip([1, 0, 1, 0.5, 0, 0])


def test_p_is_small_as_often_as_it_says() -> None:
    """Under no difference p < 0.05 in at most 5 % of the repetitions, about."""
    rng = np.random.default_rng(0)
    draws = [rng.integers(0, 2, (2, 3, 60)) for _ in range(300)]
    small = sum(metrics.sign_flip((b - a).mean(0)) < 0.05 for a, b in draws)
    assert small <= 300 * 0.05 + 2.5 * math.sqrt(300 * 0.05 * 0.95)
    assert small >= 3


@pytest.mark.parametrize(("n_seeds", "least", "most"), [(1, 0.92, 0.99), (3, 0.95, 1.0)])
def test_the_bootstrap_covers_the_truth(n_seeds: int, least: float, most: float) -> None:
    """95 % intervals of paired differences hold the true one in about 95 % of simulated studies.

    Problems differ in how hard they are, and arm b solves one in ten more. Of 300 studies 96 %
    held it with one seed; with three the interval is on the safe side.
    """
    rng = np.random.default_rng(1)
    held = 0
    for study in range(200):
        hard = rng.uniform(0, 0.9, 80)
        a = (rng.uniform(size=(n_seeds, 80)) < hard).astype(int)
        b = (rng.uniform(size=(n_seeds, 80)) < hard + 0.1).astype(int)
        found = metrics.difference(a, b, seed=study)
        held += found.low <= 0.1 <= found.high
    assert least <= held / 200 <= most


@pytest.mark.parametrize(("n_seeds", "least", "most"), [(1, 0.4, 0.65), (3, 0.8, 0.93)])
def test_few_seeds_show_too_little_luck_in_training(
    n_seeds: int, least: float, most: float
) -> None:
    """Where luck in training is twice that in problems, the interval is too short, as documented.

    Here 10 points and 120 problems; that is 5 points and 500.
    """
    rng = np.random.default_rng(5)
    held = 0
    for study in range(150):
        hard = rng.uniform(0.3, 0.7, 120)
        luck = rng.normal(0, 0.1, (2, n_seeds, 1))
        a, b = (rng.uniform(size=(n_seeds, 120)) < hard + x for x in luck)
        found = metrics.difference(a.astype(int), b.astype(int), seed=study)
        held += found.low <= 0 <= found.high
    assert least <= held / 150 <= most


def test_mean_intervals() -> None:
    assert metrics.mean_interval([1] * 45 + [0] * 5) == metrics.wilson(45, 50)
    for outcomes in ([1] * 45 + [0] * 5, [0] * 50, [1] * 50):  # seeds that change nothing
        assert metrics.mean_interval([outcomes] * 3) == metrics.wilson(sum(outcomes), 50)
    assert metrics.mean_interval([[0.5, 0.5]]) == metrics.wilson(1, 2)  # nothing to draw from
    rng = np.random.default_rng(2)
    seeds = np.array([[1] * 50, [0] * 50])  # all the luck is in the training
    low, high = metrics.mean_interval(seeds)
    assert (low, high) == (0.0, 1.0)
    wide = metrics.mean_interval(rng.integers(0, 2, (3, 40)))
    narrow = metrics.mean_interval(rng.integers(0, 2, (3, 4000)))
    assert wide[1] - wide[0] > 5 * (narrow[1] - narrow[0])


def test_difference() -> None:
    found = metrics.difference([[1, 0, 1]], [[1, 1, 1]])
    assert tuple(found)[:3] == pytest.approx((1 / 3, 0.0, 1.0))
    assert found.p == 1.0
    back = metrics.difference([[1, 1, 1]], [[1, 0, 1]])
    assert back.value == -found.value
    assert back.p == found.p
    same = metrics.difference([[1, 0]], [[1, 0]])
    assert tuple(same) == (0.0, 0.0, 0.0, 1.0, 0.0)


def test_the_detectable_difference_is_found_in_80_percent() -> None:
    """Its formula, (1.96 + 0.84) s / sqrt(n), and what it promises, by simulation."""
    rng = np.random.default_rng(4)
    d = rng.choice([-1, 0, 0, 0, 1], 400)
    a, b = (d < 0).astype(int), (d > 0).astype(int)
    found = metrics.difference([a], [b])
    assert found.detectable == pytest.approx(2.8016 * d.std(ddof=1) / 20, rel=1e-4)
    shares = np.array([0.2 - found.detectable / 2, 0.6, 0.2 + found.detectable / 2])
    draws = (rng.choice([-1, 0, 1], 400, p=shares) for _ in range(300))
    power = sum(metrics.sign_flip(x) < 0.05 for x in draws) / 300
    assert power == pytest.approx(0.8, abs=0.08)


def test_unlike_or_broken_outcomes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"arms of different shapes .* \(1, 2\) and \(1, 3\)"):
        metrics.difference([[1, 0]], [[1, 0, 1]])
    shapes: tuple[ArrayLike, ...] = ([], [[]], [[[1]]])
    for broken in shapes:
        with pytest.raises(ValueError, match=r"expected outcomes of shape \(seeds, problems\)"):
            metrics.mean_interval(broken)
    with pytest.raises(ValueError, match="must be finite numbers"):
        metrics.mean_interval([1, float("nan")])


@pytest.mark.parametrize(
    ("table", "value"),
    [
        ([[20, 5], [10, 15]], 0.4),
        ([[45, 15], [25, 15]], 0.130434),  # 78/598 of the example with equal agreement
        ([[25, 35], [5, 35]], 0.259259),
        ([[10, 0], [0, 10]], 1.0),
        ([[0, 10], [10, 0]], -1.0),
        ([[5, 5], [5, 5]], 0.0),
    ],
)
def test_kappa(table: list[list[int]], value: float) -> None:
    assert metrics.kappa(table) == pytest.approx(value, abs=1e-6)


def test_kappa_of_nothing() -> None:
    assert math.isnan(metrics.kappa([[0, 0], [0, 0]]))
    assert math.isnan(metrics.kappa([[7, 0], [0, 0]]))
