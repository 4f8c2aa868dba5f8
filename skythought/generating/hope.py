"""Whether a run still makes sense, judged by how many of its latest samples failed."""

from __future__ import annotations

from collections import deque

from skythought.core.errors import UserError
from skythought.core.records import Completion

LEAST = 20  # samples that are judged by


class Hope:
    """Ends a run whose samples fail.

    Judged by the latest samples, so that a server that dies late is noticed as soon as one that
    never lived. A sample that failed in an earlier run too says nothing about the server now; it
    counts at the end only, among all that are wanted.

    Args:
        rate: share of samples that may fail.
        wanted: samples of the whole run, those on disk included.
        at_once: requests on their way at once, which may all fail for one reason.
    """

    def __init__(self, rate: float, wanted: int, at_once: int) -> None:
        self.rate, self.wanted = rate, wanted
        self.latest: deque[bool] = deque(maxlen=max(LEAST, 2 * at_once))  # failed or not
        self.last = ""  # why the last one that failed did

    def add(self, completion: Completion, *, again: bool) -> None:
        """Note a sample; `again` says that it failed in an earlier run."""
        failed = completion.finish == "error"
        if failed:
            self.last = completion.error
        if not (again and failed):
            self.latest.append(failed)

    def verdict(self, failed: int, *, last: bool) -> UserError | None:
        """Judge: None to go on, or why the run ends.

        `failed` samples of this run have, and `last` says that it has no more.
        """
        bad, n = sum(self.latest), len(self.latest)
        if n >= LEAST and bad > self.rate * n:
            told = f"{bad} of the latest {n} samples failed"
        elif last and failed > self.rate * self.wanted:
            told = f"{failed} of {self.wanted} samples failed"
        else:
            return None
        return UserError(
            f"{told}, the last with: {self.last}; mend it and run the same command again"
        )
