r"""The process in which math-verify reads what a model wrote. Started by `math_process`.

    in:   {"expected": "p - q", "said": "-q + p", "places": 6, "number": 7}
    out:  {"equal": true, "read": [true, true], "number": 7}

One JSON line for each question, with its number; the first line out is `{"ready": true}`. The text
is hostile: the process may use little processor time per question (the system kills it, no handler
is involved), little memory, write no file and start no process. It is handed LaTeX only, never
Python.
"""

from __future__ import annotations

import os
import signal
import sys
from functools import lru_cache
from typing import Any

import msgspec

from skythought.verifiers.confine import confine

CPU_S = 1.2  # per question
MEMORY_BYTES = 2 * 1024**3
QUESTIONS = 5_000  # then a fresh process takes over, so that caches cannot grow without end


class Question(msgspec.Struct, frozen=True):
    """Two LaTeX texts without delimiters."""

    expected: str
    said: str
    places: int = 6  # decimal places to which decimals are compared
    number: int = 0  # comes back in the reply


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What math-verify says of them."""

    equal: bool = False
    read: tuple[bool, bool] = (True, True)  # whether expected and said could be parsed
    number: int = 0  # of the question
    ready: bool = False
    missing: str = ""  # a package that is not installed


def compare(question: Question) -> Reply:
    """Ask math-verify whether two texts mean the same."""
    from math_verify import verify

    both = [_parse(text) for text in (question.expected, question.said)]
    read = tuple(any(not isinstance(part, str) for part in parsed) for parsed in both)
    equal = verify(
        *both,
        float_rounding=question.places,
        allow_set_relation_comp=True,  # x < 5 is (-oo, 5)
        timeout_seconds=None,
    )
    equal = bool(equal) and not (all(read) and apart(both[0][0], both[1][0]))
    return Reply(equal=equal, read=(read[0], read[1]), number=question.number)


@lru_cache(maxsize=256)  # the samples of one problem have one reference
def _parse(text: str) -> list[Any]:
    """Read one LaTeX text; no search for boxes, which was done before."""
    from math_verify import LatexExtractionConfig, parse

    config = [LatexExtractionConfig(boxed_match_priority=-1)]
    found: list[Any] = parse(f"${text}$", extraction_config=config, parsing_timeout=None)
    return found


def apart(one: Any, other: Any) -> bool:
    """Say whether two exact numbers differ by more than rounding; math-verify rounds 2^-99 to 0."""
    from sympy import Expr, Float

    for number in (one, other):
        if not isinstance(number, Expr) or not number.is_number or number.has(Float):
            return False
    sizes = [abs(number.evalf(30)) for number in (one, other, one - other)]
    if not all(size.is_comparable for size in sizes):
        return False
    return bool(sizes[2] > max(sizes[:2]) * Float("1e-12"))


def main() -> None:
    """Answer questions until the input ends."""
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # parsers print; only replies may go out
    try:
        compare(Question("1", "2"))
    except ModuleNotFoundError as error:
        out.write(msgspec.json.encode(Reply(missing=str(error.name))) + b"\n")
        return
    confine(MEMORY_BYTES)
    out.write(msgspec.json.encode(Reply(ready=True)) + b"\n")
    for line in sys.stdin.buffer:
        question = msgspec.json.decode(line, type=Question)
        signal.setitimer(signal.ITIMER_PROF, CPU_S)
        reply = compare(question)
        signal.setitimer(signal.ITIMER_PROF, 0)
        out.write(msgspec.json.encode(reply) + b"\n")


if __name__ == "__main__":
    main()
