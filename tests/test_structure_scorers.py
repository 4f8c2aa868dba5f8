"""skythought/structure/scorers.py: which tokens are judged, here and on a server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from echo_server import echo, serving

from skythought import likelihoods
from skythought.core.errors import UserError
from skythought.structure import scorers
from skythought.structure.scorers import Local, Server

CASES = Path(__file__).parent / "cases"


@pytest.mark.parametrize(
    ("line_ends", "context", "at"),
    [
        ([0, 2, 0, 0], "a\n\n", 2),
        ([0, 1, 1, 0, 1, 0], "a\n\n", 3),  # the step has line ends of its own
        ([0, 0, 2], "a\n\n", 3),  # nothing comes behind
        ([1, 0, 2, 0], "\na\n\n", 3),
        ([0, 0], "a\n\n", None),
        ([0, 0], "a", 0),
        ([], "", 0),
    ],
)
def test_judged_is_what_comes_behind_the_last_line_end(
    line_ends: list[int], context: str, at: int | None
) -> None:
    assert scorers.begin(line_ends, context) == at


def test_local_model(tiny_model: Path) -> None:
    """What is batched and padded is what each pair gives alone, computed in full."""
    torch = pytest.importorskip("torch", reason="needs skythought[train]")
    scorer = likelihoods.local(str(tiny_model), device="cpu", batch=3)
    assert isinstance(scorer, Local)
    pairs = [
        ("oak and fir\n\n", "the answer is 4"),
        ("oak\n", "fir pine oak\n\nfir pine oak fir pine oak"),
        ("wait " * 30 + "\n\n", "but then"),
        ("\n", "oak"),
        ("oak\n\n", ""),
    ]
    found = scorer.logprobs(pairs)
    assert found[-1] == 0
    assert all(value < 0 for value in found[:-1])
    for (context, step), value in zip(pairs[:-1], found[:-1], strict=True):
        ids = scorer.tokenizer(context + step)["input_ids"]
        n = len(scorer.tokenizer(step)["input_ids"])
        with torch.inference_mode():
            said = scorer.net(torch.tensor([ids])).logits[0].log_softmax(-1)
        alone = [float(said[i - 1, ids[i]]) for i in range(len(ids) - n, len(ids))]
        assert value == pytest.approx(sum(alone) / n, abs=1e-4)


def test_a_tokenizer_that_drops_line_ends_is_refused(tiny_model: Path) -> None:
    scorer = likelihoods.local(str(tiny_model), device="cpu")
    assert isinstance(scorer, Local)
    kept = scorer.tokenizer
    scorer.tokenizer = lambda text: kept(text.replace("\n", " "))
    with pytest.raises(UserError, match="drops line ends"):
        scorer.logprobs([("oak\n\n", "fir")])


def test_a_model_without_numbers_is_refused(tiny_model: Path) -> None:
    torch = pytest.importorskip("torch", reason="needs skythought[train]")
    scorer = likelihoods.local(str(tiny_model), device="cpu")
    assert isinstance(scorer, Local)
    with torch.no_grad():
        next(scorer.net.parameters()).fill_(float("nan"))
    with pytest.raises(UserError, match="no numbers"):
        scorer.logprobs([("oak\n\n", "fir")])


@pytest.fixture
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    with serving(getattr(request, "param", echo)) as url:
        yield url


def test_server(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, Any]] = []

    def answer(asked: dict[str, Any]) -> tuple[int, Any]:
        seen.append(asked)
        return echo(asked)

    monkeypatch.setenv("A_KEY", "secret")
    with serving(answer) as address:
        server = Server("m", address, api_key_env="A_KEY")
        assert server.logprobs([("xyz\n\n", "abc"), ("\n", "b"), ("x\n", "")]) == [-98, -98, 0]
    assert {s["path"] for s in seen} == {"/v1/completions"}
    assert {s["key"] for s in seen} == {"Bearer secret"}
    assert all(s["echo"] and s["logprobs"] == 1 and s["model"] == "m" for s in seen)
    assert sorted(s["prompt"] for s in seen) == ["\nb", "x\n", "xyz\n\nabc"]


def test_characters_of_several_tokens_move_nothing(address: str) -> None:
    """Places in the text, as servers tell them, would be off by three for each sign here."""
    found = Server("m", address).logprobs([("2 × 3 ≤ 7 → 🙂\n\n", "abc")])
    assert found == [-98]


def test_an_answer_of_vllm() -> None:
    """Recorded of vLLM 0.32 with SmolLM2-135M-Instruct, 30 tokens and the one it goes on with."""
    recorded = json.loads((CASES / "vllm_echo.json").read_text(encoding="utf-8"))
    with serving(lambda _: (200, recorded)) as address:
        pair = ("√2 ∠ABC, 因此 𝑥 △ ½ 🤔.\n\n", "So ≥ it is")
        [found] = Server("smollm2", address).logprobs([pair])
    assert found == pytest.approx(sum((-5.0319, -12.6475, -7.3446, -1.0859)) / 4, abs=1e-3)


def test_a_busy_server_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    replies: list[tuple[int, Any]] = [(503, {}), (429, {})]
    with serving(lambda a: replies.pop() if replies else echo(a)) as address:
        assert Server("m", address, concurrency=1).logprobs([("x\n", "ab")]) == [-97.5]


def without(*path: Any) -> Any:
    """Make a server whose answer lacks something."""

    def answer(asked: dict[str, Any]) -> tuple[int, Any]:
        status, body = echo(asked)
        place = body
        for key in path[:-1]:
            place = place[key]
        del place[path[-1]]
        return status, body

    return answer


def only_the_answer(asked: dict[str, Any]) -> tuple[int, Any]:
    """Ignore `echo`, as servers do that do not know it."""
    told = {"tokens": ["4"], "token_logprobs": [-1.0], "text_offset": [0]}
    choices = [{"text": "4", "logprobs": told}]
    return 200, {"choices": choices, "usage": {"prompt_tokens": 5}}


def numbers_missing(asked: dict[str, Any]) -> tuple[int, Any]:
    status, body = echo(asked)
    body["choices"][0]["logprobs"]["token_logprobs"] = [float("nan")] * 99
    return status, body


@pytest.mark.parametrize(
    ("address", "said"),
    [
        (lambda _: (404, {"error": "no such model"}), "404 .*no such model"),
        (lambda _: (200, {"choices": [{"text": "x", "logprobs": None}]}), "no log-probabilities"),
        (lambda _: (200, {}), "no log-probabilities"),
        (lambda _: (200, []), "no log-probabilities"),
        (without("usage"), "no log-probabilities"),
        (without("choices", 0, "logprobs", "tokens"), "no log-probabilities"),
        (only_the_answer, "no log-probabilities of the prompt"),
        (numbers_missing, "no log-probabilities"),
    ],
    indirect=["address"],
)
def test_a_server_that_cannot(address: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        Server("m", address).logprobs([("x\n\n", "ab")])


def test_the_key_goes_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not to where a server sends us, and not into a message."""
    monkeypatch.setenv("A_KEY", "secret-key")
    seen: list[dict[str, Any]] = []

    def other(asked: dict[str, Any]) -> tuple[int, Any]:
        seen.append(asked)
        return echo(asked)

    def ask(address: str) -> None:
        Server("m", address, api_key_env="A_KEY").logprobs([("x\n", "ab")])

    with (
        serving(other) as there,
        serving(lambda _: (302, {"to": there})) as here,
        pytest.raises(UserError, match="302"),
    ):
        ask(here)
    assert seen == []
    with (
        serving(lambda asked: (401, {"error": f"not {asked['key']}"})) as here,
        pytest.raises(UserError, match="401") as told,
    ):
        ask(here)
    assert "secret" not in str(told.value)


def test_a_server_that_is_not_there() -> None:
    server = Server("m", "http://127.0.0.1:9/v1", retries=0)
    with pytest.raises(UserError, match="is the server there"):
        server.logprobs([("x\n", "ab")])


def test_wrong_settings_of_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_KEY", raising=False)
    monkeypatch.setenv("SPLIT_KEY", "one two")
    for name in ("NO_KEY", "SPLIT_KEY"):
        with pytest.raises(UserError, match="no environment variable that holds a key"):
            Server("m", api_key_env=name)
    with pytest.raises(UserError, match="give http"):
        Server("m", "file:///etc/passwd")
    with pytest.raises(UserError, match="holds a password"):
        Server("m", "http://me:secret@127.0.0.1/v1")
    with pytest.raises(UserError, match="which model"):
        Server("", "http://127.0.0.1/v1")
