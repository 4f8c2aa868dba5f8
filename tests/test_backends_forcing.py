"""skythought/backends/forcing.py: thoughts go on, or end, where they are made to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from skythought import backends, generate
from skythought.backends import forcing
from skythought.backends.forcing import Forced
from skythought.core import formats, shapes
from skythought.core.errors import UserError
from skythought.core.records import Completion, Message, Request, Sampling


class Model:
    """Says what a script holds for each beginning, a word being a token."""

    identity = "model"
    continues = True
    host = "somewhere"

    def __init__(self, script: dict[str, str]) -> None:
        self.script, self.asked = script, list[tuple[str, int]]()

    def complete(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[Completion]:
        for request in requests:
            self.asked.append((request.prefill, sampling.max_tokens))
            key = next(k for k in sorted(self.script, key=len)[::-1] if request.prefill.endswith(k))
            text, finish, tokens = backends.cut(self.script[key], sampling.max_tokens)
            yield Completion(
                id=request.id, text=text, finish=finish, prompt_tokens=7, completion_tokens=tokens
            )


def ask(
    model: Model, wait: int = 0, thinking: int = 0, most: int = 50, n: int = 1
) -> list[Completion]:
    forced = Forced(model, wait=wait, thinking=thinking)
    requests = [Request(id=f"r{i}", messages=(Message("user", "?"),)) for i in range(n)]
    return [*forced.complete(requests, Sampling(max_tokens=most))]


def test_a_thought_goes_on_as_often_as_asked() -> None:
    model = Model(
        {
            "": "<think>\none two\n</think>\n\nIt is 3.",
            "one two\n\nWait": ", three\n</think>\n\nIt is 4.",
            "three\n\nWait": ", four\n</think>\n\nIt is 5.",
        }
    )
    [made] = ask(model, wait=2)
    assert made.text == "<think>\none two\n\nWait, three\n\nWait, four\n</think>\n\nIt is 5."
    assert made.finish == "stop"
    assert formats.parse(made.text).answer == "It is 5."
    assert made.wasted[1] > 0
    assert made.prompt_tokens == 7
    assert made.wasted[0] == 14  # two more rounds read the prompt again
    assert [prefill for prefill, _ in model.asked] == [
        "",
        "<think>\none two\n\nWait",
        "<think>\none two\n\nWait, three\n\nWait",
    ]


def test_a_thought_is_ended_and_the_answer_asked_for() -> None:
    model = Model({"": "<think>\n" + "on and " * 40, "Final Answer:": " 3"})
    [made] = ask(model, thinking=16)
    thought = " ".join(["<think>", *["on", "and"] * 8][:16])
    assert made.text.split() == [*thought.split(), "</think>", "Final", "Answer:", "3"]
    assert (made.finish, made.completion_tokens) == ("stop", 17)
    assert model.asked[0][1] == 16
    assert model.asked[1][1] == 50 - 16
    assert formats.parse(made.text).answer == "Final Answer: 3"


def test_the_taught_format_is_ended_in_its_own_way() -> None:
    model = Model({"": f"{formats.OPEN_THOUGHT}so " * 1 + "on " * 40, "Final Answer:": " 3"})
    [made] = ask(model, thinking=16)
    assert formats.END_THOUGHT in made.text
    assert formats.parse(made.text).answer.startswith("Final Answer: 3")


def test_an_answer_that_the_thinking_budget_cuts_goes_on() -> None:
    model = Model({"": "<think>\none\n</think>\n\nIt is a long one", "long": " one"})
    [made] = ask(model, thinking=7)
    assert formats.parse(made.text) == formats.Parts("one", "It is a long one", closed=True)
    assert made.finish == "stop"


def test_waits_end_with_the_budget() -> None:
    model = Model(
        {
            "": "<think>\none two\n</think>\n\n3",
            "Wait": " and on\n</think>\n\n4",
            "</think>": "\n\n4",
        }
    )
    [made] = ask(model, wait=40, thinking=20, most=60)
    assert made.text.count("Wait") < 10
    assert formats.parse(made.text).answer.endswith("4")


def test_what_does_not_think_is_left_alone() -> None:
    model = Model({"": "It is 3."})
    assert [made.text for made in ask(model, wait=3, thinking=20, n=3)] == ["It is 3."] * 3
    assert len(model.asked) == 3


def test_errors_are_given_back() -> None:
    class Failing(Model):
        def complete(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[Completion]:
            for request in requests:
                yield Completion(id=request.id, text="", finish="error", error="busy")

    assert [made.error for made in ask(Failing({}), wait=1)] == ["busy"]


def test_what_cannot_be_forced() -> None:
    model = Model({"": "x"})
    with pytest.raises(UserError, match="leaves no tokens for an answer"):
        ask(model, thinking=50)
    with pytest.raises(UserError, match="give 1 or more"):
        Forced(model)
    with pytest.raises(UserError, match="unknown budget forcing 'wiat': did you mean 'wait'"):
        forcing.wrap(model, "wiat=1")
    with pytest.raises(UserError, match="wait=x: give a whole number"):
        forcing.wrap(model, "wait=x")
    model.continues = False
    with pytest.raises(UserError, match="model cannot go on with a begun answer"):
        forcing.wrap(model, "wait=1")
    assert forcing.wrap(model, "") is model


def test_the_wrapped_backend_shows_through() -> None:
    forced = Forced(Model({"": "x"}), wait=2, thinking=9)
    assert forced.identity == "model Wait x2, thinking 9"
    assert forced.host == "somewhere"
    assert getattr(forced, "runs_on", "none") == "none"


def test_the_model_in_the_package_is_cut(tmp_path: Path) -> None:
    """The command, on a real model whose thought is begun for it."""
    pytest.importorskip("torch", reason="needs skythought[train]")
    config = generate.Config(
        task="toll_roads",
        limit=2,
        model="mini",
        sampling_params="max_tokens=60",
        assistant_prefill=formats.OPEN_THOUGHT,
        budget_forcing="thinking=5",
        result_dir=tmp_path,
    )
    generate.run(config)
    for trace in shapes.read_traces(tmp_path):
        assert trace.model.endswith(" thinking 5")
        assert trace.thought
        assert trace.answer.startswith(forcing.ASK)
