"""skythought/backends: the table, the options, and the scripted backend."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skythought import backends
from skythought.backends import hf
from skythought.core.errors import UserError
from skythought.core.records import Completion, Message, Request, Sampling


def ask(question: str, sample: int = 0, name: str = "r") -> Request:
    return Request(id=name, messages=(Message("user", question),), sample=sample)


def write(path: Path, *rows: object) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.mark.parametrize("name", backends.BACKENDS)
def test_every_backend_of_the_table_is_there(name: str) -> None:
    with pytest.raises(UserError, match=rf"unknown option of {name} 'no': known: "):
        backends.make(name, "model", {"no": "1"})


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("symbolik", {}, "unknown backend 'symbolik': did you mean 'symbolic'?"),
        (
            "symbolic",
            {"slp": "1"},
            "unknown option of symbolic 'slp': did you mean 'slip'? known: ",
        ),
        ("symbolic", {"slip": "often"}, "backend 'symbolic': slip=often: give a number"),
        ("symbolic", {"overlook": ""}, "overlook=: give a number"),
        ("scripted", {"speed": "1"}, "unknown option of scripted 'speed': known: none"),
        ("symbolic", {"slip": "1.5"}, "slip=1.5: give a probability from 0 to 1"),
        ("symbolic", {"overlook": "nan"}, "overlook=nan: give a probability"),
        ("symbolic", {"style": "lang"}, "unknown style 'lang': did you mean 'long'?"),
        ("symbolic", {"model": "other"}, "multiple values for argument 'model'"),
        ("scripted", {}, "scripted backend: which script? give --model FILE.jsonl"),
        ("no.such.module:Backend", {}, "there is no module 'no'"),
    ],
)
def test_a_wrong_name_or_option_is_one_line(name: str, options: dict[str, str], told: str) -> None:
    with pytest.raises(UserError) as caught:
        backends.make(name, "", options)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_backend_of_ones_own(tmp_path: Path) -> None:
    script = write(tmp_path / "script.jsonl", {"question": "q", "response": "a"})
    made = backends.make("skythought.backends.scripted:Scripted", script)
    assert made.identity == backends.make("scripted", script).identity


class Own:
    """A backend with options of every kind; nobody asks it anything."""

    def __init__(self, model: str, rate: float, size: int = 1, **more: str) -> None:
        if size == 13:
            raise ValueError("not 13")
        self.identity = f"{model} {rate!r} {size!r} {more}"


def test_options_of_a_backend_of_ones_own() -> None:
    name = f"{__name__}:Own"
    made = backends.make(name, "m", {"rate": "1", "size": "2", "any": "x"})
    assert made.identity == "m 1.0 2 {'any': 'x'}"
    for options, told in (
        ({}, "missing a required argument: 'rate'"),
        ({"rate": "1", "size": "2.5"}, "size=2.5: give a whole number"),
        ({"rate": "1", "size": "13"}, "not 13"),
    ):
        with pytest.raises(UserError, match=told):
            backends.make(name, "m", options)


def test_cut() -> None:
    assert backends.cut("one\n\ntwo three ", 3) == ("one\n\ntwo three ", "stop", 3)
    assert backends.cut("one\n\ntwo three ", 2) == ("one\n\ntwo", "length", 2)
    assert backends.cut("", 1) == ("", "stop", 0)


@given(text=st.text(), room=st.integers(1, 5))
def test_what_is_cut_is_a_beginning(text: str, room: int) -> None:
    kept, finish, n_words = backends.cut(text, room)
    assert text.startswith(kept)
    assert len(kept.split()) == n_words <= room
    assert (finish == "stop") == (kept == text)


def test_samples_come_in_the_order_of_the_script(tmp_path: Path) -> None:
    rows = [{"question": "1 plus 1?", "response": r} for r in ("2", "3 or 4")]
    rows.append({"question": "2 plus 2?", "response": "4"})
    backend = backends.make("scripted", write(tmp_path / "script.jsonl", *rows))
    requests = [ask("1 plus 1?", sample, f"r{sample}") for sample in range(3)]
    found = list(backend.complete([*requests, ask("2 plus 2?", 5, "other")], Sampling()))
    assert [(c.id, c.text, c.finish, c.completion_tokens) for c in found] == [
        ("r0", "2", "stop", 1),
        ("r1", "3 or 4", "stop", 3),
        ("r2", "2", "stop", 1),
        ("other", "4", "stop", 1),
    ]
    [cut] = backend.complete(requests[1:2], Sampling(max_tokens=2))
    assert (cut.text, cut.finish, cut.completion_tokens) == ("3 or", "length", 2)


def test_a_question_outside_the_script_is_an_error(tmp_path: Path) -> None:
    script = write(tmp_path / "script.jsonl", {"question": "q", "response": "a"})
    [found] = backends.make("scripted", script).complete([ask("other")], Sampling())
    assert found == Completion(id="r", text="", finish="error", error="question not in the script")


def test_the_question_is_the_last_turn(tmp_path: Path) -> None:
    script = write(tmp_path / "script.jsonl", {"question": "q", "response": "a"})
    request = Request(id="r", messages=(Message("system", "Think."), Message("user", "q")))
    [found] = backends.make("scripted", script).complete([request], Sampling())
    assert found.text == "a"


def test_the_identity_of_a_script_is_its_answers(tmp_path: Path) -> None:
    row = {"question": "q", "response": "a"}
    one, same, other = (
        backends.make("scripted", write(tmp_path / f"{name}.jsonl", data)).identity
        for name, data in (("1", row), ("2", row), ("3", {**row, "response": "b"}))
    )
    assert one == same != other


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"question": "q"}, r"script\.jsonl:2: expected the texts 'question' and 'response'"),
        ({"question": "q", "response": 3}, r"script\.jsonl:2: expected the texts"),
        ([], r"script\.jsonl:2: expected a JSON object"),
    ],
)
def test_a_bad_line_of_a_script_is_named(row: object, told: str, tmp_path: Path) -> None:
    script = write(tmp_path / "script.jsonl", {"question": "q", "response": "a"}, row)
    with pytest.raises(UserError, match=told):
        backends.make("scripted", script)


def test_a_missing_script_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.jsonl: no such file"):
        backends.make("scripted", str(tmp_path / "none.jsonl"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"r": 8}', "the adapter's config names no base model .* --backend-args base=FOLDER"),
        ('{"base_model_name_or_path": null}', "the adapter's config names no base model"),
        ("[1]", r"adapter_config\.json: expected a JSON object, found list"),
        ("{", r"adapter_config\.json: not valid JSON"),
    ],
)
def test_an_adapter_that_does_not_say_what_it_is(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text(text)
    with pytest.raises(UserError, match=told):
        hf.load(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("mni", "model 'mni': did you mean 'mini'? no such folder; the hub has owner/name"),
        ("runs/tuend", "cannot be loaded: did you mean 'runs/tuned'? there is no such folder"),
        ("./rns", "model './rns': did you mean 'runs'? no such folder"),
        ("runs/mni", "model 'runs/mni' cannot be loaded: there is no such folder"),
        ("away/mini", "model 'away/mini' cannot be loaded: there is no such folder"),
    ],
)
def test_a_mistyped_model_is_told_the_nearest(
    name: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("transformers", reason="needs skythought[train]")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "tuned").mkdir(parents=True)
    with pytest.raises(UserError) as caught:
        hf.pretrained(name, "auto")
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
