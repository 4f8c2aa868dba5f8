"""What is wrong with the flags of a command, in one line in place of tyro's boxes.

    with mistakes.in_one_line(Config, words): config = tyro.cli(Config, args=words)

    there is no flag --base_modl; did you mean --base_model?

tyro tells what it found through a hook that it calls private, so where a version has none, or tells
something that is not known here, its own message is shown.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from skythought.core.errors import UserError, first_line, nearest

READ_AS = {"INT": "a whole number", "FLOAT": "a number"}  # what tyro calls the types of values


@contextlib.contextmanager
def in_one_line(config: type, words: Sequence[str]) -> Iterator[None]:
    """Tell what tyro cannot read while the block runs.

    Args:
        config: a dataclass whose fields are the flags.
        words: of the command.

    Raises:
        UserError: a flag is unknown or missing, or its value cannot be read.
    """
    try:
        from tyro import _errors
    except ImportError:
        yield
        return
    names = [field.name for field in dataclasses.fields(config)]

    def tell(event: Any) -> None:
        if message := _told(event, names, words):
            raise UserError(f"{message} (--help shows all flags)")

    with _errors.on_parse_error(tell):
        yield


def _told(event: Any, names: Sequence[str], words: Sequence[str]) -> str:
    """Say what an event of tyro is about; empty where it is of another kind."""
    kind = type(event).__name__
    stray = {"UnrecognizedArgs": "tokens", "MissingArgs": "unrecognized_tokens"}.get(kind)
    if stray and (tokens := getattr(event, stray)):
        return _stray(tokens, names)
    if kind == "MissingArgs":
        missing = [one.arg.display_name() for one in event.missing_arguments]
        return f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"
    argument = getattr(event, "argument", None)
    if argument is None:
        return first_line(event.message) if kind == "InstantiationFailure" else ""
    flag = argument.display_name()
    given = _value(flag, words)
    if kind == "InvalidChoice":
        return f"{flag} {event.value}: choose {_any_of(event.choices)}"
    if kind == "BadValue":
        return f"{flag} needs a value"
    if kind == "InstantiationFailure":
        shape = str(argument.lowered.metavar or "").removeprefix("{None}|")
        return f"{flag} {given}: this is not {READ_AS.get(shape, shape)}"
    return ""


def _stray(tokens: Sequence[str], names: Sequence[str]) -> str:
    """Say which flag does not exist, or which word belongs to none."""
    flag = next((token.split("=")[0] for token in tokens if token.startswith("-")), None)
    if flag is None:
        hint = f"; did you mean --run-dir {tokens[0]}?" if "run_dir" in names else ""
        return f"{tokens[0]!r} belongs to no flag{hint}"
    near = nearest(flag.strip("-").replace("-", "_"), names, 0.6)
    if near is None:
        return f"there is no flag {flag}"
    like = near if "_" in flag else near.replace("_", "-")
    return f"there is no flag {flag}; did you mean --{like}?"


def _value(flag: str, words: Sequence[str]) -> str:
    """Give what stands behind a flag."""
    for at, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name.replace("_", "-") == flag:
            return value if equals else " ".join(words[at + 1 : at + 2])
    return ""


def _any_of(choices: Sequence[str]) -> str:
    # tyro keeps them in a set where None is one of them, so their order is another every time.
    *most, last = sorted(choice or "''" for choice in choices if choice != "None")
    return f"{', '.join(most)} or {last}" if most else last
