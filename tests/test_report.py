"""A study folder in, three files out: small folders whose figures can be computed by hand."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from skythought import cli, report, study
from skythought.core import store
from skythought.core.errors import UserError
from skythought.core.records import Message, Outcome, Problem, Sampling, Trace, Verdict, trace_id
from skythought.reporting import markdown
from skythought.reporting.results import without_times

# One letter for each problem: right, wrong, no answer, truncated, error.
LETTERS: dict[str, Outcome] = {
    "1": "correct",
    "0": "incorrect",
    "n": "no_answer",
    "t": "no_answer",
    "e": "error",
}


def build(
    folder: Path,
    arms: Mapping[str, Mapping[int, str]],
    *,
    text: str = "",
    seconds: float = 1.0,
    max_steps: int = -1,
) -> Path:
    """Write a study folder: for each arm and seed, a string of `LETTERS`."""
    settings = {"demos": 4, "max_steps": max_steps}
    store.claim(folder, "reproduce", {"study": "mini", "settings": settings})
    store.write_whole(folder / "data" / "card.md", f"# Card\n\n| examples | 4 |\n{text}\n")
    for name, seeds in arms.items():
        card = study.describe(study.ARMS[name])
        store.write_whole(folder / "arms" / name / "arm.json", json.dumps(card))
        for seed, letters in seeds.items():
            place = folder / "arms" / name / f"seed{seed}"
            for mode in ("greedy", "sampled"):
                answer(place / mode, letters, f"{name}{seed}", text)
            if name != "base":
                rows = [{"step": i, "loss": 2 / i, "tokens_per_s": seconds} for i in (1, 2, 3)]
                store.write_records(place / "train" / "log.jsonl", rows)
            facts = {"train_seconds": seconds, "eval_seconds": 2.0, "train_tokens": 100}
            store.write_whole(place / "done.json", json.dumps(facts))
    return folder


def answer(folder: Path, letters: str, model: str, text: str = "") -> None:
    """Write the run folder of one student."""
    problems, traces, verdicts = [], [], []
    for number, letter in enumerate(letters):
        problem = Problem(id=f"p{number:02}", task="t", question=f"{number}? {text}", answer="7")
        messages = (Message("user", problem.question),)
        trace = Trace(
            id=trace_id(problem.id, messages, model, Sampling(), 0),
            problem_id=problem.id,
            model=model,
            messages=messages,
            thought=f"thinking {text}",
            answer=f"so {text}",
            finish="length" if letter == "t" else "stop",
            completion_tokens=10 * (number + 1),
        )
        problems.append(problem)
        traces.append(trace)
        outcome = LETTERS[letter]
        verdicts.append(
            Verdict(id=trace.id, verifier="number@1", outcome=outcome, rule=f"rule {text}")
        )
    for name, records in (("problems", problems), ("traces", traces), ("verdicts", verdicts)):
        store.write_records(folder / f"{name}.jsonl", records)


def made(folder: Path) -> dict[str, dict[str, Any]]:
    """Report on a folder and give its rows by name."""
    return {row["name"]: row for row in report.run(report.Config(study=folder))["arms"]}


def test_scores_changes_and_p_are_those_computed_by_hand(tmp_path: Path) -> None:
    rows = made(
        build(
            tmp_path,
            {
                "base": {0: "10000000"},
                "correct": {0: "11111111"},
                "digits_50": {0: "11111110"},
                "deleted_67": {0: "00000000"},
            },
        )
    )
    assert list(rows) == ["base", "correct", "digits_50", "deleted_67"]
    correct, digits, deleted = rows["correct"], rows["digits_50"], rows["deleted_67"]
    assert (correct["accuracy"], correct["n"], correct["high"]) == (1.0, 8, 1.0)
    assert (correct["delta"], correct["p"]) == (None, None)
    assert correct["low"] == pytest.approx(0.675592, abs=1e-6)  # Wilson, 8 of 8
    assert (digits["accuracy"], digits["delta"], digits["p"]) == (0.875, -0.125, 1.0)
    assert (deleted["delta"], deleted["delta_low"], deleted["delta_high"]) == (-1.0, -1.0, -1.0)
    assert deleted["p"] == pytest.approx(2 / 2**8, abs=1e-6)  # McNemar's exact test
    assert deleted["sampled"]["delta"] == -1.0
    assert (deleted["paper_change"], deleted["agreement"]) == (-12.8, "reproduced")
    assert (rows["base"]["paper_change"], rows["base"]["agreement"]) == (None, None)


def test_what_a_task_counts_in_thoughts_is_shown(tmp_path: Path) -> None:
    study = build(tmp_path, {"correct": {0: "1110", 1: "1100"}, "digits_50": {0: "1100"}})
    for seed, share in ((0, 0.9), (1, 0.7)):
        scores = {"inspected": {"in_order": share, "only_in_one" if seed else "in_both": 1.0}}
        path = study / "arms" / "correct" / f"seed{seed}" / "greedy" / "scores.json"
        path.write_text(json.dumps(scores))
    rows = made(study)
    assert rows["correct"]["inspected"] == {"in_order": 0.8}
    assert rows["digits_50"]["inspected"] == rows["correct"]["sampled"]["inspected"] == {}
    for name in ("report.md", "report.html"):
        text = (study / name).read_text()
        assert "in order, %" in text
        assert "80.0" in text


def test_seeds_are_paired_and_counted(tmp_path: Path) -> None:
    rows = made(
        build(
            tmp_path,
            {
                "base": {0: "1000"},
                "correct": {0: "1110", 1: "1100"},
                "digits_50": {0: "1100", 1: "1100"},
            },
        )
    )
    assert rows["correct"]["per_seed"] == {"0": 0.75, "1": 0.5}
    assert (rows["correct"]["accuracy"], rows["correct"]["n"]) == (0.625, 8)
    assert (rows["correct"]["n_problems"], rows["correct"]["seeds"]) == (4, [0, 1])
    assert rows["digits_50"]["delta"] == pytest.approx(-0.125)
    assert (rows["base"]["n"], rows["base"]["paired_seeds"]) == (4, [0, 1])
    assert rows["base"]["delta"] == pytest.approx(-0.375)
    assert rows["base"]["sampled"]["paired_seeds"] == [0]  # only greedy answers may be repeated
    assert (rows["correct"]["seconds"], rows["correct"]["train_seconds"]) == (6.0, 2.0)
    assert rows["correct"]["train_tokens"] == 200


def test_only_common_seeds_are_compared_and_it_is_said(tmp_path: Path) -> None:
    arms = {"correct": {0: "11", 1: "00"}, "digits_50": {1: "10"}, "keywords_100": {2: "11"}}
    rows = made(build(tmp_path, arms))
    assert (rows["digits_50"]["paired_seeds"], rows["digits_50"]["delta"]) == ([1], 0.5)
    assert (rows["keywords_100"]["paired_seeds"], rows["keywords_100"]["delta"]) == ([], None)
    told = (tmp_path / "report.md").read_text()
    assert (
        "digits corrupted 50 % has seeds 1, correct traces, LoRA 0, 1: compared on 1 only." in told
    )
    assert "keywords removed 100 % shares no seed or no problem with `correct`" in told


def test_errors_are_left_out_and_no_answer_is_wrong(tmp_path: Path) -> None:
    arms = {"correct": {0: "1111e", 1: "11110"}, "digits_50": {0: "en0t1", 1: "11111"}}
    rows = made(build(tmp_path, arms))
    correct, digits = rows["correct"], rows["digits_50"]
    assert (correct["n_problems"], correct["n"], correct["accuracy"]) == (4, 8, 1.0)
    assert (digits["n_problems"], digits["n"], digits["accuracy"]) == (4, 8, 5 / 8)
    assert digits["paired_problems"] == 3  # neither the first problem nor the last
    assert digits["delta"] == pytest.approx(-0.5)
    counts = (digits["errors"], digits["no_answer"], digits["truncated"])
    assert counts == (1, 2, 1)
    assert digits["mean_tokens"] == 30.0
    told = (tmp_path / "report.md").read_text()
    assert "Digits corrupted 50 %: 1 answer could not be graded; its problem is left out." in told


def test_an_answer_without_a_verdict_is_an_error_and_the_last_verdict_holds(tmp_path: Path) -> None:
    build(tmp_path, {"correct": {0: "110"}})
    path = tmp_path / "arms" / "correct" / "seed0" / "greedy" / "verdicts.jsonl"
    first, _, third = path.read_text().splitlines()
    path.write_text("\n".join([first, third, first.replace('"correct"', '"incorrect"')]) + "\n")
    row = made(tmp_path)["correct"]
    assert (row["errors"], row["n"], row["accuracy"]) == (1, 2, 0.0)


def test_structure_is_tested_against_content(tmp_path: Path) -> None:
    results = report.run(
        report.Config(
            study=build(
                tmp_path,
                {
                    "base": {0: "00000000"},
                    "correct": {0: "11111111"},
                    "correct_full": {0: "11111110"},
                    "wrong_answers": {0: "11111110"},
                    "digits_50": {0: "00000001"},
                    "digits_20": {0: "00000000"},
                    "shuffled_67": {0: "00000000"},
                },
            )
        )
    )
    tests = results["tests"]
    assert list(tests) == ["lift_lora", "lift_full", "structure_against_content"]
    assert (tests["lift_lora"]["value"], tests["lift_full"]["value"]) == (1.0, 0.875)
    found = tests["structure_against_content"]
    assert (found["value"], found["n_problems"], found["seeds"]) == (-0.5, 8, [0])
    assert found["content"] == ["wrong_answers", "digits_50"]  # not digits_20
    assert found["structure"] == ["shuffled_67"]
    assert found["p"] == pytest.approx(2 / 2**8, abs=1e-6)
    text = "\n".join(results["findings"])
    assert "LoRA on correct traces lifts accuracy from 0.0 % to 100.0 %: +100.0 points" in text
    assert "ends below broken content" in text
    assert "2 of 3 pairs" in text
    assert "digits corrupted 20 % (−100.0) lost as much as steps shuffled 67 % (−100.0)" in text
    assert "This row does not reproduce: digits corrupted 50 % changed accuracy by −87.5" in text
    assert "One training seed" in text


@pytest.mark.parametrize(
    ("base", "correct", "max_steps", "told"),
    [
        (
            "00000000",
            "00000000",
            -1,
            "by 0.0 points only (95 % interval 0.0 to 0.0, which does not",
        ),
        ("11111111", "00000000", -1, "by −100.0 points only"),
        ("00000000", "11000000", -1, "by +25.0 points only (95 % interval 0.0 to"),
        (None, "11111111", -1, "not known without the arm `base`, so what perturbing them costs"),
        ("00000000", "11111111", 3, "Training was stopped early (max_steps): no row has a verdict"),
        ("00000000", "11111111", 0, ""),
    ],
)
def test_no_verdict_without_a_lift(
    base: str | None, correct: str, max_steps: int, told: str, tmp_path: Path
) -> None:
    arms = {"correct": {0: correct}, "digits_50": {0: correct}, "deleted_67": {0: "00000000"}}
    arms |= {} if base is None else {"base": {0: base}}
    folder = build(tmp_path, arms, max_steps=max_steps)
    results = report.run(report.Config(study=folder))
    rows = {row["name"]: row for row in results["arms"]}
    text = "\n".join(results["findings"])
    cells = [line.split(" | ")[-1] for line in markdown.table(results).splitlines()]
    page = (folder / "report.html").read_text()
    if not told:
        assert rows["digits_50"]["agreement"] == rows["deleted_67"]["agreement"] == "reproduced"
        assert "no row has a verdict" not in text
        assert "1 of 1 pairs of a content and a structure row" in text
        assert "no verdict" not in page
        return
    assert {row["agreement"] for row in rows.values()} == {None}
    assert told in text
    assert text.count("no row has a verdict") == 1
    assert "pairs of a content and a structure row" not in text
    assert "eproduce" not in text
    assert cells.count("no verdict |") == page.count(">no verdict<") == 2
    assert "– |" in cells  # the reference itself


def test_a_study_without_its_reference_reports_what_it_has(tmp_path: Path) -> None:
    results = report.run(report.Config(study=build(tmp_path, {"digits_50": {0: "10"}})))
    assert results["tests"] == {}
    assert results["arms"][0]["accuracy"] == 0.5
    assert any("`correct` is not finished" in text for text in results["findings"])


def test_a_missing_mode_has_no_figures(tmp_path: Path) -> None:
    build(tmp_path, {"correct": {0: "10"}})
    shutil.rmtree(tmp_path / "arms" / "correct" / "seed0" / "sampled")
    sampled = made(tmp_path)["correct"]["sampled"]
    assert (sampled["n"], sampled["accuracy"], sampled["mean_tokens"]) == (0, None, None)


def test_only_times_differ_between_two_runs(tmp_path: Path) -> None:
    arms = {"base": {0: "1000"}, "correct": {0: "1110", 1: "1100"}, "deleted_67": {0: "01", 1: "1"}}
    found = []
    for name, seconds in (("a", 1.0), ("b", 5.0)):
        report.run(report.Config(study=build(tmp_path / name, arms, seconds=seconds)))
        text = (tmp_path / name / "results.json").read_text()
        assert str(tmp_path) not in text
        found.append(json.loads(text))
    assert found[0] != found[1]
    assert without_times(found[0]) == without_times(found[1])
    assert without_times(found[0])["arms"][1]["train_tokens"] == 200
    pages = [(tmp_path / name / "report.md").read_text() for name in "ab"]
    assert pages[0] == pages[1]


def test_the_table_stands_in_the_markdown_page(tmp_path: Path) -> None:
    folder = build(
        tmp_path, {"base": {0: "0000"}, "correct": {0: "1111"}, "wrong_answers": {0: "1110"}}
    )
    results = report.run(report.Config(study=folder))
    table = markdown.table(results)
    told = (folder / "report.md").read_text()
    assert f"{markdown.OPEN}\n{table}{markdown.CLOSE}" in told
    rows = [line for line in table.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in rows}) == 1
    assert rows[4].startswith("| wrong answers | 75.0 | 30.1 to 95.4 | −25.0 | ")
    assert rows[4].endswith("| −3.2 | 88.6 | 30.0 | undecided |")
    assert "published, not measured here" in table
    assert markdown.table(json.loads((folder / "results.json").read_text())) == table


def test_nothing_else_in_the_folder_changes(tmp_path: Path) -> None:
    build(tmp_path, {"correct": {0: "10"}})
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    report.run(report.Config(study=tmp_path))
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    new = {path.name for path in after.keys() - before.keys()}
    assert new == {"results.json", "report.md", "report.html"}
    assert {path: after[path] for path in before} == before


def test_the_table_shows_each_seed_where_there_are_several(tmp_path: Path) -> None:
    accuracies = {"base": {0: "1000"}, "correct": {0: "1110", 1: "1100"}}
    report.run(report.Config(study=build(tmp_path, accuracies)))
    table = markdown.table(json.loads((tmp_path / "results.json").read_text()))
    rows = [line.split(" | ") for line in table.splitlines() if line.startswith("|")]
    assert {len(row) for row in rows} == {11}
    assert [row[3] for row in rows] == ["each seed, %", "---:", "25.0", "75.0, 50.0"]


def test_the_terminal_shows_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arms = {"base": "0000", "correct": "1111", "keywords_100": "0000", "deleted_67": "1000"}
    build(tmp_path, {name: {0: letters} for name, letters in arms.items()})
    assert cli.main(["report", str(tmp_path)]) == 0
    shown = capsys.readouterr().err
    row = "keywords removed 100 % 0.0 % −100.0 −100.0 to −100.0 −3.3 no"
    assert row in " ".join(shown.split())


def test_a_title_does_not_steer_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build(tmp_path, {"correct": {0: "1111"}})
    card = tmp_path / "arms" / "correct" / "arm.json"
    facts = {**json.loads(card.read_text()), "title": "\x1b]0;owned\x07 [red]traces"}
    card.write_text(json.dumps(facts))
    report.run(report.Config(study=tmp_path))
    shown = capsys.readouterr().err
    assert "[red]traces" in shown
    assert "\x1b" not in shown
    assert "\x07" not in shown


def test_mistakes_are_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["report", str(tmp_path / "none")]) == 2
    told = capsys.readouterr().err
    assert "none: no such folder; make a study with: skythought reproduce mini --out" in told
    assert told.count("\n") == 1
    with pytest.raises(UserError, match=r"holds no study \(no manifest\.json\)"):
        report.run(report.Config(study=tmp_path))
    build(tmp_path, {"correct": {0: "1"}})
    arm = tmp_path / "arms" / "correct"
    (arm / "seed0" / "done.json").rename(arm / "seed0" / "not-done.json")
    with pytest.raises(UserError, match="no arm of the study is finished; go on with: skythought"):
        report.run(report.Config(study=tmp_path))
    assert not (tmp_path / "results.json").exists()


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("arm.json", "{", r"arm\.json: cannot be read"),
        ("arm.json", '{"name": "correct"}', r"arm\.json: cannot be read .*title"),
        ("arm.json", '{"name": "x", "title": "", "group": ""}', "names another arm, 'x'"),
        ("seed0/done.json", "[]", r"done\.json: cannot be read"),
        ("seed0/train/log.jsonl", '{"step": 1}\n', r"log\.jsonl:1: not a Step record"),
        ("seed0/greedy/verdicts.jsonl", "torn", r"verdicts\.jsonl:1: not valid JSON"),
        ("seed0/greedy/traces.jsonl", "", "greedy: no answers"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, name: str, text: str, told: str) -> None:
    build(tmp_path, {"correct": {0: "1"}})
    (tmp_path / "arms" / "correct" / name).write_text(text)
    with pytest.raises(UserError, match=told):
        report.run(report.Config(study=tmp_path))


def test_results_hold_only_plain_values(tmp_path: Path) -> None:
    results = report.run(report.Config(study=build(tmp_path, {"correct": {0: "1"}})))
    assert msgspec.json.decode(msgspec.json.encode(results)) == results
    assert msgspec.json.decode((tmp_path / "results.json").read_bytes()) == results


def test_of_several_samples_of_a_problem_the_first_counts(tmp_path: Path) -> None:
    build(tmp_path, {"correct": {0: "10"}})
    folder = tmp_path / "arms" / "correct" / "seed0" / "greedy"
    for trace in store.read(folder / "traces.jsonl", Trace):
        with store.Appender(folder / "traces.jsonl") as file:
            file.add(msgspec.structs.replace(trace, id=f"{trace.id}-1", sample=1))
        with store.Appender(folder / "verdicts.jsonl") as file:
            verdict = Verdict(id=f"{trace.id}-1", verifier="number@1", outcome="incorrect")
            file.add(verdict)
    row = made(tmp_path)["correct"]
    assert (row["accuracy"], row["n"], row["mean_tokens"]) == (0.5, 2, 15.0)
