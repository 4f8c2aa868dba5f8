r"""Programs: run on the tests of their problem, in a sandbox.

    "So:\n```python\nprint(sum(map(int, input().split())))\n```"
    -> Finding("correct", "print(sum(...", "python block; stdin", "12 tests")
    -> Finding("incorrect", "print(...", "python block; stdin", "test 3 of 12: ...")

A program is hostile input. It is run by `code_sandbox` and sees the inputs of tests, never what
they expect: what it wrote comes out as data and is compared here. Assertions are run in a second
sandbox, in which the program's functions are stubs that ask for one call at a time (`code_child`).
The first test that fails decides.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from functools import partial
from typing import Any, NamedTuple

from skythought.core.errors import plain
from skythought.core.records import Problem
from skythought.verifiers import (
    Finding,
    Verifier,
    code_compare,
    code_plain,
    code_sandbox,
    code_tests,
)
from skythought.verifiers.code_plain import Encoder
from skythought.verifiers.code_sandbox import Ended, Limits, Reply, Sandbox
from skythought.verifiers.code_tests import Tests

MAX_CHARS = 200_000  # of a program; longer ones are refused
LIMITS = Limits()
SHOWN_CHARS = 2_000  # of a program, in a verdict
FENCE = re.compile(r"[ \t]*(?:>[ \t]*)?(`{3,}|~{3,})[ \t]*([\w+.-]*)[^\n]*")
PYTHON = ("python", "py", "python3", "py3")
READS = re.compile(r"\binput\s*\(|\bstdin\b|\b(?:open|read)\(\s*0\b|\bfileinput\b|/dev/stdin|/fd/0")
CODE_LINE = re.compile(r"(?:import|from|def|class|for|while|if|print|@|#)\b|[\w, ]+=")


class NoTest(Exception):
    """What should test a program does not."""


class Extracted(NamedTuple):
    """A program and the rule that found it."""

    text: str
    rule: str


def check(problem: Problem, answer: str, limits: Limits = LIMITS, unsafe: bool = False) -> Finding:
    """Run the program of an answer on the problem's tests.

    Raises:
        UserError: no sandbox works here.
    """
    try:
        tests = code_tests.read(problem)
    except ValueError as error:
        return Finding("error", rule="no usable tests", detail=str(error))
    found = extract(answer, code_tests.names(tests), reads=tests.kind == "stdin")
    if found is None:
        return Finding("no_answer", rule="no code block")
    shown = found.text[:SHOWN_CHARS]
    if len(found.text) > MAX_CHARS:
        size = f"{len(found.text):,} characters"
        return Finding("incorrect", shown, f"{found.rule}; refused", size)
    source = found.text.encode("utf-8", "replace").decode()  # half a surrogate pair is no Python
    run = {"stdin": _stdin, "call": _calls, "assert": _assertions}[tests.kind]
    try:
        with code_sandbox.start(limits, unsafe=unsafe) as sandbox:
            outcome, detail = run(sandbox, source, tests, unsafe)
    except NoTest as error:
        return Finding("error", shown, "no usable tests", str(error))
    except code_sandbox.NotStarted as error:
        return Finding("error", shown, "the sandbox does not start", str(error))
    rule = f"{found.rule}; {tests.kind}"
    return Finding("correct" if outcome else "incorrect", shown, rule, _line(detail))


def extract(answer: str, names: Collection[str] = (), *, reads: bool = False) -> Extracted | None:
    """Find the program in an answer text.

    Of several blocks, the last that defines most of these `names` is the program, or the last that
    `reads` input; an example of use often comes behind it.
    """
    blocks, rest = _blocks(answer)
    tagged = [text for tag, text in blocks if tag.lower() in PYTHON]
    untagged = [text for tag, text in blocks if not tag]
    for texts, kind in ((tagged, "python block"), (untagged, "untagged block")):
        best = max(reversed(texts), key=lambda text: len(_defined(text, names)), default="")
        if defined := _defined(best, names):
            return Extracted(best, kind if best == texts[-1] else f"last {kind} with {defined[0]}")
    texts, kind = (tagged, "python block") if tagged else (untagged, "untagged block")
    reading = [text for text in texts if reads and READS.search(text)]
    if reading and reading[-1] != texts[-1]:
        return Extracted(reading[-1], f"last {kind} that reads")
    if rest and (_defined(rest, names) or (reads and not reading and READS.search(rest))):
        return Extracted(rest, "block without end")
    if texts:
        return Extracted(texts[-1], kind)
    if rest is not None and rest.strip():
        return Extracted(rest, "block without end")
    first = next((line for line in answer.splitlines() if line.strip()), "")
    if not blocks and CODE_LINE.match(first):
        return Extracted(answer, "whole text")
    return None


def _defined(text: str, names: Collection[str]) -> list[str]:
    """List the names that a text defines, as a function, a class or a variable."""
    defines = r"\b(?:def|class)\s+{0}\b|^[ \t]*{0}[ \t]*=(?!=)"
    return [
        name for name in names if re.search(defines.format(re.escape(name)), text, re.MULTILINE)
    ]


def _blocks(text: str) -> tuple[list[tuple[str, str]], str | None]:
    """List the fenced blocks that have text, as (tag, text), and what a last open fence holds."""
    blocks: list[tuple[str, str]] = []
    fence, tag, margin, lines = "", "", "", list[str]()
    for line in text.split("\n"):
        found = FENCE.fullmatch(line.rstrip("\r"))
        if not fence and found:
            fence, tag, lines = found[1], found[2], []
            margin = line[: len(line) - len(line.lstrip(" \t"))]
        elif fence and found and found[1].startswith(fence) and not found[2]:
            if any(line.strip() for line in lines):
                blocks.append((tag, "\n".join(lines)))
            fence = ""
        elif fence:
            lines.append(line.removeprefix(margin))
    open_python = fence and (not tag or tag.lower() in PYTHON)
    return blocks, "\n".join(lines) if open_python else None


def _stdin(sandbox: Sandbox, source: str, tests: Tests, unsafe: bool) -> tuple[bool, str]:
    of = len(tests.cases)
    for number, case in enumerate(tests.cases, 1):
        where = f"test {number} of {of}"
        try:
            if number == 1:
                sandbox.load(source)
            reply = sandbox.ask("stdin", case.given.encode("utf-8", "replace"))
        except Ended as error:
            return False, f"{where}: {error}"
        if reply.status != "ok":
            return False, f"{where}: {_why(reply, sandbox.limits)}"
        written = reply.body.decode("utf-8", "replace")
        if difference := code_compare.differ(case.expected[0], written):
            return False, f"{where}: {difference}"
    return True, f"{_count(of)}"


def _calls(sandbox: Sandbox, source: str, tests: Tests, unsafe: bool) -> tuple[bool, str]:
    of = len(tests.cases)
    for number, case in enumerate(tests.cases, 1):
        where = f"test {number} of {of}"
        try:
            args = [Encoder()(value) for value in case.given]
        except ValueError as error:
            raise NoTest(f"test {number}: {error}") from error
        message = {"name": tests.name, "args": args, "kwargs": {}}
        try:
            if number == 1:
                sandbox.load(source, tests.starter)
                reply = sandbox.ask("open", role="program")
            if number > 1 or reply.status == "ok":
                reply = sandbox.ask("talk", json.dumps(message).encode())
        except Ended as error:
            return False, f"{where}: {error}"
        if reply.status != "ok":
            return False, f"{where}: {_why(reply, sandbox.limits)}"
        said = _data(reply.body)
        if "raise" in said:
            return False, f"{where}: {_raised(said)}"
        value = said.get("value")
        if not any(code_plain.same(expected, value) for expected in case.expected):
            wanted = code_plain.show(Encoder()(case.expected[0]))
            return False, f"{where}: expected {wanted}, found {code_plain.show(value)}"
    return True, f"{_count(of)}"


def _assertions(program: Sandbox, source: str, tests: Tests, unsafe: bool) -> tuple[bool, str]:
    names = [tests.name] if tests.name else []
    message: dict[str, Any] = {"source": tests.source, "starter": tests.starter, "names": names}
    asked, last = json.dumps(message).encode(), ""
    with code_sandbox.start(program.limits, unsafe=unsafe) as checker:
        try:
            program.load(source, tests.starter)
            reply = program.ask("open", role="program")
            if reply.status != "ok":
                return False, f"{_why(reply, program.limits)}"
        except Ended as error:
            return False, f"{error}"
        try:
            opened = checker.ask("open", role="checker")
        except Ended as error:
            raise code_sandbox.NotStarted(str(error)) from error
        if opened.status != "ok":
            raise code_sandbox.NotStarted(opened.detail)
        while True:
            try:
                reply = checker.ask("talk", asked)
            except Ended as error:
                return False, f"the assertions: {error}"
            if reply.status != "ok":
                return False, f"the assertions: {_why(reply, checker.limits)}"
            said = _data(reply.body)
            if said.get("passed") is True and not last:
                raise NoTest("the assertions never call the program")
            if "passed" in said:
                return _passed(said, last)
            call = _call(said)
            try:
                reply = program.ask("talk", reply.body)
            except Ended as error:
                return False, f"{call}: {error}"
            if reply.status != "ok":
                return False, f"{call}: {_why(reply, program.limits)}"
            asked, last = reply.body, f"{call}: {_gave(_data(reply.body))}"


def _passed(said: dict[str, Any], last: str) -> tuple[bool, str]:
    if said["passed"] is True:
        return True, f"{_count(said['of'])}"
    why = f"; {said['why']}" if said["why"] else f"; {last}" if last else ""
    return False, f"test {said['index']} of {said['of']}: {said['line'][:120]}{why}"


def _call(said: dict[str, Any]) -> str:
    args = ", ".join(code_plain.show(value, 30) for value in said.get("args", ()))
    return f"{said.get('name', 'object')}({args})"[:100]


def _gave(said: dict[str, Any]) -> str:
    return _raised(said) if "raise" in said else f"found {code_plain.show(said.get('value'))}"


def _raised(said: dict[str, Any]) -> str:
    what = said["raise"]
    parts = what if isinstance(what, list) else []
    return ": ".join(p[:200] for p in parts if isinstance(p, str) and p) or "an exception"


def _data(body: bytes) -> dict[str, Any]:
    """Read what came out of a sandbox; what is no JSON object is an exception of the program."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        said = None
    return said if isinstance(said, dict) else {"raise": ["", "wrote no data"]}


def _why(reply: Reply, limits: Limits) -> str:
    """Say what ended a program."""
    match reply.status:
        case "cpu":
            return f"more than {limits.cpu_s:g} s of processor time"
        case "wall":
            return f"more than {limits.wall_s:g} s"
        case "memory":
            return f"more than {limits.memory_bytes >> 20:,} MiB of memory"
        case "output":
            return f"wrote more than {limits.output_bytes >> 10:,} KiB"
        case "signal":
            return f"killed by {reply.detail}"
        case "failed":
            return reply.detail
    return f"{reply.status} {reply.detail}".strip()


def _count(of: int) -> str:
    return f"{of:,} test{'s' * (of != 1)}"


def _line(text: str) -> str:
    return plain(" ".join(text.split()))[:500]


CODE = Verifier(name="code", version=2, check=check, unsafe=partial(check, unsafe=True))
