r"""The process in which math-verify reads what a model wrote. Started by `math_process`, not by people.

    in:   {"expected": "p - q", "said": "-q + p"}
    out:  {"equal": true, "read": [true, true]}

One JSON line for each question; the first line out is `{"ready": true}`. The text is hostile: the
process may use little processor time per question (the system kills it, no handler is involved),
little memory, write no file and start no process. It is handed LaTeX only and never evaluates Python.
"""

from __future__ import annotations

import os
import resource
import signal
import sys

import msgspec

CPU_S = 1.5  # per question
MEMORY_BYTES = 2 * 1024**3
QUESTIONS = 5_000  # then a fresh process takes over, so that caches cannot grow without end


class Question(msgspec.Struct, frozen=True):
    """Two LaTeX texts without delimiters."""

    expected: str
    said: str


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What math-verify says of them."""

    equal: bool = False
    read: tuple[bool, bool] = (True, True)  # whether expected and said could be parsed
    ready: bool = False
    missing: str = ""  # a package that is not installed


def compare(question: Question) -> Reply:
    """Ask math-verify whether two texts mean the same."""
    from math_verify import LatexExtractionConfig, parse, verify

    config = [LatexExtractionConfig()]
    both = [
        parse(f"${text}$", extraction_config=config, parsing_timeout=None)
        for text in (question.expected, question.said)
    ]
    read = tuple(any(not isinstance(part, str) for part in parsed) for parsed in both)
    equal = bool(verify(both[0], both[1], timeout_seconds=None))
    return Reply(equal=equal, read=(read[0], read[1]))


def confine() -> None:
    """Give up memory, files and processes; signals keep their default, which is to end."""
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    limits = {
        resource.RLIMIT_AS: MEMORY_BYTES,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NPROC: 0,
    }
    for what, most in limits.items():
        hard = resource.getrlimit(what)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))


def main() -> None:
    """Answer questions until the input ends."""
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # parsers print; only replies may go out
    try:
        compare(Question("1", "2"))
    except ModuleNotFoundError as error:
        out.write(msgspec.json.encode(Reply(missing=str(error.name))) + b"\n")
        return
    confine()
    out.write(msgspec.json.encode(Reply(ready=True)) + b"\n")
    for line in sys.stdin.buffer:
        question = msgspec.json.decode(line, type=Question)
        signal.setitimer(signal.ITIMER_PROF, CPU_S)
        reply = compare(question)
        signal.setitimer(signal.ITIMER_PROF, 0)
        out.write(msgspec.json.encode(reply) + b"\n")


if __name__ == "__main__":
    main()
