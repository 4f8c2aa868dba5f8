"""skythought/reporting/evaluations.py: evaluated runs side by side, and what they are beside."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from skythought import evaluate, report
from skythought.core import metrics
from skythought.core.errors import UserError
from skythought.reporting import published

N = 12
HOSTILE = "<script>alert(1)</script>"


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def made(folder: Path, name: str, right: int, task: str = "math500") -> Path:
    """Make a run of N problems of which the first `right` are solved."""
    rows = [{"id": str(i), "problem": f"Write {i}. {HOSTILE}", "answer": str(i)} for i in range(N)]
    said = [
        {
            "question": f"Write {i}. {HOSTILE}",
            "response": f"<think>\n{HOSTILE}\n</think>\n\n\\boxed{{{i if i < right else 99}}}",
        }
        for i in range(N)
    ]
    evaluate.measure(
        evaluate.Config(
            task=task,
            data=str(write(folder / "copy.jsonl", *rows)),
            backend="scripted",
            model=str(write(folder / f"{name}.jsonl", *said)),
            result_dir=folder / name,
        )
    )
    return folder / name


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("runs")
    return [made(folder, "base", 4), made(folder, "tuned", 10)]


def test_a_report_on_evaluated_runs(
    runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base, tuned = runs
    found = report.run(report.Config(study=base, more=(tuned,), out=tmp_path))
    assert found["tasks"] == ["math500"]
    assert [round(row["accuracy"], 3) for row in found["runs"]] == [0.333, 0.833]
    [row] = found["comparisons"]
    expected = metrics.difference([[1] * 4 + [0] * 8], [[1] * 10 + [0] * 2])
    assert (row["difference"], row["p"], row["flips"]) == (expected.value, expected.p, 6)
    saved = json.loads((tmp_path / "results.json").read_text())
    assert saved["comparisons"] == json.loads(json.dumps(found["comparisons"]))
    told = " ".join(capsys.readouterr().err.split())
    assert "is better than" in told
    text = (tmp_path / "report.md").read_text()
    assert re.search(r"\| scripted@\w+ \| \[33\.3 \(13\.8 to 60\.9\)\]\(.*/base/\) \|", text)
    assert f"Qwen2.5-32B-Instruct ({published.LABEL}) | 84.8 |" in text


def test_the_page_is_safe_and_links_to_the_runs(runs: list[Path], tmp_path: Path) -> None:
    report.run(report.Config(study=runs[0], more=(runs[1],), out=tmp_path))
    page = (tmp_path / "report.html").read_text()
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page
    assert "default-src 'none'" in page
    assert "src=" not in page
    links = re.findall(r'<a href="([^"#]+/)">', page)
    assert {(tmp_path / link).resolve() for link in links} >= {run.resolve() for run in runs}
    assert page.count(published.LABEL) == len(published.ROWS)
    assert page.count('class="what">problem') == 20  # ten answers of each


def test_nothing_published_is_among_what_was_measured(runs: list[Path], tmp_path: Path) -> None:
    found = report.run(report.Config(study=runs[0], more=(runs[1],), out=tmp_path))
    assert {row["model"] for row in found["published"]}.isdisjoint(found["models"])
    assert all(row["label"] == published.LABEL and row["source"] for row in found["published"])
    assert published.beside(["file:mine", "gsm8k"]) == []


def test_the_same_model_twice_is_told_apart(runs: list[Path], tmp_path: Path) -> None:
    copies = [tmp_path / name / "math500" for name in ("greedy", "sampled")]
    for copy in copies:
        shutil.copytree(runs[0], copy)
    found = report.run(report.Config(study=copies[0], more=(*copies, copies[1]), out=tmp_path))
    assert [model.rpartition("/")[2] for model in found["models"]] == ["greedy)", "sampled)"]
    assert len(found["comparisons"]) == 1


def test_other_problems_of_the_same_ids_are_not_compared(runs: list[Path], tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(runs[1], other)
    path = other / "problems.jsonl"
    path.write_text(path.read_text().replace("Write", "Spell"))
    found = report.run(report.Config(study=runs[0], more=(other,), out=tmp_path))
    assert found["comparisons"] == []


def test_one_run_by_itself(runs: list[Path]) -> None:
    found = report.run(report.Config(study=runs[1]))
    assert found["comparisons"] == []
    assert (runs[1] / "report.html").is_file()


def test_a_training_file_shows_its_card(runs: list[Path], tmp_path: Path) -> None:
    data = write(tmp_path / "train.jsonl", {})
    with pytest.raises(UserError, match=r"a file needs its train\.jsonl\.card\.md"):
        report.run(report.Config(study=runs[0], more=(data,), out=tmp_path))
    (tmp_path / "train.jsonl.card.md").write_text(f"# Card\n{HOSTILE}")
    report.run(report.Config(study=runs[0], more=(data,), out=tmp_path))
    page = (tmp_path / "report.html").read_text()
    assert "Data: train.jsonl" in page
    assert HOSTILE not in page


def test_training_stands_beside_scores(runs: list[Path], tmp_path: Path) -> None:
    step: dict[str, Any] = {
        "step": 1,
        "loss": 2.0,
        "lr": 0.1,
        "grad_norm": 1.0,
        "tokens": 9,
        "tokens_per_s": 3.0,
        "seconds": 3.0,
    }
    trained = tmp_path / "student"
    trained.mkdir()
    write(trained / "log.jsonl", step, step | {"step": 2, "loss": 1.0})
    found = report.run(report.Config(study=runs[0], more=(trained,), out=tmp_path))
    assert found["training"]["runs"][0]["step"] == 2
    assert "Speed, memory and cost" in (tmp_path / "report.html").read_text()
