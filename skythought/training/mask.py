"""Show which tokens of a sample the loss is taken on: those learned are green, the rest is dim.

Where there are no colours, what is learned stands between ⟦ and ⟧.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from rich.text import Text

from skythought.core import progress
from skythought.core.errors import plain
from skythought.training.data import IGNORED, Rows

HEAD, TAIL = 80, 40  # tokens of a part that are shown; the middle of a longer one is left out


def show_some(tokenizer: Any, rows: Rows, n: int) -> None:
    """Show the first samples on the terminal."""
    colour = progress.console.is_terminal and not progress.console.no_color
    for i in range(min(n, rows.n_rows)):
        progress.say(f"sample {i + 1} of {rows.n_rows:,}, the loss is on what is marked:")
        sample = show(tokenizer, rows.input_ids[i], rows.labels[i], colour=colour)
        progress.console.print(sample, soft_wrap=True)


def show(tokenizer: Any, ids: Sequence[int], labels: Sequence[int], *, colour: bool) -> Text:
    """Write a sample for people.

    Args:
        tokenizer: decodes the tokens, special ones too.
        ids: tokens of the sample.
        labels: the same tokens where they are learned, -100 elsewhere.
        colour: mark by colour, not by brackets.
    """
    shown = Text()
    for learned, group in groupby(zip(ids, labels, strict=True), lambda pair: pair[1] != IGNORED):
        part = [token for token, _ in group]
        left, style = ("⟦", "green") if learned else ("", "dim")
        shown.append("" if colour else left)
        for text, kind in _pieces(tokenizer, part, style):
            shown.append(plain(text), style=kind)
        shown.append("" if colour or not learned else "⟧")
    return shown


def _pieces(tokenizer: Any, ids: list[int], style: str) -> list[tuple[str, str]]:
    """Give (text, style): the whole part, or its ends around the number of tokens left out."""

    def text(tokens: list[int]) -> str:
        decoded: str = tokenizer.decode(tokens, skip_special_tokens=False)
        return decoded

    left_out = len(ids) - HEAD - TAIL
    if left_out <= HEAD:  # a gap is worth it where it is long
        return [(text(ids), style)]
    gap = f" … {left_out:,} tokens … "
    return [(text(ids[:HEAD]), style), (gap, "bold"), (text(ids[-TAIL:]), style)]
