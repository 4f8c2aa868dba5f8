"""skythought/rewriting.py: a model asked for other words, resumed, and never paid twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from chat_server import Reply, good

from skythought import backends, cli, perturb, rewriting
from skythought.core import steps, store
from skythought.core.errors import UserError
from skythought.core.records import Completion, Message, Request, Sampling, Trace
from skythought.perturb import Config

if TYPE_CHECKING:
    from chat_server import Server


def traces(n: int = 6) -> list[Trace]:
    return [
        Trace(
            id=f"t{i}",
            problem_id=f"p{i}",
            model="m",
            messages=(Message("user", f"How many, {i}?"),),
            thought=f"There are {i} of them.\n\nHmm.\n\n{i} + 1 = {i + 1}\n\nSo we have {i + 1}.",
            answer=f"So \\boxed{{{i + 1}}}.",
        )
        for i in range(n)
    ]


def script(path: Path, answers: dict[str, str]) -> Path:
    rows = [{"question": q, "response": a} for q, a in answers.items()]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def all_answers(n: int = 6) -> dict[str, str]:
    """Answer every step; those of one trace lose a number."""
    said = {"Hmm.": "Well, well."}
    for i in range(n):
        said[f"There are {i} of them."] = f"Of them there are {i}."
        said[f"So we have {i + 1}."] = f"What we have is {i + 1}." if i != 3 else "What we have."
    return said


@pytest.fixture
def source(tmp_path: Path) -> Path:
    store.write_records(tmp_path / "in.jsonl", traces())
    return tmp_path / "in.jsonl"


ASKED: list[str] = []


class Listing:
    """Answers from a script, and lists what it was asked."""

    def __init__(self, model: str) -> None:
        self._script = backends.make("scripted", model)
        self.identity = "listing"

    def complete(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[Completion]:
        for request in requests:
            ASKED.append(request.messages[-1].content)
            yield from self._script.complete([request], sampling)


def run(source: Path, output: Path, model: Path | str, **options: Any) -> dict[str, Any]:
    ASKED.clear()
    config = Config(
        **{
            "input": source,
            "output": output,
            "kind": "paraphrase",
            "fraction": 1.0,
            "backend": f"{__name__}:Listing",
            "model": str(model),
            **options,
        }
    )
    return perturb.run(config)


def test_a_model_says_it_in_other_words(source: Path, tmp_path: Path) -> None:
    out, model = tmp_path / "out.jsonl", script(tmp_path / "script.jsonl", all_answers())
    counts = run(source, out, model)
    assert (counts["traces"], counts["changed"]) == (6, 6)
    # Of four steps each: one is a formula alone, and one answer lost its number.
    assert (counts["rewritten"], counts["kept"]) == (17, 7)
    new = store.read(out, Trace)
    assert steps.split(new[0].thought) == [
        "Of them there are 0.",
        "Well, well.",
        "0 + 1 = 1",
        "What we have is 1.",
    ]
    assert steps.split(new[3].thought)[-1] == "So we have 4."
    assert new[0].edits == ("paraphrase fraction=1 seed=0 rewrite=listing",)
    assert [t.parent for t in new] == [f"t{i}" for i in range(6)]
    assert ASKED.count("Hmm.") == 1  # six traces say it
    assert len(ASKED) == 13
    facts = json.loads((tmp_path / "out.jsonl.manifest.json").read_text())
    assert facts["config"]["model"] == "listing"
    assert run(source, out, model) == counts
    assert ASKED == []


def test_what_was_had_is_not_asked_again(source: Path, tmp_path: Path) -> None:
    """A failure leaves no output, keeps every answer, and the same command goes on."""
    answers = all_answers()
    some = {q: a for q, a in answers.items() if not q.startswith("So we")}
    out, model = tmp_path / "out.jsonl", script(tmp_path / "script.jsonl", some)
    with pytest.raises(UserError, match=r"6 of 13 texts could not be had of listing, the last: qu"):
        run(source, out, model)
    assert not out.exists()
    assert not (tmp_path / "out.jsonl.part").exists()
    kept = tmp_path / "out.jsonl.rewritten.jsonl"
    assert len(kept.read_text().splitlines()) == 7
    kept.write_text(kept.read_text() + '{"id":"torn')  # killed in the midst of a line
    script(model, answers)
    counts = run(source, out, model)
    assert counts["rewritten"] == 17
    assert sorted(ASKED) == [f"So we have {i + 1}." for i in range(6)]
    once = tmp_path / "once.jsonl"
    run(source, once, model)
    assert once.read_bytes() == out.read_bytes()


def test_failures_can_be_left(source: Path, tmp_path: Path) -> None:
    answers = {q: a for q, a in all_answers().items() if q != "Hmm."}
    model = script(tmp_path / "script.jsonl", answers)
    counts = run(source, tmp_path / "out.jsonl", model, keep_failed=True)
    assert (counts["rewritten"], counts["kept"], counts["failed"]) == (11, 13, 1)
    assert "Hmm." in store.read(tmp_path / "out.jsonl", Trace)[0].thought


def test_a_hopeless_model_is_not_asked_for_all(tmp_path: Path) -> None:
    store.write_records(tmp_path / "in.jsonl", traces(200))
    model = script(tmp_path / "script.jsonl", {"Hmm.": "Well."})
    with pytest.raises(UserError, match="20 of 21 texts could not be had"):
        run(tmp_path / "in.jsonl", tmp_path / "out.jsonl", model)
    assert len(ASKED) == 21


def test_an_answer_that_was_cut_off_is_not_taken(source: Path, tmp_path: Path) -> None:
    model = script(tmp_path / "script.jsonl", all_answers())
    counts = run(source, tmp_path / "out.jsonl", model, max_tokens=2)
    assert (counts["rewritten"], counts["changed"]) == (6, 6)  # "Well, well." has two words
    run(source, tmp_path / "out.jsonl", model, max_tokens=2)
    assert ASKED == []


def test_with_other_kinds_and_damaged_rows(source: Path, tmp_path: Path) -> None:
    """What comes before is done before; what comes after goes on from what the model said."""
    source.write_text("torn\n" + source.read_text())
    model = script(tmp_path / "script.jsonl", all_answers())
    out = tmp_path / "out.jsonl"
    counts = run(source, out, model, kind="truncate,paraphrase,keywords", fraction="0.5,1,1")
    assert (counts["traces"], counts["dropped"]) == (6, 1)
    assert store.read(out, Trace)[2].thought == "Of them there are 2.\n\nWell, well."
    assert [e.split()[0] for e in store.read(out, Trace)[2].edits] == [
        "truncate",
        "paraphrase",
        "keywords",
    ]
    assert set(ASKED) == {"Hmm.", *(f"There are {i} of them." for i in range(6))}


def test_twice_in_other_words(source: Path, tmp_path: Path) -> None:
    """The second asks about what the first gave."""
    again = {"Of them there are 0.": "It is 0 of them.", "Well, well.": "Well, then."}
    answers = {**all_answers(1), **again, "What we have is 1.": "That makes 1."}
    store.write_records(source, traces(1))
    model = script(tmp_path / "script.jsonl", answers)
    run(source, tmp_path / "out.jsonl", model, kind="paraphrase,paraphrase")
    [new] = store.read(tmp_path / "out.jsonl", Trace)
    assert steps.split(new.thought) == [
        "It is 0 of them.",
        "Well, then.",
        "0 + 1 = 1",
        "That makes 1.",
    ]


def test_a_function_of_ones_own(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "saying.py").write_text("def again(text):\n    return 'Again: ' + text\n")
    monkeypatch.syspath_prepend(tmp_path)
    out = tmp_path / "out.jsonl"
    counts = run(source, out, "", options="rewrite=saying:again", fraction=0.5)
    assert (counts["rewritten"] + counts["kept"], counts["changed"]) == (12, 6)
    assert store.read(out, Trace)[0].edits[0].endswith("rewrite=saying:again")
    assert not (tmp_path / "out.jsonl.rewritten.jsonl").exists()


def test_mistakes(source: Path, tmp_path: Path) -> None:
    out, model = tmp_path / "out.jsonl", script(tmp_path / "script.jsonl", all_answers())
    with pytest.raises(UserError, match="who says it in other words"):
        run(source, out, "")
    with pytest.raises(UserError, match=r"unknown backend 'scriptd': did you mean 'scripted'"):
        run(source, out, model, backend="scriptd")
    kept = tmp_path / "out.jsonl.rewritten.jsonl"
    kept.write_text('{"mine": 1}\n')
    with pytest.raises(UserError, match=r"rewritten\.jsonl:1: no answer of a model"):
        run(source, out, model)
    kept.unlink()
    asked = backends.make("scripted", str(model))
    with (
        rewriting.Rewrites(kept, asked, Sampling()),
        pytest.raises(UserError, match="another command is writing it; wait for it"),
    ):
        run(source, out, model)


def test_a_server_is_asked(
    source: Path, tmp_path: Path, serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("aiohttp", reason="needs skythought[openai]")

    def answer(asked: dict[str, Any]) -> Reply:
        return good(asked, content=f"Other words for {asked['messages'][-1]['content']}")

    server = serve(answer)
    key = "sk-secret-0123456789abcdef"
    monkeypatch.setenv("MY_KEY", key)
    counts = run(
        source,
        tmp_path / "out.jsonl",
        "m",
        backend="openai",
        backend_args=f"base_url={server.url},api_key_env=MY_KEY",
    )
    assert counts["rewritten"] == 18
    for path in tmp_path.iterdir():
        assert key not in path.read_text()


def test_killed_it_goes_on(source: Path, tmp_path: Path) -> None:
    """What was answered before the end is in the file, and nothing of it is asked again."""
    model = script(tmp_path / "script.jsonl", all_answers())
    (tmp_path / "dying.py").write_text(
        "import os\nfrom skythought import backends\n"
        "class Dying:\n"
        "    def __init__(self, model):\n"
        "        self.inner = backends.make('scripted', model)\n"
        "        self.identity = 'listing'\n"
        "    def complete(self, requests, sampling):\n"
        "        for n, request in enumerate(requests):\n"
        "            if n == 5:\n"
        "                os.kill(os.getpid(), 9)\n"
        "            yield from self.inner.complete([request], sampling)\n"
    )
    out = tmp_path / "out.jsonl"
    command = [sys.executable, "-m", "skythought", "perturb", str(source), str(out)]
    command += ["--kind", "paraphrase", "--fraction", "1", "--backend", "dying:Dying"]
    path = os.pathsep.join([str(tmp_path), *sys.path])
    done = subprocess.run(
        [*command, "--model", str(model)],
        env={**os.environ, "PYTHONPATH": path},
        check=False,
        timeout=120,
    )
    assert done.returncode == -9
    assert not out.exists()
    run(source, out, model)
    assert len(ASKED) == 13 - 5


def test_the_command(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = script(tmp_path / "script.jsonl", all_answers())
    words = ["perturb", str(source), str(tmp_path / "out.jsonl"), "--kind", "paraphrase"]
    words += ["--fraction", "1", "--backend", "scripted", "--model", str(model)]
    assert cli.main(words) == 0
    told = capsys.readouterr().err
    why = "(no words to change: 6, other numbers: 1)"
    assert f"17 texts rewritten, 7 kept as they were {why}" in told
