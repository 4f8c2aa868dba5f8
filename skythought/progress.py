"""Progress a person can follow: a bar with rate and time left, or plain lines off a terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from skythought.errors import plain

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
        rate = self.tokens / max(1e-9, now - self.began)
        text = note or (f"{rate:,.0f} tok/s" if self.tokens else "")
        if self.display is not None and self.task is not None:
            self.display.update(self.task, advance=n, note=text)
        elif now - self.said >= 15:
            self.said = now
            console.print(f"{self.name} {self.done}/{self.total} {text}", markup=False)


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
