"""skythought/tasks/: problems are what they say, and never in two splits."""

from __future__ import annotations

import json
from collections import Counter, deque
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from skythought import tasks, verifiers
from skythought.core.errors import UserError
from skythought.core.records import Problem
from skythought.tasks import Task, benchmarks, toll_roads

SPLITS = tuple(toll_roads.SPLITS)


def draw(split: str, n: int, seed: int = 0) -> list[Problem]:
    return list(islice(tasks.get("toll_roads").load(split, seed=seed), n))


def tolls(question: str) -> list[int]:
    """Search a question anew, breadth first and from its text alone: the toll of every way."""
    body, _, asked = question.partition(" What is the toll from ")
    start, goal = asked.rstrip("?").split(" to ")
    roads: dict[str, list[tuple[str, int]]] = {}
    for row in body.rstrip(".").split(". "):
        place, _, out = row.lower().partition(": ")
        pairs = (road.rsplit(" ", 1) for road in out.split(", ") if road != "nothing")
        roads[place] = [(to, int(toll)) for to, toll in pairs]
    found, queue = [], deque([(start, 0)])
    while queue:
        place, total = queue.popleft()
        if place == goal:
            found.append(total)
        queue += [(to, total + toll) for to, toll in roads.get(place, [])]
    return found


@pytest.mark.parametrize("split", SPLITS)
def test_toll_roads_have_one_way_and_its_toll_is_the_answer(split: str) -> None:
    for problem in draw(split, 200):
        assert tolls(problem.question) == [int(problem.answer)], problem.question
        assert 0 < int(problem.answer) < 50
        assert problem.task == "toll_roads"


def test_toll_roads_are_read_back() -> None:
    for problem in draw("train", 100):
        roads = toll_roads.read(problem.question)
        assert roads.question() == problem.question
        assert roads.split() == "train"
        assert str(sum(toll for _, toll in roads.way())) == problem.answer
        assert roads.way()[-1][0] == roads.goal
        assert len(roads.way()) == 3


def test_the_goal_is_never_found_at_once() -> None:
    """A search in the listed order runs into at least one place off the way."""
    for problem in draw("dev", 100):
        roads = toll_roads.read(problem.question)
        visits = toll_roads._visits({p: [*out] for p, out in _with_leaves(roads)}, roads.start)
        before = set(visits[: visits.index(roads.goal)])
        assert before - {place for place, _ in roads.way()} - {roads.start}


def _with_leaves(roads: toll_roads.Roads) -> list[tuple[str, tuple[tuple[str, int], ...]]]:
    named = {place for place, _ in roads.roads}
    ends = {to for _, out in roads.roads for to, _ in out} - named
    return [*roads.roads, *((place, ()) for place in ends)]


def test_splits_are_disjoint_whatever_the_seed() -> None:
    found = {s: {p.question for seed in range(4) for p in draw(s, 150, seed)} for s in SPLITS}
    ids = {s: {p.id for p in draw(s, 300)} for s in SPLITS}
    for one in SPLITS:
        for other in SPLITS:
            assert one == other or not found[one] & found[other]
            assert one == other or not ids[one] & ids[other]
        assert len(ids[one]) == 300


def test_the_order_of_roads_does_not_move_a_problem_to_another_split() -> None:
    for problem in draw("test", 50):
        roads = toll_roads.read(problem.question)
        turned = tuple((place, out[::-1]) for place, out in roads.roads[::-1])
        assert toll_roads.Roads(turned, roads.start, roads.goal).split() == "test"


def test_the_same_seed_gives_the_same_problems() -> None:
    assert draw("train", 50, seed=3) == draw("train", 50, seed=3)
    assert draw("train", 50, seed=3) != draw("train", 50, seed=4)
    assert draw("train", 20) == draw("train", 50)[:20]


def test_chance_is_that_of_the_commonest_answer() -> None:
    [(_, count)] = Counter(p.answer for p in draw("train", 2000)).most_common(1)
    assert count / 2000 == pytest.approx(tasks.get("toll_roads").chance, abs=0.02)


def test_the_search_and_the_additions_of_a_thought_are_counted() -> None:
    question = "Elm: nothing. Oak: pine 3, ash 2. Pine: elm 4. Ash: fir 5. Fir: nothing. "
    question += "What is the toll from oak to fir?"
    steps = [f"I am at {place}, so far." for place in ("oak", "pine", "elm", "ash", "fir")]
    said = " ".join([*steps, "2 plus 5 is 7 and 12 plus 3 is 16 and 3 + 4 = 9."])
    inspect = toll_roads.inspect
    assert inspect(question, said) == {"in_order": (1, 1), "additions_true": (1, 2)}
    for wrong in (" ".join(steps[:-1]), " ".join([*steps, steps[0]]), " ".join(steps[::-1]), ""):
        assert inspect(question, wrong) == {"in_order": (0, 1), "additions_true": (0, 0)}
    with pytest.raises(ValueError, match="not a toll-roads question"):
        inspect("What is 3 plus 4?", said)


@pytest.mark.parametrize("text", ["", "What is 3 plus 4?", "What is the toll from oak to fir?"])
def test_other_questions_are_not_toll_roads(text: str) -> None:
    with pytest.raises(ValueError, match="not a toll-roads question"):
        toll_roads.read(text)


def test_unknown_splits_are_refused() -> None:
    with pytest.raises(UserError, match=r"unknown split of toll_roads 'tset': did you mean 'test'"):
        tasks.get("toll_roads").load("tset")
    with pytest.raises(UserError, match=r"unknown split of gsm8k 'validation'"):
        tasks.get("gsm8k").load("validation")


def test_names() -> None:
    for name in tasks.TASKS:
        task = tasks.get(name)
        assert task.name == name
        asked = Problem(id="p", task=name, question="?", answer="1")
        assert tasks.verifier_of(asked) == task.verifier
        assert task.verifier in verifiers.VERIFIERS
        assert task.licence
    with pytest.raises(UserError, match=r"unknown task 'tol_roads': did you mean 'toll_roads'\?"):
        tasks.get("tol_roads")
    with pytest.raises(UserError, match=r"task 'json:dumps': expected a Task, found function"):
        tasks.get("json:dumps")
    with pytest.raises(UserError, match=r"none\.jsonl: no such file"):
        tasks.get("none.jsonl")


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("18", "18"),
        (" 18 ", "18"),
        ("16 - 3 = 13\n#### 1,000", "1,000"),
        ("so 13\n####13", "13"),
        ("$x^2$", "x^2"),
        ("$14+4 \\sqrt{37}$.", "14+4 \\sqrt{37}"),
        ("$5 and $6", "$5 and $6"),
        ("$1$,$2$", "$1$,$2$"),
        ("so it is \\boxed{\\frac{1}{2}}.", "\\frac{1}{2}"),
        ("first \\boxed{1}, then \\boxed{2}", "2"),
        ("So $x=\\boxed{1}$ or $x=\\boxed{2}$", "1, 2"),
        ("so it is \\boxed{6}, in \\boxed{}", "6"),
        ("so it is \\boxed{6", "so it is \\boxed{6"),
        ("The answer is 12.", "12"),
        ("The answer is $12$.", "12"),
        ("Answer: 12", "12"),
        ("Answer: B", "B"),
        ("**Answer:** $\\frac{1}{2}$", "\\frac{1}{2}"),
        ("3 + 4 is 7.\n\nFinal answer: 7 apples", "7 apples"),
        ("Final Answer: The final answer is $7$. I hope it is correct.", "7"),
        ("<answer>12</answer>", "12"),
        ("<think>3 + 4</think> <answer> $7$ </answer>", "7"),
        (
            "The answer is that 3 of the 4 are red, since one is not",
            "The answer is that 3 of the 4 are red, since one is not",
        ),
        ("The answer is no number below 7.", "The answer is no number below 7."),
        ("no answer", "no answer"),
        ("answer", "answer"),
        ("$", "$"),
    ],
)
def test_references_are_reduced(text: str, answer: str) -> None:
    assert benchmarks.reduce_answer(text) == answer


@pytest.mark.parametrize(
    ("row", "question", "answer"),
    [
        ({"problem": "1 + 1?", "answer": 2}, "1 + 1?", "2"),
        ({"question": "1 + 1?", "answer": 2.0}, "1 + 1?", "2"),
        ({"prompt": "1 + 1?", "reference_answer": "2.5"}, "1 + 1?", "2.5"),
        ({"problem": "Roots?", "final_answer": ["$1$", "$-2$"]}, "Roots?", "1, -2"),
        ({"problem": "1 + 1?", "answer": "", "final_answer": ["2"]}, "1 + 1?", "2"),
        (
            {"question": "Which?", "choices": ["oak", "fir"], "answer": 1},
            "Which?\n\nA. oak\nB. fir",
            "B",
        ),
        ({"question": "Which?", "choices": ["2", "1"], "answer": "A"}, "Which?\n\nA. 2\nB. 1", "A"),
        ({"question": "Which?", "choices": None, "answer": "A"}, "Which?", "A"),
    ],
)
def test_rows(row: dict[str, Any], question: str, answer: str) -> None:
    found = benchmarks.problem(row, "t")
    assert (found.question, found.answer, found.task) == (question, answer, "t")
    assert found.id == benchmarks.problem(row, "t").id


def test_rows_without_a_reference_where_none_is_needed() -> None:
    row = {"id": 7, "question": "Which?", "choices": ["oak", "fir"], "level": 3, "answer": " "}
    found = benchmarks.problem(row, "t", answers=False)
    assert (found.id, found.answer) == ("7", "")
    assert found.question == "Which?\n\nA. oak\nB. fir"
    assert found.extra == {"choices": ["oak", "fir"], "level": 3}
    known = {"problem": "1 + 1?", "answer": 2}
    assert benchmarks.problem(known, "t", answers=False) == benchmarks.problem(known, "t")
    with pytest.raises(ValueError, match="no question"):
        benchmarks.problem({"level": 3}, "t", answers=False)


def test_ids_and_extras_are_kept() -> None:
    row = {"unique_id": "a/1", "problem": "1 + 1?", "answer": "2", "level": 3}
    found = benchmarks.problem(row, "t")
    assert (found.id, found.extra) == ("a/1", {"level": 3})
    other = {"problem": "Which?", "choices": ["a", "b"], "answer": "A"}
    same = benchmarks.problem(other, "t").id
    assert benchmarks.problem({**other, "choices": ["a", "c"]}, "t").id != same


def test_our_own_records_are_problems_as_they_are(tmp_path: Path) -> None:
    [first, *_] = draw("test", 1)
    path = write(
        tmp_path / "problems.jsonl", {f: getattr(first, f) for f in first.__struct_fields__}
    )
    assert list(tasks.get(str(path)).load("test")) == [first]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"answer": "2"}, "no question: expected one of the texts problem, question, instr"),
        ({"problem": " ", "answer": "2"}, "no question"),
        ({"problem": 3, "answer": "2"}, "no question"),
        ({"problem": "1 + 1?"}, "no reference answer: expected one of answer, reference_answer"),
        ({"problem": "1 + 1?", "answer": None}, "no reference answer"),
        ({"problem": "1 + 1?", "answer": ""}, "no reference answer"),
        ({"problem": "1 + 1?", "answer": "  "}, "no reference answer"),
        ({"problem": "1 + 1?", "answer": "#### "}, "the reference answer is empty"),
        ({"problem": "1 + 1?", "answer": True}, "must be a text or a number, found True"),
        ({"problem": "1 + 1?", "answer": {"x": 2}}, "must be a text or a number"),
        ({"id": "a", "problem": "2 + 2?", "answer": "4"}, "id 'a' is already that of line 1"),
        ({"id": "b", "task": "t"}, "missing required field `question`"),
        ([], "expected a JSON object"),
    ],
)
def test_bad_rows_are_named(row: object, told: str, tmp_path: Path) -> None:
    first = {"id": "a", "problem": "1 + 1?", "answer": "2"}
    path = write(tmp_path / "mine.jsonl", first, row)
    with pytest.raises(UserError) as caught:
        list(tasks.get(str(path)).load("test"))
    assert str(caught.value).startswith(f"{path}:2: ")
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_same_problem_twice_is_named(tmp_path: Path) -> None:
    row = {"problem": "1 + 1?", "answer": "2"}
    path = write(tmp_path / "mine.jsonl", row, row)
    with pytest.raises(UserError, match=r"mine\.jsonl:2: id '\w+' is already that of line 1; give"):
        list(tasks.get(str(path)).load("test"))


def test_a_local_file_is_a_task(tmp_path: Path) -> None:
    task = tasks.get(str(write(tmp_path / "mine.jsonl", {"problem": "1 + 1?", "answer": "2"})))
    assert isinstance(task, Task)
    assert (task.name, task.verifier) == ("file:mine", "math")
    assert [tasks.verifier_of(p) for p in task.load("test")] == ["math"]
    assert [p.answer for p in task.load("train", seed=3)] == ["2"]


def test_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="needs skythought[train]")
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs skythought[train]")
    path = tmp_path / "mine.parquet"
    rows = [{"problem": f"{i} + 1?", "answer": str(i + 1)} for i in range(2000)]
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    found = list(tasks.get(str(path)).load("test"))
    assert [p.answer for p in found] == [row["answer"] for row in rows]
    parquet.write_table(pyarrow.Table.from_pylist([*rows, {"problem": "x", "answer": None}]), path)
    with pytest.raises(UserError, match=r"mine\.parquet:2001: no reference answer"):
        list(tasks.get(str(path)).load("test"))
    path.write_text("not parquet")
    with pytest.raises(UserError, match=r"mine\.parquet: not a Parquet file"):
        list(tasks.get(str(path)).load("test"))
    with pytest.raises(UserError, match=r"none\.parquet: no such file"):
        list(benchmarks.read_rows(tmp_path / "none.parquet"))


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("math500", 500),
        ("aime24", 30),
        ("aime25", 30),
        ("amc23", 40),
        ("hmmt_24_25", 196),
        ("olympiadbench_math_en", 675),
        ("gsm8k_test", 1319),
        ("mmlu_sample", 1140),
        ("mmlu_dev", 285),
    ],
)
def test_real_benchmarks(name: str, count: int, shared: Path) -> None:
    found = list(tasks.get(str(shared / "benchmarks" / f"{name}.jsonl")).load("test"))
    assert len(found) == count
    assert len({p.id for p in found}) == count
    for problem in found:
        assert problem.question.strip()
        assert problem.answer == problem.answer.strip() != ""
        assert "####" not in problem.answer
        assert "\\boxed" not in problem.answer
    if name.startswith("aime"):
        assert all(p.answer.isdigit() and int(p.answer) < 1000 for p in found)
    if name.startswith("mmlu"):
        assert all("\nA. " in p.question and p.answer in "ABCD" for p in found)


def test_prompts_without_a_reference_are_refused(shared: Path) -> None:
    with pytest.raises(UserError, match=r"livecodebench_v5_prompts\.jsonl:1: no "):
        list(tasks.get(str(shared / "benchmarks" / "livecodebench_v5_prompts.jsonl")).load("test"))
