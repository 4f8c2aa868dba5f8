"""skythought/core/records.py: the records are flat, frozen, strict; identity is the request."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import msgspec
import pytest

from skythought.core.records import (
    Completion,
    Example,
    Message,
    Problem,
    Sampling,
    Trace,
    Verdict,
    digest,
    digest_all,
    sample_ids,
    trace_id,
)

PROMPT = (Message("user", "What is 3 plus 4?"),)
TRACE = Trace(id="t", problem_id="p", model="m", messages=PROMPT, thought="3, 4.", answer="7")
RECORDS = [
    Problem(id="p", task="sums", question="What is 3 plus 4?", answer="7", extra={"level": 1}),
    TRACE,
    Verdict(id="t", verifier="number@1", outcome="correct", extracted="7", expected="7"),
    Example(id="e", trace_id="t", messages=PROMPT, completion="7", tags=("correct",)),
    Completion(id="t", text="7", finish="stop"),
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda r: type(r).__name__)
def test_json_and_back(record: msgspec.Struct) -> None:
    line = msgspec.json.encode(record)
    assert b"\n" not in line
    assert msgspec.json.decode(line, type=type(record)) == record


@pytest.mark.parametrize("record", RECORDS, ids=lambda r: type(r).__name__)
def test_frozen(record: msgspec.Struct) -> None:
    with pytest.raises(AttributeError):
        record.id = "other"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        (Verdict, {"id": "t", "verifier": "v", "outcome": "right"}),
        (Trace, {**msgspec.to_builtins(TRACE), "finish": "ended"}),
        (Trace, {**msgspec.to_builtins(TRACE), "thought": None}),
        (Problem, {"id": "p", "task": "t", "question": "q"}),
        (Problem, {"id": 3, "task": "t", "question": "q", "answer": "a"}),
    ],
)
def test_wrong_rows_are_refused(kind: type[msgspec.Struct], row: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(row, kind)


def test_a_message_keeps_only_what_a_prompt_needs() -> None:
    row = {"role": "user", "content": "Hi", "weight": 1}
    assert msgspec.convert(row, Message) == Message("user", "Hi")


def test_digest_is_the_same_in_every_process() -> None:
    code = (
        "from skythought.core.records import digest\n"
        "print(digest({'b': 1, 'a': [2.5, None]}, 'text', ('x',)))"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        for _ in range(2)
    }
    assert runs == {digest({"a": [2.5, None], "b": 1}, "text", ("x",))}


def test_digest_tells_parts_apart() -> None:
    assert digest("ab", "c") != digest("a", "bc")
    assert len(digest("a", length=8)) == 8


def test_identity_is_the_request() -> None:
    same = {"problem_id": "p", "messages": PROMPT, "model": "m", "sampling": Sampling()}
    known = trace_id(**same, sample=0)  # type: ignore[arg-type]
    assert known == trace_id(**same, sample=0)  # type: ignore[arg-type]
    others = [
        {**same, "problem_id": "q"},
        {**same, "messages": (Message("system", "Think."), *PROMPT)},
        {**same, "model": "m@1"},
        {**same, "sampling": Sampling(temperature=0.6)},
        {**same, "sampling": Sampling(seed=1)},
        {**same, "parent": "t"},
        {**same, "parent": "t", "edits": ("digits fraction=0.5 seed=0",)},
    ]
    ids = {trace_id(**{"sample": 0, **other}) for other in others}  # type: ignore[arg-type]
    ids.add(trace_id(**same, sample=1))  # type: ignore[arg-type]
    assert len(ids) == len(others) + 1
    assert known not in ids


def test_identities_stay_what_they_are() -> None:
    """Of runs recorded before a sampling had more than four fields."""
    asked = (Message("system", "Think."), *PROMPT)
    old = Sampling(temperature=0.6, top_p=0.95, max_tokens=16384)
    assert trace_id("p1", asked, "Qwen/QwQ-32B", old, 2) == "d54accdc3dd25beb"
    assert trace_id("p1", asked, "m", Sampling(), 0) == "9dbb53b01e717c49"
    assert (
        trace_id("p1", asked, "m", Sampling(), 0, "parent", ("digits 0.5",)) == "5c9116462bfddc7f"
    )


@pytest.mark.parametrize(
    "more",
    [
        {"top_k": 20},
        {"min_p": 0.0},
        {"presence_penalty": 1.5},
        {"repetition_penalty": 1.05},
        {"stop": ("</answer>",)},
        {"reasoning_effort": "high"},
        {"extra": {"top_a": 1}},
    ],
)
def test_what_is_asked_for_is_part_of_the_identity(more: dict[str, Any]) -> None:
    plain, asked = Sampling(), Sampling(**more)
    assert trace_id("p", PROMPT, "m", plain, 0) != trace_id("p", PROMPT, "m", asked, 0)
    assert msgspec.json.decode(msgspec.json.encode(asked), type=Sampling) == asked


@pytest.mark.parametrize("prefill", ["", '<think>\nOkay, "so"'])
def test_ids_of_many_samples_are_those_of_each(prefill: str) -> None:
    asked = (Message("system", "Think \u00e9."), *PROMPT)
    sampling = Sampling(temperature=0.6, stop=("x",))
    found = list(sample_ids("p", asked, "m", sampling, 12, prefill))
    assert found == [trace_id("p", asked, "m", sampling, i, prefill=prefill) for i in range(12)]
    assert len(set(found)) == 12
    assert bool(prefill) == (found[0] != trace_id("p", asked, "m", sampling, 0))


@pytest.mark.parametrize("n", [0, 1, 3])
def test_a_digest_of_many_is_the_digest_of_their_list(n: int) -> None:
    assert digest_all(iter(RECORDS[:n])) == digest(RECORDS[:n])


def test_records_are_plain_json() -> None:
    row = json.loads(msgspec.json.encode(TRACE))
    assert row["messages"] == [{"role": "user", "content": "What is 3 plus 4?"}]
    assert row["sampling"] == {"temperature": 0.0, "top_p": 1.0, "max_tokens": 1024, "seed": 0}
    assert "served_model" not in row  # only where a server was asked
    assert "prefill" not in row
