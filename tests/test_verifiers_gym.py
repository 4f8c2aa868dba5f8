"""skythought/verifiers/gym*.py: the library's scorers, and answers that attack them."""

from __future__ import annotations

import os
import signal
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pytest

from skythought import tasks, verifiers
from skythought.core.errors import UserError
from skythought.core.records import Problem
from skythought.verifiers import gym, gym_worker
from skythought.verifiers.child import Child
from skythought.verifiers.gym_worker import Question, Reply

CHECK = verifiers.get("reasoning_gym").check


@pytest.mark.parametrize(
    ("text", "place", "answer"),
    [
        ("It is <answer>7</answer>", "answer tag", "7"),
        ("<answer>6</answer> no <answer>\n1 2\n3 4\n</answer>", "answer tag", "1 2\n3 4"),
        ("It is <answer>7", "answer tag", "7"),
        ("<answer></answer>", "answer tag", ""),
        ("So \\boxed{7}", "boxed", "7"),
        ("So \\boxed{\\text{abc d}}", "boxed", "abc d"),
        ("We add.\nThe answer is 7.", "answer is", "7"),
        ("We add.\n**Answer:** A B C", "answer is", "A B C"),
        ("Answer: 7", "answer is", "7"),
        (" 7 \n", "whole text", "7"),
    ],
)
def test_where_the_answer_stands(text: str, place: str, answer: str) -> None:
    assert gym.extract(text) == (place, answer)


@pytest.mark.parametrize(
    "answer",
    [
        *("7", "-3*x**2 + 2*x", "2x + C", "sin(x)/2 + C", "(1 + 2) * 3 / 4", "[[0, 1], [1, 0]]"),
        *("_ _ Q _\n_ Q _ _", "x**10", "1.5e3", "0xff", "A and B", "x^2", "", "exp(2*x)", "10000"),
    ],
)
def test_arithmetic_may_be_evaluated(answer: str) -> None:
    assert gym_worker.refuse(answer) == ""


@pytest.mark.parametrize(
    "answer",
    [
        '__import__("os").system("touch /tmp/gym")',
        "().__class__.__bases__[0]",
        "x.__class__",
        "x . diff",
        "open('/etc/passwd')",
        "exec(chr(49))",
        "lambda: 0",
        "[x for x in range(9)]",
        "globals()",
        "S('x')",
        "9**9**9",
        "9**(9**9)",
        "(9**9)**(9**9)",
        "2**99999",
        "1" * 500,
        "print(1)",
        "f'{1}'",
        "import os",
        "a; b\\\n",
        "x := 3 @ y",
        "ｅval(1)",
        "quit()",
    ],
)
def test_programs_may_not(answer: str) -> None:
    assert gym_worker.refuse(answer)


def test_a_problem_of_another_kind_is_an_error() -> None:
    asked = Problem(id="p", task="t", question="?", answer="7")
    assert CHECK(asked, "7").reason == "no problem of reasoning_gym: it has no extra.gym"


def test_without_the_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "reasoning_gym.py").write_text("raise ModuleNotFoundError(name='reasoning_gym')\n")
    monkeypatch.syspath_prepend(tmp_path)
    process = gym.GymProcess()
    question = gym_worker.Question("chain_sum", "7", {})
    with pytest.raises(UserError, match=r"needs reasoning_gym, which is not .*'skythought\[gym\]'"):
        process.score(question)
    (tmp_path / "reasoning_gym.py").write_text("raise RuntimeError('broken')\n")
    with pytest.raises(
        UserError, match=r"ended with exit code 1 \(RuntimeError: broken\); see why"
    ):
        process.score(question)


@pytest.fixture(scope="module")
def library() -> None:
    pytest.importorskip("reasoning_gym", reason="needs skythought[gym]")


def first(name: str) -> Problem:
    return next(islice(tasks.get(f"reasoning_gym/{name}").load("train"), 1))


@pytest.mark.usefixtures("library")
def test_scores() -> None:
    asked = first("chain_sum")
    assert CHECK(asked, f"It is <answer>{asked.answer}</answer>").rule == "answer tag; chain_sum"
    found = CHECK(asked, f"It is <answer>{asked.answer}1</answer>")
    assert (found.outcome, found.detail[:6]) == ("incorrect", "score ")
    assert CHECK(asked, "<answer> </answer>").outcome == "no_answer"
    assert CHECK(asked, f"<answer>{'9' * 30_000}</answer>").rule.endswith("; refused")


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("polynomial_multiplication", '__import__("os").system("touch /tmp/gym")'),
        ("simple_integration", "9**9**9**9"),
        ("n_queens", "open('/tmp/gym', 'w')"),
        ("puzzle24", "(9**999)**99"),
        ("binary_matrix", "[[0]*9**9]*9**9"),
        ("chain_sum", "\udcff"),
        ("prime_factorization", "x"),
        ("boxnet", "17"),
    ],
)
def test_hostile_answers_are_wrong(name: str, answer: str) -> None:
    found = CHECK(first(name), f"<answer>{answer}</answer>")
    assert found.outcome == "incorrect", found
    assert not Path("/tmp/gym").exists()
    asked = first("chain_sum")
    assert CHECK(asked, f"<answer>{asked.answer}</answer>").outcome == "correct"


@pytest.mark.usefixtures("library")
def test_scorers_that_evaluate_are_known() -> None:
    for name in ("binary_matrix", "n_queens", "puzzle24", "simple_integration"):
        assert gym_worker.evaluates(name), name
    for name in ("chain_sum", "word_sorting", "maze", "codeio"):
        assert not gym_worker.evaluates(name), name


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize(
    "attack",
    [
        "__import__('os').unlink({path!r})",
        "__import__('pathlib').Path({path!r}).unlink()",
        "open({path!r}, 'w')",
        "__import__('shutil').rmtree({folder!r})",
        "__import__('os').system('rm ' + {path!r})",
        "__import__('subprocess').run(['rm', {path!r}])",
        "__import__('socket').create_connection(('127.0.0.1', 9))",
        "__import__('ctypes').CDLL(None).unlink({path!r}.encode())",
    ],
)
def test_hostile_entries_do_nothing(attack: str, tmp_path: Path) -> None:
    """An entry of somebody else's file is evaluated by some scorers."""
    path = tmp_path / "deep" / "precious.txt"
    path.parent.mkdir()
    path.write_text("precious")
    asked = hostile(attack.format(path=str(path), folder=str(path.parent)))
    assert CHECK(asked, "<answer>1</answer>").outcome == "incorrect"
    assert path.read_text() == "precious"


def hostile(text: str) -> Problem:
    """Make a problem whose scorer evaluates a text of its entry."""
    kept = {"dataset": "bitwise_arithmetic", "answer": "1", "metadata": {"problem": text}}
    return Problem(id="p", task="t", question="?", answer="1", extra={"gym": kept})


@pytest.mark.usefixtures("library")
def test_such_entries_would_be_run(tmp_path: Path) -> None:
    """Without the hook, so that the test above is one."""
    path = tmp_path / "precious.txt"
    path.write_text("precious")
    entry = hostile(f"__import__('os').unlink({str(path)!r})").extra["gym"]
    gym_worker.score(gym_worker.Question("bitwise_arithmetic", "1", entry))
    assert not path.exists()


@pytest.mark.usefixtures("library")
def test_an_answer_that_takes_too_long_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = first("chain_sum")
    assert CHECK(asked, f"<answer>{asked.answer}</answer>").outcome == "correct"
    assert gym.PROCESS._child is not None
    os.kill(gym.PROCESS._child.pid, signal.SIGSTOP)
    monkeypatch.setattr(gym, "DEADLINE_S", 0.1)
    found = CHECK(asked, f"<answer>{asked.answer}</answer>")
    assert (found.outcome, found.detail) == ("incorrect", "took more than 0.1 s")
    monkeypatch.undo()
    assert CHECK(asked, f"<answer>{asked.answer}</answer>").outcome == "correct"


@pytest.mark.usefixtures("library")
def test_an_interrupted_answer_leaves_no_score_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = first("chain_sum")
    assert CHECK(asked, f"<answer>{asked.answer}</answer>").outcome == "correct"

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Child, "receive", interrupt)
        with pytest.raises(KeyboardInterrupt):
            CHECK(asked, f"<answer>{asked.answer}</answer>")
    assert CHECK(asked, f"<answer>{asked.answer}1</answer>").outcome == "incorrect"
    assert gym.PROCESS._child is not None
    late = Question(dataset="chain_sum", answer=asked.answer, entry=asked.extra["gym"])
    gym.PROCESS._child.send(msgspec.json.encode(late) + b"\n")
    found = CHECK(asked, f"<answer>{asked.answer}1</answer>")
    assert found.detail == "answered another question"


@pytest.mark.usefixtures("library")
def test_entries_that_cannot_be_read_are_errors() -> None:
    asked: Any = {"dataset": "nothing", "answer": "7", "metadata": {}}
    problem = Problem(id="p", task="t", question="?", answer="7", extra={"gym": asked})
    assert CHECK(problem, "7").detail == "this reasoning-gym has no dataset 'nothing'"
    asked |= {"dataset": "chain_sum", "metadata": {"~": "fraction", "of": "1/0"}}
    problem = Problem(id="p", task="t", question="?", answer="7", extra={"gym": asked})
    assert CHECK(problem, "7").detail.startswith("its entry cannot be read (ZeroDivisionError")
    assert Reply() == Reply(score=0.0)
