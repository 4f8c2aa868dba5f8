"""A process that grades what it is handed. Started by `pool`.

    in:   [{"verifier": "math", "problem": {...}, "trace": {...}, "unsafe": false}, ...]
    out:  {"verdict": {"verifier": "math@6", "id": "...", "outcome": "correct", ...}}

One line of jobs in, one line out for each job. `{"refused": "..."}` is a `UserError`, which ends
the run; any other failure ends this process with its traceback on stderr.
"""

from __future__ import annotations

import os
import sys

import msgspec

from skythought import verifiers
from skythought.core.errors import UserError
from skythought.core.records import Verdict
from skythought.verifiers import Job


class Reply(msgspec.Struct, frozen=True, omit_defaults=True):
    """What comes back for one job."""

    verdict: Verdict | None = None
    refused: str = ""


def main() -> None:
    """Grade until the input ends."""
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # verifiers may print; only replies may go out
    for line in sys.stdin.buffer:
        try:
            for verdict in verifiers.grade(msgspec.json.decode(line, type=list[Job])):
                out.write(msgspec.json.encode(Reply(verdict)) + b"\n")
        except UserError as error:
            out.write(msgspec.json.encode(Reply(refused=str(error))) + b"\n")
            return


if __name__ == "__main__":
    main()
