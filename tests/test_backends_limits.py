"""skythought/backends/limits.py: by a clock that only moves when told to."""

from __future__ import annotations

import asyncio
import doctest
import random
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skythought.backends import limits
from skythought.backends.limits import Bucket, Limits, retry_after


class Clock:
    """Seconds that pass when they are added."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def drain(bucket: Bucket, clock: Clock, amounts: list[float]) -> list[float]:
    """Take every amount as soon as it may go; gives the times."""
    times = []
    for amount in amounts:
        while wait := bucket.delay(amount):
            clock.now += wait
        bucket.take(amount)
        times.append(clock.now)
    return times


def fullest_minute(times: list[float], amounts: list[float]) -> float:
    rows = list(zip(times, amounts, strict=True))
    return max(sum(a for at, a in rows if begin <= at < begin + 60 - 1e-6) for begin in times)


def test_the_examples() -> None:
    assert doctest.testmod(limits).failed == 0


@pytest.mark.parametrize("rpm", [1, 7, 60, 90, 600])
def test_no_minute_has_more_requests(rpm: int) -> None:
    clock = Clock()
    ones = [1.0] * min(3 * rpm + 5, 1000)
    times = drain(Bucket(rpm, clock), clock, ones)
    assert fullest_minute(times, ones) <= rpm
    ideal = 60 * (len(ones) - 1) / rpm
    assert times[-1] - times[0] <= ideal * 1.02 + 1  # and hardly fewer


@given(st.lists(st.floats(1, 3000), min_size=1, max_size=40))
def test_no_minute_has_more_tokens(amounts: list[float]) -> None:
    """Those of one request aside, which may be more than a second's worth."""
    clock = Clock()
    times = drain(Bucket(6000, clock), clock, amounts)
    assert fullest_minute(times, amounts) <= 6000 + max(amounts)


def test_after_a_rest_only_a_second_s_worth_goes_at_once() -> None:
    clock = Clock()
    bucket = Bucket(600, clock)
    clock.now += 3600
    times = drain(bucket, clock, [1.0] * 12)
    assert times[9] == times[0] < times[10] < times[11]


def test_tokens_are_corrected() -> None:
    clock = Clock()
    bucket = Bucket(6000, clock)
    bucket.take(1000)
    owed = bucket.delay(100)
    assert owed == pytest.approx(10, rel=0.05)
    bucket.settle(900)  # used 100 of 1000
    assert bucket.delay(100) == pytest.approx(1, rel=0.05)
    bucket.settle(-500)  # used 500 more than thought
    assert bucket.delay(100) == pytest.approx(6, rel=0.05)
    bucket.settle(10**6)
    assert bucket.level == 600


def test_a_refusal_halves_and_answers_win_it_back_slowly() -> None:
    clock = Clock()
    made = Limits(100, clock=clock)
    made.refused(sent=clock.now, pause=0)
    assert made.allowed == 50
    made.refused(sent=clock.now - 1, pause=0)  # sent before the cut: says nothing new
    assert made.allowed == 50
    clock.now += 1
    made.refused(sent=clock.now, pause=0)
    assert made.allowed == 25
    for _ in range(25):
        made.answered()
    assert 26 < made.allowed <= 27.1  # one round wins back 2 %
    for _ in range(10_000):
        made.answered()
    assert made.allowed == 100
    for _ in range(20):
        clock.now += 1
        made.refused(sent=clock.now, pause=0)
    assert made.allowed == 1


def test_the_server_s_pause_holds_for_all() -> None:
    clock = Clock()
    made = Limits(4, clock=clock)
    assert made.delay(1) == 0
    made.refused(sent=clock.now, pause=20)
    assert made.delay(1) == 20
    clock.now += 15
    made.refused(sent=clock.now, pause=1)  # a shorter pause does not end a longer one
    assert made.delay(1) == 5
    clock.now += 5
    assert made.delay(1) == 0


def test_requests_and_tokens_are_kept_apart() -> None:
    clock = Clock()
    made = Limits(10, rpm=60, tpm=6000, clock=clock)
    made.take(10)
    assert made.delay(10) == pytest.approx(1)  # requests
    clock.now += 1
    made.take(1100)
    assert made.delay(10) == pytest.approx(10, rel=0.1)  # tokens


def test_first_come_first_served_and_never_more_at_once() -> None:
    async def play() -> tuple[list[int], int]:
        made = Limits(5)
        order: list[int] = []
        most = 0

        async def one(number: int) -> None:
            nonlocal most
            await made.enter(1)
            order.append(number)
            most = max(most, made.running)
            await asyncio.sleep(rng.random() / 1000)
            if rng.random() < 0.1:
                made.refused(made.clock(), 0)
            made.leave(1, None)

        rng = random.Random(0)
        tasks = [asyncio.create_task(one(i)) for i in range(100)]
        await asyncio.sleep(0)
        tasks[50].cancel()  # gives up while it waits
        await asyncio.gather(*tasks, return_exceptions=True)
        assert (made.running, len(made.waiting)) == (0, 0)
        return order, most

    order, most = asyncio.run(play())
    assert order == [i for i in range(100) if i != 50]
    assert most == 5


def test_waiting_ends_by_itself() -> None:
    async def play() -> None:
        made = Limits(50, rpm=60_000, tpm=10**9)
        for _ in range(3):
            await asyncio.gather(*(made.enter(1) for _ in range(50)))
            for _ in range(50):
                made.leave(1, 1)
        made.refused(made.clock(), 0.01)
        await asyncio.wait_for(made.enter(1), 10)

    asyncio.run(play())


def test_a_turn_given_to_who_has_just_gone_is_the_next_one_s() -> None:
    async def play() -> None:
        made = Limits(1)
        await made.enter(1)
        gone = asyncio.create_task(made.enter(1))
        await asyncio.sleep(0)
        made.leave(1, 1)  # its turn; it goes before it hears of it
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        assert made.running == 0
        await asyncio.wait_for(made.enter(1), 10)

    asyncio.run(play())


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        *((None, 0), ("", 0), ("soon", 0), ("-3", 0), ("0", 0), ("nan", 0)),
        *(("7", 7), ("0.5", 0.5), ("86400", limits.LONGEST_PAUSE_S), ("inf", 600)),
        *(("Tue, 24 Nov 2026 12:00:30 GMT", 30), ("Tue, 24 Nov 2026 11:59:00 GMT", 0)),
        *(("Tue, 24 Nov 2026 13:00:10 +0100", 10), ("Tue, 24 Nov 2026 12:00:05 -0000", 5)),
    ],
)
def test_retry_after(header: str | None, seconds: float) -> None:
    assert retry_after(header, datetime(2026, 11, 24, 12, tzinfo=UTC)) == seconds


def test_waits_double_with_jitter_up_to_a_minute() -> None:
    assert [limits.backoff(i, 1, 0, lambda: 1) for i in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert [limits.backoff(i, 1, 0, lambda: 0) for i in range(3)] == [0.5, 1, 2]
    assert limits.backoff(10**6, 1, 0, lambda: 1) == 60
    assert limits.backoff(0, 1, 90, lambda: 0) == 90.5
    assert 0 <= limits.jitter() <= 1
