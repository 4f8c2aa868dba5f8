"""Names to things, one mechanism for every table.

A name is a row of a built-in table, any `package.module:attribute`, or an entry point of the group
`skythought.<table>`. Tables hold `module:attribute` strings, so nothing is imported until used.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any

from skythought.core.errors import UserError, unknown


def resolve(kind: str, name: str, table: Mapping[str, str]) -> Any:
    """Return the object a name stands for.

    Raises:
        UserError: no table, module or entry point holds the name; the nearest known one is named.
    """
    target = table.get(name)
    if target is None and ":" in name:
        target = name
    if target is None:
        plugins = {e.name: e for e in entry_points(group=f"skythought.{kind}s")}
        if name in plugins:
            return plugins[name].load()
        raise unknown(kind, name, [*table, *plugins])
    module, _, attribute = target.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), attribute)):
        raise UserError(f"{kind} {name!r}: expected package.module:attribute")
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if name in table or not f"{module}.".startswith(f"{error.name}."):
            raise
        raise UserError(f"{kind} {name!r}: there is no module {error.name!r}") from error
    if not hasattr(found, attribute):
        raise UserError(f"{kind} {name!r}: {module} has no {attribute!r}")
    return getattr(found, attribute)
