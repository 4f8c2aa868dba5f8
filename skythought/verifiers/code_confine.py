"""What confines a process inside the sandbox: limits, another user, and a look at what it uses.

    enter([stdin, stdout, stderr], Limits(...), cpu=6.0, uid=1_200_000_000)   in the child, once
    usage(pid, contained=True) -> (12_345_678, 0.31)                          in the runner, often

Standard library only: it is part of what runs inside.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import resource
import signal
import sys
from typing import NamedTuple

from skythought.verifiers import code_child

FIRST_UID, UIDS = 1 << 30, 1 << 28  # of programs, where this process is root; above all real users
NOBODY = 65534


class Limits(NamedTuple):
    """What one child may use; the time limits come with each request."""

    memory: int
    output: int
    file: int
    processes: int


def enter(ends: list[int], limits: Limits, cpu: float | None, uid: int | None) -> None:
    """Turn this child into the process of a program: descriptors, limits, user.

    `uid` is the user to become in a namespace of our own, where this is root; None outside.
    """
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    spare = [os.dup(end) for end in ends]  # numbers above those wanted, so none is overwritten
    high = [os.dup2(end, 100 + i) for i, end in enumerate(spare)]
    for i, end in enumerate(high):
        os.dup2(end, i)
    os.closerange(len(ends), 4096)
    if uid is not None:
        with (
            contextlib.suppress(OSError),
            open("/proc/self/oom_score_adj", "w") as file,  # noqa: PTH123
        ):
            file.write("1000")
    memory, _, file_bytes, processes = limits
    most = {
        resource.RLIMIT_AS: 2 * memory,
        resource.RLIMIT_FSIZE: file_bytes,
        resource.RLIMIT_NOFILE: 128,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_NPROC: processes,
    }
    if hasattr(resource, "RLIMIT_MSGQUEUE"):
        most[resource.RLIMIT_MSGQUEUE] = 0
    if cpu is not None:
        most[resource.RLIMIT_CPU] = math.ceil(cpu) + 1
    for what, value in most.items():
        hard = resource.getrlimit(what)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(what, (value, value))
    if uid is not None and os.getuid() == 0:
        os.setgroups([])
        for other in (uid, NOBODY):
            with contextlib.suppress(OSError):
                os.setresgid(other, other, other)
                os.setresuid(other, other, other)
                break
        else:
            raise PermissionError("no other user to become")
    if uid is not None:
        hide(False)
    else:
        control(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: not to outlive the runner
    code_child.renew_streams()
    sys.argv = ["program.py"]
    sys.set_int_max_str_digits(50_000)
    sys.setrecursionlimit(50_000)


def usage(pid: int, *, contained: bool) -> tuple[int, float]:
    """Sum resident memory and processor time of the namespace, without this process.

    Without one of our own, only of what the child `pid` started and that did not leave it.
    """
    memory, ticks, me = 0, 0, str(os.getpid())
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir("/proc"):  # noqa: PTH208 - no pathlib: it costs a start
            if not name.isdigit() or name == me:
                continue
            with (
                contextlib.suppress(FileNotFoundError, ProcessLookupError),
                open(f"/proc/{name}/stat", "rb") as file,  # noqa: PTH123
            ):
                parts = file.read().rpartition(b")")[2].split()
                if contained or int(parts[3]) == pid:
                    memory += int(parts[21])
                    ticks += sum(map(int, parts[11:15]))
    return memory * resource.getpagesize(), ticks / os.sysconf("SC_CLK_TCK")


def hide(yes: bool) -> None:
    """Keep other processes of the same user out of this one's memory, or let them in."""
    control(4, 0 if yes else 1)  # PR_SET_DUMPABLE


def control(option: int, value: int) -> None:
    """Call prctl, which Linux has."""
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
