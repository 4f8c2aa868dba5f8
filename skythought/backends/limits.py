"""How fast a server may be asked: so many at once, so many requests and so many tokens a minute.

    limits = Limits(64, rpm=600, tpm=200_000)
    await limits.enter(tokens=900)             # waits for its turn
    limits.leave(reserved=900, used=412)       # the 488 that were not needed go to the others

Who asks first goes first. A request too many (429, or a 503 that says when to come back) halves how
many go at once and holds all back for as long as the server says; answers raise it again slowly.
Waits between attempts double, with jitter, and are never shorter than the server says.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

Clock = Callable[[], float]

LONGEST_WAIT_S = 60.0  # between two attempts, where the server does not say
LONGEST_PAUSE_S = 600.0  # that a server may ask for
RECOVERY = 0.02  # share of the full concurrency won back by as many answers as go at once


class Bucket:
    """So many units a minute, spread evenly: at most a second's worth goes at once.

    It may be overdrawn, by units that were not foreseen or by more than it ever holds; the debt is
    waited for.
    """

    def __init__(self, per_minute: float, clock: Clock) -> None:
        self.per_minute, self.clock = per_minute, clock
        self.burst = max(1.0, per_minute / 60)
        # What is saved up counts too, so that no minute has more than its units.
        self.rate = (per_minute - self.burst + 1) / 60
        self.level, self.seen = self.burst, clock()

    def delay(self, amount: float) -> float:
        """Give the seconds until so much may go."""
        now = self.clock()
        if self.level < self.burst:
            self.level = min(self.burst, self.level + (now - self.seen) * self.rate)
        self.seen = now
        missing = min(amount, self.burst) - self.level
        return missing / self.rate if missing > 1e-6 else 0.0

    def take(self, amount: float) -> None:
        """Take units, whether they are there or not."""
        self.level -= amount

    def settle(self, amount: float) -> None:
        """Give back what was taken and not needed; below 0: take what was needed beyond."""
        self.level = min(max(self.level, self.per_minute / 10), self.level + amount)


class Limits:
    """Decides when the next request goes. One event loop, no locks."""

    def __init__(
        self, concurrency: int, rpm: float = 0, tpm: float = 0, clock: Clock = time.monotonic
    ) -> None:
        self.concurrency, self.clock = concurrency, clock
        self.requests = Bucket(rpm, clock) if rpm else None
        self.tokens = Bucket(tpm, clock) if tpm else None
        self.allowed = float(concurrency)  # how many may go at once now
        self.running = 0
        self.resume = self.cut = -1e9  # when the server may be asked again; when it last refused
        self.waiting: deque[tuple[float, asyncio.Future[None]]] = deque()
        self.timer: asyncio.TimerHandle | None = None

    def delay(self, tokens: float) -> float:
        """Give the seconds until a request of so many tokens may go, concurrency aside."""
        wait = self.resume - self.clock()
        if self.requests is not None:
            wait = max(wait, self.requests.delay(1))
        if self.tokens is not None:
            wait = max(wait, self.tokens.delay(tokens))
        return max(0.0, wait)

    def take(self, tokens: float) -> None:
        """Count a request that goes now."""
        self.running += 1
        if self.requests is not None:
            self.requests.take(1)
        if self.tokens is not None:
            self.tokens.take(tokens)

    async def enter(self, tokens: float) -> None:
        """Wait for the turn of a request that will use about so many tokens."""
        if not self.waiting and self.running < int(self.allowed) and not self.delay(tokens):
            self.take(tokens)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append((tokens, turn))
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # it was this one's turn, and is another's
                self.leave(tokens, 0)
            raise

    def leave(self, reserved: float, used: float | None) -> None:
        """Count a request that came back, with the tokens it used (None: nobody knows)."""
        self.running -= 1
        if self.tokens is not None and used is not None:
            self.tokens.settle(reserved - used)
        self._admit()

    def answered(self) -> None:
        """Go a little faster: a request was answered."""
        if self.allowed < self.concurrency:
            step = max(1.0, RECOVERY * self.concurrency) / self.allowed
            self.allowed = min(float(self.concurrency), self.allowed + step)

    def refused(self, sent: float, pause: float) -> None:
        """Go at half the speed, and not before `pause` seconds are over.

        A request sent before the last cut says nothing about the speed since.
        """
        now = self.clock()
        if sent > self.cut:
            self.allowed, self.cut = max(1.0, self.allowed / 2), now
        self.resume = max(self.resume, now + pause)

    def _admit(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        while self.waiting and self.running < int(self.allowed):
            tokens, turn = self.waiting[0]
            if not turn.done() and (wait := self.delay(tokens)):
                self.timer = asyncio.get_running_loop().call_later(wait, self._admit)
                return
            self.waiting.popleft()
            if not turn.done():  # done already: given up
                self.take(tokens)
                turn.set_result(None)


def backoff(attempt: int, first: float, asked: float, draw: Callable[[], float]) -> float:
    """Give the seconds to wait after the attempt of this number, counted from 0.

    >>> backoff(3, first=1.0, asked=0.0, draw=lambda: 0.5)
    6.0
    >>> backoff(0, first=1.0, asked=20.0, draw=lambda: 0.5)
    20.75
    """
    own = min(LONGEST_WAIT_S, first * 2.0 ** min(attempt, 16)) * (0.5 + draw() / 2)
    return asked + own if asked else own


def jitter() -> float:
    """Draw from 0 to 1, differently in every process."""
    return random.random()


def retry_after(header: str | None, now: datetime | None = None) -> float:
    """Read a Retry-After header, seconds or a date; 0 where it says nothing.

    >>> retry_after("2.5")
    2.5
    """
    if not header:
        return 0.0
    try:
        seconds = float(header)
    except ValueError:
        try:
            at = parsedate_to_datetime(header)
        except ValueError:
            return 0.0
        if at.tzinfo is None:
            at = at.replace(tzinfo=UTC)
        seconds = (at - (now or datetime.now(UTC))).total_seconds()
    return min(LONGEST_PAUSE_S, seconds) if seconds > 0 else 0.0
