"""skythought/core/audit.py: how far two verifiers agree, and what is shown of where they do not."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from skythought.core import audit, store
from skythought.core.records import Outcome, Problem, Trace, Verdict

HOSTILE = "a | b\x1b[31m\n<script>`x`\\"


def outcomes(*pairs: tuple[Outcome, Outcome, int]) -> tuple[dict[str, Outcome], dict[str, Outcome]]:
    first: dict[str, Outcome] = {}
    second: dict[str, Outcome] = {}
    for one, other, count in pairs:
        for _ in range(count):
            key = f"t{len(first)}"
            first[key], second[key] = one, other
    return first, second


def test_agreement() -> None:
    """The example of Cohen's kappa in many textbooks: 20, 5, 10 and 15 of 50 give 0.4."""
    both = outcomes(
        ("correct", "correct", 20),
        ("correct", "incorrect", 5),
        ("no_answer", "correct", 10),
        ("incorrect", "no_answer", 15),
        ("error", "correct", 3),
        ("incorrect", "error", 1),
    )
    found = audit.compare(*both)
    assert (found.n, found.same) == (50, 35)
    assert found.share == 0.7
    assert (found.low, found.high) == pytest.approx((0.5625, 0.8090), abs=1e-4)
    assert found.kappa == pytest.approx(0.4)
    told = "agree on 35 of 50 (70.0 %, 95 % interval 56.2 to 80.9), kappa 0.40"
    assert audit.sentence(found) == f"{told}; 4 not graded by both"


def test_nothing_to_compare() -> None:
    found = audit.compare({"a": "correct"}, {"b": "correct"})
    assert (found.n, found.share, found.low, found.high) == (0, 0.0, 0.0, 1.0)
    assert math.isnan(found.kappa)
    assert audit.sentence(found) == "no answer was graded by both"


@pytest.mark.parametrize(
    ("one", "other", "differ"),
    [
        ("correct", "incorrect", True),
        ("no_answer", "correct", True),
        ("no_answer", "incorrect", False),
        ("correct", "correct", False),
        ("error", "correct", False),
        ("correct", "error", False),
    ],
)
def test_what_differs(one: Outcome, other: Outcome, differ: bool) -> None:
    assert audit.differ(one, other) is differ


@pytest.mark.parametrize(
    ("output", "second", "listed"),
    [
        ("verdicts.jsonl", "verdicts.judge.jsonl", "disagreements.jsonl"),
        (
            "mine.jsonl.verdicts.jsonl",
            "mine.jsonl.verdicts.judge.jsonl",
            "mine.jsonl.disagreements.jsonl",
        ),
        ("out.jsonl", "out.judge.jsonl", "out.disagreements.jsonl"),
        ("out", "out.judge.jsonl", "out.disagreements.jsonl"),
    ],
)
def test_names_of_files(output: str, second: str, listed: str) -> None:
    assert audit.second(Path("x") / output, "judge") == Path("x") / second
    assert audit.beside(Path("x") / output, "disagreements.jsonl") == Path("x") / listed


def test_what_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ids = [f"t{i}" for i in range(300)]
    pairs = [
        (
            Problem(id="p", task="t", question=HOSTILE * 100, answer="7|8"),
            Trace(id=key, problem_id="p", model="m", messages=(), thought="", answer=HOSTILE),
        )
        for key in ids
    ]
    files = [tmp_path / "verdicts.jsonl", tmp_path / "verdicts.b.jsonl"]
    made: list[dict[str, Outcome]] = [
        dict.fromkeys(ids, "correct"),
        {key: "correct" if key == "t0" else "no_answer" for key in ids},
    ]
    for path, name, found in zip(files, "ab", made, strict=True):
        old = Verdict(verifier="old@1", id="t7", outcome="error")
        new = [
            Verdict(verifier=f"{name}@1", id=k, outcome=o, rule=HOSTILE) for k, o in found.items()
        ]
        store.write_records(path, [old, *new])
    agreement = audit.write(files[0], files, made, pairs)
    assert (agreement.same, agreement.n) == (1, 300)
    rows = [json.loads(line) for line in (tmp_path / "disagreements.jsonl").open()]
    assert [row["id"] for row in rows] == ids[1:]
    assert rows[6]["verdicts"][0]["verifier"] == "a@1"
    assert len(rows[0]["question"]) == audit.TEXT_CHARS
    page = (tmp_path / "disagreements.md").read_text()
    assert page.startswith("# a@1 and b@1\n\nThey agree on 1 of 300 (0.3 %,")
    assert "| correct | 1 | 299 |" in page
    assert "| t1 | 7\\|8 | correct: - (a \\| b" in page
    assert f"{299 - audit.LISTED} more are in the JSONL file" in page
    assert len([line for line in page.splitlines() if line.startswith("| t")]) == audit.LISTED
    assert "\x1b" not in page
    assert "<script" not in page
    told = capsys.readouterr().err
    assert "a@1 and b@1: agree on 1 of 300" in told
    assert "\x1b[31m" not in told
    assert "disagreements: 299, in " in told


def test_full_agreement_writes_an_empty_list(tmp_path: Path) -> None:
    files = [tmp_path / "verdicts.jsonl", tmp_path / "verdicts.b.jsonl"]
    for path, name in zip(files, "ab", strict=True):
        store.write_records(path, [Verdict(verifier=f"{name}@1", id="t", outcome="correct")])
    (tmp_path / "disagreements.jsonl").write_text("old\n")
    audit.write(files[0], files, [{"t": "correct"}, {"t": "correct"}], [])
    assert (tmp_path / "disagreements.jsonl").read_text() == ""
    page = (tmp_path / "disagreements.md").read_text()
    assert page.startswith("# a@1 and b@1\n\nThey agree on 1 of 1 (100.0 %,")
