"""Tests per second of the verifier `code`: in its sandbox, without one, and by plain subprocesses.

    python benchmarks/code_sandbox.py
    python benchmarks/code_sandbox.py --problems problems.jsonl

The plain runner starts `python program.py` once for each test, as graders without a sandbox do.
Rounds of the three are mixed, so that a busy machine slows all alike; the best of each counts.
Processor time, of all processes together, says what is work and what is waiting.
`--problems` takes rows with `correct_solutions` and the tests that `skythought score` reads.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from skythought.core.records import Problem
from skythought.tasks import benchmarks
from skythought.verifiers import code, code_compare, code_tests
from skythought.verifiers.code_runner import PREAMBLE

ROUNDS = 5
Item = tuple[Problem, str]
CALLER = "\nimport json, sys\nprint(json.dumps(f(*json.loads(sys.stdin.read()))))\n"


def made_up() -> list[Item]:
    """Make problems as benchmarks have them: of 20 inputs, of 5 calls, of 5 assertions."""
    items: list[Item] = []
    for number in range(12):
        pairs = [(f"{n}\n{'7 ' * n}", str(7 * n * number)) for n in range(1, 21)]
        tests = [{"input": given, "output": wanted} for given, wanted in pairs]
        program = f"n = int(input())\nprint(sum(map(int, input().split())) * {number})"
        items.append((problem(f"s{number}", {"tests": tests}), program))
    for number in range(6):
        tests = [{"input": f"[{n}, 2]", "output": str(n * number)} for n in range(5)]
        program = f"def f(x): return x[0] * {number}"
        items.append((problem(f"c{number}", {"tests": tests, "func_name": "f"}), program))
    for number in range(6):
        lines = [f"assert f({n}) == {n + number}" for n in range(5)]
        items.append(
            (problem(f"a{number}", {"test_list": lines}), f"def f(x): return x + {number}")
        )
    return items


def problem(key: str, extra: dict[str, object]) -> Problem:
    """Make a problem of its tests."""
    return Problem(id=key, task="file:made", question="?", answer="tests", extra=extra)


def read(path: Path) -> list[Item]:
    """Read problems, each with its first right program."""
    items: list[Item] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        asked = benchmarks.problem({k: v for k, v in row.items() if "solutions" not in k}, "file:x")
        items += [(asked, program) for program in row["correct_solutions"][:1]]
    return items


def count(items: list[Item]) -> int:
    """Count tests; the assertions of a problem are as many as it has `assert`."""
    total = 0
    for asked, _ in items:
        tests = code_tests.read(asked)
        total += len(tests.cases) or max(1, tests.source.count("assert "))
    return total


def by_verifier(items: list[Item], *, unsafe: bool) -> None:
    """Grade with the verifier."""
    for asked, program in items:
        found = code.check(asked, f"```python\n{program}\n```", unsafe=unsafe)
        assert found.outcome == "correct", f"{asked.id}: {found.detail}"


def by_subprocess(items: list[Item]) -> None:
    """Run each test by a process of its own, assertions of a problem by one."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "program.py")
        for asked, program in items:
            tests = code_tests.read(asked)
            if tests.kind == "assert":
                path.write_text(f"{tests.starter}\n{program}\n{tests.source}", encoding="utf-8")
                assert python(path, "") == "", asked.id
                continue
            if tests.kind == "call":
                made = f"f = Solution().{tests.name}" if "class Solution" in program else ""
                path.write_text(f"{PREAMBLE}\n{program}\n{made}{CALLER}", encoding="utf-8")
            else:
                path.write_text(program, encoding="utf-8")
            for given, expected in tests.cases:
                if tests.kind == "call":
                    assert json.loads(python(path, json.dumps(given))) == expected[0], asked.id
                else:
                    assert not code_compare.differ(expected[0], python(path, given)), asked.id


def python(path: Path, given: str) -> str:
    """Run a file on an input."""
    command = [sys.executable, "-I", str(path)]
    done = subprocess.run(
        command, input=given, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


def processor_s() -> float:
    """Sum the processor time of this process and of those that it has waited for."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, who))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", type=Path)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args()
    items = read(given.problems) if given.problems else made_up()
    kinds: dict[str, Callable[[], None]] = {
        "sandbox": lambda: by_verifier(items, unsafe=False),
        "same runner, no sandbox": lambda: by_verifier(items, unsafe=True),
        "a process for each test": lambda: by_subprocess(items),
    }
    best = dict.fromkeys(kinds, float("inf"))
    least = dict.fromkeys(kinds, float("inf"))
    for _ in range(given.rounds):
        for name, run in kinds.items():
            began, used = time.perf_counter(), processor_s()
            run()
            best[name] = min(best[name], time.perf_counter() - began)
            least[name] = min(least[name], processor_s() - used)
    tests = count(items)
    print(f"{len(items)} problems, {tests:,} tests, best of {given.rounds} rounds")
    for name, seconds in best.items():
        share = seconds / best["sandbox"]
        work = f"{1000 * least[name] / tests:6.2f} ms of processor time a test"
        print(f"{name:26} {tests / seconds:6,.0f} tests/s (sandbox: {share:.2f} of it) {work}")


if __name__ == "__main__":
    main()
