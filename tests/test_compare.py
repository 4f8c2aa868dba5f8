"""skythought/compare.py: two runs are compared on what both hold, and what differs is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skythought import cli, compare, evaluate
from skythought.core import metrics
from skythought.core.errors import UserError
from skythought.evaluating import comparing

N = 12


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def made(folder: Path, name: str, right: str, n: int = N, **values: Any) -> Path:
    """Make a run of n problems in which those at a + of `right` are solved."""
    rows = [{"id": str(i), "problem": f"Write {i}.", "answer": str(i)} for i in range(n)]
    said = [
        {
            "question": f"Write {i}.",
            "response": f"It is \\boxed{{{i if mark == '+' else i + 100}}}.",
        }
        for i, mark in enumerate(right)
    ]
    asked: dict[str, Any] = {
        "task": str(write(folder / f"problems{n}.jsonl", *rows)),
        "backend": "scripted",
        "model": str(write(folder / f"{name}.jsonl", *said)),
        "result_dir": folder / name,
    }
    evaluate.measure(evaluate.Config(**(asked | values)))
    return folder / name


def test_figures_are_those_of_a_paired_test(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a = made(tmp_path, "a", "++++++------")
    b = made(tmp_path, "b", "+++++-+++++-")
    found = compare.run(compare.Config(a=a, b=b, out=tmp_path / "ab"))
    expected = metrics.difference([[1] * 6 + [0] * 6], [[1] * 5 + [0] + [1] * 5 + [0]])
    assert found["difference"] == pytest.approx(4 / 12)
    for name in ("low", "high", "p", "detectable"):
        assert found[name] == getattr(expected, name)
    assert found["p"] == pytest.approx(2 * (1 + 6) / 2**6)  # McNemar: 5 of 6 flips one way
    assert (found["problems"], found["only_a"], found["only_b"]) == (12, 0, 0)
    flips = {row["problem_id"]: (row["a"], row["b"]) for row in found["flips"]}
    assert flips == {"5": (1, 0), **{str(i): (0, 1) for i in range(6, 11)}}
    assert (found["flips"][0]["said_a"], found["flips"][0]["said_b"]) == ("110", "10")
    assert (found["pairs"], found["identical"], len(found["divergences"])) == (12, 6, 6)
    told = " ".join(capsys.readouterr().err.split())
    assert "flips: 5 problems are better in b, 1 worse" in told
    assert "6 of 12 answers are the same; the others part at character" in told
    assert json.loads((tmp_path / "ab" / "compare.json").read_text()) == found
    page = (tmp_path / "ab" / "compare.md").read_text()
    assert "| accuracy | 0.500 | 0.833 | +0.333 |" in page
    assert "| 5 | 1.00 | 0.00 | 5 | 105 |" in page


def test_only_what_both_hold_is_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = made(tmp_path, "a", "+" * N), made(tmp_path, "b", "-" * 8, n=8)
    found = compare.run(compare.Config(a=a, b=b, flips=0))
    assert (found["problems"], found["only_a"], found["only_b"]) == (8, 4, 0)
    assert found["difference"] == -1
    told = " ".join(capsys.readouterr().err.split())
    assert f"4 problems of {a} are left out" in told
    assert "->" not in told


def test_what_differs_besides_the_model_is_said(tmp_path: Path) -> None:
    a = made(tmp_path, "a", "+" * N)
    b = made(
        tmp_path,
        "b",
        "+" * N,
        sampling_params="temperature=0.5,max_tokens=99",
        system_prompt="Hm.",
        verifier="number",
    )
    manifest = b / "manifest.json"
    facts = json.loads(manifest.read_text())
    facts["engines"] = ["vllm, bfloat16"]
    facts["versions"]["math-verify"] = "0.0.1"
    manifest.write_text(json.dumps(facts))
    told = comparing.differences(a, b)
    names = {line.partition(":")[0] for line in told}
    assert names == {
        *("sampling.temperature", "sampling.max_tokens", "system_prompt", "verifier", "engine"),
        "version of math-verify",
    }
    assert "engine: Scripted and vllm, bfloat16" in told
    assert comparing.differences(a, a) == []
    more = made(tmp_path, "c", "+" * N, n=N, limit=5)
    assert comparing.differences(a, more) == []  # how many were asked moves no answer


def test_problems_of_another_text_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = made(tmp_path, "a", "+" * N), made(tmp_path, "b", "+" * N)
    path = b / "problems.jsonl"
    path.write_text(path.read_text().replace("Write 3.", "Write three."))
    found = compare.run(compare.Config(a=a, b=b))
    assert (found["problems"], found["changed_problems"]) == (N - 1, 1)
    assert "have the same id and another text" in " ".join(capsys.readouterr().err.split())


def test_what_cannot_be_compared(tmp_path: Path) -> None:
    a = made(tmp_path, "a", "+" * N)
    with pytest.raises(UserError, match=r"none: holds no verdicts; grade it: skythought score --r"):
        compare.run(compare.Config(a=a, b=tmp_path / "none"))
    other = [{"id": "x", "problem": "Write 1.", "answer": "1"}]
    task = str(write(tmp_path / "other.jsonl", *other))
    b = made(tmp_path, "b", "++", n=2, task=task)
    with pytest.raises(UserError, match="no graded problem in common"):
        compare.run(compare.Config(a=a, b=b))
    with pytest.raises(UserError, match=r"--flips -1: give 0 or more"):
        compare.run(compare.Config(a=a, b=b, flips=-1))
    assert cli.main(["compare", str(a), str(tmp_path / "none")]) == 2


def test_a_run_does_not_differ_from_itself(tmp_path: Path) -> None:
    a = made(tmp_path, "a", "+-" * 6)
    found = compare.comparison(a, a)
    assert (found["difference"], found["p"], found["flips"]) == (0, 1, [])
    assert found["identical"] == found["pairs"] == N


@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=80))
def test_the_first_difference(same: str, one: str, two: str) -> None:
    found = comparing._part("p", 0, same + one, same + two)
    if one == two:
        assert found.at == -1
    else:
        a, b = same + one, same + two
        assert a[: found.at] == b[: found.at]
        assert a[found.at : found.at + 1] != b[found.at : found.at + 1]


def test_hostile_text_stays_in_its_cell() -> None:
    assert compare._cell("a|b\n# c <script>") == "a\\|b \\# c \\<script\\>"


def test_a_hostile_manifest_stays_text(tmp_path: Path) -> None:
    a = made(tmp_path, "a", "+" * N)
    b = made(tmp_path, "b", "+" * N, system_prompt="a\n\n# Hi\n<img src=x>")
    page = compare.page(compare.comparison(a, b))
    assert "\n# Hi" not in page
    assert "<img" not in page.replace("\\<img", "")
    assert "\\<img" in page
