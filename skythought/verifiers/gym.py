r"""Puzzles of reasoning-gym, scored by the library's own scorers in a process that can be killed.

    "... <answer>7</answer>"  -> Finding("correct", "7", "answer tag; chain_sum")

The answer is what stands in the last `<answer>`; else in the last box, else behind the last
"answer is" or "Answer:" of its line, else the whole text. The scorers give shares of a point for
answers that are nearly right; only a whole point is correct. Some scorers evaluate the answer as
Python; before those, a text that is more than arithmetic with short names is refused
(`gym_worker`). An answer that costs more than the limits allow is wrong.
"""

from __future__ import annotations

import re
import threading
import time

import msgspec

from skythought.core import formats
from skythought.core.errors import UserError
from skythought.core.records import Problem
from skythought.verifiers import Finding, Verifier
from skythought.verifiers.child import Child
from skythought.verifiers.gym_worker import CPU_S, Question, Reply

MODULE = "skythought.verifiers.gym_worker"
MAX_CHARS = 20_000  # of an answer; longer ones are refused
SHOWN_CHARS = 500
DEADLINE_S = 60.0  # by the clock, per answer
START_S = 180.0  # by the clock, for importing the library on a busy machine
STATED = re.compile(r"\banswer(?:\s+is\b|\s*:)[ \t*:]*([^\n]*\S)", re.IGNORECASE)


class GymProcess:
    """Scores answers in another process, started when first needed; threads take turns."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: Child | None = None
        self._asked = 0

    def score(self, question: Question) -> Reply:
        """Score one answer.

        Raises:
            UserError: reasoning-gym is not installed or does not start.
        """
        with self._lock:
            try:
                return self._ask(question)
            except BaseException:  # Ctrl-C or the caller's alarm: its reply is not for the next
                self._stop()
                raise

    def _ask(self, question: Question) -> Reply:
        child = self._child or self._start()
        self._asked += 1
        asked = msgspec.structs.replace(question, number=self._asked)
        child.send(msgspec.json.encode(asked) + b"\n")
        line = child.receive(time.monotonic() + DEADLINE_S)
        if line:
            reply = msgspec.json.decode(line, type=Reply)
            if reply.number == asked.number:
                return reply
            why = "answered another question"
        else:
            why = f"took more than {DEADLINE_S:g} s" if line is None else child.end()
        if why == "was killed by SIGPROF":
            why = f"took more than {CPU_S:g} s of processor time"
        self._stop()
        return Reply(refused=why)

    def close(self) -> None:
        """End the process; the next answer starts a new one."""
        with self._lock:
            self._stop()

    def _start(self) -> Child:
        self._child = child = Child(MODULE, {"PYTHONHASHSEED": "0"})  # no credential goes along
        line = child.receive(time.monotonic() + START_S)
        if not line:
            why = "does not start in time" if line is None else child.end()
            self._stop()
            raise UserError(f"verifier 'reasoning_gym' {why}; see why with: python -m {MODULE}")
        reply = msgspec.json.decode(line, type=Reply)
        if reply.missing:
            self._stop()
            raise UserError(
                f"verifier 'reasoning_gym' needs {reply.missing}, which is not installed; "
                "run: pip install 'skythought[gym]'"
            )
        return child

    def _stop(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.stop()


PROCESS = GymProcess()


def check(problem: Problem, answer: str) -> Finding:
    """Score the answer of a text.

    Raises:
        UserError: reasoning-gym is not installed.
    """
    kept = problem.extra.get("gym")
    if not isinstance(kept, dict) or not {"dataset", "answer", "metadata"} <= set(kept):
        return Finding("error", rule="no problem of reasoning_gym", detail="it has no extra.gym")
    place, said = extract(answer)
    said = said.encode("utf-8", "replace").decode()  # half a surrogate pair
    if not said:
        return Finding("no_answer", rule=f"{place}; empty")
    rule = f"{place}; {kept['dataset']}"
    if len(said) > MAX_CHARS:
        return Finding("incorrect", said[:SHOWN_CHARS], f"{rule}; refused", f"{len(said)} signs")
    entry = {"question": problem.question, "answer": kept["answer"], "metadata": kept["metadata"]}
    reply = PROCESS.score(Question(dataset=str(kept["dataset"]), answer=said, entry=entry))
    shown = said[:SHOWN_CHARS]
    if reply.fault:
        return Finding("error", shown, rule, reply.fault)
    if reply.refused:
        return Finding("incorrect", shown, f"{rule}; refused", reply.refused)
    right = reply.score >= 1 - 1e-9
    return Finding(
        "correct" if right else "incorrect", shown, rule, "" if right else f"score {reply.score:g}"
    )


def extract(text: str) -> tuple[str, str]:
    """Give the name of the place where the answer stands, and the answer."""
    if "<answer>" in text:
        return "answer tag", text.rpartition("<answer>")[2].partition("</answer>")[0].strip()
    boxed = formats.last_boxed(text)
    if boxed is not None:
        inner = re.fullmatch(r"\s*\\text\{([^{}]*)\}\s*", boxed)
        return "boxed", (inner[1] if inner else boxed).strip()
    stated: list[str] = STATED.findall(text)
    if stated:
        return "answer is", stated[-1].strip().strip("*").removesuffix(".").strip()
    return "whole text", text.strip()


GYM = Verifier(name="reasoning_gym", version=1, check=check)
