"""skythought/backends/asking.py: the time that a request has, and the pauses a server asks for."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from chat_server import Reply, Server, ask, good, say

from skythought.core.records import Completion

pytest.importorskip("aiohttp", reason="needs skythought[openai]")


def timed_out(found: list[Completion]) -> set[str]:
    return {c.error.rpartition("; ")[2] for c in found if c.finish == "error"}


NO_TIME = "no time is left to ask again (timeout=0.4)"


@pytest.mark.parametrize(
    ("reply", "options", "attempts"),
    [
        ("hang", {}, 1),  # one attempt takes all the time there is
        ("hang", {"attempt_timeout": 0.1, "backoff": 0}, 4),
        (say(500, {}), {"backoff": 0.15}, 3),
        (say(503, {}, Retry_After="30"), {}, 1),  # not even waited for
        (say(429, {}, Retry_After="0.15"), {"backoff": 0}, 3),
    ],
)
def test_the_deadline_holds_for_all_attempts_and_waits(
    reply: Reply, options: dict[str, Any], attempts: int, serve: Callable[..., Server]
) -> None:
    server = serve(lambda _: reply)
    began = time.monotonic()
    [found] = ask(server, 1, timeout=0.4, retries=50, **options)
    assert time.monotonic() - began < 10  # not the 30 s, nor 50 retries
    assert timed_out([found]) == {NO_TIME}
    assert 1 <= len(server.asked) <= attempts


def test_an_attempt_is_given_no_more_than_what_is_left(serve: Callable[..., Server]) -> None:
    server: Server = serve(lambda asked: say(500, {}) if len(server.asked) == 1 else "hang")
    [found] = ask(server, 1, timeout=0.5, attempt_timeout=30)
    assert timed_out([found]) == {NO_TIME.replace("0.4", "0.5")}
    within = float(found.error.removeprefix("no answer within ").partition(" s;")[0])
    assert within < 0.5


def test_time_before_the_first_attempt_does_not_count(serve: Callable[..., Server]) -> None:
    """Who has to wait for `rpm` is not late."""
    server = serve()
    found = ask(server, 24, rpm=1200, timeout=0.1)
    assert {c.finish for c in found} == {"stop"}


def test_a_turn_that_does_not_come_again(serve: Callable[..., Server]) -> None:
    """Asked again it would have to wait for the minute's requests."""
    server = serve(lambda _: say(500, {}))
    [found] = ask(server, 1, rpm=1, timeout=0.3)
    assert found.error.startswith("500 Internal Server Error: {}; no time is left to ask again")
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_a_pause_that_the_server_asks_for_holds_for_all(
    status: int, serve: Callable[..., Server], capsys: pytest.CaptureFixture[str]
) -> None:
    """One is told to come back later; the others, and those not yet sent, wait too."""
    refused: list[float] = []
    times: list[float] = []

    def answer(asked: dict[str, Any]) -> Reply:
        times.append(time.monotonic())
        if len(times) == 8:
            refused.append(times[-1])
            return say(status, {"error": "busy"}, Retry_After="0.6")
        return good(asked)

    server = serve(answer, delay=0.05)
    found = ask(server, 40, concurrency=4)
    assert {c.finish for c in found} == {"stop"}
    on_their_way = [at for at in times if refused[0] < at < refused[0] + 0.6]
    assert len(on_their_way) <= 4  # sent before the refusal was read
    assert times[-1] > refused[0] + 0.6
    told = capsys.readouterr().err
    assert told.count(": busy; asking for less at once") == 1


@pytest.mark.parametrize(
    ("headers", "at_once"), [({}, (7, 8)), ({"Retry_After": "0.01"}, (3, 4, 5, 6))]
)
def test_a_503_slows_down_where_it_says_for_how_long(
    headers: dict[str, str], at_once: tuple[int, int], serve: Callable[..., Server]
) -> None:
    """One that says nothing is tried again alone."""

    def answer(asked: dict[str, Any]) -> Reply:
        if len(server.asked) == 8:
            return say(503, {}, **headers)
        if len(server.asked) == 17:  # two rounds later the refusal was surely read
            server.most = 0
        return good(asked)

    server: Server = serve(answer, delay=0.1)
    assert {c.finish for c in ask(server, 24, concurrency=8)} == {"stop"}
    assert server.most in at_once
