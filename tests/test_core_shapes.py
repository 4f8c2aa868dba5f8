"""skythought/core/shapes.py: every shape people have their data in, as it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from skythought.core import formats, shapes, store
from skythought.core.errors import UserError
from skythought.core.records import Message, Trace

ASK, THOUGHT, ANSWER = "What is 3 plus 4?", "3, 4.\n\nWait, 7.", "It is \\boxed{7}."
SAID = f"<think>\n{THOUGHT}\n</think>\n\n{ANSWER}"
USER = {"role": "user", "content": ASK}
TOLD = {"role": "assistant", "content": SAID}
SHAPES: dict[str, dict[str, Any]] = {
    "messages": {"messages": [USER, TOLD]},
    "sharegpt": {
        "conversations": [{"from": "human", "value": ASK}, {"from": "gpt", "value": SAID}]
    },
    "sharegpt, roles of messages": {
        "conversations": [{"from": "user", "value": ASK}, {"from": "assistant", "value": SAID}]
    },
    "prompt and completion": {"prompt": ASK, "completion": SAID},
    "lists of messages": {"prompt": [USER], "completion": [TOLD]},
    "prompt list, completion text": {"prompt": [USER], "completion": SAID},
    "problem and response": {"problem": ASK, "response": SAID},
    "question and response": {"question": ASK, "response": SAID},
    "prompt and response": {"prompt": ASK, "response": SAID},
    "alpaca": {"instruction": ASK, "input": "", "output": SAID},
    "our trace": {
        "id": "t",
        "problem_id": "p",
        "model": "m",
        "messages": [USER],
        "thought": THOUGHT,
        "answer": ANSWER,
    },
    "our example": {
        "id": "e",
        "trace_id": "t",
        "messages": [USER],
        "completion": formats.teach(THOUGHT, ANSWER),
    },
}


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("row", SHAPES.values(), ids=SHAPES)
def test_every_shape_is_the_same_trace(row: dict[str, Any], tmp_path: Path) -> None:
    [trace] = shapes.read_traces(write(tmp_path / "data.jsonl", row))
    assert trace.messages == (Message("user", ASK),)
    assert (trace.thought, trace.answer, trace.finish) == (THOUGHT, ANSWER, "stop")


@pytest.mark.parametrize("row", SHAPES.values(), ids=SHAPES)
def test_every_shape_is_the_same_example(row: dict[str, Any], tmp_path: Path) -> None:
    [example] = shapes.read_examples(write(tmp_path / "data.jsonl", row))
    assert example.messages == (Message("user", ASK),)
    assert example.completion == formats.teach(THOUGHT, ANSWER)


def test_shapes_may_be_mixed(tmp_path: Path) -> None:
    path = write(tmp_path / "data.jsonl", *SHAPES.values())
    assert len(list(shapes.read_examples(path))) == len(SHAPES)


OTHER = "<think>\n3, 4.\n\nHmm, 8. Wait, 7.\n</think>\n\n7"
OTHER_TOLD = {"role": "assistant", "content": OTHER}
PAIRS: dict[str, dict[str, Any]] = {
    "messages": {"prompt": [USER], "chosen": [TOLD], "rejected": [OTHER_TOLD]},
    "texts": {"prompt": ASK, "chosen": SAID, "rejected": OTHER},
    "the prompt in both": {"chosen": [USER, TOLD], "rejected": [USER, OTHER_TOLD]},
    "the prompt in both and before": {
        "prompt": ASK,
        "chosen": [USER, TOLD],
        "rejected": [USER, OTHER_TOLD],
    },
    "sharegpt": {
        "conversations": [{"from": "human", "value": ASK}],
        "chosen": {"from": "gpt", "value": SAID},
        "rejected": {"from": "gpt", "value": OTHER},
    },
    "problem": {"problem": ASK, "chosen": SAID, "rejected": OTHER},
    "alpaca": {"instruction": ASK, "input": "", "chosen": SAID, "rejected": OTHER},
}


@pytest.mark.parametrize("row", PAIRS.values(), ids=PAIRS)
def test_every_shape_of_a_pair_is_the_same_example(row: dict[str, Any], tmp_path: Path) -> None:
    [pair] = shapes.read_examples(write(tmp_path / "pairs.jsonl", row))
    assert pair.messages == (Message("user", ASK),)
    assert pair.completion == formats.teach(THOUGHT, ANSWER)
    assert pair.rejected == formats.teach("3, 4.\n\nHmm, 8. Wait, 7.", "7")


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (
            {"chosen": [USER, TOLD], "rejected": [{"role": "user", "content": "?"}, TOLD]},
            "'chosen' and 'rejected' must answer the same prompt",
        ),
        ({"prompt": ASK, "chosen": SAID, "rejected": None}, "'rejected': 'completion' must be"),
        ({"prompt": ASK, "chosen": [], "rejected": SAID}, "'chosen': 'completion' must be a list"),
        ({"chosen": SAID, "rejected": SAID}, "'chosen': unknown row with fields response"),
        ({"conversations": 3, "chosen": SAID, "rejected": SAID}, "'chosen': the completion must"),
    ],
)
def test_other_pairs_are_refused_with_their_line(
    row: dict[str, Any], told: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "pairs.jsonl", PAIRS["texts"], row)
    with pytest.raises(UserError) as caught:
        list(shapes.read_examples(path))
    assert str(caught.value).startswith(f"{path}:2: {told}")


def test_system_prompts_and_earlier_turns_are_kept() -> None:
    system = {"role": "system", "content": "Think."}
    first = {"role": "assistant", "content": "Hello."}
    expected = (Message("system", "Think."), Message("user", ASK))
    assert shapes.trace({"messages": [system, USER, TOLD]}).messages == expected
    assert shapes.trace({"system": "Think.", "problem": ASK, "response": SAID}).messages == expected
    turns = [{"from": "system", "value": "Think."}, *SHAPES["sharegpt"]["conversations"]]
    assert shapes.trace({"conversations": turns}).messages == expected
    for longer in (
        {"messages": [USER, first, USER, TOLD]},
        {"prompt": [USER, first, USER], "completion": [TOLD]},
        {"prompt": [USER], "completion": [first, USER, TOLD]},
    ):
        trace = shapes.trace(longer)
        assert [m.role for m in trace.messages] == ["user", "assistant", "user"]
        assert trace.answer == ANSWER


def test_alpaca_input_belongs_to_the_question() -> None:
    trace = shapes.trace({"instruction": "Add.", "input": "3 and 4", "output": "7"})
    assert trace.messages == (Message("user", "Add.\n\n3 and 4"),)


def test_names_are_kept_and_made_where_missing() -> None:
    named = shapes.trace({"id": "a-1", "teacher": "R1", "problem": ASK, "response": SAID})
    assert (named.id, named.problem_id, named.model) == ("a-1", "a-1", "R1")
    first, second = (shapes.trace({"problem": ASK, "response": r}) for r in (SAID, "7"))
    assert first.id != second.id
    assert first.problem_id == second.problem_id
    assert first == shapes.trace({"problem": ASK, "response": SAID})


def test_a_cut_answer_says_so() -> None:
    assert shapes.trace({"problem": ASK, "response": "<think>\nHm"}).finish == "length"


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"text": "x"}, "unknown row with fields text; expected messages, conversations, "),
        ({"problem": ASK}, "unknown row with fields problem; expected"),
        ({"response": SAID}, "unknown row with fields response"),
        ({"problem": 3, "response": SAID}, "unknown row with fields problem, response"),
        ({"problem": ASK, "response": None}, "the row's response is null"),
        ({"messages": []}, "'messages' must be a list of turns"),
        ({"messages": "x"}, "'messages' must be a list of turns"),
        ({"messages": [USER]}, "the last turn must be the assistant's, found 'user'"),
        ({"messages": [TOLD]}, "the completion must follow a user turn"),
        ({"messages": [USER, {"role": "assistant"}]}, "every turn of 'messages' needs the texts"),
        ({"messages": [USER, {"role": "assistant", "content": None}]}, "every turn of 'messages'"),
        ({"messages": ["hello", TOLD]}, "every turn of 'messages'"),
        ({"conversations": [{"role": "user", "content": "x"}]}, "every turn of 'conversations'"),
        ({"prompt": ASK, "completion": []}, "'completion' must be a list of turns"),
        ({"prompt": ASK, "completion": [{}]}, "every turn of 'completion'"),
        ({"prompt": ASK, "completion": [USER]}, "the last turn must be the assistant's, found"),
        ({"prompt": None, "completion": SAID}, "'prompt' must be a list of turns"),
        ({"completion": SAID}, "'prompt' must be a list of turns"),
        ({"problem_id": "p", "thought": "t"}, "Object missing required field `id`"),
        ({"trace_id": "t", "completion": "c", "id": "e"}, "must be a list of turns"),
    ],
)
def test_other_rows_are_refused_with_their_line(
    row: dict[str, Any], told: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "data.jsonl", SHAPES["messages"], row)
    with pytest.raises(UserError) as caught:
        list(shapes.read_traces(path))
    assert str(caught.value).startswith(f"{path}:2: ")
    assert told in str(caught.value)
    with pytest.raises(UserError, match=r"data\.jsonl:2: "):
        list(shapes.read_examples(path))


def test_malformed_lines_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "data.jsonl", SHAPES["messages"])
    path.write_text(path.read_text() + '{"messages": [\n')
    with pytest.raises(UserError, match=r"data\.jsonl:2: not valid JSON"):
        list(shapes.read_examples(path))


def test_folders(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        shapes.files(tmp_path / "none")
    with pytest.raises(UserError, match=r"no \.jsonl file in this folder"):
        shapes.files(tmp_path)
    b, a = (write(tmp_path / name, SHAPES["messages"]) for name in ("b.jsonl", "a.jsonl"))
    assert shapes.files(tmp_path) == [a, b]
    names = ("verdicts", "verdicts.judge", "dropped", "disagreements", "rewritten", "contamination")
    beside = [f"{name}.jsonl" for name in names]
    for name in (*beside, *(f"a.jsonl.{name}" for name in beside)):
        write(tmp_path / name, {"trace_id": "t"})
    assert shapes.files(tmp_path) == [a, b]
    traces = write(tmp_path / "traces.jsonl", SHAPES["our trace"])
    assert shapes.files(tmp_path) == [traces]


def test_a_failed_request_teaches_nothing(tmp_path: Path) -> None:
    good = shapes.trace(SHAPES["our trace"])
    failed = msgspec.structs.replace(
        good, id="u", thought="", answer="", finish="error", error="no answer from the server"
    )
    store.write_records(tmp_path / "traces.jsonl", [failed, good])
    assert [e.trace_id for e in shapes.read_examples(tmp_path)] == ["t"]
    assert [t.id for t in shapes.read_traces(tmp_path)] == ["u", "t"]


def test_tags_and_lineage_of_examples() -> None:
    example = shapes.example(shapes.trace(SHAPES["our trace"]), tags=("correct",))
    assert (example.trace_id, example.tags) == ("t", ("correct",))
    other = msgspec.structs.replace(shapes.trace(SHAPES["our trace"]), answer="8")
    assert shapes.example(other).id != example.id


def test_real_traces_as_they_are(shared: Path) -> None:
    traces = list(shapes.read_traces(shared / "traces" / "traces.jsonl"))
    assert len(traces) == 1423
    assert len({t.id for t in traces}) == 1423
    assert all(isinstance(t, Trace) and t.finish == "stop" for t in traces)
    assert sum(bool(t.thought) for t in traces) == 1397
    assert any("DeepSeek-R1" in t.model for t in traces)
    examples = list(shapes.read_examples(shared / "traces" / "traces.jsonl"))
    for trace, example in zip(traces, examples, strict=True):
        assert formats.parse(example.completion) == (trace.thought, trace.answer, True)


def test_real_outputs_with_answer_tags(shared: Path) -> None:
    traces = list(shapes.read_traces(shared / "traces" / "labelled_outputs_dev.jsonl"))
    assert len(traces) == 360
    assert sum(bool(t.thought) for t in traces) == 180
    assert sum(t.finish == "length" for t in traces) == 2
    assert sum(t.answer.startswith("<answer>") for t in traces) == 0


APART, SAID = "First, 1 and 1.\n\nSo 2.", "It is 2."


@pytest.mark.parametrize("field", shapes.THOUGHTS)
def test_a_thought_that_stands_apart(field: str) -> None:
    """As chat servers give it, in the message or beside the response."""
    user = {"role": "user", "content": "1 + 1?"}
    apart = {"role": "assistant", "content": SAID, field: APART}
    rows: list[dict[str, Any]] = [
        {"messages": [user, apart]},
        {"prompt": [user], "completion": [apart]},
        {"problem": "1 + 1?", "response": SAID, field: APART},
    ]
    for row in rows:
        found = shapes.trace(row)
        assert (found.thought, found.answer) == (APART, SAID)
    label = shapes.trace({"problem": "1 + 1?", "response": SAID, field: "math"})
    assert (label.thought, label.answer) == ("", SAID)
    twice = shapes.trace(
        {"problem": "?", "response": f"<think>\nHm\n</think>\n{SAID}", field: APART}
    )
    assert (twice.thought, twice.answer) == ("Hm", SAID)
