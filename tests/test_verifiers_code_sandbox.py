"""skythought/verifiers/code_sandbox.py: how sandboxes start and end, and what none costs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from skythought import score
from skythought.core.errors import UserError
from skythought.core.records import Problem
from skythought.verifiers import code, code_commands, code_sandbox, code_seccomp
from skythought.verifiers.code_sandbox import Ended, Limits, Reply

SLEEP = "import time; time.sleep(60)"
LIMITS = Limits(cpu_s=1.0, wall_s=2.0, problem_s=30.0, processes=12)
needs_sandbox = pytest.mark.usefixtures("sandbox")


@pytest.fixture
def fresh() -> Iterator[None]:
    """Have the kind of sandbox chosen again, before and after."""
    code_sandbox.choose.cache_clear()
    yield
    code_sandbox.choose.cache_clear()


def running(marker: str) -> bool:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if marker.encode() in (folder / "cmdline").read_bytes():
                return True
        except OSError:
            continue
    return False


@needs_sandbox
def test_one_sandbox_serves_many_tests() -> None:
    with code_sandbox.start(LIMITS) as sandbox:
        sandbox.load("print(int(input()) * 2)")
        for number in range(5):
            wanted = Reply("ok", "", f"{number * 2}\n".encode())
            assert sandbox.ask("stdin", str(number).encode()) == wanted
        assert sandbox.ask("nonsense").status == "refused"
        assert sandbox.ask("talk", b"{}").status == "refused"


@needs_sandbox
def test_input_and_output_may_be_large() -> None:
    text = b"x" * 3_000_000
    with code_sandbox.start(Limits()) as sandbox:
        sandbox.load("import sys\nsys.stdout.write(sys.stdin.read())")
        assert sandbox.ask("stdin", text).body == text


@needs_sandbox
def test_processes_are_limited() -> None:
    program = (
        "import os, time\nn = 0\n"
        "try:\n    while n < 99:\n        os.fork() or time.sleep(9)\n        n += 1\n"
        "except OSError:\n    pass\nprint(n)\nos._exit(0) if n else 0"
    )
    program = program.replace("print(n)", "os.write(1, b'%d' % n)")
    with code_sandbox.start(LIMITS) as sandbox:
        sandbox.load(program)
        reply = sandbox.ask("stdin")
    assert reply.status == "ok"
    assert 0 < int(reply.body) < 12


@needs_sandbox
def test_the_deadline_is_kept_outside() -> None:
    began = time.monotonic()
    with code_sandbox.start(Limits(cpu_s=99.0, wall_s=99.0, problem_s=0.5)) as sandbox:
        sandbox.load("while True: pass")
        with pytest.raises(Ended, match="killed at the deadline"):
            sandbox.ask("stdin")
    with pytest.raises(Ended):
        sandbox_ask_after_close(sandbox)
    assert time.monotonic() - began < 10


def sandbox_ask_after_close(sandbox: code_sandbox.Sandbox) -> None:
    sandbox.end = 0.0
    sandbox.ask("stdin")


@needs_sandbox
def test_nothing_outlives_whoever_scores() -> None:
    """Killed without a chance to clean up, it takes the sandbox and the program along."""
    marker = f"marker-{os.getpid()}-{time.monotonic_ns()}"
    script = (
        "from skythought.verifiers import code_sandbox\n"
        "sandbox = code_sandbox.start(code_sandbox.Limits(wall_s=99.0))\n"
        f"sandbox.load('import ctypes, time, os\\nos.fork()\\nlibc = ctypes.CDLL(None)\\n"
        f'os.execv(os.sys.executable, [os.sys.executable, "-c", '
        f'"import time; time.sleep(60)", "{marker}"])\')\n'
        "sandbox.ask('stdin')\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], start_new_session=True)
    try:
        for _ in range(300):
            if running(f"\0{marker}"):
                break
            time.sleep(0.05)
        else:
            pytest.fail("the program did not start")
        os.kill(process.pid, signal.SIGKILL)
        for _ in range(300):
            if not running(f"\0{marker}"):
                break
            time.sleep(0.02)
        else:
            pytest.fail("the program outlived the scorer")
    finally:
        process.kill()
        process.wait()


@needs_sandbox
def test_a_sandbox_that_breaks_its_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    for text in ("{}", "[]", '{"status": "ok", "detail": "", "size": 99999999999}', "x" * 5_000):
        command = [sys.executable, "-c", f"print({text!r}, flush=True); import time; time.sleep(9)"]
        with code_sandbox.Sandbox(command, LIMITS) as sandbox:
            assert "broke its protocol" in sandbox.wait_ready()


def test_a_sandbox_that_does_not_start_this_time(monkeypatch: pytest.MonkeyPatch) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no space left')"]
    monkeypatch.setattr(
        code_sandbox, "_plain", lambda limits: code_sandbox.Sandbox(command, limits)
    )
    tests = [{"input": "", "output": ""}]
    asked = Problem(id="p", task="t", question="?", answer="tests", extra={"tests": tests})
    found = code.check(asked, "```python\nx\n```", unsafe=True)
    assert found.outcome == "error"
    assert found.reason == "the sandbox does not start: no space left"


@pytest.mark.usefixtures("fresh")
def test_no_sandbox_and_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = '{"id": "a", "problem": "?", "response": "```python\\nprint(2)\\n```", '
    path = tmp_path / "mine.jsonl"
    path.write_text(row + '"tests": [{"input": "", "output": "2"}]}\n')
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(UserError) as caught:
        score.run(score.Config(input=path))
    assert str(caught.value) == (
        "verifier 'code' runs programs in a sandbox, and none works here (bwrap: not installed; "
        "podman: not installed; docker: not installed); run: apt-get install bubblewrap, or trust "
        "the programs and give --allow-unsafe-execution"
    )
    config = score.Config(input=path, allow_unsafe_execution=True)
    assert score.run(config) == {"correct": 1}


@pytest.mark.usefixtures("fresh")
def test_why_a_kind_of_sandbox_does_not_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "podman"
    fake.write_text("#!/bin/sh\necho 'image not known' >&2\nexit 125\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="podman: image not known; docker: not installed"):
        code_sandbox.choose()


def test_without_a_sandbox_limits_hold() -> None:
    with code_sandbox.start(LIMITS, unsafe=True) as sandbox:
        sandbox.load("import os\nprint(os.environ.get('SECRET_KEY'))\nwhile True: pass")
        assert sandbox.ask("stdin").status == "cpu"
        sandbox.load("x = bytearray(1 << 40)")
        assert sandbox.ask("stdin").detail == "MemoryError"
        sandbox.load("print(input())")
        assert sandbox.ask("stdin", b"7") == Reply("ok", "", b"7\n")


def test_the_commands_leave_nothing_open() -> None:
    if shutil.which("bwrap") is None:
        pytest.skip("needs bubblewrap, whose version decides its flags")
    for own_user in (True, False):
        command = code_commands.bubblewrap_command(own_user=own_user)
        for flag in ("--unshare-net", "--unshare-pid", "--die-with-parent", "--new-session"):
            assert flag in command
        assert ("--unshare-user" in command) is not own_user
        bound = [command[i + 1] for i, word in enumerate(command) if word == "--ro-bind"]
        assert not {"--bind", "--dev-bind", "--share-net"} & set(command)
        home, project = str(Path.home()), str(Path(code.__file__).parents[2])
        assert not {home, project, "/", "/etc", "/usr", "/home"} & set(bound)
    command = code_commands.container_command("docker", "name", 1 << 30, 32)
    for flag in ("--read-only", "--rm", "never", "none", "ALL", "no-new-privileges", "65534:65534"):
        assert flag in command


def test_the_filter_of_system_calls() -> None:
    for machine in ("x86_64", "aarch64"):
        blob = code_seccomp.blob(machine)
        assert blob is not None
        assert len(blob) % 8 == 0
        assert len(blob) // 8 < 4_096
    assert code_seccomp.blob("riscv64") is None


def test_without_a_sandbox_a_program_ends_with_its_runner() -> None:
    marker = f"marker-{os.getpid()}-{time.monotonic_ns()}"
    limits = Limits(cpu_s=9.0, wall_s=9.0, problem_s=1.5)
    program = (
        f"import os, sys\nos.execv(sys.executable, [sys.executable, '-c', {SLEEP!r}, {marker!r}])"
    )
    with code_sandbox.start(limits, unsafe=True) as sandbox:
        sandbox.load(program)
        with pytest.raises(Ended, match="killed at the deadline"):
            sandbox.ask("stdin")
        assert running(f"\0{marker}")
    for _ in range(100):
        if not running(f"\0{marker}"):
            return
        time.sleep(0.02)
    pytest.fail("the program outlived its runner")
