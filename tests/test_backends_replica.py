"""skythought/backends/replica.py: any backend in turns; no Ray needed."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from skythought import __version__
from skythought.backends import replica
from skythought.backends.replica import Replica
from skythought.core import crew
from skythought.core.crew import Turn
from skythought.core.errors import UserError
from skythought.core.records import Completion, Message, Request, Sampling

NAME = f"{__name__}:"


def ask(name: str) -> Request:
    return Request(id=name, messages=(Message("user", f"question {name}"),))


class Slow:
    """Answers one by one, each after a while; says how large the batch was."""

    def __init__(self, model: str, pause: float = 0.02) -> None:
        self.identity, self.pause = f"slow-{model}", pause

    def complete(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[Completion]:
        for request in requests:
            time.sleep(self.pause)
            text = f"{request.id} of {len(requests)}, {sampling.max_tokens} tokens"
            yield Completion(id=request.id, text=text, finish="stop")


class Fed:
    """Takes requests while it works: two steps each. What asks for `no` is refused."""

    room = 3

    def __init__(self, model: str) -> None:
        self.identity = model
        self.inside: dict[str, int] = {}
        self.started = 0

    def start(self) -> None:
        self.started += 1
        if self.identity == "broken":
            raise UserError("no room for a broken model")

    def add(self, request: Request, sampling: Sampling) -> Completion | None:
        if request.id == "no":
            return Completion(id="no", text="", finish="error", error="too long")
        self.inside[request.id] = 2
        return None

    def step(self) -> Iterator[Completion]:
        if "bad" in self.inside:
            raise UserError("the engine stopped")
        for name in [*self.inside]:
            self.inside[name] -= 1
            if not self.inside[name]:
                del self.inside[name]
                yield Completion(id=name, text="fed", finish="stop")


def ready(inner: str, model: str = "m", **options: str) -> Replica:
    made = Replica(f"{NAME}{inner}", model, options, {})
    report = made.start()
    assert not report.failure, report
    return made


def answered(turn: Turn) -> list[str]:
    assert not turn.failure
    return [answer.id for answer in turn.finished]


def test_it_says_what_it_is() -> None:
    report = Replica(f"{NAME}Slow", "m", {}, {}).start()
    assert (report.identity, report.version, report.room) == ("slow-m", __version__, crew.ROOM)
    assert report.node
    assert Replica(f"{NAME}Fed", "m", {}, {}).start().room == 3


@pytest.mark.parametrize(
    ("inner", "model", "options", "told"),
    [
        (f"{NAME}Slow", "m", {"pause": "long"}, "pause=long: give a number"),
        (f"{NAME}Fed", "broken", {}, "no room for a broken model"),
        ("scripted", "none.jsonl", {}, "none.jsonl: no such file"),
        ("slowly", "m", {}, "unknown backend 'slowly'"),
    ],
)
def test_what_is_wrong_comes_back_as_text(
    inner: str, model: str, options: dict[str, str], told: str
) -> None:
    report = Replica(inner, model, options, {}).start()
    assert told in report.failure
    assert not report.identity


def test_settings_come_along_and_give_way_to_those_of_the_node(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VLLM_HERE", "node")
    monkeypatch.delenv("VLLM_THERE", raising=False)
    Replica(f"{NAME}Fed", "m", {}, {"VLLM_HERE": "sent", "VLLM_THERE": "sent"}).start()
    assert (os.environ["VLLM_HERE"], os.environ["VLLM_THERE"]) == ("node", "sent")
    monkeypatch.delenv("VLLM_THERE")


def test_any_backend_answers_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer is given at the end of its turn, and what comes in meanwhile is the next batch."""
    monkeypatch.setattr(replica, "SLICE_S", 0.0)
    made = ready("Slow")
    first = made.turn([ask("a"), ask("b"), ask("c")], Sampling(max_tokens=7))
    assert [a.text for a in first.finished] == ["a of 3, 7 tokens"]
    found = [made.turn(new, Sampling(max_tokens=7)) for new in ([ask("d"), ask("e")], [], [], [])]
    assert [a.text for turn in found for a in turn.finished] == [
        *("b of 3, 7 tokens", "c of 3, 7 tokens"),
        *("d of 2, 7 tokens", "e of 2, 7 tokens"),
    ]
    assert answered(made.turn([], Sampling())) == []


def test_a_turn_gathers_a_moment_and_ends_with_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replica, "SLICE_S", 1000.0)
    made = ready("Slow", pause="0.001")
    names = [str(i) for i in range(10)]
    assert answered(made.turn([ask(name) for name in names], Sampling())) == names
    assert answered(made.turn([], Sampling())) == []


def test_a_turn_without_answers_ends_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replica, "TURN_S", 0.0)
    monkeypatch.setattr(replica, "SLICE_S", 0.0)
    made = ready("Fed")
    assert answered(made.turn([ask("a")], Sampling())) == []
    assert answered(made.turn([ask("b")], Sampling())) == ["a"]
    assert answered(made.turn([], Sampling())) == ["b"]


def test_a_refused_request_is_answered_with_the_others() -> None:
    made = ready("Fed")
    assert answered(made.turn([ask("a"), ask("no"), ask("b")], Sampling())) == ["no", "a", "b"]


def test_a_failure_keeps_what_was_answered_before_it() -> None:
    turn = ready("Fed").turn([ask("no"), ask("bad")], Sampling())
    assert [answer.id for answer in turn.finished] == ["no"]
    assert turn.failure == "the engine stopped"


def test_a_backend_of_the_package(tmp_path: Path) -> None:
    script = tmp_path / "script.jsonl"
    script.write_text(json.dumps({"question": "question a", "response": "yes"}) + "\n")
    made = Replica("scripted", str(script), {}, {})
    assert made.start().identity.startswith("scripted@")
    turn = made.turn([ask("a"), ask("b")], Sampling())
    assert [(a.id, a.text, a.finish) for a in turn.finished] == [
        ("a", "yes", "stop"),
        ("b", "", "error"),
    ]
