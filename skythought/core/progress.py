"""Progress a person can follow: a bar with rate and time left, or plain lines off a terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from skythought.core.errors import plain

LINE_S = 15.0  # between two lines off a terminal
DRAW_S = 0.1  # between two looks of the bar

console = Console(stderr=True, highlight=False)


class Bar:
    """Counts finished items and tokens of one stage."""

    def __init__(self, name: str, total: int, display: Progress | None) -> None:
        self.name, self.total, self.display = name, total, display
        self.done = self.tokens = 0
        self.began = self.said = time.monotonic()
        self.task = display.add_task(name, total=total, note="") if display else None

    def advance(self, n: int = 1, tokens: int = 0, note: str = "") -> None:
        """Count finished items; off a terminal, say so every 15 s."""
        self.done += n
        self.tokens += tokens
        now = time.monotonic()
        first_or_last = self.done in (n, self.total)
        if self.display is not None and self.task is not None:
            if first_or_last or now - self.said >= DRAW_S:
                self.said = now
                text = ", ".join(filter(None, (*self.rates(now), note)))
                self.display.update(self.task, completed=self.done, note=text)
        elif now - self.said >= LINE_S:
            self.said = now
            parts = (*self.rates(now), self.left(now), note)
            text = ", ".join(filter(None, parts))
            console.print(f"{self.name} {self.done:,}/{self.total:,} {text}", markup=False)

    def rates(self, now: float) -> tuple[str, str]:
        """Write how many items and how many tokens are finished in a time."""
        took = max(1e-9, now - self.began)
        rate = self.done / took
        items = f"{rate:,.1f}/s" if rate >= 1 else f"{rate * 60:,.1f}/min"
        return items, f"{self.tokens / took:,.0f} tok/s" if self.tokens else ""

    def left(self, now: float) -> str:
        """Write how long the rest will take at this rate."""
        if not self.done or self.done >= self.total:
            return ""
        return f"{duration((now - self.began) / self.done * (self.total - self.done))} left"


def duration(seconds: float) -> str:
    """Write a time for people.

    >>> duration(42), duration(200), duration(9000)
    ('42 s', '3 min', '2.5 h')
    """
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


@contextmanager
def bar(name: str, total: int) -> Iterator[Bar]:
    """Show the progress of one stage while the block runs."""
    if total == 0 or not console.is_terminal:
        yield Bar(name, total, None)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as display:
        yield Bar(name, total, display)


def say(text: str) -> None:
    """Print one line, in which nothing steers the terminal."""
    console.print(plain(text), markup=False, soft_wrap=True)
