"""skythought/verifiers/math*.py: hostile answers, threads, and workers that die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from skythought import verifiers
from skythought.errors import UserError
from skythought.records import Problem
from skythought.verifiers import Finding, math_process, math_worker
from skythought.verifiers import math as verifier
from skythought.verifiers.math_process import MathProcess
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


def patience() -> float:
    """Give 2 s, and more where other programs keep the processors busy."""
    return 2 * max(1.0, 2 * os.getloadavg()[0] / (os.cpu_count() or 1))


@pytest.mark.parametrize("answer", HOSTILE.values(), ids=HOSTILE)
def test_hostile_answers_have_a_verdict_at_once(answer: str) -> None:
    assert verifier.compare("p - q", "-q + p") == (True, "math-verify")  # the process is up
    began = time.monotonic()
    found = verifier.check(PROBLEM, answer)
    assert time.monotonic() - began < patience()
    assert found.outcome in ("incorrect", "no_answer")
    assert len(found.extracted) <= verifier.MAX_CHARS
    assert verifier.compare("p - q", "-q + p") == (True, "math-verify")
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


def test_limits_name_themselves(process: MathProcess) -> None:
    slow = process.compare("18", "9^{9 \\cdot 9999999999}")
    assert slow == f"math-verify took more than {math_worker.CPU_S:g} s of processor time"
    hasty = MathProcess(deadline_s=0.0)
    assert hasty.compare("x", "y") == "math-verify took more than 0 s"
    hasty.close()


def test_a_killed_worker_is_replaced(process: MathProcess) -> None:
    for _ in range(2):
        assert process.compare("p - q", "-q + p") == Reply(equal=True)
        assert process._process is not None
        os.kill(process._process.pid, signal.SIGKILL)
        time.sleep(0.1)
    assert process.compare("p - q", "-q + p") == Reply(equal=True)
    process.close()
    assert process.compare("p - q", "q - p") == Reply(equal=False)


def test_a_worker_is_replaced_after_many_questions(
    process: MathProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(math_process, "QUESTIONS", 2)
    ids = set()
    for _ in range(4):
        assert process.compare("1+x", "x+1") == Reply(equal=True)
        assert process._process is not None
        ids.add(process._process.pid)
    assert len(ids) >= 2


def test_threads_take_turns() -> None:
    found: dict[int, str] = {}

    def work(number: int) -> None:
        asked = Problem(id="p", task="t", question="What?", answer=f"x^2 - {number}")
        said = f"\\boxed{{-{number + number % 2} + x^2}}"
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
        target=lambda: found.append(verifier.check(PROBLEM, HOSTILE["a hidden large exponent"]))
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
        "math_worker.confine()\n"
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
    monkeypatch.setattr(verifier, "PROCESS", None)
    asked = Problem(id="p", task="t", question="What?", answer="18")
    assert verifiers.get("math").check(asked, "\\boxed{18.0}").outcome == "correct"


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
