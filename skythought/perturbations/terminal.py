"""Show in the terminal what a perturbation did: red went, green came."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from skythought.core.errors import plain
from skythought.core.records import Trace
from skythought.perturbations import diff

STYLES = {" ": "", "-": "red strike", "+": "bold green"}


def done(old: Trace, new: Trace) -> tuple[str, ...]:
    """List the edits that lie between two traces."""
    return new.edits[len(old.edits) :] if new.edits[: len(old.edits)] == old.edits else new.edits


def show(console: Console, old: Trace, new: Trace) -> None:
    """Print an original against what became of it, under the edits that were made."""
    made = done(old, new)
    alone = f"  {made[0]}" if len(made) == 1 else ""
    console.rule(Text(plain(old.id + alone)))
    for edit in () if alone else made:
        console.print(Text(plain(edit), style="dim"))
    kept = 0
    for pieces in diff.thoughts(old.thought, new.thought):
        if all(mark == " " for mark, _ in pieces):
            kept += 1
            continue
        kept = _print_kept(console, kept)
        console.print(_text(pieces), end="\n\n")
    _print_kept(console, kept)
    if old.answer != new.answer:
        console.print(_text([(" ", "solution: "), *diff.words(old.answer, new.answer)]))


def _print_kept(console: Console, kept: int) -> int:
    if kept:
        console.print(Text(f"[{kept} step{'s' * (kept > 1)} as before]", style="dim"), end="\n\n")
    return 0


def _text(pieces: list[diff.Piece]) -> Text:
    """Colour a diff; marks stand around changes too, for terminals and files without colour."""
    text = Text()
    for mark, piece in pieces:
        shown = plain(piece)
        text.append(shown if mark == " " else f"[{mark}{shown}{mark}]", style=STYLES[mark])
    return text
