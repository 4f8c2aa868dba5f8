"""Which samples are still to be asked, the requests that ask them, and the traces they become.

Requests are made when they are asked for; of those that wait there is only a number each.
"""

from __future__ import annotations

import threading
from array import array
from collections.abc import Iterator, Sequence

import msgspec
from msgspec import UNSET

from skythought.core import formats
from skythought.core.records import (
    Completion,
    Message,
    Problem,
    Request,
    Sampling,
    Trace,
    sample_ids,
    trace_id,
)
from skythought.generating.budget import Budget


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What all requests of a run have in common."""

    model: str  # the backend's identity
    sampling: Sampling
    n: int = 1
    system_prompt: str = ""
    prefill: str = ""


def prompt(problem: Problem, system_prompt: str) -> tuple[Message, ...]:
    """Build the conversation that asks a problem."""
    user = Message("user", problem.question)
    return (Message("system", system_prompt), user) if system_prompt else (user,)


def ids(problems: Sequence[Problem], asked: Asked) -> Iterator[str]:
    """Give the ids of all samples, problem by problem."""
    for problem in problems:
        messages = prompt(problem, asked.system_prompt)
        yield from sample_ids(
            problem.id, messages, asked.model, asked.sampling, asked.n, asked.prefill
        )


def missing(problems: Sequence[Problem], asked: Asked, finished: set[str]) -> array[int]:
    """List the samples that are not finished, as problem * n + sample."""
    return array(
        "Q", (place for place, key in enumerate(ids(problems, asked)) if key not in finished)
    )


class Work:
    """The requests of one run that are left to ask."""

    def __init__(self, problems: Sequence[Problem], asked: Asked, finished: set[str]) -> None:
        self.problems, self.asked = problems, asked
        self.missing = missing(problems, asked, finished)
        self.wanted = len(problems) * asked.n
        self.next = 0  # place in `missing` of the one to ask next
        self.open: dict[str, tuple[Problem, Request]] = {}  # asked and not answered

    def request(self, place: int) -> tuple[Problem, Request]:
        """Make the request at a place of `missing`."""
        asked = self.asked
        number, sample = divmod(self.missing[place], asked.n)
        problem = self.problems[number]
        messages = prompt(problem, asked.system_prompt)
        key = trace_id(
            problem.id, messages, asked.model, asked.sampling, sample, prefill=asked.prefill
        )
        return problem, Request(id=key, messages=messages, sample=sample, prefill=asked.prefill)

    def bytes(self) -> int:
        """Count the bytes of all prompts that are left."""
        common = len(self.asked.system_prompt.encode()) + len(self.asked.prefill.encode())
        total, last, size = 0, -1, 0
        for place in self.missing:
            if (number := place // self.asked.n) != last:
                last, size = number, len(self.problems[number].question.encode())
            total += size
        return total + common * len(self.missing)


class Queue(Iterator[Request]):
    """Gives the requests that are left, as long as the next one can be paid.

    Money is held back for each that is out. What waits for some to come back cheaper than feared is
    given after `again`, or by the next queue of the same work.
    """

    def __init__(self, work: Work, budget: Budget, cancel: threading.Event | None = None) -> None:
        self.work, self.budget, self.cancel = work, budget, cancel
        self.short = False  # ended for want of money
        self.stopped = False  # ended by who takes the answers; nothing is asked again either
        self.affords = budget.affords

    def __iter__(self) -> Queue:
        return self

    def __next__(self) -> Request:
        work = self.work
        if self.short or self.stopped or self.cancelled or work.next == len(work.missing):
            raise StopIteration
        problem, request = work.request(work.next)
        if not self.budget.hold(request):
            self.short = True
            raise StopIteration
        work.next += 1
        work.open[request.id] = problem, request
        return request

    @property
    def cancelled(self) -> bool:
        """Say whether another thread wants the run to end soon."""
        return self.cancel is not None and self.cancel.is_set()

    def again(self) -> bool:
        """Try once more whether the next can be paid; False where that is not why it ended."""
        short, self.short = self.short, False
        return short

    def __length_hint__(self) -> int:
        """Count what is left; fewer may come where money ends before."""
        return len(self.work.missing) - self.work.next


def trace(problem: Problem, request: Request, completion: Completion, asked: Asked) -> Trace:
    """Turn a completion into the trace of its request."""
    failed = completion.finish == "error"
    parts = formats.parse("" if failed else formats.continued(request.prefill, completion.text))
    return Trace(
        id=request.id,
        problem_id=problem.id,
        model=asked.model,
        messages=request.messages,
        thought=parts.thought,
        answer=parts.answer,
        sampling=asked.sampling,
        sample=request.sample,
        finish=completion.finish,
        prompt_tokens=completion.prompt_tokens,
        completion_tokens=completion.completion_tokens,
        error=completion.error,
        served_model=completion.served_model or UNSET,
        prefill=request.prefill or UNSET,
        wasted=completion.wasted if any(completion.wasted) else UNSET,
    )
