from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from skythought.core.errors import UserError
from skythought.structure import likelihood

PARTS = [f"step {i} of the thought" for i in range(8)]
QUESTION = "What are the steps?"


class Ordered:
    """Finds a step likelier after the step before it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def logprobs(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        self.asked += pairs
        return [-1.0 if _number(step) - _number(context) == 1 else -2.0 for context, step in pairs]


def _number(text: str) -> int:
    return int(text.split()[1]) if text.startswith("step") else -1


def test_steps_in_order_follow() -> None:
    judged = likelihood.judge(PARTS, Ordered(), question=QUESTION)
    assert len(judged) == len(PARTS)
    assert all(step.best for step in judged)
    assert likelihood.consistency(judged, 0) == 1
    soft = likelihood.consistency(judged, 0.5)
    assert soft == pytest.approx(1 / (1 + math.exp(-2)))


def test_steps_out_of_order_do_not() -> None:
    mixed = [PARTS[i] for i in (0, 4, 1, 5, 2, 6, 3, 7)]
    judged = likelihood.judge(mixed, Ordered(), question=QUESTION, others=6)
    found = likelihood.consistency(judged, 0)
    assert found is not None
    assert found < 0.6
    assert sum(step.best for step in judged) < len(judged)


def test_without_a_question_the_first_step_is_not_judged() -> None:
    assert len(likelihood.judge(PARTS, Ordered())) == len(PARTS) - 1


def test_too_few_steps_are_not_judged() -> None:
    scorer = Ordered()
    assert likelihood.judge(PARTS[:2], scorer) == []
    assert likelihood.judge(PARTS[:1], scorer, question=QUESTION) == []
    assert likelihood.consistency([]) is None
    assert scorer.asked == []


def test_the_same_steps_are_compared_in_a_corrupt_copy() -> None:
    """Each step is tried after its own and others, never after itself, drawn from the seed."""
    first, again, other = Ordered(), Ordered(), Ordered()
    likelihood.judge(PARTS, first, others=3, seed=1)
    likelihood.judge([part.upper() for part in PARTS], again, others=3, seed=1)
    likelihood.judge(PARTS, other, others=3, seed=2)
    assert [(c.upper(), s.upper()) for c, s in first.asked] == again.asked
    assert first.asked != other.asked
    assert len(first.asked) == 7 * 4
    for context, step in first.asked:
        assert context != step + likelihood.BETWEEN
    for start in range(0, len(first.asked), 4):
        assert len(set(first.asked[start : start + 4])) == 4


def test_ties_are_a_half() -> None:
    assert likelihood.Judged(-1, (-1, -1)).follows(0) == 0.5
    assert likelihood.Judged(-1, (-1, -1)).follows(0.1) == 0.5
    assert 0 < likelihood.Judged(-1e9, (0, 0)).follows(0.1) < 1e-9


def test_local_model(tiny_model: Path) -> None:
    """What is batched and padded is what each pair gives alone, computed in full."""
    torch = pytest.importorskip("torch", reason="needs skythought[train]")
    scorer = likelihood.Local(str(tiny_model), context=12, continuation=6, batch=3)
    pairs = [
        ("oak and fir\n\n", "the answer is 4"),
        ("oak", "fir pine oak fir pine oak fir pine oak"),
        ("wait " * 30, "but then"),
        ("", "oak"),
        ("oak", ""),
    ]
    found = scorer.logprobs(pairs)
    assert found[-1] == 0
    assert all(value < 0 for value in found[:-1])
    for (context, step), value in zip(pairs[:-1], found[:-1], strict=True):
        before, after = scorer._ids(context, step)
        with torch.inference_mode():
            said = scorer.model(torch.tensor([before + after])).logits[0].log_softmax(-1)
        alone = [float(said[len(before) + i - 1, token]) for i, token in enumerate(after)]
        assert value == pytest.approx(sum(alone) / len(alone), abs=1e-4)
    assert len(scorer._ids(*pairs[1])[1]) == 6
    assert len(scorer._ids(*pairs[2])[0]) == 12


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="needs skythought[train]")
    with pytest.raises(UserError, match="nothing-here"):
        likelihood.Local(str(tmp_path / "nothing-here"))


@pytest.fixture
def completions() -> Iterator[Callable[[Callable[[dict[str, Any]], tuple[int, Any]]], str]]:
    """Give what starts a server of completions on this machine and names its address."""
    servers: list[ThreadingHTTPServer] = []

    def start(answer: Callable[[dict[str, Any]], tuple[int, Any]]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                asked["key"] = self.headers.get("Authorization")
                status, body = answer({"path": self.path, **asked})
                raw = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_: Any) -> None:
                return

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/v1"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def echo(asked: dict[str, Any]) -> tuple[int, Any]:
    """Answer as vLLM does: one token for each character, each with its place as probability."""
    prompt = str(asked["prompt"])
    told = {
        "tokens": list(prompt + "!"),
        "text_offset": list(range(len(prompt) + 1)),
        "token_logprobs": [None, *(-float(ord(c)) for c in prompt[1:]), -1e6],
    }
    return 200, {"choices": [{"text": prompt + "!", "logprobs": told}]}


def test_server(completions: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, Any]] = []

    def answer(asked: dict[str, Any]) -> tuple[int, Any]:
        seen.append(asked)
        return echo(asked)

    monkeypatch.setenv("A_KEY", "secret")
    server = likelihood.Server("m", completions(answer), api_key_env="A_KEY", continuation=3)
    assert server.logprobs([("xyz\n\n", "abcdef"), ("", "b")]) == [-98.0, 0.0]
    assert {s["path"] for s in seen} == {"/v1/completions"}
    assert {s["key"] for s in seen} == {"Bearer secret"}
    assert all(s["echo"] and s["logprobs"] == 1 and s["model"] == "m" for s in seen)
    assert sorted(s["prompt"] for s in seen) == ["b", "xyz\n\nabc"]


def test_a_busy_server_is_asked_again(completions: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    replies: list[tuple[int, Any]] = [(503, {}), (429, {})]
    server = likelihood.Server(
        "m", completions(lambda a: replies.pop() if replies else echo(a)), concurrency=1
    )
    assert server.logprobs([("x", "ab")]) == [-97.5]


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ((404, {"error": "no such model"}), "404 .*no such model"),
        ((200, {"choices": [{"text": "x", "logprobs": None}]}), "no log-probabilities"),
        ((200, {}), "no log-probabilities"),
    ],
)
def test_a_server_that_cannot(completions: Any, reply: tuple[int, Any], said: str) -> None:
    server = likelihood.Server("m", completions(lambda _: reply))
    with pytest.raises(UserError, match=said):
        server.logprobs([("x", "ab")])


def test_a_server_that_is_not_there() -> None:
    server = likelihood.Server("m", "http://127.0.0.1:9/v1", retries=0)
    with pytest.raises(UserError, match="is the server there"):
        server.logprobs([("x", "ab")])


def test_wrong_settings_of_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_KEY", raising=False)
    with pytest.raises(UserError, match="NO_KEY is not set"):
        likelihood.Server("m", api_key_env="NO_KEY")
    with pytest.raises(UserError, match="begins with http"):
        likelihood.Server("m", "file:///etc/passwd")
