"""skythought/core/progress.py: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import doctest
import io

import pytest
from rich.console import Console

from skythought.core import progress


@pytest.fixture
def out(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    text = io.StringIO()
    monkeypatch.setattr(progress, "console", Console(file=text, force_terminal=False, width=60))
    return text


def test_plain_lines_off_a_terminal(out: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 10.0, 16.0, 20.0, 40.0])
    monkeypatch.setattr("skythought.core.progress.time.monotonic", lambda: next(clock))
    with progress.bar("generate", 8) as bar:
        bar.advance(tokens=100)
        bar.advance(tokens=220)
        bar.advance(tokens=10)
        bar.advance(4, note="loss 1.5")
    assert out.getvalue() == (
        "generate 2/8 7.5/min, 20 tok/s, 48 s left\n"
        "generate 7/8 10.5/min, 8 tok/s, 6 s left, loss 1.5\n"
    )
    assert (bar.done, bar.tokens) == (7, 330)


def test_a_bar_on_a_terminal(out: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Console(file=out, force_terminal=True, width=100)
    monkeypatch.setattr(progress, "console", terminal)
    with progress.bar("[train]", 4) as bar:
        bar.advance(3, tokens=30)
        assert bar.display is not None
        bar.display.refresh()
    assert "[train]" in out.getvalue()
    assert "3/4" in out.getvalue()
    assert "tok/s" in out.getvalue()


def test_the_bar_is_not_drawn_for_every_item(
    out: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "console", Console(file=out, force_terminal=True, width=100))
    with progress.bar("generate", 3000) as bar:
        assert bar.display is not None
        drawn: list[object] = []
        monkeypatch.setattr(bar.display, "update", lambda *a, **k: drawn.append(k["completed"]))
        monkeypatch.setattr(bar, "rates", lambda now: ("", ""))
        for _ in range(3000):
            bar.said = 1e18  # as if the last look had been just now
            bar.advance()
    assert drawn == [1, 3000]


def test_the_examples() -> None:
    assert doctest.testmod(progress).failed == 0


def test_nothing_to_do_shows_nothing(out: io.StringIO) -> None:
    with progress.bar("generate", 0) as bar:
        assert bar.display is None
    assert out.getvalue() == ""


def test_say_prints_one_plain_line(out: io.StringIO) -> None:
    text = "runs/[bold]x[/bold]: " + "word " * 30
    progress.say(text)
    assert out.getvalue() == text + "\n"


def test_say_does_not_steer_the_terminal(out: io.StringIO) -> None:
    progress.say("failed: \x1b]0;owned\x07 \x1b[31mred \u202eback")
    assert out.getvalue() == "failed: \ufffd]0;owned\ufffd \ufffd[31mred \ufffdback\n"
