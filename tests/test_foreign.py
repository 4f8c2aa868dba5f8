"""skythought/foreign/, import and export: what other tools logged is read back as it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from skythought import evaluate, exporting, foreign, importing, score
from skythought.core import store
from skythought.core.errors import UserError
from skythought.core.records import Message, Problem, Trace, Verdict


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def sample(number: int, text: str, right: float, **more: Any) -> dict[str, Any]:
    """Make a sample as lm-evaluation-harness 0.4 writes it."""
    return {
        "doc_id": number,
        "doc": {
            "question": f"{number} + 1?",
            "answer": f"So it is {number + 1}.\n#### {number + 1}",
        },
        "target": f"So it is {number + 1}.\n#### {number + 1}",
        "arguments": {"gen_args_0": {"arg_0": f"Q: {number} + 1?\nA:", "arg_1": {"until": ["Q:"]}}},
        "resps": [[text]],
        "filtered_resps": [text[-1:]],
        "filter": "strict-match",
        "metrics": ["exact_match"],
        "exact_match": right,
        **more,
    }


def imported(source: Path, folder: Path, **values: Any) -> tuple[list[Problem], list[Trace]]:
    importing.run(importing.Config(input=source, out=folder, **values))
    problems = store.read(folder / "problems.jsonl", Problem)
    return problems, store.read(folder / "traces.jsonl", Trace)


def test_samples_of_lm_eval(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        sample(1, "It is \\boxed{2}", 0.0),
        sample(1, "It is \\boxed{2}", 1.0, filter="flexible-extract"),
        sample(2, "<think>\nHm.\n</think>\n\n4", 0.0),
    ]
    source = write(tmp_path / "samples_gsm8k_2026.jsonl", *rows)
    problems, traces = imported(source, tmp_path / "run", model="org/model")
    assert [(p.id, p.question, p.answer) for p in problems] == [
        ("1", "1 + 1?", "2"),
        ("2", "2 + 1?", "3"),
    ]
    assert [(t.problem_id, t.thought, t.answer, t.model) for t in traces] == [
        ("1", "", "It is \\boxed{2}", "org/model"),
        ("2", "Hm.", "4", "org/model"),
    ]
    assert traces[0].messages == (Message("user", "Q: 1 + 1?\nA:"),)
    [one, two] = store.read(tmp_path / "run" / "verdicts.lm-eval.jsonl", Verdict)
    assert (one.outcome, one.rule, two.outcome) == ("incorrect", "exact_match", "incorrect")
    assert "2 problems, 2 answers, 0 of 2 right to lm-eval" in " ".join(
        capsys.readouterr().err.split()
    )
    assert score.run(score.Config(run_dir=tmp_path / "run")) is not None
    found = evaluate.summary(tmp_path / "run")
    assert (found["accuracy"], found["n"]) == (0.5, 2)


def test_chat_prompts_and_repeats(tmp_path: Path) -> None:
    chat = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "1 + 1?"}]
    row = sample(1, "2", 1.0)
    row["arguments"] = {"gen_args_0": {"arg_0": json.dumps(chat)}}
    row["resps"] = [["2", "3"]]
    source = write(tmp_path / "samples_x.jsonl", row)
    _, traces = imported(source, tmp_path / "run")
    assert traces[0].messages == (Message("system", "Be brief."), Message("user", "1 + 1?"))
    assert [(t.sample, t.answer) for t in traces] == [(0, "2"), (1, "3")]
    assert not (tmp_path / "run" / "verdicts.lm-eval.jsonl").read_text()  # one metric of two


def test_a_log_of_a_chat_server(tmp_path: Path) -> None:
    """As lm-evaluation-harness 0.4.13 writes what local-chat-completions answered."""
    asked = json.dumps([{"role": "user", "content": "Question: 1 + 1?\nAnswer:"}])
    settings = {"until": [], "max_gen_toks": 256, "do_sample": True, "temperature": 0.6}
    row = sample(1, "\\boxed{2}", 1.0)
    row["arguments"] = {"gen_args_0": {"arg_0": [asked], "arg_1": settings}}
    source = write(tmp_path / "samples_my_gsm_2026-11-29T14-06-15.100407.jsonl", row)
    [problem], [trace] = imported(source, tmp_path / "run")
    assert problem.task == "file:my_gsm"
    assert trace.messages == (Message("user", "Question: 1 + 1?\nAnswer:"),)
    assert (trace.sampling.temperature, trace.sampling.max_tokens) == (0.6, 256)
    row["arguments"]["gen_args_0"]["arg_1"] = {"temperature": "warm"}
    with pytest.raises(UserError, match="no log of lm-eval that can be read, before the first"):
        imported(write(tmp_path / "samples_b.jsonl", row), tmp_path / "b")


def test_details_of_an_endpoint(tmp_path: Path) -> None:
    """As lighteval 0.13 writes what litellm answered: thoughts apart, no tokens."""
    pyarrow = pytest.importorskip("pyarrow", reason="needs skythought[parquet]")
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs skythought[parquet]")
    said = {
        "input": [{"role": "user", "content": "1 + 1?"}],
        "input_tokens": [],
        "text": ["\\boxed{2}"],
        "output_tokens": [],
        "text_post_processed": ["\\boxed{2}"],
        "reasonings": ["Hm."],
    }
    doc = {"query": "1 + 1?", "choices": ["2"], "gold_index": 0, "id": "0", "specific": None}
    row = {"doc": doc | {"generation_size": 256}, "model_response": said, "metric": {"em": 0}}
    source = tmp_path / "details_my_gsm|0_2026-11-29T14-10-31.824050.parquet"
    parquet.write_table(pyarrow.Table.from_pylist([row]), source)
    [problem], [trace] = imported(source, tmp_path / "run")
    assert problem.task == "file:my_gsm"
    assert (trace.thought, trace.answer, trace.completion_tokens) == ("Hm.", "\\boxed{2}", 0)
    assert trace.messages == (Message("user", "1 + 1?"),)
    assert trace.sampling.max_tokens == 256


def test_details_of_lighteval(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="needs skythought[parquet]")
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs skythought[parquet]")
    row = {
        "doc": {
            "query": "1 + 1?",
            "choices": ["2"],
            "gold_index": 0,
            "id": "7",
            "task_name": "gsm8k",
            "specific": {"level": "easy"},
        },
        "model_response": {
            "input": None,
            "text": ["<think>\nHm.\n</think>\n\n\\boxed{2}"],
            "input_tokens": [1, 2, 3],
            "output_tokens": [[4, 5]],
        },
        "metric": {"extractive_match": 1.0},
    }
    source = tmp_path / "details_gsm8k_2026.parquet"
    parquet.write_table(pyarrow.Table.from_pylist([row]), source)
    [problem], [trace] = imported(source, tmp_path / "run")
    assert (problem.id, problem.question, problem.answer) == ("7", "1 + 1?", "2")
    assert problem.extra["level"] == "easy"
    assert (trace.thought, trace.prompt_tokens, trace.completion_tokens) == ("Hm.", 3, 2)
    [verdict] = store.read(tmp_path / "run" / "verdicts.lighteval.jsonl", Verdict)
    assert (verdict.outcome, verdict.rule) == ("correct", "extractive_match")


NEW = {
    "responses": [
        {"content": "\\boxed{2}", "correctness": True, "reason": ""},
        {"content": "\\boxed{3}", "correctness": False, "reason": "wrong"},
    ],
    "token_usages": [{"completion_tokens": 5, "prompt_tokens": 9}] * 2,
}
OLD = {
    "responses": {"0.7": {"content": "\\boxed{2}", "correctness": True, "reason": ""}},
    "token_usages": {"0.7": {"completion_tokens": 5, "prompt_tokens": 9}},
}


@pytest.mark.parametrize(("said", "right"), [(NEW, [True, False]), (OLD, [True])])
def test_results_of_the_original(said: dict[str, Any], right: list[bool], tmp_path: Path) -> None:
    entry = {
        "problem": "1 + 1?",
        "answer": "2",
        "prompt": "Return your final answer. 1 + 1?",
        "input_conversation": [{"role": "user", "content": "Return your final answer. 1 + 1?"}],
        **said,
    }
    source = tmp_path / "results.json"
    source.write_text(json.dumps({"17": entry}))
    [problem], traces = imported(source, tmp_path / "run")
    assert (problem.id, problem.question, problem.answer) == ("17", "1 + 1?", "2")
    assert [t.completion_tokens for t in traces] == [5] * len(right)
    assert traces[0].messages == (Message("user", "Return your final answer. 1 + 1?"),)
    verdicts = store.read(tmp_path / "run" / "verdicts.skythought.jsonl", Verdict)
    assert [v.outcome == "correct" for v in verdicts] == right


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        (
            "samples_x.jsonl",
            {"doc_id": 1, "resps": [[[-1.5, False]]]},
            "log-likelihoods and no text",
        ),
        ("samples_x.jsonl", {"question": "?"}, "no sample of lm-evaluation-harness"),
        ("samples_x.jsonl", {"doc_id": 1, "resps": [["2"]], "doc": {}}, "no "),
        ("results.json", [1], "no results.json of SkyThought"),
        ("results.json", {"a": {"accuracy": 1}}, "no responses; is it summary.json"),
        ("log.txt", {}, "of which tool is it"),
    ],
)
def test_other_files_are_refused(name: str, content: object, told: str, tmp_path: Path) -> None:
    source = write(tmp_path / name, content)
    with pytest.raises(UserError, match=told) as caught:
        imported(source, tmp_path / "run")
    assert str(source) in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_no_file_and_no_format(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        imported(tmp_path / "samples_x.jsonl", tmp_path / "run")
    source = write(tmp_path / "x.txt", {})
    with pytest.raises(UserError, match="unknown format 'lmeval': did you mean 'lm-eval'"):
        imported(source, tmp_path / "run", format="lmeval")


def test_the_same_log_again_and_another(tmp_path: Path) -> None:
    source = write(tmp_path / "samples_x.jsonl", sample(1, "2", 1.0))
    imported(source, tmp_path / "run")
    imported(source, tmp_path / "run")
    write(source, sample(2, "2", 1.0))
    with pytest.raises(UserError, match="was made with input="):
        imported(source, tmp_path / "run")


def test_a_run_as_a_log_of_inspect(tmp_path: Path) -> None:
    rows = [
        sample(1, "<think>\nHm.\n</think>\n\n\\boxed{2}", 1.0),
        sample(2, "\\boxed{4}", 0.0),
        sample(3, "", 0.0),
    ]
    source = write(tmp_path / "samples_x.jsonl", *rows)
    imported(source, tmp_path / "run", model="m")
    with pytest.raises(UserError, match="holds no verdicts; grade it"):
        exporting.run(exporting.Config(run_dir=tmp_path / "run", output=tmp_path / "log.json"))
    score.run(score.Config(run_dir=tmp_path / "run"))
    exporting.run(exporting.Config(run_dir=tmp_path / "run", output=tmp_path / "log.json"))
    log = json.loads((tmp_path / "log.json").read_text())
    assert (log["version"], log["status"], log["eval"]["model"]) == (2, "success", "m")
    assert [s["scores"]["math"]["value"] for s in log["samples"]] == ["C", "I", "N"]
    assert log["results"]["scores"][0]["metrics"]["accuracy"]["value"] == pytest.approx(1 / 3)
    said = log["samples"][0]["messages"][-1]["content"]
    assert said == [
        {"type": "reasoning", "reasoning": "Hm."},
        {"type": "text", "text": "\\boxed{2}"},
    ]
    with pytest.raises(UserError, match=r"Inspect reads logs that are called \.json"):
        exporting.run(exporting.Config(run_dir=tmp_path / "run", output=tmp_path / "log.txt"))


def test_formats_are_told_by_names() -> None:
    assert foreign.format_of(Path("samples_gsm8k_x.jsonl")) == "lm-eval"
    assert foreign.format_of(Path("details_gsm8k.parquet")) == "lighteval"
    assert foreign.format_of(Path("results.json")) == "skythought"


def test_numbers_of_rows_are_no_metrics(tmp_path: Path) -> None:
    rows = [sample(n, "2", float(n == 0)) for n in range(3)]
    for row in rows:
        del row["metrics"]
    imported(write(tmp_path / "samples_x.jsonl", *rows), tmp_path / "run")
    verdicts = store.read(tmp_path / "run" / "verdicts.lm-eval.jsonl", Verdict)
    assert [v.outcome for v in verdicts] == ["correct", "incorrect", "incorrect"]


def test_damaged_logs_are_one_line(tmp_path: Path) -> None:
    source = write(tmp_path / "samples_x.jsonl", {**sample(1, "2", 1.0), "metrics": 3})
    with pytest.raises(UserError, match="no log of lm-eval that can be read"):
        imported(source, tmp_path / "run")


def test_a_request_that_failed_once_is_exported_once(tmp_path: Path) -> None:
    imported(write(tmp_path / "samples_x.jsonl", sample(1, "\\boxed{2}", 1.0)), tmp_path / "run")
    path = tmp_path / "run" / "traces.jsonl"
    row = json.loads(path.read_text())
    failed = {**row, "answer": "", "finish": "error", "error": "busy"}
    path.write_text(json.dumps(failed) + "\n" + json.dumps(row) + "\n")
    score.run(score.Config(run_dir=tmp_path / "run"))
    exporting.run(exporting.Config(run_dir=tmp_path / "run", output=tmp_path / "log.json"))
    [one] = json.loads((tmp_path / "log.json").read_text())["samples"]
    assert one["output"]["choices"][0]["message"]["content"] == "\\boxed{2}"
