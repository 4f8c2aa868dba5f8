"""skythought/reporting/losses.py and checkpoints.py: what was learned first, and its page."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_report import build

from skythought import cli, report
from skythought.reporting import losses
from skythought.reporting.runs import Step


def log(structural: Sequence[float | None], content: Sequence[float | None]) -> list[Step]:
    return [
        Step(step=i + 1, loss=2.0, loss_structural=a, loss_content=b)
        for i, (a, b) in enumerate(zip(structural, content, strict=True))
    ]


FAST = [2.0, 1.0, 0.15, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]  # 90 % of the fall at step 3
SLOW = [2.0, 1.9, 1.5, 1.2, 1.0, 0.9, 0.3, 0.19, 0.1, 0.0]  # at step 8


def write(folder: Path, steps: Sequence[Step], **more: Any) -> Path:
    """Write the folder of a checkpoint."""
    folder.mkdir(parents=True)
    lines = [
        {"step": s.step, "loss": s.loss, "tokens": 100 * s.step, "seconds": 2.0 * s.step, **more}
        | {k: v for k in losses.PARTS if (v := getattr(s, k)) is not None}
        | {"lr": 0.1, "eta_s": 3.0}
        for s in steps
    ]
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "manifest.json").write_text(json.dumps({"config": {"lr": "<b>1e-4"}}))
    return folder


def test_the_step_at_which_most_of_the_fall_is_done() -> None:
    steps = log(FAST, SLOW)
    assert losses.fall(steps, "loss_structural") == losses.Fall(2.0, 0.0, 3)
    assert losses.fall(steps, "loss_content") == losses.Fall(2.0, 0.0, 8)
    assert losses.learned(steps) == {"structure": 3, "content": 8}


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([1.0, 1.5, 2.0], losses.Fall(1.0, 2.0, None)),  # it rose
        ([1.0, 1.0], losses.Fall(1.0, 1.0, None)),
        ([1.0], None),
        ([None, None], None),
        ([2.0, 1.0, 0.0], losses.Fall(2.0, 0.0, None)),  # in too few steps to say when
        ([float("nan"), 1.0, None, *[0.0] * 9], losses.Fall(1.0, 0.0, 4)),
    ],
)
def test_losses_that_do_not_fall(values: list[float | None], found: Any) -> None:
    assert losses.fall(log(values, values), "loss_content") == found
    if found is None or found.step is None:
        assert losses.learned(log(values, values)) is None


@given(st.lists(st.floats(0, 9), min_size=2, max_size=90))
def test_smoothing_keeps_the_ends_and_stays_between(values: list[float]) -> None:
    smooth = losses.smoothed(values)
    assert len(smooth) == len(values)
    assert (smooth[0], smooth[-1]) == (values[0], values[-1])
    assert min(values) - 1e-9 <= min(smooth) <= max(smooth) <= max(values) + 1e-9
    if len(values) >= 60:
        assert smooth[30] == pytest.approx(statistics.fmean(values[29:32]))


def test_one_bad_step_is_not_the_fall() -> None:
    """A single low value among sixty high ones is averaged with its neighbours."""
    values = [2.0] * 50 + [0.0] * 10
    values[20] = 0.15
    steps = [Step(step=i, loss=value) for i, value in enumerate(values)]
    assert losses.fall(steps) == losses.Fall(2.0, 0.0, 51)


def test_the_interval_over_runs() -> None:
    assert losses.interval([13]) is None
    middle, low, high = losses.interval([1, 2, 3]) or (0, 0, 0)
    assert (middle, high - middle) == pytest.approx((2, 4.30 / 3**0.5))
    assert middle - low == pytest.approx(high - middle)


def test_a_plot_holds_every_run_and_a_ring_for_each() -> None:
    svg = losses.plot([log(FAST, SLOW), log(SLOW, SLOW), log([None] * 10, FAST)], 760)
    assert svg.count('class="seed stroke"') == 5
    assert svg.count('class="curve stroke"') == 2
    assert svg.count('class="ring stroke"') == 5
    assert "content 0.00" in svg
    assert losses.plot([[Step(step=1, loss=1.0)]], 760) == losses.plot([], 760) == ""


def test_checkpoints_have_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = write(tmp_path / "a<b>", log(FAST, SLOW), tokens_per_s=50.0, mfu=0.25, cost=0.5)
    other = write(tmp_path / "other", log(FAST, SLOW), tokens_per_s=70.0)
    assert cli.main(["report", str(first), str(other)]) == 0
    found = json.loads((first / "results.json").read_text())
    assert found["learned"]["content after structure"] == {
        "steps": [5, 5],
        "mean": 5.0,
        "low": 5.0,
        "high": 5.0,
    }
    row = found["runs"][0]
    assert (row["step"], row["tokens"], row["tokens_per_s"], row["mfu"]) == (10, 1000, 50.0, 0.25)
    assert row["loss_content"] == {"first": 2.0, "last": 0.0, "step": 8}
    assert row["loss_maths"] is None
    text, page = (first / "report.md").read_text(), (first / "report.html").read_text()
    assert "| other | 3 | 8 |" in text
    assert "| a&lt;b&gt; | 10 | 1,000 | 50 | 25.0 % | – | 20 s | $0.5 |" in text
    assert "structure before content, by 5.0 (5.0 to 5.0) steps over 2 runs" in text
    assert "<b>" not in page
    assert "<script" not in page
    assert page.count('class="ring stroke"') == 8  # wide and narrow
    assert "structure before content" in " ".join(capsys.readouterr().err.split())
    assert [p.name for p in other.iterdir() if p.suffix in (".md", ".html")] == []


def test_a_log_without_the_split_is_shown_too(tmp_path: Path) -> None:
    folder = write(tmp_path / "run", log([None] * 3, [None] * 3), tokens_per_s=1.0)
    found = report.run(report.Config(study=folder, out=tmp_path / "page"))
    assert found["learned"] == {}
    assert "do not tell structure from content" in (tmp_path / "page" / "report.md").read_text()
    assert not (folder / "report.md").exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "b: holds no log.jsonl; give folders that skythought train wrote"),
        ("", "log.jsonl: holds no step yet; wait for the first"),
        ('{"step": 1}\n', "log.jsonl:1: not a Step record: "),
    ],
)
def test_a_folder_that_is_no_checkpoint_is_one_line(
    text: str | None, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = write(tmp_path / "a", log(FAST, SLOW))
    (tmp_path / "b").mkdir()
    if text is not None:
        (tmp_path / "b" / "log.jsonl").write_text(text)
    assert cli.main(["report", str(good), str(tmp_path / "b")]) == 2
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1


def test_a_study_says_what_was_learned_first(tmp_path: Path) -> None:
    study = build(tmp_path, {"correct": {0: "11", 1: "11"}, "digits_50": {0: "10"}})
    assert "learned" not in report.run(report.Config(study=study))["arms"][0]
    assert "Learned first" not in (study / "report.md").read_text()
    for seed in (0, 1):
        place = study / "arms" / "correct" / f"seed{seed}" / "train"
        (place / "log.jsonl").unlink()
        place.rmdir()
        write(place, log(FAST, SLOW), tokens_per_s=1.0)
    found = report.run(report.Config(study=study))["arms"][0]["learned"]
    assert found == {str(seed): {"structure": 3, "content": 8} for seed in (0, 1)}
    assert "| correct traces, LoRA | 3, 3 | 8, 8 |" in (study / "report.md").read_text()
    assert "What is learned first" in (study / "report.html").read_text()
