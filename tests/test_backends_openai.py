"""skythought/backends/openai.py against a server on this machine that fails in every way."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chat_server import Reply, Server, ask, config, good, say, traces

from skythought import backends, generate
from skythought.core.errors import UserError

pytest.importorskip("aiohttp", reason="needs skythought[openai]")

KEY = "sk-never-to-be-seen"


def test_a_run(serve: Callable[..., Server], tmp_path: Path) -> None:
    server = serve()
    counts = generate.run(config(tmp_path, server, 3, system_prompt="Think.", n=4))
    assert counts == {"traces": 12, "truncated": 0, "errors": 0, "completion_tokens": 84}
    found = traces(tmp_path)
    assert {(t.problem_id, t.sample) for t in found} == {
        (f"p{i}", k) for i in range(3) for k in range(4)
    }
    assert {(t.answer, t.model, t.served_model) for t in found} == {("It is 4.", "m", "m-2026")}
    assert {(t.prompt_tokens, t.completion_tokens) for t in found} == {(11, 7)}
    assert len({t.thought for t in found}) == 12  # every sample its own seed
    asked = server.asked[0]
    assert asked["messages"][0] == {"role": "system", "content": "Think."}
    assert {k: asked[k] for k in ("model", "temperature", "top_p", "max_tokens")} == {
        "model": "m",
        "temperature": 0.6,
        "top_p": 0.95,
        "max_tokens": 64,
    }
    assert server.keys == {None}  # a server that is not OpenAI's may need no key


def test_retries_are_used_up_and_a_rerun_asks_again(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    bad = {"1 + 1?", "4 + 4?"}

    def answer(asked: dict[str, Any]) -> Reply:
        if asked["messages"][-1]["content"] in bad:
            return say(500, {"error": {"message": "broken\nhere"}})
        return good(asked)

    server = serve(answer)
    made = config(tmp_path, server, args="retries=2")
    assert generate.run(made)["errors"] == 2
    assert len(server.asked) == 4 + 2 * 3
    failed = [t for t in traces(tmp_path) if t.finish == "error"]
    assert {t.error for t in failed} == {"500 Internal Server Error: broken here"}
    bad.clear()
    other = serve(answer)  # another server of the same model: the same run
    counts = generate.run(config(tmp_path, other, args="retries=2"))
    assert (counts["traces"], counts["errors"], len(other.asked)) == (6, 0, 2)


@pytest.mark.parametrize(
    ("url", "openai"),
    [
        ("https://api.openai.com/v1", True),
        ("https://eu.api.openai.com/v1", True),
        ("https://API.OpenAI.com/v1/", True),
        ("http://api.openai.com/v1", False),  # anybody on the way could read it
        ("https://api.openai.com.evil.example/v1", False),
        ("https://evil.example/api.openai.com/v1", False),
        ("https://notapi.openai.com/v1", False),
        ("https://api.deepseek.com/v1", False),
        ("http://127.0.0.1:8000/v1", False),
    ],
)
def test_the_key_of_openai_goes_to_openai_only(
    url: str, openai: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OTHER_KEY", "sk-other")
    made: Any = backends.make("openai", "m", {"base_url": url})
    assert made.key == (KEY if openai else "")
    assert made.continues is not openai  # nor does it go on with a begun answer
    named: Any = backends.make("openai", "m", {"base_url": url, "api_key_env": "OTHER_KEY"})
    assert named.key == "sk-other"


def test_another_server_gets_no_key_unasked(
    serve: Callable[..., Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server = serve()
    generate.run(config(tmp_path, server))
    assert server.keys == {None}
    closed = serve(lambda asked: say(401, {"error": "who are you?"}))
    with pytest.raises(
        UserError, match=r"who are you.*that holds its key: --backend-args api_key_"
    ):
        generate.run(config(tmp_path, closed, result_dir=tmp_path / "closed"))
    assert closed.keys == {None}


def test_fields_of_ones_own(serve: Callable[..., Server], tmp_path: Path) -> None:
    """They are sent, stand in every trace, and make another run."""
    server = serve()
    args = 'extra_body={"chat_template_kwargs": {"enable_thinking": false}, "top_k": 20}'
    generate.run(config(tmp_path, server, 2, args=args))
    assert {str(asked["chat_template_kwargs"]) for asked in server.asked} == {
        "{'enable_thinking': False}"
    }
    assert {asked["top_k"] for asked in server.asked} == {20}
    extra = {"chat_template_kwargs": {"enable_thinking": False}, "top_k": 20}
    assert [t.sampling.extra for t in traces(tmp_path)] == [extra, extra]
    with pytest.raises(UserError, match="was made with sampling="):
        generate.run(config(tmp_path, server, 2))
    with pytest.raises(UserError, match="top_k is in --sampling-params and in extra_body"):
        generate.run(config(tmp_path, server, 2, args=args, sampling_params="top_k=3"))


def test_a_begun_answer_as_vllm_wants_it(serve: Callable[..., Server], tmp_path: Path) -> None:
    server = serve(lambda asked: good(asked, thought=" see.", content="4"))
    begun = "<think>\nLet me"
    generate.run(config(tmp_path, server, 1, assistant_prefill=begun))
    [asked], [trace] = server.asked, traces(tmp_path)
    assert asked["messages"][-1] == {"role": "assistant", "content": begun}
    assert (asked["continue_final_message"], asked["add_generation_prompt"]) == (True, False)
    assert trace.thought == f"Let me see. {asked['seed']}"
    assert trace.answer == "4"
    assert [m.role for m in trace.messages] == ["system", "user"]


def test_the_key_is_nowhere(
    serve: Callable[..., Server],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    kinds = iter([400, 429, 500, 200, 500, 500, 500] * 9)

    def answer(asked: dict[str, Any]) -> Reply:
        status = next(kinds)
        return good(asked) if status == 200 else say(status, {"error": f"Bearer {KEY} is bad"})

    server = serve(answer)
    args = "retries=1,api_key_env=OPENAI_API_KEY"
    with pytest.raises(UserError) as caught:
        generate.run(config(tmp_path, server, args=args, max_error_rate=0.1))
    assert server.keys == {f"bearer {KEY}"}
    assert "Bearer *** is bad" in str(caught.value)
    texts = [p.read_text() for p in (tmp_path / "run").iterdir()]
    for text in (*texts, str(caught.value), *capfd.readouterr(), repr(vars(caught.value))):
        assert KEY not in text
    assert server.url not in "".join(texts)


def test_a_run_that_ends_for_errors_keeps_what_is_out(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    def answer(asked: dict[str, Any]) -> Reply:
        return good(asked) if server.asked.index(asked) < 5 else say(400, {})

    server = serve(answer, delay=0.02)
    with pytest.raises(UserError, match="of the latest 20 samples failed"):
        generate.run(config(tmp_path, server, 100, args="concurrency=8"))
    found = traces(tmp_path)
    assert len(found) == len(server.asked) < 40
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["counts"]["errors"] == len(found) - 5


def test_a_generator_that_is_abandoned_leaves_nothing(serve: Callable[..., Server]) -> None:
    server = serve(delay=0.01)
    code = f"""
import gc, os, threading
from skythought import backends
from skythought.core.records import Message, Request, Sampling
made = backends.make("openai", "m", {{"base_url": {server.url!r}, "concurrency": 8}})
asked = [Request(id=str(i), messages=(Message("user", "q"),)) for i in range(100)]
for taken in (0, 1, 5):
    answers = made.complete(asked, Sampling())
    for _ in range(taken):
        next(answers)
    if taken == 5:
        answers.close()
    del answers
    gc.collect()
assert threading.active_count() == 1, threading.enumerate()
assert not [f for f in os.listdir("/proc/self/fd") if "socket" in link(f)], "open sockets"
"""
    link = (
        "import os\ndef link(f):\n    try:\n        return os.readlink('/proc/self/fd/' + f)\n"
        "    except OSError:\n        return ''\n"
    )
    words = [sys.executable, "-X", "dev", "-W", "error", "-c", link + code]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_not_inside_an_event_loop(serve: Callable[..., Server]) -> None:
    server = serve()

    async def inside() -> None:
        with pytest.raises(UserError, match="an event loop runs here already"):
            ask(server, 1)
        assert len(await asyncio.to_thread(ask, server, 3)) == 3

    asyncio.run(inside())


def test_too_few_open_files(serve: Callable[..., Server]) -> None:
    code = (
        "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (200, 300))\n"
        "from skythought.backends import openai\nopenai._allow_open_files(150)\n"
        "assert resource.getrlimit(resource.RLIMIT_NOFILE) == (250, 300)\n"
        "openai._allow_open_files(201)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "need 301 open files and this system allows 300 (ulimit -Hn); give concurrency=200" in (
        done.stderr
    )


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"concurrency": "0"}, "concurrency=0: give 1 or more"),
        ({"rpm": "-1"}, "rpm=-1: give 0 or more"),
        ({"tpm": "nan"}, "tpm=nan: give 0 or more"),
        ({"timeout": "soon"}, "timeout=soon: give a number"),
        ({"base_url": "localhost:8000"}, "base_url: give http://HOST:PORT/v1"),
        ({"base_url": "http://h:x/v1"}, "base_url=http://h:x/v1: Port could not be cast"),
        ({"base_url": f"http://u:{KEY}@h/v1"}, "base_url holds more than an address"),
        ({"api_key": KEY}, "unknown option of openai 'api_key': did you mean 'api_key_env'?"),
        ({"api_key_env": KEY}, "api_key_env names no environment variable that is set"),
        ({}, "no key for https://api.openai.com/v1; export OPENAI_API_KEY, or give base_url="),
        ({"extra_body": "top_k=5"}, "extra_body: not a JSON object"),
        ({"extra_body": "[1]"}, "extra_body: not a JSON object"),
        ({"extra_body": '{"model": "x"}'}, "extra_body: model is no extra field"),
        ({"extra_body": '{"n": 4}'}, "extra_body: n is no extra field"),
        ({"extra_body": f'{{"a": [{{"api_key": "{KEY}"}}]}}'}, "api_key looks like a secret"),
    ],
)
def test_wrong_options(options: dict[str, str], told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(UserError) as caught:
        backends.make("openai", "m", options)
    assert told in str(caught.value)
    assert KEY not in str(caught.value)


def test_no_model_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="which model"):
        backends.make("openai", "", {})
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    with pytest.raises(UserError, match=r"run: pip install 'skythought\[openai\]'"):
        backends.make("openai", "m", {"base_url": "http://127.0.0.1:1/v1"})
