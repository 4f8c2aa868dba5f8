"""What the backend `ray` runs on a node: any other backend, asked in turns.

In a turn, new requests come in, the backend works until something is finished or a while has
passed, and what is finished goes back. A backend that can be fed while it works (`vllm`) is; any
other answers in batches, what comes in meanwhile being the next.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from skythought import backends
from skythought.core.crew import ROOM, Report, Turn
from skythought.core.errors import UserError
from skythought.core.records import Completion, Request, Sampling

SLICE_S = 0.1  # a turn with something finished gathers no longer than this
TURN_S = 5.0  # a turn without ends after this, so that others' requests can come in


class Feedable(Protocol):
    """A backend that takes requests while it works."""

    inside: Any
    room: int

    def start(self) -> None:
        """Get ready; says more clearly than `add` what is wrong."""
        ...

    def add(self, request: Request, sampling: Sampling) -> Completion | None:
        """Take a request in, or give the error that it comes to."""
        ...

    def step(self) -> Iterator[Completion]:
        """Work a little; yields what is finished."""
        ...


class Batches:
    """Makes any backend feedable: what comes in while a batch is answered is the next batch."""

    def __init__(self, backend: backends.Backend) -> None:
        self.backend, self.room = backend, ROOM
        self.waiting: list[Request] = []
        self.answers: Iterator[Completion] | None = None
        self.sampling = Sampling()

    @property
    def inside(self) -> bool:
        """Say whether anything is to be answered."""
        return bool(self.waiting) or self.answers is not None

    def start(self) -> None:
        """Do nothing: it was started when it was made."""

    def add(self, request: Request, sampling: Sampling) -> None:
        """Take a request in."""
        self.waiting.append(request)
        self.sampling = sampling

    def step(self) -> Iterator[Completion]:
        """Yield the next answer, where there is one."""
        if self.answers is None:
            batch, self.waiting = self.waiting, []
            self.answers = iter(self.backend.complete(batch, self.sampling))
        answer = next(self.answers, None)
        if answer is None:
            self.answers = None
        else:
            yield answer


class Replica:
    """A backend on a node. Mistakes of the user are given back as text, not raised."""

    def __init__(
        self, inner: str, model: str, options: dict[str, Any], environment: dict[str, str]
    ) -> None:
        self.inner, self.model, self.options = inner, model, options
        self.environment = environment
        self.backend: Any = None

    def start(self) -> Report:
        """Make the backend and get it ready."""
        for name, value in self.environment.items():
            os.environ.setdefault(name, value)
        try:
            made: Any = backends.make(self.inner, self.model, self.options)
            self.backend = made if hasattr(made, "step") else Batches(made)
            self.backend.start()
        except UserError as error:
            return Report(failure=str(error))
        return Report(made.identity, self.backend.room)

    def turn(self, requests: Sequence[Request], sampling: Sampling) -> Turn:
        """Take requests in and work until something is finished."""
        answers: list[Completion] = []
        began = time.monotonic()
        try:
            for request in requests:
                if refused := self.backend.add(request, sampling):
                    answers.append(refused)
            while self.backend.inside:
                answers.extend(self.backend.step())
                if time.monotonic() - began > (SLICE_S if answers else TURN_S):
                    break
        except UserError as error:
            return Turn(answers, str(error))
        return Turn(answers)
