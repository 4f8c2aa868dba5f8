"""What a worker gives up before it reads what a model wrote.

    confine(2 * 1024**3)   in the worker, once: no files, no processes, 2 GiB

For workers of our own code (`math_worker`, `gym_worker`). Programs of a model are confined by a
sandbox (`code_confine`).
"""

from __future__ import annotations

import resource
import signal


def confine(memory_bytes: int) -> None:
    """Give up memory, writing files and starting processes.

    The timer of processor time keeps its default, which is to end the process: no handler has to
    run for that.
    """
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    limits = {
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NPROC: 0,
    }
    for what, most in limits.items():
        hard = resource.getrlimit(what)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))
