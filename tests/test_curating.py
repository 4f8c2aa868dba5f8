"""skythought/curating: filters, choosing, topics, pairs and exports, apart from files of traces."""

from __future__ import annotations

import json
import math
from array import array
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest

from skythought.core import shapes, steps
from skythought.core.errors import UserError
from skythought.core.records import Example, Message, Trace, digest
from skythought.curating import card, choosing, exports, filters, pairs, topics
from skythought.curating.facts import Facts, histogram, outcomes, packed
from skythought.curating.filters import Filters

TRACE = Trace(
    id="t",
    problem_id="p",
    model="m",
    messages=(Message("user", "How many?"),),
    thought="Two and two.\n\nWait.\n\nSo it is 4.",
    answer="\\boxed{4}",
)


def measured(**changes: Any) -> Any:
    values = {
        "repetition": 0.1,
        "loop": False,
        "foreign": 0.0,
        "consistency": 0.9,
        "grounding": 0.8,
        "roles": "RPCVBAS",
    }
    return SimpleNamespace(**{**values, **changes})


def facts(key: str, problem: str = "p", **changes: Any) -> Facts:
    given = {"file": 0, "offset": 0, "size": 1, "finish": "stop", "prompt": problem.encode()}
    taught = packed(digest(key))
    return Facts(id=key, problem=problem, lesson=taught, lessons=taught, **{**given, **changes})


def refuse_long(trace: Trace) -> str | None:
    return "too long for us" if len(trace.answer) > 5 else None


def broken(trace: Trace) -> str | None:
    raise KeyError(trace.id)


def wrong(trace: Trace) -> Any:
    return True


@pytest.mark.parametrize(
    ("asked", "changes", "reason"),
    [
        ({}, {}, ""),
        ({"require": ("thought", "answer", "boxed")}, {}, ""),
        ({"require": ("thought",)}, {"thought": " \n"}, "no thought"),
        ({"require": ("answer",)}, {"answer": ""}, "no answer text"),
        ({"require": ("boxed",)}, {"answer": "It is 4."}, "no boxed answer"),
        ({"min_steps": 3, "max_steps": 3}, {}, ""),
        ({"min_steps": 4}, {}, "too few steps"),
        ({"max_steps": 2}, {}, "too many steps"),
        ({"min_tokens": 101}, {}, "too few tokens"),
        ({"max_tokens": 99}, {}, "too many tokens"),
        ({"own": (f"{__name__}:refuse_long",)}, {}, "too long for us"),
        ({"own": (f"{__name__}:refuse_long",)}, {"answer": "4"}, ""),
    ],
)
def test_filters_of_text(asked: dict[str, Any], changes: dict[str, Any], reason: str) -> None:
    trace = msgspec.structs.replace(TRACE, **changes)
    own = Filters(**asked)
    n_steps = len(steps.split(trace.thought))
    found = own.reason(trace, tokens=100, steps=n_steps, own=own.functions())
    assert found == reason


@pytest.mark.parametrize(
    ("asked", "changes", "reason"),
    [
        ({"drop_loops": True}, {"loop": True}, "loop"),
        ({"drop_loops": True}, {}, ""),
        ({"max_repetition": 0.1}, {}, ""),
        ({"max_repetition": 0.09}, {}, "too much repetition"),
        ({"max_foreign": 0.01}, {"foreign": 0.02}, "languages mixed"),
        ({"min_consistency": 0.95}, {}, "structure not consistent"),
        ({"min_consistency": 0.9}, {}, ""),
        ({"min_consistency": 0.9}, {"consistency": None}, ""),
        ({"min_grounding": 0.81}, {}, "statements that do not hold"),
        ({"min_grounding": 0.81}, {"grounding": None}, ""),
    ],
)
def test_filters_of_measures(asked: dict[str, Any], changes: dict[str, Any], reason: str) -> None:
    own = Filters(**asked)
    assert own.measures
    assert own.reason(TRACE, tokens=1, steps=1, measures=measured(**changes)) == reason
    assert not Filters(max_tokens=5).measures


def test_a_filter_of_ones_own_that_fails_is_named() -> None:
    for name, said in (("broken", "failed at trace t .KeyError"), ("wrong", "gave True")):
        own = Filters(own=(f"{__name__}:{name}",))
        with pytest.raises(UserError, match=f"filter {name}: {said}"):
            own.reason(TRACE, tokens=1, steps=1, own=own.functions())
    with pytest.raises(UserError, match="there is no module"):
        Filters(own=("nowhere.at_all:x",)).functions()


# RP PC CV (twice) VB BA AC VF, in a natural logarithm over that of 49 moves
VARIETY = (0.25 * math.log(4) + 0.75 * math.log(8)) / math.log(49)


def test_the_structure_score_wants_many_roles_that_follow() -> None:
    rich, poor = measured(roles="RPCVBACVF"), measured(roles="CCCCCCC")
    assert filters.structure_score(rich) == pytest.approx(0.9 * 0.9 * VARIETY)
    assert filters.structure_score(rich) > filters.structure_score(measured())  # fewer moves
    assert filters.structure_score(measured(roles="C")) == 0
    assert filters.structure_score(poor) == 0
    for worse in ({"consistency": 0.5}, {"repetition": 0.5}):
        score = filters.structure_score(measured(roles=rich.roles, **worse))
        assert 0 < score < filters.structure_score(rich)
    assert filters.structure_score(measured(roles="")) == 0
    assert filters.structure_score(measured(consistency=None)) == 0


FOUND = [
    facts("a", tokens=30, score=0.2),
    facts("b", tokens=10, score=0.1),
    facts("c", "q", tokens=5, score=0.9),
    facts("d", tokens=20, score=0.7),
]


@pytest.mark.parametrize(
    ("prefer", "kept"),
    [("first", "ac"), ("shortest", "bc"), ("longest", "ac"), ("structured", "cd")],
)
def test_one_of_each_problem(prefer: choosing.Prefer, kept: str) -> None:
    assert [f.id for f in choosing.per_problem(FOUND, 1, prefer)] == list(kept)
    assert choosing.per_problem(FOUND, 3, prefer) == FOUND


@pytest.mark.parametrize(("by", "kept"), [("shortest", "bc"), ("longest", "ad")])
def test_some_of_all(by: choosing.By, kept: str) -> None:
    assert [f.id for f in choosing.select(FOUND, 2, by)] == list(kept)
    assert choosing.select(FOUND, 9, by) == FOUND


def test_chance_is_seeded_and_does_not_depend_on_the_order() -> None:
    many = [facts(f"t{i}", f"p{i}") for i in range(200)]
    chosen = {f.id for f in choosing.select(many, 20, "random", seed=1)}
    assert chosen == {f.id for f in choosing.select(many[::-1], 20, "random", seed=1)}
    assert chosen != {f.id for f in choosing.select(many, 20, "random", seed=2)}


QUESTIONS = {
    "trains": "A train leaves the station at {} and travels {} miles to the next one, how fast",
    "triangles": "In triangle $ABC$ the angle at $A$ is {} degrees and $BC$ is {}, find the area",
    "dice": "Two fair dice are rolled {} times, what is the probability that the sum is {}",
}


def test_structured_selection_takes_of_every_topic() -> None:
    """One topic has all the best scores; the set is not filled with it."""
    made = [
        facts(
            f"{name}{i}",
            f"{name}{i}",
            topic=topics.sketch(text.format(i, i + 7)),
            score=(0.9 if name == "dice" else 0.5) + i / 1000,
        )
        for name, text in QUESTIONS.items()
        for i in range(20)
    ]
    chosen = [f.id for f in choosing.select(made, 12, "structure", seed=0)]
    n = {name: sum(key.startswith(name) for key in chosen) for name in QUESTIONS}
    assert n == {"trains": 4, "triangles": 4, "dice": 4}
    assert {f"{name}19" for name in QUESTIONS} <= set(chosen)  # the best of each
    assert chosen == [f.id for f in made if f.id in chosen]  # in the order they came


def test_topics_tell_questions_apart() -> None:
    sketches = [topics.sketch(t.format(i, 2 * i)) for t in QUESTIONS.values() for i in range(30)]
    numbers = topics.groups(sketches, 3, seed=0)
    assert [len(set(numbers[i : i + 30])) for i in (0, 30, 60)] == [1, 1, 1]
    assert len(set(numbers)) == 3
    assert topics.groups([], 3, 0) == []
    assert topics.groups([topics.sketch("")], 4, 0) == [0]
    assert topics.sketch("Same words") == topics.sketch("words same same")
    assert len(topics.sketch("x" * 10**6)) == topics.DIMENSIONS
    assert [topics.how_many(n) for n in (1, 100, 10**6)] == [1, 10, 256]


def test_pairs_of_lengths() -> None:
    made = [facts("a", tokens=30), facts("b", tokens=10), facts("c", tokens=20)]
    one = [facts("x", "q", tokens=99), facts("y", "q", tokens=95)]  # too alike
    alone = [facts("z", "r", tokens=5)]
    found = [(c.id, r.id) for c, r in pairs.of_lengths([*made, *one, *alone])]
    assert found == [("b", "a")]


def test_the_first_solution_and_one_more() -> None:
    thought = steps.join([f"Step {i}: so it is 4." for i in range(10)])
    trace = msgspec.structs.replace(TRACE, thought=thought)

    def cut(*arrivals: int) -> int | None:
        made = pairs.first_solution(trace, arrivals, lambda step: "4" in step)
        return None if made is None else len(steps.split(made.thought))

    assert cut(2, 5, 7) == 6
    assert cut(2) == 3
    assert cut(3, 9) is None  # nothing is saved
    assert cut() is None
    assert pairs.first_solution(msgspec.structs.replace(trace, thought=" "), [0], states) is None


def states(step: str) -> bool:
    return "22" in step


def test_the_first_solution_ends_at_a_whole_answer() -> None:
    """What only asks or announces goes, sentence by sentence, and never the answer itself."""
    ends = {
        "5 + 17 = 22. Is that so? Let me check.": "5 + 17 = 22.",
        "That is right. So is it 22?": "That is right. So is it 22?",
        "I see. So 22? Wait, did I miss one? Maybe I should check.": "I see. So 22?",
    }
    for last, left in ends.items():
        parts = ["17 + 5 = 22.", "Wait.", last, "Hmm." * 40]
        trace = msgspec.structs.replace(TRACE, thought=steps.join(parts))
        cut = pairs.first_solution(trace, [0, 2], states)
        assert cut is not None
        assert steps.split(cut.thought)[-1] == left


def test_the_first_solution_ends_behind_a_reflection() -> None:
    parts = [
        "17 + 5 = 22.",
        "So it is 22.",
        "Wait, is that so?",
        "5 + 17 = 22. But let me check that once more.",
        "Hmm, 22 - 5 is 17.",
        "So 22." + " Yes." * 20,
    ]
    trace = msgspec.structs.replace(TRACE, thought=steps.join(parts))
    cut = pairs.first_solution(trace, [0, 1, 3, 5], states)
    assert cut is not None
    assert steps.split(cut.thought) == [*parts[:3], "5 + 17 = 22."]
    assert cut.completion_tokens == 0
    cut = pairs.first_solution(trace, [0, 1], states)  # never again behind a reflection
    assert cut is not None
    assert steps.split(cut.thought) == parts[:2]


@pytest.mark.parametrize(
    ("step", "left"),
    [
        ("So it is 22. Let me check if that adds up.", "So it is 22."),
        ("So it is \\boxed{22}\nWait, let me double-check:", "So it is \\boxed{22}"),
        ("So it is 22. Hmm, now let's see that again", "So it is 22."),
        ("Let me see: it is 22.", "Let me see: it is 22."),
        ("Let me check that", "Let me check that"),
        ("It is 20. Let me add 2: that is 22.", "It is 20. Let me add 2: that is 22."),
        ("So 22. " + "let me " * 20_000, "So 22. " + "let me " * 20_000),
        ("So it is 22. Is that right?", "So it is 22."),
        ("So it is 22. Maybe I should add them again.", "So it is 22."),
        ("Is it 22?", "Is it 22?"),
        ("So 22. " + "what " * 20_000, "So 22. " + "what " * 20_000),
        ("So 22." + " " * 100_000 + "!", "So 22." + " " * 100_000 + "!"),
    ],
)
def test_what_only_announces_goes(step: str, left: str) -> None:
    assert pairs.ANNOUNCED.sub("", step) == left


EXAMPLE = shapes.example(TRACE, tags=("correct",))
PAIR = msgspec.structs.replace(EXAMPLE, rejected="longer")


def test_messages_are_read_back() -> None:
    row = json.loads(exports.encode(EXAMPLE, "messages"))
    assert [turn["role"] for turn in row["messages"]] == ["user", "assistant"]
    assert shapes.trace(row).thought == TRACE.thought
    pair = json.loads(exports.encode(PAIR, "messages"))
    assert (pair["chosen"][0]["content"], pair["rejected"][0]["content"]) == (
        EXAMPLE.completion,
        "longer",
    )
    assert pair["prompt"] == [{"role": "user", "content": "How many?"}]


def test_sharegpt_is_read_back() -> None:
    row = json.loads(exports.encode(EXAMPLE, "sharegpt"))
    assert [turn["from"] for turn in row["conversations"]] == ["human", "gpt"]
    assert shapes.trace(row).answer == TRACE.answer
    pair = json.loads(exports.encode(PAIR, "sharegpt"))
    assert pair["conversations"] == [{"from": "human", "value": "How many?"}]
    assert pair["rejected"] == {"from": "gpt", "value": "longer"}


def test_our_own_examples_are_read_back() -> None:
    assert msgspec.json.decode(exports.encode(PAIR, "examples"), type=Example) == PAIR


@pytest.mark.parametrize("shape", exports.SHAPES)
def test_parquet(shape: exports.Shape, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [exports.encode(PAIR, shape) for _ in range(exports.GROUP + 3)]
    with exports.Writer(tmp_path / "x.part", parquet=True) as out:
        for row in rows:
            out.add(row)
    table = parquet.read_table(tmp_path / "x.part")
    assert table.num_rows == len(rows)
    assert table.to_pylist()[-1] == json.loads(rows[-1])


def test_a_histogram_doubles() -> None:
    assert list(histogram(array("i", [1, 2, 3, 4, 5, 9, 9]))) == [
        ("0-1", 1),
        ("2-2", 1),
        ("3-4", 2),
        ("5-8", 1),
        ("9-16", 2),
    ]
    assert list(histogram(array("i"))) == []


def test_outcomes_takes_the_last_word(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.jsonl"
    path.write_text(
        '{"verifier":"m","id":"a","outcome":"error"}\n{"verifier":"m","id":"a","outcome":"correct"}\n'
    )
    assert outcomes(path) == {"a": "correct"}
    assert outcomes(tmp_path / "none.jsonl") == {}
    path.write_text('{"id":"a"}\n')
    with pytest.raises(UserError, match=r"verdicts.jsonl:1: not a Verdict record"):
        outcomes(path)


def test_a_card_holds_what_it_is_given_in_one_line() -> None:
    tally = card.Tally()
    tally.add(card.Entry("a|b\n# c", "p", 7, False, 1, 2, 0, "correct", origin="x\x1b[2J"))
    text = card.write("set.jsonl", tally, [card.Source("in", 1, 1, "", "MIT")], {}, {"k": "v"})
    assert "| teachers | a\\|b # c (1) |" in text
    assert "\x1b" not in text
    assert 'license: "mit"' in text
    assert "Nothing." in text
    assert "Structure and grounding" not in text  # nothing was measured
    assert np.sum([line.startswith("# ") for line in text.splitlines()]) == 1
