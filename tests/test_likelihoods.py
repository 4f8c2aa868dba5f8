"""skythought/likelihoods.py: a scorer by its name, and its answers in a file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from echo_server import echo, serving

from skythought import analyze, cli, likelihoods
from skythought.core import shapes
from skythought.core.errors import UserError
from skythought.likelihoods import Likelihoods, Thought
from skythought.structure import likelihood
from skythought.structure.likelihood import Comparison
from skythought.structure.scorers import Pair, Server

STEPS = ["Okay, oak and fir.", "3 * 12 = 36.", "36 - 4 = 32.", "So the answer is 32."]


class Counting:
    """Finds a step likelier the longer its context is, and counts what it is asked."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def logprobs(self, pairs: Sequence[Pair]) -> list[float]:
        self.calls.append(len(pairs))
        return [float(len(context)) for context, _ in pairs]


def thoughts(n: int, size: int = 4) -> list[Thought]:
    return [Thought(f"t{i}", "?", [f"{i} {j} {'x' * j}" for j in range(size)]) for i in range(n)]


def ask(path: Path, scorer: Any, asked: list[Thought], claimed: list[int]) -> list[Any]:
    with Likelihoods(path, scorer, Comparison(), lambda: claimed.append(1)) as found:
        return [value for values in found.of(asked) for value in values]


def test_what_is_in_the_file_is_not_asked_again(tmp_path: Path) -> None:
    path, claimed = tmp_path / "likelihoods.jsonl", list[int]()
    first, second = Counting(), Counting()
    whole = ask(path, first, thoughts(9), claimed)
    rows = path.read_text().splitlines(keepends=True)
    assert len(rows) == 9
    path.write_text("".join(rows[:4]) + rows[4][:9])  # torn
    assert ask(path, second, thoughts(9), claimed) == whole
    assert path.read_text() == "".join(rows)
    assert second.calls == [5 * first.calls[0] // 9]
    third = Counting()
    assert ask(path, third, thoughts(9), claimed) == whole
    assert third.calls == []


def test_batches_go_on_where_the_file_ends(tmp_path: Path) -> None:
    """The first batch lies in the file, the second in part, the third not."""
    path, scorer = tmp_path / "likelihoods.jsonl", Counting()
    whole = ask(path, Counting(), thoughts(9), [])
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:4]))
    with Likelihoods(path, scorer, Comparison(), lambda: None) as found:
        batches = [thoughts(9)[start : start + 3] for start in (0, 3, 6)]
        assert [v for batch in batches for values in found.of(batch) for v in values] == whole
    assert len(scorer.calls) == 2
    assert path.read_text().count("\n") == 9


def test_values_are_those_of_each_thought_alone(tmp_path: Path) -> None:
    """Also where many are asked at once, and where one has too few steps."""
    asked = [*thoughts(400), Thought("short", "?", ["one"]), *thoughts(3, size=300)]
    scorer = Counting()
    found = ask(tmp_path / "x.jsonl", scorer, asked, [])
    assert len(scorer.calls) > 3
    assert max(scorer.calls) < 2 * likelihoods.PAIRS
    alone = [
        likelihood.consistency(likelihood.judge(parts, Counting(), question=question))
        for _, question, parts in asked
    ]
    assert found == alone
    assert found[400] is None


def test_nothing_is_claimed_before_the_first_answer(tmp_path: Path) -> None:
    claimed: list[int] = []
    server = Server("m", "http://127.0.0.1:9/v1", retries=0)
    with pytest.raises(UserError, match="is the server there"):
        ask(tmp_path / "x.jsonl", server, thoughts(2), claimed)
    assert not claimed
    assert not list(tmp_path.iterdir())


def test_answers_of_other_traces_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    ask(path, Counting(), thoughts(3), [])
    with pytest.raises(UserError, match=r"x.jsonl:1: not of trace 'other'"):
        ask(path, Counting(), [Thought("other", "", STEPS)], [])
    path.write_text('{"trace_id": "other", "likelihood": "high", "judged": 1}\n')
    with pytest.raises(UserError, match=r"x.jsonl:1: not of trace 'other'"):
        ask(path, Counting(), [Thought("other", "", STEPS)], [])


def test_names_of_scorers(tiny_model: Path) -> None:
    there = likelihoods.model("http://127.0.0.1:9/v1#Org/Name-1B", "concurrency=4,others=2")
    assert there.identity["model"] == "Org/Name-1B"
    assert (there.identity["others"], there.comparison.others) == (2, 2)
    assert "concurrency" not in there.identity
    server = there.load()
    assert isinstance(server, Server)
    assert (server.url, server.concurrency) == ("http://127.0.0.1:9/v1/completions", 4)
    here = likelihoods.model(str(tiny_model), "dtype=float32,seed=3")
    assert here.identity["model"].startswith(f"{tiny_model.name}@")
    assert (here.identity["dtype"], here.comparison.seed) == ("float32", 3)


@pytest.mark.parametrize(
    ("name", "args", "said"),
    [
        ("http://127.0.0.1:9/v1", "", "which model"),
        ("http://127.0.0.1:9/v1#m", "dtype=float32", "unknown option .*'dtype'.*concurrency"),
        ("http://127.0.0.1:9/v1#m", "concurrency=0", "give concurrency=1 or more"),
        ("http://127.0.0.1:9/v1#m", "others=many", "others=many: give a whole number"),
        ("http://127.0.0.1:9/v1#m", "others=0", "others=0: give 1 or more"),
        ("no/such/folder", "", "no such folder"),
        ("no-folder", "api_key_env=X", "unknown option .*'api_key_env'.*dtype"),
        ("mini", "dtype=int8", "unknown dtype 'int8'"),
        ("mini", "batch=0", "batch=0: give 1 or more"),
        ("mini", "device=tpu9", "device=tpu9"),
    ],
)
def test_mistakes(name: str, args: str, said: str) -> None:
    pytest.importorskip("torch", reason="needs skythought[train]")
    with pytest.raises(UserError, match=said):
        likelihoods.model(name, args).load()


def rows(n: int) -> list[dict[str, str]]:
    text = "\n\n".join(STEPS)
    return [
        {"id": str(i), "problem": f"{i} trees?", "response": f"<think>{text}</think>\\boxed{{{i}}}"}
        for i in range(n)
    ]


def write(path: Path, made: Sequence[object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in made))
    return path


def run(source: Path, out: Path, scorer: str, **values: Any) -> dict[str, Any]:
    given = {"input": source, "out": out, "workers": 1, "scorer": scorer, **values}
    return analyze.run(analyze.Config(**given))


def test_the_column_and_the_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write(tmp_path / "in.jsonl", [*rows(5), {"problem": "?", "response": "Four."}, {}])
    with serving(echo) as address:
        found = run(source, tmp_path / "out", f"{address}#m|1")
        scorer = Server("m", address)
        traces = [shapes.trace(row) for row in rows(5)]
        judged = likelihood.judge(STEPS, scorer, question=traces[3].messages[0].content)
    measures = [json.loads(x) for x in (tmp_path / "out" / "measures.jsonl").open()]
    values = [row["likelihood"] for row in measures]
    assert values[3] == likelihood.consistency(judged)
    assert 0 < values[3] < 1
    assert values[5] is None
    assert found["all"]["likelihood"]["n"] == 5
    assert found["scorer"]["model"] == "m|1"
    assert f"{found['all']['likelihood']['p50']:.2f} by likelihood" in capsys.readouterr().err
    page = (tmp_path / "out" / "summary.md").read_text()
    assert "| model | likelihood | consistency |" in page
    assert "the language model m\\|1 sees it" in page


def test_a_run_that_stopped_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With another server of the same model, also; nothing that was answered is asked again."""
    monkeypatch.setattr(likelihoods, "PAIRS", 32)
    source = write(tmp_path / "in.jsonl", rows(20))
    left = [150]

    def failing(asked: dict[str, Any]) -> tuple[int, Any]:
        left[0] -= 1
        return echo(asked) if left[0] >= 0 else (400, {"error": "no more"})

    with serving(failing) as address, pytest.raises(UserError, match="no more"):
        run(source, tmp_path / "out", f"{address}#m")
    known = (tmp_path / "out" / "likelihoods.jsonl").read_text().count("\n")
    assert 0 < known < 20
    asked: list[str] = []

    def counting(request: dict[str, Any]) -> tuple[int, Any]:
        asked.append(request["prompt"])
        return echo(request)

    with serving(counting) as address:
        with pytest.raises(UserError, match="was made with scorer="):
            run(source, tmp_path / "out", f"{address}#m", scorer_args="others=2")
        with pytest.raises(UserError, match="was made with scorer="):
            run(source, tmp_path / "out", "")
        assert not asked
        run(source, tmp_path / "out", f"{address}#m")
        assert len(asked) == 16 * (20 - known)
        run(source, tmp_path / "whole", f"{address}#m", workers=2)
    for name in ("measures.jsonl", "likelihoods.jsonl", "summary.json", "steps.jsonl"):
        one, other = ((tmp_path / f / name).read_bytes() for f in ("out", "whole"))
        assert one == other


def test_the_command(tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write(tmp_path / "in.jsonl", rows(3))
    args = ["analyze", str(source), "--out", str(tmp_path / "out"), "--workers", "1"]
    assert cli.main([*args, "--scorer-args", "others=2"]) == 2
    assert "--scorer-args without --scorer" in capsys.readouterr().err
    assert (
        cli.main([*args, "--scorer", "http://127.0.0.1:9/v1#m", "--scorer-args", "retries=0"]) == 2
    )
    assert "is the server there" in capsys.readouterr().err
    assert not (tmp_path / "out" / "manifest.json").exists()
    assert cli.main([*args, "--scorer", str(tiny_model), "--scorer-args", "others=2"]) == 0
    assert "by likelihood" in capsys.readouterr().err
