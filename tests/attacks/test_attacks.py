"""Hostile programs: none gets out, none passes, the host and the scoring go on."""

from __future__ import annotations

import os
import re
import secrets
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cheats import CALLS, STDIN
from escapes import BEGIN, ESCAPES, GUARD

from skythought.core.records import Problem
from skythought.verifiers import code
from skythought.verifiers.code_sandbox import Limits

LIMITS = Limits(
    cpu_s=1.0,
    wall_s=3.0,
    problem_s=30.0,
    memory_bytes=256 << 20,
    output_bytes=1 << 18,
    processes=16,
)


pytestmark = pytest.mark.usefixtures("sandbox")


def problem(**extra: object) -> Problem:
    return Problem(id="p", task="t", question="?", answer="tests", extra=extra)


def stdin(expected: str, count: int = 2) -> Problem:
    return problem(tests=[{"input": "", "output": expected}] * count)


def block(program: str) -> str:
    return f"```python\n{program}\n```"


def runners() -> list[str]:
    """List the processes of sandboxes that are still there."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                line = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if b"verifiers/code_runner.py" in line:
                found.append(folder.name)
    return found


@pytest.fixture(scope="module")
def before() -> list[str]:
    return runners()


@pytest.fixture(autouse=True)
def _nothing_stays(before: list[str]) -> Iterator[None]:
    yield
    for _ in range(100):
        if not set(runners()) - set(before):
            return
        time.sleep(0.02)
    pytest.fail("a sandbox is still running")


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Give what a program on the host could find, and see afterwards that none did."""
    secret = secrets.token_hex(8)
    monkeypatch.setenv("SECRET_KEY", secret)
    (tmp_path / "secret").write_text(secret)
    (tmp_path / "secret").chmod(0o644)
    name = f"canary-{secret}"
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        abstract.bind(f"\0{name}")
        abstract.listen()
        yield {
            "PORT": str(server.getsockname()[1]),
            "SOCKET": name,
            "SECRET": secret,
            "SECRET_FILE": str(tmp_path / "secret"),
            "FOLDER": str(tmp_path),
            "PROJECT": str(Path(code.__file__).parents[2]),
            "PYTHON": sys.base_prefix,
            "PID": str(os.getpid()),
            "HOME": str(Path.home()),
        }
        for end in (server, abstract):
            end.setblocking(False)
            with pytest.raises(BlockingIOError):
                end.accept()
    project = Path(code.__file__).parents[2]
    assert not (project / "x").exists()
    assert not any((Path(folder) / name).exists() for folder in ("/var/tmp", Path.home()))
    assert [p.name for p in tmp_path.iterdir()] == ["secret"]
    assert (tmp_path / "secret").read_text() == secret


@pytest.mark.parametrize("name", ESCAPES)
def test_nothing_outside_is_reached(name: str, host: dict[str, str]) -> None:
    program = GUARD + BEGIN + ESCAPES[name]
    for key, value in host.items():
        program = program.replace(f"@{key}@", value)
    found = code.check(stdin("held"), block(program), LIMITS)
    assert found.outcome == "correct", found.detail


@pytest.mark.parametrize(
    "name", ["a file of the host", "well-known files", "processes of the host", "netlink"]
)
def test_the_attacks_work_where_there_is_no_sandbox(name: str, host: dict[str, str]) -> None:
    program = BEGIN + ESCAPES[name]
    for key, value in host.items():
        program = program.replace(f"@{key}@", value)
    found = code.check(stdin("held"), block(program), LIMITS, unsafe=True)
    assert "ESCAPED" in found.detail, found.detail


@pytest.mark.parametrize("name", STDIN)
def test_a_wrong_program_fails_whatever_it_does(name: str) -> None:
    program, detail = STDIN[name]
    token = f"token-{secrets.token_hex(16)}"
    began = time.monotonic()
    found = code.check(stdin(token), block(GUARD + program), LIMITS)
    assert found.outcome == "incorrect", found.detail
    assert re.search(detail, found.detail), found.detail
    assert found.detail.isprintable()
    assert len(found.detail) <= 500
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("kind", ["call", "assert", "check"])
def test_a_wrong_function_fails_whatever_it_does(name: str, kind: str) -> None:
    token = f"token-{secrets.token_hex(16)}"
    lines = [f"assert f([1]) == '{token}'", f"assert f([2]) in ('{token}', 7.5)"]
    tests: dict[str, dict[str, object]] = {
        "call": {"tests": [{"input": "[1]", "output": f'"{token}"'}], "func_name": "f"},
        "assert": {"test_list": lines},
        "check": {
            "test": "def check(candidate):\n    assert candidate([1]) == '" + token + "'\n",
            "entry_point": "f",
        },
    }
    found = code.check(problem(**tests[kind]), block(GUARD + CALLS[name]), LIMITS)
    assert found.outcome == "incorrect", found.detail
    assert found.detail.isprintable()


def test_there_are_many() -> None:
    assert len(ESCAPES) + len(STDIN) + len(CALLS) >= 100


def test_the_rest_is_scored_as_if_nothing_were() -> None:
    """A right and a wrong answer after each of the worst."""
    right, wrong = block("print(int(input()) * 2)"), block("print(int(input()) * 3)")
    asked = problem(tests=[{"input": "21", "output": "42"}])
    for name in ("a fork bomb", "memory in many processes", "endless output", "a stopped self"):
        assert code.check(asked, block(GUARD + STDIN[name][0]), LIMITS).outcome == "incorrect"
        assert code.check(asked, right, LIMITS).outcome == "correct"
        assert code.check(asked, wrong, LIMITS).outcome == "incorrect"
