"""Ask for what is missing, and keep every answer before the next is counted."""

from __future__ import annotations

import threading
from collections.abc import Generator
from typing import Any

from skythought.core import progress, store
from skythought.core.errors import Stopped, UserError
from skythought.core.prices import dollars
from skythought.generating.budget import Budget
from skythought.generating.found import Found
from skythought.generating.hope import Hope
from skythought.generating.work import Queue, Work, trace


def keep_asking(
    work: Work,
    backend: Any,
    traces: store.Appender,
    found: Found,
    money: Budget,
    max_error_rate: float,
    cancel: threading.Event | None = None,
) -> None:
    """Ask a backend for what is missing, as far as the money goes.

    Raises:
        UserError: too many failed, or (as `Stopped`) `cancel` was set; what was on its way, and is
            paid, is waited for.
    """
    total, count, before = len(work.missing), 0, -1
    hope = Hope(max_error_rate, work.wanted, getattr(backend, "concurrency", 1))
    lazy, paid = getattr(backend, "lazy", False), getattr(backend, "host", "")
    doomed: UserError | None = None
    with progress.bar("generate", total) as bar:
        while work.next < total and count > before:  # again: what came was cheaper than feared
            before, queue = count, Queue(work, money, cancel)
            requests: Any = queue if lazy else list(queue)
            if not lazy and not requests and not queue.cancelled:
                break
            answers = backend.complete(requests, work.asked.sampling)
            try:
                for completion in answers:
                    problem, request = work.open.pop(completion.id)
                    made = trace(problem, request, completion, work.asked)
                    traces.add(made)
                    tokens = made.prompt_tokens, made.completion_tokens
                    hope.add(completion, again=made.id in found.failed)
                    found.add(made.id, made.finish, *tokens, completion.wasted)
                    money.pay(request, completion)
                    count += 1
                    found.errors += completion.finish == "error"
                    bar.advance(tokens=completion.completion_tokens, note=note(found, money))
                    if doomed is None:
                        doomed = hope.verdict(found.errors, last=count == total)
                        if doomed is not None and not lazy:
                            raise doomed
                        if doomed is not None and work.open:
                            progress.say("too many samples failed; waiting for those on their way")
                    queue.stopped = doomed is not None
                    if queue.cancelled and not paid:
                        break
            finally:  # at once, not when the error is forgotten: connections may be open
                if isinstance(answers, Generator):
                    answers.close()
            if doomed is not None:
                raise doomed
            if queue.cancelled:
                raise Stopped("stopped; the same command goes on from here")
            if not queue.short:
                break


def note(found: Found, money: Budget) -> str:
    """Say what a person wants to see going wrong before it has."""
    cost = f"{dollars(money.spent)}" if money.price is not None else ""
    errors = f"{found.errors:,} errors" if found.errors else ""
    truncated = f"{found.truncated:,} truncated" if found.truncated else ""
    return ", ".join(filter(None, (cost, errors, truncated)))
