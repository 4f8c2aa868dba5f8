"""skythought/verifiers/confine.py: what a worker can no longer do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ATTEMPTS = {
    "more memory": ("bytearray(1 << 30)", "MemoryError"),
    "a thread": ("import threading; threading.Thread(target=print).start()", "RuntimeError"),
    "a file": ("open(PATH, 'w').write('x')", "SIGXFSZ"),
    "processor time": ("signal.setitimer(signal.ITIMER_PROF, 0.05)\nwhile True: pass", "SIGPROF"),
}


@pytest.mark.parametrize("name", ATTEMPTS)
def test_a_confined_process_gives_up(name: str, tmp_path: Path) -> None:
    attempt, ends = ATTEMPTS[name]
    if name == "a thread" and os.getuid() == 0:
        pytest.skip("root may start processes beyond its limit")
    code = (
        "import signal\n"
        "from skythought.verifiers.confine import confine\n"
        f"PATH = {str(tmp_path / 'file')!r}\n"
        "signal.signal(signal.SIGPROF, signal.SIG_IGN)\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_DFL)\n"
        f"confine(1 << 29)\nprint('confined', flush=True)\n{attempt}\nprint('done')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "confined\n", done.stderr
    signals = {-24: "SIGXCPU", -25: "SIGXFSZ", -27: "SIGPROF"}
    assert ends in (done.stderr + signals.get(done.returncode, "")), done
    assert not (tmp_path / "file").exists() or (tmp_path / "file").stat().st_size == 0
