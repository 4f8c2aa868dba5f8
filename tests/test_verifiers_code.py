"""skythought/verifiers/code.py: where programs stand, and their verdicts."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from skythought import score, tasks
from skythought.core.records import Problem
from skythought.tasks import benchmarks
from skythought.verifiers import code, code_tests
from skythought.verifiers.code_sandbox import Limits

DOUBLE = "print(int(input()) * 2)"
ADD = {"test_list": ["assert add(1, 0) == 1", "assert add(2, 3) == 5", "assert add(0, 0) == 0"]}
needs_sandbox = pytest.mark.usefixtures("sandbox")


def problem(question: str = "?", **extra: Any) -> Problem:
    return Problem(id="p", task="t", question=question, answer="tests", extra=extra)


def stdin(*pairs: tuple[str, str]) -> Problem:
    return problem(tests=[{"input": given, "output": wanted} for given, wanted in pairs])


def block(program: str) -> str:
    return f"So:\n\n```python\n{program}\n```\n"


def verdict(asked: Problem, program: str) -> tuple[str, str]:
    found = code.check(asked, block(program), Limits(cpu_s=2.0, wall_s=10.0))
    return found.outcome, found.reason.removeprefix("python block; ")


@pytest.mark.parametrize(
    ("answer", "name", "text", "rule"),
    [
        ("a\n```python\nx = 1\n```\nb", "", "x = 1", "python block"),
        ("```py\nx = 1\n```\n```python3\ny = 2\n```", "", "y = 2", "python block"),
        ("```python\nx = 1\n```\n```\noutput\n```", "", "x = 1", "python block"),
        (
            "```python\ndef f(): 1\n```\n```python\nprint(f())\n```",
            "f",
            "def f(): 1",
            "last python",
        ),
        (
            "```python\ndef f(): 1\n```\n```python\nprint(f())\n```",
            "",
            "print(f())",
            "python block",
        ),
        ("1. a\n   ```python\n   if x:\n       y\n   ```", "", "if x:\n    y", "python block"),
        ("~~~Python title=x\nx = 1\n~~~", "", "x = 1", "python block"),
        ("````python\nx = '''\n```\n'''\n````", "", "x = '''\n```\n'''", "python block"),
        ("```\nx = 1\n```", "", "x = 1", "untagged block"),
        ("```python\nx = 1", "", "x = 1", "block without end"),
        ("\nimport sys\nprint(1)", "", "\nimport sys\nprint(1)", "whole text"),
        ("n, m = 1, 2\nprint(n)", "", "n, m = 1, 2\nprint(n)", "whole text"),
    ],
)
def test_where_the_program_stands(answer: str, name: str, text: str, rule: str) -> None:
    found = code.extract(answer, [name] if name else [])
    assert found is not None
    assert found.text == text
    assert found.rule.startswith(rule)


USAGE = "\n```python\nprint(f(3))  # 4\n```\n"


@pytest.mark.parametrize(
    ("answer", "names", "reads", "text", "rule"),
    [
        ("```python\nf = abs\n```" + USAGE, ["f"], False, "f = abs", "last python block with f"),
        (
            "```python\nclass F: 1\n```" + USAGE,
            ["F"],
            False,
            "class F: 1",
            "last python block with F",
        ),
        ("```\ndef f(x): 1\n```" + USAGE, ["f"], False, "def f(x): 1", "untagged block"),
        ("```\ndef f(x): 1\n```\n```\n4\n```", ["f"], False, "def f(x): 1", "last untagged"),
        (  # the last of two that define it
            "```python\ndef f(x): 1\n```\n```python\ndef f(x): 2\n```" + USAGE,
            ["f"],
            False,
            "def f(x): 2",
            "last python block with f",
        ),
        (  # what defines more of what is tested
            "```python\ndef f(x): 1\ndef g(x): 1\n```\n```python\ndef f(x): 2\n```",
            ["f", "g"],
            False,
            "def f(x): 1\ndef g(x): 1",
            "last python block with f",
        ),
        ("```python\nx = f == 2\n```" + USAGE, ["f"], False, "print(f(3))  # 4", "python block"),
        (USAGE + "```python\ndef f(x): 1", ["f"], False, "def f(x): 1", "block without end"),
        (block(DOUBLE) + USAGE, [], True, DOUBLE, "last python block that reads"),
        (block("import os\nos.read(0, 9)") + USAGE, [], True, "import os\nos.read(0, 9)", "last"),
        (block("print(1)") + USAGE, [], True, "print(f(3))  # 4", "python block"),
        (USAGE + "```python\n" + DOUBLE, [], True, DOUBLE, "block without end"),
        (block(DOUBLE) + "```\n4\n```", [], True, DOUBLE, "python block"),
    ],
)
def test_an_example_of_use_is_not_the_program(
    answer: str, names: list[str], reads: bool, text: str, rule: str
) -> None:
    found = code.extract(answer, names, reads=reads)
    assert found is not None
    assert found.text == text
    assert found.rule.startswith(rule)


def test_known_programs_are_found_before_an_example_of_use(shared: Path) -> None:
    found: Counter[str] = Counter()
    for line in (shared / "code" / "problems.jsonl").open(encoding="utf-8"):
        row = json.loads(line)
        asked = benchmarks.problem({k: v for k, v in row.items() if "solutions" not in k}, "file:x")
        tests = code_tests.read(asked)
        names = code_tests.names(tests)
        assert len(names) == (tests.kind != "stdin"), row["id"]
        for program in row["correct_solutions"]:
            example = block(f"print({''.join(names) or 'solve'}(3))")
            said = code.extract(block(program) + example, names, reads=tests.kind == "stdin")
            assert said is not None
            assert said.text == program.rstrip("\r"), (row["id"], said)
            found[said.rule.partition(" with ")[0]] += 1
    assert found == {"last python block": 40, "last python block that reads": 29}


@pytest.mark.parametrize(
    "answer", ["It is 7.", "```cpp\nint x;\n```", "```python\n\n```", "```json"]
)
def test_no_program(answer: str) -> None:
    assert code.extract(answer) is None
    assert code.check(stdin(("1", "2")), answer).outcome == "no_answer"


@needs_sandbox
@pytest.mark.parametrize(
    ("program", "outcome", "detail"),
    [
        (DOUBLE, "correct", "stdin: 3 tests"),
        (
            "print(int(input()) ** 2)",
            "incorrect",
            "stdin: test 2 of 3: line 1: expected '6', found '9'",
        ),
        ("print(1 / 0)", "incorrect", "stdin: test 1 of 3: ZeroDivisionError: division by zero"),
        ("print(", "incorrect", "stdin: test 1 of 3: SyntaxError: '(' was never closed"),
        (f"{DOUBLE}\nexit()", "correct", "stdin: 3 tests"),
        (
            f"def main():\n    {DOUBLE}\nif __name__ == '__main__':\n    main()",
            "correct",
            "stdin: 3",
        ),
        ("import sys\nprint(int(sys.stdin.buffer.read()) * 2)", "correct", "stdin: 3 tests"),
        ("print(int(open(0).read()) * 2)", "correct", "stdin: 3 tests"),
        ("print(int(open('/dev/stdin').read()) * 2)", "correct", "stdin: 3 tests"),
        ("open('/dev/stdout', 'w').write(str(int(input()) * 2))", "correct", "stdin: 3 tests"),
        ("print(int(stdin.readline()) * 2, file=sys.stdout)", "correct", "stdin: 3 tests"),
        (
            f"import threading\nthreading.Thread(target=lambda: {DOUBLE}).start()",
            "correct",
            "stdin: 3",
        ),
        (f"import atexit\natexit.register(lambda: {DOUBLE})", "correct", "stdin: 3 tests"),
        ("print(reduce(add, [int(input())] * 2))", "correct", "stdin: 3 tests"),  # no imports
        (
            "import os\nos.write(1, b'%d' % (int(input()) * 2))\nos._exit(1)",
            "incorrect",
            "stdin: test",
        ),
        ("f = lambda n: n and 2 + f(n - 1)\nprint(f(int(input())))", "correct", "stdin: 3 tests"),
        ("import numpy\nprint(numpy.int64(input()) * 2)", "correct", "stdin: 3 tests"),
    ],
)
def test_programs_that_read_and_write(program: str, outcome: str, detail: str) -> None:
    found = verdict(stdin(("2", "4"), ("3", "6"), ("0\n", "0.0\n")), program)
    assert (found[0], found[1][: len(detail)]) == (outcome, detail)


@needs_sandbox
@pytest.mark.parametrize(
    ("program", "outcome", "detail"),
    [
        ("class Solution:\n    def f(self, x): return x[0], x[-1]", "correct", "call: 2 tests"),
        ("def f(x): return [x[0], x[-1]]", "correct", "call: 2 tests"),
        ("def f(x): return [x[0]]", "incorrect", "call: test 1 of 2: expected [1, 3], found [1]"),
        (
            "def g(x): return 1",
            "incorrect",
            "call: test 1 of 2: NameError: the program does not define",
        ),
        ("def f(x): return x[7]", "incorrect", "call: test 1 of 2: IndexError: list index out of"),
        ("1 / 0", "incorrect", "call: test 1 of 2: ZeroDivisionError: division by zero"),
        (
            "def f(x):\n    while x: pass",
            "incorrect",
            "call: test 1 of 2: more than 2 s of processor",
        ),
        ("n = int(input())\ndef f(x): 1", "incorrect", "call: test 1 of 2: EOFError"),
    ],
)
def test_functions_that_are_called(program: str, outcome: str, detail: str) -> None:
    asked = [{"input": "[1, 2, 3]", "output": "[1, 3]"}, {"input": "[5]", "output": "[5, 5]"}]
    found = verdict(problem(tests=asked, func_name="f"), program)
    assert (found[0], found[1][: len(detail)]) == (outcome, detail)


@needs_sandbox
@pytest.mark.parametrize(
    ("extra", "program", "outcome", "detail"),
    [
        (ADD, "def add(a, b): return a + b", "correct", "assert: 3 tests"),
        (
            ADD,
            "def add(a, b): return a - b",
            "incorrect",
            "assert: test 2 of 3: assert add(2, 3) == 5; add(2, 3): found -1",
        ),
        (
            ADD,
            "def add(a, b): 1 / 0",
            "incorrect",
            "assert: test 1 of 3: assert add(1, 0) == 1; Zero",
        ),
        (
            ADD,
            "def sub(a, b): 1",
            "incorrect",
            "assert: test 1 of 3: assert add(1, 0) == 1; NameErr",
        ),
        (ADD, "1 / 0", "incorrect", "assert: ZeroDivisionError: division by zero"),
        (
            {"test_list": ["assert 1 == 1"]},
            "x = 1",
            "error",
            "no usable tests: the assertions never",
        ),
        (  # an argument that is changed in place
            {"test_list": ["x = [2, 1]\nf(x)\nassert x == [1, 2]"]},
            "def f(x): x.sort()",
            "correct",
            "assert: 1 test",
        ),
        (  # a class of the program
            {"test_list": ["s = Stack(3)\ns.push(1)\nassert s.pop() == 1 and s.most == 3"]},
            "class Stack(list):\n    def __init__(s, n): s.most = n\n    push = list.append",
            "incorrect",  # data, as every subclass of list is
            "assert: test 1 of 1",
        ),
        (
            {"test_list": ["s = Box(3)\ns.put(1)\nassert s.get() == 1 and s.most == 3"]},
            (
                "class Box:\n    def __init__(s, n): s.most = n\n    def put(s, x): s.x = x\n"
                "    def get(s): return s.x"
            ),
            "correct",
            "assert: 1 test",
        ),
        (  # objects of the program as arguments
            {"test_list": ["assert total([Pair(1, 2), Pair(3, 4)]) == 10"]},
            (
                "class Pair:\n    def __init__(s, a, b): s.a, s.b = a, b\n"
                "def total(x): return sum(p.a + p.b for p in x)"
            ),
            "correct",
            "assert: 1 test",
        ),
        (
            {"test_list": ["try:\n    f(0)\nexcept ValueError as e:\n    assert str(e) == 'no'"]},
            "def f(x): raise ValueError('no')",
            "correct",
            "assert: 1 test",
        ),
        (
            {"test_list": ["assert list(f(2)) == [0, 1]"]},
            "def f(n): yield from range(n)",
            "correct",
            "",
        ),
        (
            {"test_list": ["assert math.isclose(f(2), 0.2)"]},
            "def f(n): return n / 10",
            "correct",
            "",
        ),
        (  # the prompt's own function is the prompt's, whatever the program makes of it
            {
                "starter_code": "def enc(s):\n    return s[::-1]\n\ndef dec(s):\n    '''Undo.'''\n",
                "test": "def check(c):\n    assert c(enc('abc')) == 'abc'\n\ncheck(dec)",
                "func_name": "dec",
            },
            "def enc(s): return s\ndef dec(s): return s",
            "incorrect",
            "assert: test 1 of 1: assert c(enc('abc')) == 'abc'; dec('cba'): found 'cba'",
        ),
        (  # the body alone
            {
                "starter_code": "def dec(s):\n    '''Undo.'''\n",
                "test": "def check(c):\n    assert c('ab') == 'ba'\n",
                "func_name": "dec",
            },
            "    return s[::-1]",
            "correct",
            "assert: 1 test",
        ),
    ],
)
def test_assertions(extra: dict[str, Any], program: str, outcome: str, detail: str) -> None:
    found = code.check(problem(**extra), block(program), Limits(cpu_s=2.0, wall_s=10.0))
    said = found.reason.removeprefix("python block; ")
    assert (found.outcome, said[: len(detail)]) == (outcome, detail)


@needs_sandbox
def test_a_long_program_is_refused() -> None:
    found = code.check(stdin(("1", "2")), block("x = 1\n" * 40_000))
    assert (found.outcome, len(found.extracted)) == ("incorrect", 2_000)
    assert found.reason == "python block; refused: 240,000 characters"


@needs_sandbox
def test_a_file_of_programs(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {
            "id": "a",
            "problem": "Double.",
            "response": block(DOUBLE),
            "tests": [{"input": "1", "output": "2"}],
        },
        {"id": "b", "problem": "Add.", "response": block("def add(a, b): return 0"), **ADD},
        {"id": "c", "problem": "2 + 2?", "response": "\\boxed{4}", "answer": "4"},
    ]
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert score.run(score.Config(input=path)) == {"correct": 2, "incorrect": 1}
    written = [json.loads(line) for line in (tmp_path / "mine.jsonl.verdicts.jsonl").open()]
    assert [w["verifier"] for w in written] == ["code@2", "code@2", "math@6"]
    assert all(w["expected"].startswith("tests ") for w in written[:2])
    assert score.run(score.Config(input=path)) == {"correct": 2, "incorrect": 1}
    assert len((tmp_path / "mine.jsonl.verdicts.jsonl").read_text().splitlines()) == 3
    rows[0]["tests"] = [{"input": "1", "output": "3"}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert score.run(score.Config(input=path)) == {"correct": 1, "incorrect": 2}


def test_rows_with_tests_have_them_as_their_reference() -> None:
    row = {"problem": "Add.", "test_list": ["assert add(1, 2) == 3"]}
    made = benchmarks.problem(row, "file:mine")
    assert made.answer.startswith(tasks.TESTS)
    assert made.extra == {"test_list": row["test_list"]}
    assert tasks.verifier_of(made) == "code"
    other = benchmarks.problem({**row, "test_list": ["assert add(1, 2) == 4"]}, "file:mine")
    assert other.answer != made.answer
    with pytest.raises(ValueError, match="no reference answer"):
        benchmarks.problem({"problem": "Add.", "test": True}, "file:mine")


@pytest.mark.usefixtures("sandbox")
def test_known_programs(shared: Path) -> None:
    """Every right program of the real data passes, every wrong one fails.

    One takes 5 s, and more than the 6 that it may have where other programs share its core.
    """
    patient = Limits(cpu_s=30, wall_s=120)
    wrong: list[str] = []
    counts: Counter[str] = Counter()
    for line in (shared / "code" / "problems.jsonl").open(encoding="utf-8"):
        row = json.loads(line)
        asked = benchmarks.problem({k: v for k, v in row.items() if "solutions" not in k}, "file:x")
        if row["id"] == "apps-accordion":  # 565 tests
            asked.extra["private_test_cases"] = asked.extra["private_test_cases"][:40]
        for expected in ("correct", "incorrect"):
            for program in row[f"{expected}_solutions"]:
                found = code.check(asked, block(program), patient)
                counts[expected] += 1
                if found.outcome != expected:
                    wrong.append(f"{row['id']}: {expected} is {found.outcome}: {found.reason}")
    assert not wrong, "\n".join(wrong)
    assert counts == {"correct": 69, "incorrect": 8}
