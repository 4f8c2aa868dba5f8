"""Who may import whom, what may be imported when, and how large a file may be.

    core: errors, records, registry, provenance, jsonl
      -> core: all the rest; formulas
        -> tasks | verifiers | backends | perturbations | structure
           | generating | curating | training | evaluating | reporting | viewing
           | foreign
          -> verbs, grading, sifting, study, edits, rewriting, likelihoods
            -> cli

A module imports from its own layer or those above it in this picture; noun folders do not import
each other, and no imports go in a circle. A new module at the top level or in `core/` needs a row
in `LAYERS`.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from skythought import cli

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "skythought"

NOUNS = (
    *("tasks", "verifiers", "backends", "perturbations", "structure"),
    *("generating", "curating", "training", "evaluating", "reporting", "viewing", "foreign"),
)
CORE = (
    *("store", "formats", "extraction", "steps", "shapes", "metrics", "progress", "audit"),
    *("options", "labels", "mistakes", "presets", "prices", "cluster", "crew", "spread"),
)
LAYERS = (
    ("__init__",),  # the version
    ("core.__init__",),
    tuple(f"core.{name}" for name in ("errors", "records", "registry", "provenance", "jsonl")),
    ("formulas", *(f"core.{name}" for name in CORE)),
    NOUNS,
    (
        *cli.VERBS,
        *("listing", "importing", "exporting", "grading", "sifting", "study", "edits"),
        *("rewriting", "likelihoods"),
    ),
    ("completion",),
    ("cli",),
    ("__main__",),
)
# The symbolic teacher solves one task, so it reads that task's questions.
EXCEPTIONS = {("skythought.backends.symbolic", "skythought.tasks.toll_roads")}

HEAVY = (
    *("torch", "transformers", "vllm", "ray", "datasets", "trl", "peft", "accelerate"),
    *("aiohttp", "pyarrow", "reasoning_gym", "rensa", "if_verifiable"),
)
FORBIDDEN = ("utils", "util", "helpers", "helper", "common", "misc", "manager", "handler")
MAX_LINES = 400


def name_of(path: Path) -> str:
    """Give the dotted name of a file of the package."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imports(path: Path) -> set[str]:
    """List the modules of the package that a file imports, inside functions too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: write the whole name"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole in MODULES else str(node.module))
    return {name for name in found if name.split(".")[0] == "skythought"}


def part(module: str) -> str:
    """Give the file or folder of the top level that a module belongs to, or the file in `core/`."""
    names = [*module.split("."), "__init__"]
    return ".".join(names[1:3]) if names[1] == "core" else names[1]


def layer(module: str) -> int:
    """Give the number of a module's layer, counted from the ground."""
    found = [i for i, parts in enumerate(LAYERS) if part(module) in parts]
    assert found, f"{module} belongs to no layer: give {part(module)!r} a place in LAYERS"
    return found[0]


def allowed(module: str, used: str) -> bool:
    """Say whether an arrow of the picture leads from `used` to `module`."""
    if (module, used) in EXCEPTIONS:
        return True
    if part(module) in NOUNS and part(used) in NOUNS:
        return part(module) == part(used)
    return layer(used) <= layer(module)


def test_the_rules_tell_right_from_wrong() -> None:
    """The rules themselves, on arrows that exist nowhere."""
    assert allowed("skythought.train", "skythought.core.store")
    assert allowed("skythought.evaluate", "skythought.generate")
    assert allowed("skythought.tasks.x", "skythought.tasks")
    assert not allowed("skythought.tasks.x", "skythought.verifiers")
    assert not allowed("skythought.backends.hf", "skythought.tasks.toll_roads")
    assert not allowed("skythought.core.store", "skythought.tasks")
    assert not allowed("skythought.core.errors", "skythought.core.store")
    assert not allowed("skythought.train", "skythought.cli")
    with pytest.raises(AssertionError, match="belongs to no layer"):
        layer("skythought.somewhere")


@pytest.mark.parametrize("module", MODULES)
def test_imports_follow_the_arrows(module: str) -> None:
    wrong = [used for used in imports(MODULES[module]) if not allowed(module, used)]
    assert not wrong, f"{module} may not import {', '.join(sorted(wrong))}"


def test_exceptions_are_still_needed() -> None:
    for module, used in EXCEPTIONS:
        assert used in imports(MODULES[module])


def test_no_imports_in_a_circle() -> None:
    """A package counts as its files: `tasks/__init__.py` may name `tasks/x.py`, but lazily."""
    graph = {module: imports(path) - {module} for module, path in MODULES.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"imports in a circle: {' -> '.join(error.args[1])}")


def loaded(code: str, *watched: str) -> list[str]:
    """Run code in a fresh Python and list which of the watched packages it loaded."""
    ask = f"\nimport sys\nprint(*[m for m in {watched!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code + ask], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1].split()


def test_help_loads_nothing_heavy() -> None:
    code = "from skythought.cli import main\nmain(['--help'])"
    assert loaded(code, *HEAVY, "tyro", "rich", "msgspec", "numpy", "math_verify") == []


def test_loaded_sees_what_is_loaded() -> None:
    assert loaded("import tyro", *HEAVY, "tyro") == ["tyro"]


def test_the_core_loads_without_torch() -> None:
    """Every module below the verbs, the verbs, and the tables of the noun folders."""
    light = [m for m in MODULES if m.count(".") < 2 and m != "skythought.__main__"]
    code = (
        "import importlib, sys\n"
        f"for name in {light!r}:\n"
        "    importlib.import_module(name)\n"
        f"    heavy = [m for m in {HEAVY!r} if m in sys.modules]\n"
        "    assert not heavy, f'importing {name} loads {heavy}'\n"
    )
    assert loaded(code, *HEAVY) == []


def sources() -> list[Path]:
    """List the Python files that people write."""
    folders = ("skythought", "tests", "recipes", "benchmarks")
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def test_files_are_short() -> None:
    lengths = {p: len(p.read_text(encoding="utf-8").splitlines()) for p in sources()}
    long = [f"{p.relative_to(ROOT)} ({n})" for p, n in lengths.items() if n > MAX_LINES]
    assert not long, f"more than {MAX_LINES} lines: {', '.join(long)}"


def test_file_names_say_something() -> None:
    vague = [p for p in sources() if {p.stem, p.parent.name} & set(FORBIDDEN)]
    assert not vague, f"name what it does: {vague}"
