"""skythought/reproduce.py: the fast study end to end, stopped, resumed and repeated."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from skythought import cli, reproduce, study
from skythought.core.errors import UserError

pytest.importorskip("trl", reason="needs skythought[train]")

TIMED = ("seconds", "tokens_per_s", "peak_memory_gb")


def command(out: Path, *flags: str) -> list[str]:
    start = [sys.executable, "-m", "skythought", "reproduce", "mini", "--fast"]
    return [*start, "--out", str(out), *flags]


def call(out: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(out, *flags), capture_output=True, text=True, timeout=300, check=False
    )


def without_times(value: Any) -> Any:
    """Give results without the keys that hold times, memory and rates."""
    if isinstance(value, dict):
        kept = {k: v for k, v in value.items() if not k.endswith(TIMED)}
        return {key: without_times(part) for key, part in kept.items()}
    return [without_times(part) for part in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def fast(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of one finished fast study."""
    out = tmp_path_factory.mktemp("study") / "fast"
    done = call(out)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("the first prompt:") == 1  # the teacher's, not that of every student
    return out


def results_of(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "results.json").read_text())
    return found


def test_a_fast_study_leaves_everything(fast: Path) -> None:
    results = results_of(fast)
    arms = {arm["name"]: arm for arm in results["arms"]}
    assert list(arms) == list(study.FAST)
    wanted = {"name", "kind", "fraction", "seeds", "n", "accuracy", "low", "high", "p", "seconds"}
    wanted |= {"delta", "delta_low", "delta_high", "truncated", "no_answer", "mean_tokens"}
    for arm in arms.values():
        assert wanted <= set(arm)
        assert arm["n"] == study.FAST_STUDY.test_problems
        assert 0 <= arm["low"] <= arm["accuracy"] <= arm["high"] <= 1
    assert arms["digits_50"]["fraction"] == 0.5
    for name in ("report.md", "report.html", "data/card.md", "manifest.json"):
        assert (fast / name).stat().st_size > 100
    assert (fast / "arms/correct/seed0/train/adapter_model.safetensors").exists()


def test_every_arm_is_asked_the_same_held_out_problems(fast: Path) -> None:
    """None of them was a problem of the teacher."""
    asked = [
        [json.loads(line)["id"] for line in path.read_text().splitlines()]
        for path in sorted(fast.glob("arms/*/seed0/*/problems.jsonl"))
    ]
    assert len(asked) == 2 * len(study.FAST)
    assert all(ids == asked[0] for ids in asked)
    rows = (fast / "teacher" / "problems.jsonl").read_text().splitlines()
    taught = {json.loads(line)["question"] for line in rows}
    path = fast / "arms/base/seed0/greedy/problems.jsonl"
    tested = {json.loads(line)["question"] for line in path.read_text().splitlines()}
    assert len(tested) == study.FAST_STUDY.test_problems
    assert not taught & tested


def test_arms_train_on_the_same_problems(fast: Path) -> None:
    sets = {}
    for name in ("correct", "digits_50", "shuffled_67"):
        rows = map(json.loads, (fast / "data" / f"{name}.jsonl").read_text().splitlines())
        sets[name] = [row["messages"][-1]["content"] for row in rows]
    assert len(sets["correct"]) == study.FAST_STUDY.demos
    assert sets["correct"] == sets["digits_50"] == sets["shuffled_67"]


def test_a_second_run_changes_nothing_and_is_quick(fast: Path) -> None:
    weights = fast / "arms/correct/seed0/train/adapter_model.safetensors"
    before = weights.stat().st_mtime_ns
    old = results_of(fast)
    done = call(fast)
    assert done.returncode == 0, done.stderr
    assert weights.stat().st_mtime_ns == before
    assert results_of(fast) == old


def test_stopped_anywhere_and_resumed_it_gives_the_same_results(fast: Path, tmp_path: Path) -> None:
    """Ctrl-C while an arm is trained, kill -9 while another is, then to the end."""
    out = tmp_path / "again"
    for number, how in ((0, signal.SIGINT), (1, signal.SIGKILL)):
        with subprocess.Popen(
            command(out), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            end = time.monotonic() + 200
            while len([*out.glob("arms/*/seed0/train/log.jsonl")]) <= number:
                assert process.poll() is None, process.communicate()[1]
                assert time.monotonic() < end
                time.sleep(0.05)
            process.send_signal(how)
            told = process.communicate(timeout=60)[1]
        if how == signal.SIGINT:
            assert process.returncode == 130, told
            assert told.splitlines()[-1].endswith("the same command goes on from here")
        assert not (out / "results.json").exists()
    done = call(out)
    assert done.returncode == 0, done.stderr
    assert without_times(results_of(out)) == without_times(results_of(fast))


def test_a_folder_of_another_study_is_refused(fast: Path, tiny_model: Path) -> None:
    done = call(fast, "--base-model", str(tiny_model))
    assert done.returncode == 2
    assert done.stderr.startswith(f"skythought reproduce: {fast}: was made with base_model=")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--arms", "digit_50"], "unknown arm 'digit_50': did you mean 'digits_50'?"),
        (["--seeds", "a"], "--seeds 'a': expected whole numbers such as 0,1,2"),
        (["--seeds=-1"], "--seeds '-1': a seed is 0 or more"),
        (["--base-model", "no/such"], "model 'no/such' cannot be loaded"),
    ],
)
def test_mistakes_are_one_line(
    flags: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert cli.main(["reproduce", "mini", "--fast", "--out", str(out), *flags]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith(f"skythought reproduce: {told}")


def test_too_small_a_disk_is_told_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reproduce, "NEEDED_BYTES", 2**60)
    with pytest.raises(UserError, match="MB free, the study needs"):
        reproduce.run(reproduce.Config(fast=True, out=tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_seeds() -> None:
    assert reproduce.read_seeds("0,1,2") == (0, 1, 2)
    assert reproduce.read_seeds("3,3") == (3,)
