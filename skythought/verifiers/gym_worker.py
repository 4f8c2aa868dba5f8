"""The process in which scorers of reasoning-gym read what a model wrote. Started by `gym`.

    in:   {"dataset": "chain_sum", "answer": "7", "entry": {"question": ..., "metadata": {...}}}
    out:  {"score": 1.0}

One JSON line for each answer; the first line out is `{}`, once the library is loaded. Some scorers
call `eval` or sympy's `parse_expr` on the answer, some on what their entry holds, which may come
from somebody else's file. Before a scorer whose module does so, an answer is refused that holds an
attribute, a quote, or a name of several letters that is no mathematics. As a second wall the
process has no environment, little memory, and a hook that refuses files but the library's own,
connections and other processes (`deny`); the system kills it when an answer takes too long.
"""

from __future__ import annotations

import functools
import inspect
import os
import re
import signal
import sys
from fractions import Fraction
from typing import Any

import msgspec

from skythought.verifiers.confine import confine

CPU_S = 10.0  # per answer
MEMORY_BYTES = 4 * 1024**3
# What scorers raise where an answer is not of the form they expect.
UNREADABLE = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError, NameError),
    *(RuntimeError, SyntaxError, TypeError, ValueError),
)
NOT_THE_ANSWER = frozenset(  # evaluate what they made themselves, and read the answer otherwise
    {"basic_arithmetic", "bitwise_arithmetic", "codeio", "number_sorting", "propositional_logic"}
)
# Events of the interpreter that scoring has no need of (docs.python.org, Audit events table).
DENIED = re.compile(
    r"(?:os|shutil|socket|subprocess|ctypes|pty|fcntl|mmap|tempfile|signal|syslog|sqlite3|urllib"
    r"|http|ftplib|imaplib|poplib|smtplib|telnetlib|webbrowser|_thread|_posixsubprocess)\."
    r"|code\.__new__|sys\.(?:addaudithook|_current_frames|setprofile|settrace)"
)
ALLOWED = frozenset({"os.listdir", "os.scandir", "os.walk", "os.fwalk"})
EVALUATES = re.compile(r"(?<![\w.])(?:eval|exec|compile)\(|\b(?:parse_expr|sympify)\(")
NAMES = frozenset(
    {
        *("sin", "cos", "tan", "cot", "sec", "csc", "asin", "acos", "atan", "sinh", "cosh"),
        *("tanh", "exp", "log", "ln", "sqrt", "pi", "oo", "abs", "Abs", "min", "max"),
        *("and", "or", "not", "True", "False", "true", "false", "null"),
    }
)
LIBRARY = tuple(path for path in sys.path if path.endswith("-packages"))
WORD = re.compile(r"\w+")
NUMBER = re.compile(r"\d[\d_]*(?:[eEjJ]\d*)?|0[xXbBoO][\da-fA-F]+")
SHORT = re.compile(r"_|[A-Za-z]\d{0,2}|[\u0370-\u03ff]")
PLAIN = re.compile(r"[\w\s+\-*/%^()\[\]{},.:;=<>!&|~→↔∧∨¬√π·×÷−]*")
ATTRIBUTE = re.compile(r"\.\s*[^\W\d]")
TOWER = re.compile(r"(?:\*\*|\^)[\s(+-]*[\w.]+[\s)]*(?:\*\*|\^)|(?:\*\*|\^)[\s(+-]*\d{5}|\d{400}")


class Question(msgspec.Struct, frozen=True):
    """An answer, and the entry it answers as `tasks.gym.plain` wrote it."""

    dataset: str
    answer: str
    entry: dict[str, Any]
    number: int = 0  # comes back in the reply


class Reply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the scorer says."""

    number: int = 0  # of the question
    score: float = 0.0
    refused: str = ""  # why the answer was not scored
    fault: str = ""  # why no answer to this entry can be
    missing: str = ""  # a package that is not installed


def score(question: Question) -> Reply:
    """Score one answer."""
    from reasoning_gym.factory import DATASETS

    if question.dataset not in DATASETS:
        return Reply(fault=f"this reasoning-gym has no dataset {question.dataset!r}")
    try:
        entry = restore(question.entry)
    except (ArithmeticError, KeyError, TypeError, ValueError) as error:
        return Reply(fault=f"its entry cannot be read ({type(error).__name__}: {error})")
    if question.answer != entry["answer"] and evaluates(question.dataset):
        reason = refuse(question.answer)
        if reason:
            return Reply(refused=reason)
    try:
        found = float(scorer(question.dataset).score_answer(question.answer, entry))
    except UNREADABLE as error:
        return Reply(refused=f"the scorer cannot read it ({type(error).__name__})")
    return Reply(score=found)


@functools.cache
def scorer(dataset: str) -> Any:
    """Give a dataset whose `score_answer` is asked; its seed plays no part."""
    import reasoning_gym

    return reasoning_gym.create_dataset(dataset, seed=0, size=10)


@functools.cache
def evaluates(dataset: str) -> bool:
    """Say whether the source of a dataset's classes evaluates texts, answers among them."""
    from reasoning_gym.factory import DATASETS

    if dataset in NOT_THE_ANSWER:
        return False
    kinds = [k for k in DATASETS[dataset][0].__mro__ if k.__module__.startswith("reasoning_gym")]
    return any(EVALUATES.search(inspect.getsource(sys.modules[k.__module__])) for k in kinds)


def refuse(answer: str) -> str:
    """Name why a text may not be evaluated, "" where it may."""
    if not PLAIN.fullmatch(answer):
        return "signs that are no arithmetic"
    if ATTRIBUTE.search(answer):
        return "an attribute"
    for word in WORD.findall(answer):
        known = word in NAMES or SHORT.fullmatch(word) or NUMBER.fullmatch(word)
        if not known and not re.fullmatch(r"\d+[A-Za-z]", word):  # 2x
            return f"the name {word[:40]}"
    if TOWER.search(answer):
        return "a number too large"
    return ""


def restore(value: Any) -> Any:
    """Make the value that `tasks.gym.plain` wrote down."""
    if isinstance(value, list):
        return [restore(part) for part in value]
    if not isinstance(value, dict):
        return value
    if "~" not in value:
        return {key: restore(part) for key, part in value.items()}
    kind, of = value["~"], value["of"]
    if kind == "dict":
        return {restore(key): restore(part) for key, part in of}
    if kind in ("tuple", "set"):
        parts = (restore(part) for part in of)
        return tuple(parts) if kind == "tuple" else set(parts)
    return {"int": int, "float": float, "fraction": Fraction}[kind](of)


def deny(event: str, args: tuple[object, ...]) -> None:
    """Refuse what no scorer needs; an audit hook of the interpreter, which cannot be taken off.

    Raises:
        RuntimeError: always, where it refuses.
    """
    if event == "open":
        path, mode = str(args[0]), args[1] if len(args) > 1 else None
        library = path.startswith((sys.prefix, sys.base_prefix, *LIBRARY))
        if (isinstance(mode, str) and set(mode) & set("wax+")) or not library:
            raise RuntimeError(f"a scorer may not open {path[:100]}")
    elif DENIED.match(event) and event not in ALLOWED:
        raise RuntimeError(f"a scorer may not use {event}")


def main() -> None:
    """Score answers until the input ends."""
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # scorers print; only replies may go out
    try:
        import reasoning_gym  # noqa: F401
    except ModuleNotFoundError as error:
        out.write(msgspec.json.encode(Reply(missing=str(error.name))) + b"\n")
        return
    confine(MEMORY_BYTES)
    out.write(msgspec.json.encode(Reply()) + b"\n")
    sys.addaudithook(deny)
    for line in sys.stdin.buffer:
        question = msgspec.json.decode(line, type=Question)
        signal.setitimer(signal.ITIMER_PROF, CPU_S)
        reply = score(question)
        signal.setitimer(signal.ITIMER_PROF, 0)
        numbered = msgspec.structs.replace(reply, number=question.number)
        out.write(msgspec.json.encode(numbered) + b"\n")


if __name__ == "__main__":
    main()
