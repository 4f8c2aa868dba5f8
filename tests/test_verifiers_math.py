"""skythought/verifiers/math*.py: hostile answers, threads, and workers that die."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from skythought import verifiers
from skythought.core.errors import UserError
from skythought.core.records import Problem
from skythought.verifiers import Finding, math_process, math_worker
from skythought.verifiers import math as verifier
from skythought.verifiers.math_process import MathPool, MathProcess
from skythought.verifiers.math_worker import Reply

MEGABYTE = 1_000_000
PROBLEM = Problem(id="p", task="t", question="What?", answer="p - q")
HOSTILE = {
    "a power in Python": "\\boxed{9**9**9}",
    "a tower": "\\boxed{9^{9^{9^9}}}",
    "a tower of braces": "\\boxed{{9^{9}}^{9^{9}}}",
    "a tower of brackets": "\\boxed{(9^{999})^{999}}",
    "a large exponent": "\\boxed{7^{99999999999}}",
    "a hidden large exponent": "\\boxed{9^{9 \\cdot 9999999999}}",
    "a megabyte of letters": "a" * MEGABYTE,
    "a megabyte of digits": "1" * MEGABYTE,
    "a megabyte in a box": "\\boxed{" + "1+" * (MEGABYTE // 2) + "1}",
    "a megabyte of boxes": "\\boxed{" * (MEGABYTE // 7),
    "a megabyte of answers": "answer is " * (MEGABYTE // 10),
    "a megabyte of empty boxes": "\\boxed{}" * (MEGABYTE // 8),
    "a megabyte of placeholders": "<answer>...</answer> answer: ... \n" * (MEGABYTE // 32),
    "a megabyte of units": "\\boxed{5 " + "m/" * (MEGABYTE // 2) + "s}",
    "a megabyte of numbers in words": "twenty " * (MEGABYTE // 7),
    "a megabyte of letters of choices": "The answer is A" + " or B" * (MEGABYTE // 5),
    "a megabyte of lines": "\n" * MEGABYTE,
    "a megabyte of stars": "*" * MEGABYTE,
    "a megabyte of dollars": "$" * MEGABYTE,
    "10,000 braces": "\\boxed{" + "{" * 10_000 + "1" + "}" * 10_000 + "}",
    "150 fractions in each other": "\\boxed{" + "\\frac{1}{" * 150 + "2" + "}" * 150 + "}",
    "29 roots in each other": "\\boxed{" + "\\sqrt{" * 29 + "2" + "}" * 29 + "}",
    "Python": '\\boxed{__import__("os").system("touch /tmp/x")}',
    "a long sum": "\\boxed{\\sum_{k=1}^{999999999} \\frac{1}{k}}",
    "a long product": "\\boxed{\\prod_{k=1}^{99999999} k}",
    "a sum of the longest range": "\\boxed{\\sum_{k=1}^{4999} \\frac{1}{k^{4999}}}",
    "a large factorial": "\\boxed{99999!}",
    "repeated factorials": "\\boxed{9!!!!!!}",
    "factorials in brackets": "\\boxed{((9!)!)!}",
    "factorials of powers": "\\boxed{9^9!}",
    "a large binomial": "\\boxed{\\binom{99999999}{4999999}}",
    "an integral": "\\boxed{\\int_0^1 e^{-x^2} \\sin(x^{50}) dx}",
    "an expansion": "\\boxed{(a+b+c+d+e+f)^{400}}",
    "1,900 fractions": "\\boxed{" + "½" * 190 + "}",
    "900 equations": "\\boxed{" + "=".join(["x"] * 900) + "}",
    "a matrix of 300 columns": "\\boxed{\\begin{pmatrix}"
    + " & ".join("1" * 300)
    + "\\end{pmatrix}}",
    "control characters": "\\boxed{\x00\x01}",
    "half a surrogate pair": "\\boxed{\udcff}",
    "division by zero": "\\boxed{\\frac{1}{0}}",
    "words": "\\boxed{" + "word " * 390 + "}",
}


@pytest.fixture(scope="module")
def process() -> Iterator[MathProcess]:
    worker = MathProcess()
    yield worker
    worker.close()


@pytest.mark.parametrize("answer", HOSTILE.values(), ids=HOSTILE)
def test_hostile_answers_have_a_verdict(answer: str) -> None:
    """What they may cost is limited in processor time: see the tests of the limits below."""
    found = verifier.check(PROBLEM, answer)
    assert found.outcome in ("incorrect", "no_answer")
    assert "by the clock" not in found.rule
    assert len(found.extracted) <= verifier.MAX_CHARS
    assert verifier.compare("\\sec^2(y)", "\\tan^2(y)+1") == (True, "math-verify")
    assert not Path("/tmp/x").exists()


@pytest.mark.parametrize(
    ("reference", "detail"),
    [
        ("9^{9^{9^9}}", "boxed; reference refused: a tower of powers"),
        ("x" * 2_001, "boxed; reference refused: 2001 characters"),
        ("(" * 31 + "x" + ")" * 31, "boxed; reference refused: brackets 31 deep"),
        ("x + " + "1" * 1_001, "boxed; reference refused: a number of more than 1000 digits"),
        ("x^{5001}", "boxed; reference refused: an exponent above 5000"),
        ("99999! + x", "boxed; reference refused: a large or repeated factorial"),
    ],
)
def test_a_reference_too_large_is_an_error(reference: str, detail: str) -> None:
    asked = Problem(id="p", task="t", question="What?", answer=reference)
    assert verifier.check(asked, "\\boxed{y}") == Finding("error", "y", detail)


@pytest.mark.parametrize(
    "text", ["x^{5000}", "9999!", "e^{2x}", "2^{10}", "x^2 + y^2", "10^{-9}", "3! \\cdot 2!"]
)
def test_ordinary_answers_are_not_refused(text: str) -> None:
    assert verifier.refuse(text) == ""


def test_a_long_answer_is_cut_in_the_verdict() -> None:
    found = verifier.check(PROBLEM, f"\\boxed{{{'1' * 2_001}}}")
    assert found == Finding("incorrect", "1" * 80, "boxed; refused", "2001 characters")


def test_a_number_too_long_is_refused_without_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifier, "PROCESSES", None)
    found = verifier.check(PROBLEM, HOSTILE["a hidden large exponent"])
    assert found.rule == "boxed; refused: a number of more than 30000 bits"


def equal(process: MathProcess, expected: str, said: str) -> bool:
    reply = process.compare(expected, said)
    assert isinstance(reply, Reply), reply
    return reply.equal


class Interrupted(Exception):
    pass


def test_an_interrupted_question_leaves_no_reply_to_the_next(
    process: MathProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert equal(process, "p - q", "-q + p") is True

    def interrupt(*_: object) -> None:
        raise Interrupted

    for _ in range(2):
        with monkeypatch.context() as patched:
            patched.setattr(math_process, "_read_line", interrupt)
            with pytest.raises(Interrupted):
                process.compare("1+x", "x+1")
        assert equal(process, "p - q", "q - p") is False


def test_a_reply_to_another_question_is_none(process: MathProcess) -> None:
    assert equal(process, "p - q", "-q + p") is True
    assert process._process is not None
    late = math_worker.Question("1+x", "x+1", number=99)
    math_process._write(process._process, msgspec.json.encode(late) + b"\n")
    assert process.compare("p - q", "q - p") == "math-verify process answered another question"
    assert equal(process, "p - q", "q - p") is False


def test_limits_name_themselves(process: MathProcess) -> None:
    slow = process.compare("18", "9^{9 \\cdot 9999999999}")
    assert slow == f"math-verify took more than {math_worker.CPU_S:g} s of processor time"
    hasty = MathProcess(deadline_s=0.0)
    assert hasty.compare("x", "y") == "math-verify took more than 0 s"
    hasty.close()


def test_a_killed_worker_is_replaced(process: MathProcess) -> None:
    for _ in range(2):
        assert equal(process, "p - q", "-q + p") is True
        assert process._process is not None
        os.kill(process._process.pid, signal.SIGKILL)
        time.sleep(0.1)
    assert equal(process, "p - q", "-q + p") is True
    process.close()
    assert equal(process, "p - q", "q - p") is False


def test_a_worker_is_replaced_after_many_questions(
    process: MathProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(math_process, "QUESTIONS", 2)
    ids = set()
    for _ in range(4):
        assert equal(process, "1+x", "x+1") is True
        assert process._process is not None
        ids.add(process._process.pid)
    assert len(ids) >= 2


def test_threads_take_turns() -> None:
    found: dict[int, str] = {}

    def work(number: int) -> None:
        asked = Problem(id="p", task="t", question="What?", answer=f"x^2 - {number}")
        said = f"\\boxed{{-{number + number % 2} + x^2 + \\sec^2(x) - \\tan^2(x) - 1}}"
        found[number] = verifier.check(asked, said).outcome

    threads = [threading.Thread(target=work, args=(i,)) for i in range(1, 13)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == {i: "incorrect" if i % 2 else "correct" for i in range(1, 13)}


def test_a_thread_is_stopped_by_the_limit_too() -> None:
    found: list[Finding] = []
    thread = threading.Thread(
        target=lambda: found.append(verifier.check(PROBLEM, HOSTILE["a large binomial"]))
    )
    thread.start()
    thread.join(60)
    assert found[0].outcome == "incorrect"
    assert "processor time" in found[0].reason


def test_no_alarm_and_no_handler_in_the_caller(process: MathProcess) -> None:
    signals = (signal.SIGALRM, signal.SIGPROF, signal.SIGVTALRM, signal.SIGCHLD)
    before = [signal.getsignal(s) for s in signals]
    process.compare("x", "(a+b+c+d+e+f)^{400}")
    assert [signal.getsignal(s) for s in signals] == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_the_worker_cannot_write_or_start_anything(tmp_path: Path) -> None:
    code = (
        "import pathlib, sys\nfrom skythought.verifiers import math_worker\n"
        "math_worker.confine(math_worker.MEMORY_BYTES)\n"
        "try:\n    pathlib.Path(sys.argv[1]).write_text('x' * 9)\n"
        "except OSError as error:\n    print(type(error).__name__)\n"
        "try:\n    bytearray(3 * 1024**3)\n"
        "except MemoryError as error:\n    print(type(error).__name__)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "x")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["OSError", "MemoryError"], done.stderr
    assert (tmp_path / "x").stat().st_size == 0


def test_the_worker_sees_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_1234567890")
    worker = MathProcess()
    worker.compare("1+x", "x+1")
    assert worker._process is not None
    seen = Path(f"/proc/{worker._process.pid}/environ")
    if seen.exists():
        assert b"hf_1234567890" not in seen.read_bytes()
    worker.close()


def test_a_worker_that_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "math_verify.py").write_text("raise ModuleNotFoundError(name='math_verify')\n")
    monkeypatch.syspath_prepend(tmp_path)
    worker = MathProcess()
    with pytest.raises(UserError, match=r"needs math_verify, which is not installed; run: pip"):
        worker.compare("x", "y")
    (tmp_path / "math_verify.py").write_text("raise RuntimeError\n")
    with pytest.raises(UserError, match=r"does not start; see why with: python -m skythought"):
        worker.compare("x", "y")
    worker.close()


def test_exact_answers_need_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifier, "PROCESSES", None)
    for reference, answer in (("18", "18.0"), ("p - q", "-q + p"), ("\\sqrt{12}", "2\\sqrt{3}")):
        asked = Problem(id="p", task="t", question="What?", answer=reference)
        assert verifiers.get("math").check(asked, f"\\boxed{{{answer}}}").outcome == "correct"


def test_a_pool_answers_several_threads_at_once() -> None:
    pool = MathPool(2)
    found: list[Reply | str] = []
    threads = [
        threading.Thread(target=lambda: found.append(pool.compare("p - q", "-q + p")))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert [r.equal for r in found if isinstance(r, Reply)] == [True] * 4
    pool.close()
    assert all(process._process is None for process in pool._all)


def test_a_forked_process_has_its_own() -> None:
    asked = ("\\sec^2(y)", "\\tan^2(y)+1")
    assert verifier.compare(*asked) == (True, "math-verify")
    with multiprocessing.get_context("fork").Pool(2) as pool:
        found = pool.starmap(verifier.compare, [asked] * 4)
    assert found == [(True, "math-verify")] * 4
    assert verifier.compare(*asked) == (True, "math-verify")


def test_an_event_loop_may_ask() -> None:
    async def ask() -> list[Finding]:
        asked = Problem(id="p", task="t", question="What?", answer="\\sec^2(y)")
        answers = [f"\\boxed{{\\tan^2(y)+{n}}}" for n in (1, 2)]
        return await asyncio.gather(*(asyncio.to_thread(verifier.check, asked, a) for a in answers))

    assert [f.outcome for f in asyncio.run(ask())] == ["correct", "incorrect"]


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("Which?\nA. 11\nB. 12", {"A": "11", "B": "12"}),
        ("Which? (A) 11 (B) 12 (C) 13", {"A": "11", "B": "12", "C": "13"}),
        (
            "Which? $\\textbf{(A)}\\ 11 \\qquad \\textbf{(B)}\\ \\frac{1}{2}$",
            {"A": "11", "B": "\\frac{1}{2}"},
        ),
        ("Plan A. Then plan C.", {}),
        ("What?", {}),
    ],
)
def test_choices(question: str, found: dict[str, str]) -> None:
    assert verifier.choices(question) == found


@pytest.mark.parametrize(
    ("expected", "said", "equal", "read"),
    [
        ("p - q", "-q + p", True, (True, True)),
        ("2^{-99}", "2^{-98}", False, (True, True)),
        ("2^{-99}", "\\frac{1}{2^{99}}", True, (True, True)),
        ("\\frac{1}{0}", "\\frac{2}{0}", False, (True, True)),
        ("2\\pi", "6.2832", True, (True, True)),
        ("x", "*)(", False, (True, False)),
        ("*)(", "x", False, (False, True)),
    ],
)
def test_the_worker_compares(
    expected: str, said: str, equal: bool, read: tuple[bool, bool]
) -> None:
    found = math_worker.compare(math_worker.Question(expected, said, 4))
    assert (found.equal, found.read) == (equal, read)
