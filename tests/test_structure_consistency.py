from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skythought import perturbations
from skythought.core import shapes, steps
from skythought.core.records import Message, Trace
from skythought.structure import consistency as lexical
from skythought.structure.weights import WEIGHTS

QUESTION = (
    "A baker sells boxes of rolls and boxes of muffins. A box of rolls costs 4 dollars and a box "
    "of muffins costs 7 dollars. On Monday she sold 12 boxes of rolls and 5 boxes of muffins. "
    "The oven used gas for 9 dollars. How much did she earn?"
)
THOUGHT = """Okay, so I need to find out how much the baker earned on Monday. She sells boxes of \
rolls and boxes of muffins, and the oven used gas for 9 dollars.

First, let me find the money from the rolls. A box of rolls costs 4 dollars, and she sold 12 boxes \
of rolls. So the rolls bring:

12 * 4 = 48 dollars.

Next, the muffins. A box of muffins costs 7 dollars, and she sold 5 boxes of muffins. So the \
muffins bring:

5 * 7 = 35 dollars.

Now add the money from the rolls and the money from the muffins to get the total sales.

48 + 35 = 83 dollars in total sales.

But the oven used gas for 9 dollars, and that gas must be taken off the total sales to get what \
she earned.

83 - 9 = 74 dollars earned.

Wait, let me check that the gas is to be taken off. The question asks how much she earned, so the \
cost of the gas matters. Yes, taking it off is right.

Therefore, the baker earned 74 dollars on Monday."""
ANSWER = "The rolls bring 48 dollars, the muffins 35. After the gas she earned \\boxed{74}."
GOLDEN = Trace(
    id="golden",
    problem_id="baker",
    model="us",
    messages=(Message("user", QUESTION),),
    thought=THOUGHT,
    answer=ANSWER,
)
OTHER = Trace(
    id="other",
    problem_id="train",
    model="us",
    messages=(Message("user", "How long does the train from Oslo take?"),),
    thought=(
        "Okay, so the train leaves Oslo with a constant speed.\n\nThe distance to the border is "
        "given in kilometres.\n\nDividing distance by speed gives hours.\n\nSo the train needs "
        "three hours to the border.\n\nFinally, I convert the hours to minutes."
    ),
    answer="",
)


def value(trace: Trace) -> float:
    found = lexical.consistency(QUESTION, steps.split(trace.thought), trace.answer)
    assert found is not None
    return found


def changed(kind: str, fraction: float, seed: int) -> Trace:
    options = {"donors": [OTHER]} if kind == "insert" else {}
    return perturbations.make(kind, fraction=fraction, seed=seed, **options)(GOLDEN)


@pytest.mark.parametrize("kind", ["shuffle", "insert", "delete"])
def test_broken_structure_scores_lower(kind: str) -> None:
    lower = [value(changed(kind, 0.67, seed)) < value(GOLDEN) for seed in range(20)]
    assert sum(lower) >= 18


def test_more_shuffling_scores_lower() -> None:
    means = [
        statistics.mean(value(changed("shuffle", fraction, seed)) for seed in range(10))
        for fraction in (0.0, 0.33, 0.67, 1.0)
    ]
    assert means == sorted(means, reverse=True)


def test_an_inserted_step_is_the_one_that_does_not_follow() -> None:
    parts = steps.split(THOUGHT)
    inserted = [*parts[:4], "The train leaves Oslo with a constant speed.", *parts[4:]]
    before = lexical.follows(QUESTION, parts, ANSWER)
    after = lexical.follows(QUESTION, inserted, ANSWER)
    assert after[4] < 0.5
    assert after[4] < min(after[:4])
    assert after[5] < before[4]  # what stands behind it has lost its predecessor


@pytest.mark.parametrize("fraction", [0.2, 0.5, 0.7, 1.0])
def test_corrupt_digits_change_nothing(fraction: float) -> None:
    for seed in range(5):
        assert value(changed("digits", fraction, seed)) == value(GOLDEN)


@pytest.mark.parametrize("fraction", [0.2, 0.5, 1.0])
def test_removed_keywords_change_next_to_nothing(fraction: float) -> None:
    for seed in range(5):
        assert abs(value(changed("keywords", fraction, seed)) - value(GOLDEN)) < 0.02


def test_one_probability_for_each_step_and_the_answer() -> None:
    parts = steps.split(THOUGHT)
    assert len(lexical.follows(QUESTION, parts, ANSWER)) == len(parts) + 1
    assert len(lexical.follows(QUESTION, parts)) == len(parts)
    assert lexical.follows(QUESTION, [], ANSWER) == []
    assert lexical.consistency(QUESTION, []) is None


def test_it_is_the_same_in_every_process() -> None:
    """Sets of words have another order in each process: sums must not depend on it."""
    code = (
        "import sys\nfrom skythought.core import steps\n"
        "from skythought.structure import consistency\n"
        "print(consistency.follows(sys.argv[1], steps.split(sys.argv[2])))"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", code, QUESTION, THOUGHT],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            stdout=subprocess.PIPE,
            check=True,
        ).stdout
        for seed in range(1, 7)
    }
    assert len(told) == 1


def test_the_mean_is_the_consistency() -> None:
    found = lexical.follows(QUESTION, steps.split(THOUGHT), ANSWER)
    assert value(GOLDEN) == pytest.approx(statistics.mean(found))


def test_every_weight_belongs_to_a_signal() -> None:
    """A name that is written otherwise in the code and in the weights would count nothing."""
    parts = steps.split(THOUGHT)
    seen = {name for signals in lexical.read(QUESTION, parts, ANSWER) for name, _ in signals}
    always = {"bias", "cohesion", "shared", "gap", "fresh", "never again", "of answer", "answer"}
    assert always <= seen
    kinds = {"item", "math", "low", "cap"}
    known = seen | {f"end {end}" for end in (*lexical.ENDS.values(), "o")}
    known |= {f"{a} after {b}" for a in kinds for b in (*kinds, "colon", "no colon")}
    opening = {*lexical.OPENINGS.values(), "word", "letter", "number", "nothing"}
    known |= {
        form.format(kind)
        for kind in opening
        for form in ("{}", "{} late", "after {}", "first {}", "answer after {}")
    }
    assert set(WEIGHTS) <= known
    assert len(WEIGHTS) > 50


@settings(max_examples=50, deadline=None)
@given(
    st.text(max_size=60),
    st.lists(st.text(alphabet="aZ9 .:$\\[(*\né的", max_size=40), max_size=8),
    st.text(max_size=60),
)
def test_any_text_gets_probabilities(question: str, parts: list[str], answer: str) -> None:
    for probability in lexical.follows(question, parts, answer):
        assert 0 < probability < 1
    assert lexical.follows(question, parts, answer) == lexical.follows(question, parts, answer)


@pytest.mark.parametrize(
    "parts",
    [
        ["a" * 1_000_000],
        ["a b " * 250_000],
        ["wait " * 200_000],
        ["let me " * 150_000],
        ["the the"] * 30_000,
        [f"word{i} says thing{i}" for i in range(20_000)],
        [" " * 1_000_000, "\\" * 1_000_000, "\n" * 1_000_000],
        ["9" * 1_000_000, "." * 1_000_000, "的" * 300_000],
    ],
)
def test_hostile_texts_take_time_in_proportion(parts: list[str]) -> None:
    """Quadratic work would take hours on these; nothing here measures the time."""
    assert len(lexical.follows("What?", parts)) == len(parts)


def test_real_traces(shared: Path) -> None:
    """Of a few real thoughts nearly all score above their own shuffled copy."""
    read = shapes.read_traces(shared / "traces" / "traces.jsonl")
    long = [t for t in read if 8 <= len(steps.split(t.thought)) < 60]
    above = []
    for trace in random.Random(0).sample(long, 60):
        copy = perturbations.make("shuffle", fraction=0.67, seed=0)(trace)
        asked = trace.messages[-1].content
        whole, broken = (
            lexical.consistency(asked, steps.split(t.thought), t.answer) for t in (trace, copy)
        )
        assert whole is not None
        assert broken is not None
        above.append(whole > broken)
    assert sum(above) >= 54
