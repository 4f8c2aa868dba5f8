"""skythought/backends/asking.py: faults are outlived, limits kept, and hopeless runs stopped."""

from __future__ import annotations

import random
import socket
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from chat_server import Reply, Server, ask, good, requests, say

from skythought import backends
from skythought.backends import asking, chat
from skythought.core.errors import UserError
from skythought.core.records import Completion, Sampling

pytest.importorskip("aiohttp", reason="needs skythought[openai]")

KEY = "sk-never-to-be-seen"


FAULTS: dict[str, Callable[[], Reply]] = {
    "429": lambda: say(429, {"error": {"message": "slow down"}}),
    "429 seconds": lambda: say(429, {"error": "slow down"}, Retry_After="0.05"),
    "429 date": lambda: say(429, {}, Retry_After="Fri, 31 Dec 1999 23:59:59 GMT"),
    "500": lambda: say(500, {"detail": "broken"}),
    "503": lambda: (503, {}, b"<html>down</html>"),
    "408": lambda: say(408, {}),
    "hang": lambda: "hang",
    "cut": lambda: "cut",
    "half": lambda: "half",
    "no JSON": lambda: (200, {}, b'{"choices": [{"mess'),
    "not UTF-8": lambda: (200, {}, b'{"model": "\xff"}'),
    "other JSON": lambda: (200, {}, b'[{"choices": 1}]'),
    "no choices": lambda: say(200, {"model": "m", "choices": []}),
    "error in 200": lambda: say(200, {"error": {"message": "upstream"}}),
    "overloaded": lambda: say(
        200,
        {"choices": [{"message": {}, "finish_reason": "insufficient_system_resource"}]},
    ),
}


UNREADABLE = ("no JSON", "not UTF-8", "other JSON")  # may be charged: asked three times at most


def faulty(rng: random.Random, seen: Counter[str]) -> Callable[[dict[str, Any]], Reply]:
    wasted: Counter[str] = Counter()  # question -> answers that could not be read

    def answer(asked: dict[str, Any]) -> Reply:
        if rng.random() >= 0.3:
            return good(asked)
        question = asked["messages"][-1]["content"]
        kinds = [name for name in FAULTS if name not in UNREADABLE or wasted[question] < 2]
        kind = min(kinds, key=lambda name: (seen[name], rng.random()))  # each as often
        wasted[question] += kind in UNREADABLE
        seen[kind] += 1
        return FAULTS[kind]()

    return answer


def test_every_fault_is_outlived(serve: Callable[..., Server]) -> None:
    seen: Counter[str] = Counter()
    server = serve(faulty(random.Random(0), seen), delay=0.005)
    found = ask(server, 150, concurrency=16, attempt_timeout=1.0, retries=30)
    assert set(seen) == set(FAULTS)
    assert Counter(c.id for c in found) == Counter(r.id for r in requests(150))
    assert {(c.finish, c.completion_tokens) for c in found} == {("stop", 7)}
    assert server.most <= 16 + seen["hang"]  # the server does not see that a client gave up


def test_the_concurrency_is_reached_and_not_exceeded(serve: Callable[..., Server]) -> None:
    server = serve(delay=0.05)
    assert len(ask(server, 60, concurrency=12)) == 60
    assert server.most == 12


def test_what_waits_to_be_stored_counts(serve: Callable[..., Server]) -> None:
    """A consumer that stands still is not run over: nothing is paid that may be lost."""
    server = serve()
    made = backends.make("openai", "m", {"base_url": server.url, "concurrency": 4})
    answers = made.complete(requests(40), Sampling())
    for taken, _ in enumerate(answers):
        time.sleep(0.005)
        assert len(server.asked) <= taken + 1 + 4
    assert len(server.asked) == 40


def test_a_server_that_takes_a_few_at_once(serve: Callable[..., Server]) -> None:
    refused = 0

    def answer(asked: dict[str, Any]) -> Reply:
        nonlocal refused
        if server.now > 6:
            refused += 1
            return say(429, {"error": {"message": "too many"}})
        return good(asked)

    server = serve(answer, delay=0.01)
    found = ask(server, 300, concurrency=64, retries=20)
    assert {c.finish for c in found} == {"stop"}
    assert len({c.id for c in found}) == 300
    assert refused < 300  # without a limit of its own, every round of 64 would have 58


def test_requests_a_minute(serve: Callable[..., Server]) -> None:
    server = serve()
    began = time.monotonic()
    ask(server, 45, rpm=1200)  # 20 a second, after a second's worth at once
    assert time.monotonic() - began >= 1.2


def test_tokens_a_minute(serve: Callable[..., Server]) -> None:
    server = serve()
    began = time.monotonic()
    ask(server, 30, tpm=18 * 60 * 20, concurrency=4)  # 18 tokens used an answer: 20 a second
    took = time.monotonic() - began
    assert took >= 0.4
    assert took < 30  # not the 64 + 30 tokens that each might have used, times many


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (say(401, {"error": {"message": f"wrong key {KEY}"}}), "401 Unauthorized: wrong key ***; "),
        (say(401, {}), "put a valid key into the environment variable TEST_KEY, then run"),
        (say(403, {}), "403 Forbidden: {}; check that the key in TEST_KEY may use the model 'm'"),
        (say(404, {"detail": "Not Found"}), "404 Not Found: Not Found; check base_url"),
        (say(307, {}, Location="http://x/"), "307 Temporary Redirect: {}; check base_url"),
        (say(402, {}), "402 Payment Required: {}; add credit"),
        (say(429, {"error": {"message": "m", "code": chat.QUOTA}}), "add credit with the provider"),
    ],
)
def test_what_no_retry_mends_stops_the_run(
    reply: Reply, told: str, serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_KEY", KEY)
    server = serve(lambda _: reply)
    with pytest.raises(UserError) as caught:
        ask(server, 100, api_key_env="TEST_KEY", concurrency=4)
    assert told in str(caught.value)
    assert f"{server.url}/chat/completions: " in str(caught.value)
    assert "\n" not in str(caught.value)
    assert KEY not in str(caught.value)
    assert len(server.asked) <= 4
    assert server.keys == {f"bearer {KEY}"}


def test_nobody_answers(serve: Callable[..., Server]) -> None:
    server = serve()
    server.close()
    with pytest.raises(UserError, match=r"nobody answers \(.*refused.*\); check base_url and that"):
        ask(server, 5)


def test_a_server_without_encryption_asked_with_it(serve: Callable[..., Server]) -> None:
    with pytest.raises(UserError, match=r"nobody answers \(.*SSL.*\); check base_url") as caught:
        ask(serve(), 5, base_url=f"https://127.0.0.1:{serve().port}/v1", backoff=0)
    assert "\n" not in str(caught.value)


def test_money_that_runs_out_loses_nothing(serve: Callable[..., Server]) -> None:
    """What was sent before is waited for and handed out."""

    def answer(asked: dict[str, Any]) -> Reply:
        return say(402, {}) if asked["messages"][-1]["content"] == "q20" else good(asked)

    server = serve(answer, delay=0.02)
    made = backends.make("openai", "m", {"base_url": server.url, "concurrency": 8})
    found: list[Completion] = []
    with pytest.raises(UserError, match="402"):
        found.extend(made.complete(requests(500), Sampling()))
    assert len(found) == server.answered == len(server.asked) - 1


def test_a_request_that_is_wrong_is_not_sent_twice(serve: Callable[..., Server]) -> None:
    server = serve(lambda _: say(400, {"error": {"message": "too long"}}))
    found = ask(server, 3)
    assert {(c.finish, c.error) for c in found} == {("error", "400 Bad Request: too long")}
    assert len(server.asked) == 3


def test_a_newer_name_of_max_tokens(serve: Callable[..., Server]) -> None:
    def answer(asked: dict[str, Any]) -> Reply:
        if "max_tokens" in asked:
            return say(400, {"error": {"message": f"use '{chat.NEWER}' instead"}})
        return good(asked) if asked[chat.NEWER] == 64 else say(400, {})

    server = serve(answer)
    assert {c.finish for c in ask(server, 20, concurrency=2, retries=0)} == {"stop"}
    assert len(server.asked) <= 22


def test_a_host_that_never_answers_is_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its queue of connections is full, so that packets of more are dropped."""
    monkeypatch.setattr(asking, "CONNECT_S", 0.2)
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for other in (first, second):
            other.setblocking(False)
            other.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}/v1"
        made = backends.make("openai", "m", {"base_url": url, "backoff": 0.01})
        with pytest.raises(UserError, match=r"nobody answers \(.*; check base_url and that"):
            list(made.complete(requests(3), Sampling()))


def ended(finish: str | None) -> Reply:
    usage = {"prompt_tokens": 11, "completion_tokens": 7}
    return say(
        200, {"choices": [{"message": {"content": "4"}, "finish_reason": finish}], "usage": usage}
    )


@pytest.mark.parametrize(
    ("reply", "times", "tokens"),
    [
        (ended(None), 3, (33, 21)),
        (ended("abort"), 3, (33, 21)),
        (ended("content_filter"), 1, (11, 7)),
        ((200, {}, b'{"choices": 1, "usage": {"completion_tokens": 7}}'), 3, (0, 21)),
        ((200, {}, b"<html>"), 3, (0, 0)),
    ],
)
def test_answers_that_are_charged_and_of_no_use(
    reply: Reply, times: int, tokens: tuple[int, int], serve: Callable[..., Server]
) -> None:
    server = serve(lambda _: reply)
    [found] = ask(server, 1)
    assert (found.finish, len(server.asked)) == ("error", times)
    assert (found.prompt_tokens, found.completion_tokens) == tokens


def test_what_was_thrown_away_before_a_good_answer_is_told(serve: Callable[..., Server]) -> None:
    server: Server = serve(lambda asked: good(asked) if len(server.asked) > 2 else ended(None))
    [found] = ask(server, 1)
    assert (found.finish, found.prompt_tokens, found.completion_tokens) == ("stop", 11, 7)
    assert found.wasted == (22, 14)


def test_a_server_that_goes_away_ends_the_run(serve: Callable[..., Server]) -> None:
    """In one line, after all retries of one sample, and long before every sample failed."""

    def answer(asked: dict[str, Any]) -> Reply:
        if server.answered > 30:
            server.close_soon()
            return "cut"
        return good(asked)

    server: Server = serve(answer)
    made = backends.make(
        "openai",
        "m",
        {"base_url": server.url, "backoff": 0.01, "retries": 5, "concurrency": 8},
    )
    found: list[Completion] = []
    with pytest.raises(UserError, match=r"nobody answers \(.*refused.*\); check base_url and that"):
        found.extend(made.complete(requests(10_000), Sampling()))
    assert 30 < len(found) < 200
