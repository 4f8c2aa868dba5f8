"""What there is to name: tasks, verifiers, backends, perturbations, recipes, sampling presets.

    skythought list tasks
    skythought list backends --json

Tables are read, nothing is loaded or downloaded. Plugins that other packages declare (entry points
`skythought.tasks` and so on) are among the names.
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from skythought import backends, perturbations, tasks, verifiers
from skythought.core import presets, progress
from skythought.core.errors import plain

Kind = Literal["tasks", "verifiers", "backends", "perturbations", "recipes", "sampling"]
Row = dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Config:
    """Show the names that flags take."""

    kind: Annotated[Kind, tyro.conf.Positional]
    """What to list."""


def run(config: Config) -> list[Row]:
    """Print a table and return its rows."""
    rows = LISTS[config.kind]()
    shown = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in rows[0] if rows else ("name",):
        shown.add_column(name, overflow="fold")
    for row in rows:
        shown.add_row(*(Text(plain(value)) for value in row.values()))
    progress.console.print(shown)
    return rows


def list_tasks() -> list[Row]:
    """List the tasks by name, with what grades them and where they come from."""
    found = []
    for name in _names("tasks", tasks.TASKS):
        task = tasks.get(name)
        found.append(
            {
                "name": name,
                "graded by": task.verifier,
                "chance": f"{task.chance:g}",
                "source": task.source,
                "licence": task.licence,
            }
        )
    gym = {"name": f"{tasks.GYM}NAME", "graded by": tasks.GYM_VERIFIER, "chance": "0"}
    found.append({**gym, "source": "reasoning-gym", "licence": "Apache-2.0"})
    return found


def list_verifiers() -> list[Row]:
    """List the verifiers, with the version of their rules."""
    found = []
    for name in _names("verifiers", verifiers.VERIFIERS):
        verifier = verifiers.get(name)
        told = _about(verifiers.VERIFIERS.get(name, ""))
        found.append({"name": name, "version": str(verifier.version), "what": told})
    return found


def list_backends() -> list[Row]:
    """List the backends; nothing of theirs is loaded."""
    return _described("backends", backends.BACKENDS)


def list_perturbations() -> list[Row]:
    """List the kinds of perturbation."""
    return _described("perturbations", perturbations.PERTURBATIONS)


def list_recipes() -> list[Row]:
    """List the studies that `skythought reproduce` runs and the recipes of a checkout."""
    root = Path(__file__).parents[1] / "recipes"
    found = [{"name": "mini", "what": "the miniature study: skythought reproduce mini"}]
    for path in sorted(root.glob("*/*.sh")) if root.is_dir() else ():
        lines = path.read_text(encoding="utf-8").splitlines()
        about = next((line[2:] for line in lines[1:] if line.startswith("# ")), "")
        name = path.relative_to(root).with_suffix("").as_posix()
        found.append({"name": name, "what": about})
    return found


def list_sampling() -> list[Row]:
    """List the sampling that model families are published with (`--sampling-params preset`)."""
    return [
        {"family": preset.family, "sampling": presets.describe(preset.sampling, "")}
        for preset in presets.PRESETS
    ]


def _described(kind: str, table: dict[str, str]) -> list[Row]:
    return [{"name": name, "what": _about(table.get(name, ""))} for name in _names(kind, table)]


def _names(kind: str, table: dict[str, str]) -> list[str]:
    plugins = {entry.name for entry in entry_points(group=f"skythought.{kind}")}
    return [*table, *sorted(plugins - {*table})]


def _about(target: str) -> str:
    """Give the first line of what a `module:attribute` says of itself, without importing it."""
    module, _, attribute = target.partition(":")
    spec = importlib.util.find_spec(module) if module else None
    if spec is None or spec.origin is None:
        return "of another package"
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == attribute:
            if told := ast.get_docstring(node):
                return told.splitlines()[0]
            break
    return (ast.get_docstring(tree) or "").splitlines()[0]


LISTS: dict[str, Callable[[], list[Row]]] = {
    "tasks": list_tasks,
    "verifiers": list_verifiers,
    "backends": list_backends,
    "perturbations": list_perturbations,
    "recipes": list_recipes,
    "sampling": list_sampling,
}
