"""skythought/backends/symbolic.py: a teacher that searches, narrates and sometimes slips."""

from __future__ import annotations

import re
from itertools import islice

import pytest

from skythought import backends
from skythought.core import formats, steps
from skythought.core.records import Completion, Message, Problem, Request, Sampling
from skythought.tasks import toll_roads

PROBLEMS = list(islice(toll_roads.load("train", seed=1), 150))
TREE = "From oak: pine 3, ash 2. From pine: elm 4. From ash: fir 5."
LONG = Sampling(max_tokens=4096)


def answers(problems: list[Problem], n: int = 1, seed: int = 0, **options: str) -> list[Completion]:
    teacher = backends.make("symbolic", "", options)
    requests = [
        Request(id=f"{p.id}/{k}", messages=(Message("user", p.question),), sample=k)
        for p in problems
        for k in range(n)
    ]
    return list(teacher.complete(requests, Sampling(seed=seed, max_tokens=4096)))


def right(problem: Problem, completion: Completion) -> bool:
    return formats.last_boxed(formats.parse(completion.text).answer) == problem.answer


def n_right(found: list[Completion]) -> int:
    return sum(right(p, c) for p, c in zip(PROBLEMS, found, strict=True))


def test_the_same_request_gives_the_same_answer() -> None:
    first, again = answers(PROBLEMS[:20], n=2), answers(PROBLEMS[:20], n=2)
    assert first == again
    assert [c.text for c in first] != [c.text for c in answers(PROBLEMS[:20], n=2, seed=1)]
    samples = answers(PROBLEMS[:1], n=4)
    assert len({c.text for c in samples}) > 1


def test_without_slips_every_answer_is_right() -> None:
    for style in ("long", "short"):
        found = answers(PROBLEMS, slip="0", style=style)
        assert all(right(p, c) for p, c in zip(PROBLEMS, found, strict=True))
        assert all(c.finish == "stop" and c.completion_tokens > 10 for c in found)


def test_slips_make_some_answers_wrong_and_some_are_found() -> None:
    found = answers(PROBLEMS, slip="0.1")
    wrong = [c for p, c in zip(PROBLEMS, found, strict=True) if not right(p, c)]
    corrected = [c for c in found if "I made a mistake before" in c.text]
    assert 0.05 * len(found) < len(wrong) < 0.5 * len(found)
    assert 0 < len(corrected) < 0.4 * len(found)
    assert any(right(p, c) for p, c in zip(PROBLEMS, found, strict=True) if c in corrected)


def test_a_check_that_always_looks_finds_more() -> None:
    careless, careful = (
        sum(
            right(p, c)
            for p, c in zip(PROBLEMS, answers(PROBLEMS, slip="0.1", overlook=o), strict=True)
        )
        for o in ("1", "0")
    )
    assert careful > careless


def test_slips_by_default_are_few() -> None:
    found = answers(PROBLEMS)
    assert 0.75 < n_right(found) / len(found) < 0.99


def test_a_thought_is_written_as_in_the_paper() -> None:
    """Tags, steps between blank lines, dead ends, going back, a check, the answer in a box."""
    for problem, completion in zip(PROBLEMS, answers(PROBLEMS, slip="0"), strict=True):
        parts = formats.parse(completion.text)
        assert completion.text == formats.teach(parts.thought, parts.answer)
        written = steps.split(parts.thought)
        roads = toll_roads.read(problem.question)
        assert 6 <= len(written) <= 9
        assert written[0].startswith(f"I need the toll from {roads.start} to {roads.goal}.")
        assert (
            f"{roads.goal} with a total of {problem.answer}, and I want"
            in parts.thought.replace(", so far the total is", " with a total of").replace(
                ", and I look for", ", and I want"
            )
        )
        assert re.match(r"(Wait|Hmm), let me", written[-1])
        assert re.search(r"I (go|turn) back to", parts.thought)
        assert steps.count_keywords(parts.thought) >= 3
        assert parts.answer.endswith(f"\\boxed{{{problem.answer}}}.")


def test_every_addition_of_a_careful_thought_is_true() -> None:
    for completion in answers(PROBLEMS[:50], slip="0"):
        sums = re.findall(r"(\d+) plus (\d+) is (\d+)", completion.text)
        assert len(sums) > 4
        assert all(int(a) + int(b) == int(c) for a, b, c in sums)


def test_a_short_answer_has_no_thought() -> None:
    for problem, completion in zip(
        PROBLEMS, answers(PROBLEMS, slip="0", style="short"), strict=True
    ):
        parts = formats.parse(completion.text)
        assert parts.thought == ""
        assert right(problem, completion)
        assert steps.count_keywords(parts.answer) == 0
        assert "plus" in parts.answer


def test_a_long_answer_is_cut() -> None:
    request = Request(id="r", messages=(Message("user", PROBLEMS[0].question),))
    [found] = backends.make("symbolic", "").complete([request], Sampling(max_tokens=20))
    assert (found.finish, found.completion_tokens, len(found.text.split())) == ("length", 20, 20)
    assert not formats.parse(found.text).closed


@pytest.mark.parametrize(
    "question",
    [
        "What is 3 plus 4?",
        "",
        f"{TREE} How far is it?",
        "What is the toll from oak to fir?",
        f"{TREE} What is the toll from oak to yew?",  # the goal is not there
        f"{TREE} What is the toll from ash to elm?",  # no way
        f"{TREE} What is the toll from oak to oak?",  # nothing to do
        f"{TREE} From fir: oak 1. What is the toll from oak to fir?",  # a circle
        f"{TREE} From elm: fir 1. What is the toll from oak to fir?",  # two ways
        f"{TREE} From oak: yew 1. What is the toll from oak to elm?",  # oak listed twice
    ],
)
def test_a_question_it_cannot_search_is_an_error(question: str) -> None:
    request = Request(id="r", messages=(Message("user", question),))
    [found] = backends.make("symbolic", "").complete([request], LONG)
    assert (found.finish, found.text) == ("error", "")
    assert found.error


def test_any_number_of_roads_is_told() -> None:
    question = "From oak: pine 3, ash 2, yew 1. What is the toll from oak to yew?"
    request = Request(id="r", messages=(Message("user", question),))
    [found] = backends.make("symbolic", "", {"slip": "0"}).complete([request], LONG)
    assert "Oak: pine 3, ash 2, yew 1." in found.text
    assert "\\boxed{1}" in found.text


def test_identity_tells_the_settings() -> None:
    plain, other = (backends.make("symbolic", "", o).identity for o in ({}, {"slip": "0.1"}))
    assert plain == "symbolic@5 long slip=0.03 overlook=0.6"
    assert other != plain
