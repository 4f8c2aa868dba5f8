"""skythought/structure: steps of a trace, where the answer is reached, loops, scripts, measures."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skythought import structure
from skythought.core import steps
from skythought.core.records import Message, Trace
from skythought.structure import language, loops, reached

QUESTION = "Tom has 3 bags of 12 apples and eats 2. How many are left?"
THOUGHT = (
    "Okay, so Tom has 3 bags of 12 apples and eats 2.\n\n"
    "3 * 12 = 36.\n\nSo 36 - 2 = 34 are left.\n\n"
    "Wait, let me check: x = 34 + 2 is 36.\n\nHmm, but maybe not. Yes.\n\nSo the answer is 34."
)


def trace(thought: str = THOUGHT, answer: str = "So \\boxed{34}.", **values: object) -> Trace:
    made = Trace(
        id="t",
        problem_id="p",
        model="m",
        messages=(Message("system", "Be 34."), Message("user", QUESTION)),
        thought=thought,
        answer=answer,
    )
    return msgspec.structs.replace(made, **values)


def test_read() -> None:
    found = structure.read(trace())
    assert [step.text for step in found] == steps.split(THOUGHT)
    assert all(THOUGHT[step.start : step.end] == step.text for step in found)
    assert [step.role for step in found] == [
        *("restate", "compute", "compute", "verify", "compute", "conclude")
    ]
    assert found[3].markers == ("wait", "let me check")
    assert found[4].markers == ("hmm", "but", "maybe")
    assert found[1].introduces == ("36",)
    assert found[1].uses == ("3", "12")
    assert found[3].introduces == ("x",)
    assert found[3].uses == ("34", "2", "36")


def test_measure() -> None:
    found = structure.measure(trace())
    assert (found.steps, found.roles, found.markers) == (6, "RCCVCF", 5)
    assert (found.answer, found.answer_step) == ("34", 2)
    after = sum(structure.count_signs(step) for step in steps.split(THOUGHT)[3:])
    assert found.tokens_after_answer == after
    assert found.counted_by == "signs"
    assert found.tokens == structure.count_signs(THOUGHT) + structure.count_signs("So \\boxed{34}.")
    assert found.markers_per_1k == pytest.approx(5000 / found.tokens)
    assert [found.loop, found.truncated] == [False, False]
    assert [found.foreign, found.repetition] == [0, 0]


def test_tokens_are_those_of_the_model_or_of_a_tokenizer() -> None:
    plain = structure.measure(trace())
    known = structure.measure(trace(completion_tokens=2 * plain.tokens))
    assert (known.tokens, known.counted_by) == (2 * plain.tokens, "model")
    assert known.tokens_after_answer == 2 * (plain.tokens_after_answer or 0)
    given = structure.measure(trace(completion_tokens=5), count=lambda text: len(text.split()))
    assert given.counted_by == "tokenizer"
    assert given.tokens == len(THOUGHT.split()) + 2


def test_signs() -> None:
    assert structure.count_signs("Let x_1 = 120, naïve 答案 $\\frac{1}{2}$") == 22


def test_a_trace_without_a_thought_is_read_in_its_answer() -> None:
    found = structure.measure(trace("", f"{THOUGHT}\n\n\\boxed{{34}}"))
    assert (found.steps, found.answer_step) == (7, 2)


def test_an_empty_trace_has_measures() -> None:
    found = structure.measure(trace("", "", finish="length"))
    assert (found.steps, found.tokens, found.roles, found.answer_step) == (0, 0, "", None)
    assert found.truncated


@pytest.mark.parametrize(
    ("solution", "answer"),
    [
        ("So \\boxed{1,200}.", "1200"),
        ("So \\boxed{\\$8,\\!400}", "8400"),
        ("\\boxed{12 \\text{ minutes}}", "12"),
        ("\\boxed{\\dfrac{14}{3}}", "14/3"),
        ("\\boxed{6 - 5i}", "6-5i"),
        ("\\boxed{2\\sqrt{3}}", "2√3"),
        ("\\boxed{\\text{B}}", "b"),
        ("He has 3 left, or 12.50 dollars.", "12.5"),
        ("So it is 3/4.", "3/4"),
        ("It is 3/4, so 4 of 12 are left.", "12"),
        ("On 1/2/2024", "2024"),
        ("No number.", ""),
        ("\\boxed{" + "x" * 500 + "}", ""),
        ("", ""),
    ],
)
def test_final(solution: str, answer: str) -> None:
    assert reached.final(solution) == answer


@pytest.mark.parametrize(
    ("answer", "parts", "at"),
    [
        ("34", ["He has 34 apples.", "34 + 1", "That gives 34."], 2),
        ("34", ["So $34$.", "It is \\$34."], 1),
        ("34", ["= 340", "= 3.34", "= 34^2", "**34**"], 3),
        ("1200", ["5 * 240 = 1,200"], 0),
        ("1200", ["5 * 240 = 1200.00"], 0),
        ("2", ["Tom eats 2.", "He is 2.", "x = 2", "12 / 6 = 2"], 3),  # 2 is in the question
        ("2", ["He is 2.", "So the answer should be 2."], 1),
        ("2", ["\\boxed{2}"], 0),
        ("14/3", ["14/3 of it", "r = \\frac{14}{3}"], 1),
        ("14/3", ["r = 14/35", "so r is 14/3."], 1),
        ("2√3", ["It is 2√3"], 0),
        ("b", ["is bigger", "Option B."], 1),
        ("", ["= 1"], None),
        ("7", ["= 8"], None),
    ],
)
def test_first(answer: str, parts: list[str], at: int | None) -> None:
    assert reached.first(parts, answer, QUESTION) == at


def test_repetition() -> None:
    once = "one two three four five six seven eight nine ten"
    assert loops.repetition(once) == 0
    assert loops.repetition("one two") == 0
    assert loops.repetition(f"{once} {once}") == pytest.approx(3 / 13)


@pytest.mark.parametrize(
    ("text", "block"),
    [
        (THOUGHT + "\n\nWait, let me check again." * 30, "wait , let me check again"),
        ("So no. " + "Case 1: it is not so. " * 3 + "So it ends well. " + THOUGHT, ""),
        ("a b " * 100 + "and it ends in a way that is quite another.", ""),
        ("".join(f"Case {i}: no, this one fails. " for i in range(40)), "fails"),
        (", ".join(str(i) for i in range(1, 99)), ""),  # numbers alone that change
        ("0, " * 99, ", 0"),
        ("the end " * 3, ""),
        ("", ""),
    ],
)
def test_loop(text: str, block: str) -> None:
    found = loops.loop(text)
    assert block in found if block else found == ""


def test_a_loop_that_was_cut_in_the_middle_of_a_word_is_one() -> None:
    text = "Alternatively, perhaps the two smaller circles are tangent. " * 20
    assert loops.loop(text[:-30])
    assert loops.loop(text[:-25])


@pytest.mark.parametrize(
    ("text", "question", "share"),
    [
        ("So it is.", "How many?", 0),
        ("答案 is x", "How many?", 0.4),
        ("答案", "有多少?", 0),
        ("Это ответ", "How many?", 1),
        ("α + β is γ", "How many?", 0),
        ("So 答案 is", "12 + 3 = ?", pytest.approx(1 / 3)),
        ("日本語で", "これは何", 0),
        ("12", "How many?", 0),
    ],
)
def test_foreign(text: str, question: str, share: float) -> None:
    assert language.foreign(text, question) == share


@given(st.text(alphabet="ab .\n", max_size=30))
def test_a_loop_repeats_up_to_the_end(piece: str) -> None:
    """What is said forty times is a loop, and the loop found is what is at the end."""
    text = f"{piece} " * 40
    words = loops.WORD.findall(text)[:-1]
    block = loops.loop(text).split()
    assert bool(block) == (len(words) >= loops.LEAST)
    if block:
        assert words[-4 * len(block) :] == block * 4


@pytest.mark.parametrize(
    "thought",
    [
        "1 " * 200_000,
        "= 34" * 100_000,
        "x" * 10**6,
        "\\boxed{" * 100_000,
        "\\frac{" * 100_000,
        "Wait. " * 100_000,
        "12,345" * 100_000,
        "$" * 10**6,
        "So = " * 100_000 + "\n\n" + "-" * 10**6,
        "".join(f"{i} " for i in range(100_000)),
        "\n\n".join("= 34 is" for _ in range(50_000)),
    ],
    ids=range(11),
)
@pytest.mark.parametrize("answer", ["\\boxed{7777}", "\\boxed{x+1/2}", "\\boxed{A}"])
def test_hostile_traces_are_measured(thought: str, answer: str) -> None:
    """Megabytes that would take hours were anything here quadratic."""
    found = structure.measure(trace(thought, answer))
    assert found.steps >= 1
