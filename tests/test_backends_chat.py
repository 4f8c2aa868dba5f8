"""skythought/backends/chat.py: what is sent, and what every kind of answer is read as."""

from __future__ import annotations

import doctest
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skythought.backends import chat
from skythought.backends.chat import Fault
from skythought.core import formats
from skythought.core.errors import UserError
from skythought.core.records import Completion, Message, Request, Sampling

REQUEST = Request(id="abc", messages=(Message("system", "s"), Message("user", "q")))


def read(message: Any, finish: str | None = "stop", **more: Any) -> Completion | Fault:
    reply = {"choices": [{"message": message, "finish_reason": finish}], **more}
    return chat.read(REQUEST, 200, json.dumps(reply).encode())


def parts(message: Any, finish: str = "stop") -> tuple[str, str, bool]:
    found = read(message, finish)
    assert isinstance(found, Completion)
    return formats.parse(found.text)


def test_the_examples() -> None:
    assert doctest.testmod(chat).failed == 0


def test_what_is_sent() -> None:
    sampling = Sampling(temperature=0.6, top_p=0.95, max_tokens=16384, seed=3)
    sent = json.loads(chat.body("Qwen/QwQ-32B", REQUEST, sampling))
    assert sent == {
        "model": "Qwen/QwQ-32B",
        "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}],
        "temperature": 0.6,
        "top_p": 0.95,
        "max_tokens": 16384,
        "seed": chat.seed_of(REQUEST),
    }
    assert 0 <= sent["seed"] < 2**31
    other = Request(id="abd", messages=REQUEST.messages)
    assert chat.seed_of(other) != chat.seed_of(REQUEST) == 1201069843
    assert json.loads(chat.body("m", REQUEST, sampling, "limit"))["limit"] == 16384


def sent(model: str = "m", prefill: str = "", **values: Any) -> dict[str, Any]:
    request = Request(id="abc", messages=REQUEST.messages, prefill=prefill)
    found: dict[str, Any] = json.loads(chat.body(model, request, Sampling(**values)))
    return found


def test_only_what_is_asked_for_is_sent() -> None:
    plain = sent()
    assert set(plain) == {"model", "messages", "temperature", "top_p", "max_tokens", "seed"}
    more: dict[str, Any] = {
        "top_k": 20,
        "min_p": 0.0,
        "presence_penalty": 1.5,
        "repetition_penalty": 1.05,
    }
    assert sent(**more, stop=("</a>",)) == {**plain, **more, "stop": ["</a>"]}
    assert sent(extra={"top_a": 1, "chat_template_kwargs": {"x": False}}) == {
        **plain,
        "top_a": 1,
        "chat_template_kwargs": {"x": False},
    }


def test_a_reasoning_model_of_openai_is_told_no_temperature() -> None:
    found = sent("o4-mini", temperature=1.0, reasoning_effort="high")
    assert set(found) == {"model", "messages", "max_tokens", "seed", "reasoning_effort"}
    kept = sent("openai/gpt-oss-120b", temperature=1.0, reasoning_effort="high")
    assert (kept["temperature"], kept["reasoning_effort"]) == (1.0, "high")


def test_a_begun_answer_is_the_last_turn() -> None:
    found = sent(prefill="<think>\n")
    assert [m["role"] for m in found["messages"]] == ["system", "user", "assistant"]
    assert found["messages"][-1]["content"] == "<think>\n"
    assert found["continue_final_message"] is True
    assert found["add_generation_prompt"] is False


def test_a_thought_that_goes_on_keeps_its_first_space() -> None:
    data = json.dumps(
        {
            "choices": [
                {"message": {"reasoning": " see.\n", "content": "4"}, "finish_reason": "stop"}
            ]
        }
    ).encode()
    begun = Request(id="abc", messages=REQUEST.messages, prefill="Let me")
    found = chat.read(begun, 200, data)
    assert isinstance(found, Completion)
    assert found.text == "<think>\n see.\n</think>\n\n4"
    plain = chat.read(REQUEST, 200, data)
    assert isinstance(plain, Completion)
    assert plain.text == "<think>\nsee.\n</think>\n\n4"


@pytest.mark.parametrize(
    "text",
    [
        '{"stop_token_ids": [1], "max_thinking_tokens": 5, "eos_token": "</s>", "max_tokens_2": 1}',
        '{"a": {"b": [1, "key"]}, "top_k": 1, "logprobs": true, "tokenizer": "t", "key_value": 2}',
        '{"prompt_cache_key": "run-1", "keys": ["a"], "secretary": "x", "monkey": 1}',
        '{"note": "ask-something-that-is-long-enough, sk-learn, bearer of news"}',
        "",
    ],
)
def test_extra_fields_that_are_no_secret(text: str) -> None:
    assert chat.read_extra(text) == json.loads(text or "{}")


@pytest.mark.parametrize(
    "name",
    [
        *("api_key", "Authorization", "hf-token", "password", "apiKey", "APIKey", "x-apikey"),
        *("credentials", "passwd", "bearer", "userPassword", "accessToken", "authtoken", "dbPwd"),
        *("client_secret", "clientSecret", "secrets", "private_key", "awsAccessKeys", "X-Auth"),
    ],
)
def test_extra_fields_that_look_like_one(name: str) -> None:
    with pytest.raises(UserError, match=f"{name} looks like a secret"):
        chat.read_extra(json.dumps({"a": [{name: "x"}]}))


@pytest.mark.parametrize(
    "value",
    [
        *("sk-never-to-be-seen-123", "Bearer abcdefgh12345", "use hf_" + "a" * 20),
        *("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.x", "AKIA" + "A" * 16),
    ],
)
def test_values_that_look_like_a_key(value: str) -> None:
    with pytest.raises(UserError, match="header looks like a secret") as caught:
        chat.read_extra(json.dumps({"a": {"header": [[value]]}}))
    assert value not in str(caught.value)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"content": "4"}, ("", "4")),
        ({"content": "4", "reasoning_content": None}, ("", "4")),
        ({"content": "4", "reasoning_content": "2 and 2"}, ("2 and 2", "4")),
        ({"content": "\n\n4", "reasoning": "2 and 2\n"}, ("2 and 2", "4")),
        ({"content": "4", "reasoning": "a", "reasoning_content": "a"}, ("a", "4")),
        ({"content": None, "reasoning_content": "2 and 2"}, ("2 and 2", "")),
        ({"content": "<think>\na\n\nb\n</think>\n\n4"}, ("a\n\nb", "4")),
        ({"content": formats.teach("t", "4"), "reasoning": "r"}, ("r\n\nt", "4")),
        (
            {"content": "4", "reasoning": "in <|begin_of_thought|> tags"},
            ("in begin_of_thought tags", "4"),
        ),
        ({"content": "4", "reasoning": "end with </think>, then"}, ("end with think, then", "4")),
    ],
)
def test_thought_and_answer(message: Any, expected: tuple[str, str]) -> None:
    assert parts(message) == (*expected, True)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"content": "", "reasoning_content": "2 and"}, ("2 and", "", False)),
        ({"content": "It is", "reasoning_content": "2 and 2"}, ("2 and 2", "It is", True)),
        ({"content": "<think>\n2 and"}, ("2 and", "", False)),
        ({"content": "It is"}, ("", "It is", True)),
    ],
)
def test_cut_off(message: Any, expected: tuple[str, str, bool]) -> None:
    assert parts(message, "length") == expected
    found = read(message, "length")
    assert isinstance(found, Completion)
    assert found.finish == "length"


@given(st.text("ab<>/|_\n think", min_size=1), st.text("ab4 \n", min_size=1))
def test_any_thought_comes_back(thought: str, content: str) -> None:
    text = chat.join(thought, content, whole=True)
    found = formats.parse(text)
    assert found.answer == content.strip()
    tagged = any(tag in thought for tag in ("<think>", "</think>"))
    assert tagged or found.thought == thought.strip()


def test_usage_and_model() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 5, "completion_tokens_details": {}}
    assert read({"content": "4"}, usage=usage, model="m-2026", id="x") == Completion(
        id="abc",
        text="4",
        finish="stop",
        prompt_tokens=3,
        completion_tokens=5,
        served_model="m-2026",
    )
    bare = read({"content": "4"}, usage=None, model=None)
    assert isinstance(bare, Completion)
    assert (bare.prompt_tokens, bare.completion_tokens, bare.served_model) == (0, 0, "")


@pytest.mark.parametrize(
    ("finish", "retry"),
    [("content_filter", False), ("tool_calls", False), (None, True), ("abort", True)],
)
def test_other_ends_are_faults(finish: str | None, retry: bool) -> None:
    told = f"ended with finish_reason {finish!r}"
    assert read({"content": "4"}, finish) == Fault(told, retry=retry, paid=True)
    assert read({"content": "4"}, finish, usage={"completion_tokens": 7}) == Fault(
        told, retry=retry, paid=True, completion_tokens=7
    )


def test_a_server_without_room_is_no_answer() -> None:
    told = "ended with finish_reason 'insufficient_system_resource'"
    assert read({}, "insufficient_system_resource") == Fault(told, retry=True)


def test_what_cannot_be_read_may_say_what_it_cost() -> None:
    usage = {"prompt_tokens": 11, "completion_tokens": 7}
    found = read({"content": [1]}, usage=usage)
    assert isinstance(found, Fault)
    assert (found.paid, found.prompt_tokens, found.completion_tokens) == (True, 11, 7)
    owed = read({"content": "4"}, usage={"prompt_tokens": -5, "completion_tokens": -7})
    assert isinstance(owed, Completion)
    assert (owed.prompt_tokens, owed.completion_tokens) == (0, 0)


@pytest.mark.parametrize(
    ("status", "data", "expected"),
    [
        (500, b"", Fault("500 Internal Server Error", retry=True, status=500)),
        (529, b"busy", Fault("529: busy", retry=True, status=529)),
        (408, b"", Fault("408 Request Timeout", retry=True, status=408)),
        (429, b'{"message": "slow"}', Fault("429 Too Many Requests: slow", retry=True, status=429)),
        (400, b'{"error": "a\\nb"}', Fault("400 Bad Request: a b", status=400)),
        (
            400,
            b'{"error": {"code": 1}}',
            Fault('400 Bad Request: {"error": {"code": 1}}', status=400),
        ),
        (401, b"", Fault("401 Unauthorized", status=401, stop=True)),
        (402, b"", Fault("402 Payment Required", status=402, stop=True)),
        (404, b"\x1b[2J", Fault("404 Not Found: \N{REPLACEMENT CHARACTER}[2J", status=404)),
        (
            429,
            b'{"error": {"message": "m", "code": "insufficient_quota"}}',
            Fault("429 Too Many Requests: m", status=429, stop=True),
        ),
    ],
)
def test_faults(status: int, data: bytes, expected: Fault) -> None:
    assert chat.read(REQUEST, status, data) == expected


@pytest.mark.parametrize(
    "data",
    [
        *(
            b"",
            b"{",
            b"[]",
            b"null",
            b'{"choices": null}',
            b'{"choices": []}',
            b'{"choices": [{}]}',
        ),
        *(b'{"choices": [{"message": {"content": [1]}}]}', b'{"model": "\xff"}', b"[" * 100_000),
    ],
)
def test_what_cannot_be_read_is_asked_again(data: bytes) -> None:
    found = chat.read(REQUEST, 200, data)
    assert isinstance(found, Fault)
    assert (found.retry, found.stop, found.status) == (True, False, 0)
    assert "\n" not in found.reason
    assert len(found.reason) < 300


def test_long_words_of_a_server_are_cut() -> None:
    assert len(chat.says(b"x" * 10**6)) == chat.SHOWN + 3
