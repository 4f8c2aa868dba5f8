"""Options written on the command line as k=v,k=v.

    base_url=http://127.0.0.1:8000/v1,extra_body={"top_k": 20, "min_p": 0}

A value that begins with a bracket goes on to the one that closes it, commas and all.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from skythought.core.errors import UserError, unknown

CLOSES = {"{": "}", "[": "]"}
# What an annotation, itself or its text, makes of an option, and what to call that.
NUMBERS: dict[object, tuple[Callable[[Any], Any], str]] = {
    **dict.fromkeys((int, "int"), (int, "a whole number")),
    **dict.fromkeys((float, "float"), (float, "a number")),
}


def parts(text: str) -> Iterator[str]:
    """Cut a text at its commas, except inside a value in brackets.

    Raises:
        UserError: a bracket that is never closed.
    """
    begun, depth, quoted, at = 0, 0, False, 0
    while at < len(text):
        sign = text[at]
        if depth:
            if sign == "\\" and quoted:
                at += 1
            elif sign == '"':
                quoted = not quoted
            elif not quoted:
                depth += (sign in CLOSES) - (sign in CLOSES.values())
        elif sign in CLOSES and text[begun:at].rstrip().endswith("="):
            depth = 1
        elif sign == ",":
            yield text[begun:at]
            begun = at + 1
        at += 1
    if depth:
        raise UserError(f"{text[begun:].strip()!r}: the bracket is never closed; quote the option")
    yield text[begun:]


def read(text: str) -> dict[str, str]:
    """Read `k=v,k=v`.

    Raises:
        UserError: a part without `=`, a name twice, or a bracket that is never closed.
    """
    found: dict[str, str] = {}
    for part in parts(text):
        if not part.strip():
            continue
        key, equals, value = (word.strip() for word in part.partition("="))
        if not equals:
            raise UserError(f"expected k=v,k=v but found {part.strip()!r}")
        if key in found:
            raise UserError(f"{key} is given twice: {found[key]} and {value}")
        found[key] = value
    return found


def typed(
    wanted: inspect.Signature, given: Mapping[str, Any], kind: str, name: str
) -> dict[str, Any]:
    """Read options as the numbers that a signature wants; its first parameter is none of them.

    Args:
        wanted: the signature of what takes the options.
        given: options by name, mostly texts.
        kind: what takes them, for messages: backend, perturbation.
        name: which one.

    Raises:
        UserError: a name the signature does not have, or a text that is no number.
    """
    parameters = wanted.parameters
    if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        for key in given:
            if key not in parameters:
                raise unknown(f"option of {name}", key, [*parameters][1:])
    read = dict(given)
    for key, value in given.items():
        number, told = NUMBERS.get(getattr(parameters.get(key), "annotation", None), (None, ""))
        try:
            read[key] = value if number is None else number(value)
        except ValueError as error:
            raise UserError(f"{kind} {name!r}: {key}={value}: give {told}") from error
    return read
