"""Errors a user can act on.

A mistake of the user becomes a `UserError`: one line that says what is wrong, where, and what to
type next. The command line prints it and leaves with exit code 2. Anything else is our mistake and
keeps its traceback.
"""

from __future__ import annotations

import difflib
import importlib
import re
from collections.abc import Iterable
from types import ModuleType

# Those that steer a terminal, and those that turn the direction of a text; not tab and newline.
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class UserError(Exception):
    """Something the user can mend; the message is one line and names the next step."""

    exit_code = 2  # of the command; a kind of its own may say another


class NotHeld(UserError):
    """What a command was asked to check does not hold; all of its work is done."""

    exit_code = 1


class Stopped(UserError):
    """Who called asked for the end; what is finished is on disk."""

    exit_code = 130


def plain(text: str) -> str:
    """Make a text that a file or a model wrote safe to show: no control characters."""
    return CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def first_line(error: BaseException) -> str:
    """Give the first line of what a library says, or the kind of error where it says nothing."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def unknown(kind: str, name: str, known: Iterable[str]) -> UserError:
    """Build the error for a name that no table holds, with the nearest known names."""
    names = sorted(known)
    near = nearest(name, names)
    hint = f"did you mean {near!r}? " if near else ""
    listed = ", ".join(names) or "none"
    return UserError(f"unknown {kind} {name!r}: {hint}known: {listed}")


def nearest(name: str, known: Iterable[str], cutoff: float = 0.4) -> str | None:
    """Give the known name most like this one, None where none is as like as `cutoff` (0 to 1)."""
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=cutoff)
    return near[0] if near else None


def require(module: str, extra: str) -> ModuleType:
    """Import an optional dependency.

    Raises:
        UserError: it is not installed; the message holds the exact install command.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != module.split(".")[0]:
            raise
        raise UserError(
            f"this needs {module}, which is not installed; run: pip install 'skythought[{extra}]'"
        ) from error
