"""Errors a user can act on.

A mistake of the user becomes a `UserError`: one line that says what is wrong, where, and what to
type next. The command line prints it and leaves with exit code 2. Anything else is our mistake and
keeps its traceback.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable
from types import ModuleType


class UserError(Exception):
    """Something the user can mend; the message is one line and names the next step."""


def unknown(kind: str, name: str, known: Iterable[str]) -> UserError:
    """Build the error for a name that no table holds, with the nearest known names."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return UserError(f"unknown {kind} {name!r}: {hint}known: {', '.join(names)}")


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
