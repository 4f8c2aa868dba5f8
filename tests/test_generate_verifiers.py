"""What will grade the answers is tried before they are paid for (skythought/generate.py)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from skythought import generate
from skythought.core.errors import UserError
from skythought.verifiers import Finding, Verifier, known

ROWS = [{"problem": f"{i} plus {i}?", "answer": str(2 * i)} for i in range(6)]


@pytest.fixture(autouse=True)
def _not_tested_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "_tested", set())


def config(folder: Path, **values: Any) -> generate.Config:
    answered = [{"question": row["problem"], "response": row["answer"]} for row in ROWS]
    for name, rows in (("problems", ROWS), ("script", answered)):
        lines = (json.dumps(row) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text("".join(lines))
    asked: dict[str, Any] = {
        "result_dir": folder / "run",
        "task": str(folder / "problems.jsonl"),
        "backend": "scripted",
        "model": str(folder / "script.jsonl"),
    }
    return generate.Config(**(asked | values))


def test_a_verifier_that_does_not_work_stops_a_run_before_it_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = Verifier(name="math", version=1, check=lambda *_: Finding("incorrect"))
    monkeypatch.setattr("skythought.verifiers.math.MATH", wrong)
    with pytest.raises(UserError, match=r"^verifier 'math' does not work here: of the answer"):
        generate.run(config(tmp_path))
    assert not (tmp_path / "run").exists()
    assert generate.run(config(tmp_path, dry_run=True))["traces"] == 0


def test_a_verifier_that_is_missing_here_is_no_reason_to_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(*_: object) -> Finding:
        raise UserError("no sandbox works here")

    lost = Verifier(name="math", version=1, check=missing)
    monkeypatch.setattr("skythought.verifiers.math.MATH", lost)
    assert generate.run(config(tmp_path))["traces"] == 6
    told = " ".join(capsys.readouterr().err.split())
    assert "warning: the answers cannot be graded here: no sandbox works here" in told


def test_problems_without_answers_need_no_verifier(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known, "self_test", lambda name: pytest.fail(name))
    path = tmp_path / "asked.jsonl"
    path.write_text("".join(json.dumps({"problem": row["problem"]}) + "\n" for row in ROWS))
    assert generate.run(config(tmp_path, task="", input=str(path)))["traces"] == 6
