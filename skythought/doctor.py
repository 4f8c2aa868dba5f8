"""What works here, and how to mend what does not.

    skythought doctor

Looks at this machine, the installed extras, each backend's needs, the verifiers (each is asked
about answers with known verdicts), the sandbox, logins, and free space. Asks no network and shows
no secret. Exit code 1 where something that is installed does not work; what is not installed is no
fault, and the line says how to get it.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any, Literal, NamedTuple

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from skythought.core import progress
from skythought.core.errors import UserError, first_line, plain
from skythought.verifiers import code_sandbox, known

State = Literal["works", "missing", "broken"]
STYLES: dict[State, str] = {"works": "green", "missing": "yellow", "broken": "bold red"}
LEAST_FREE = 5 * 2**30  # bytes; a checkpoint of a small model
LOGINS = {
    "the hub": (("HF_TOKEN",), "~/.cache/huggingface/token", "hf auth login"),
    "Weights & Biases": (("WANDB_API_KEY",), "~/.netrc", "wandb login"),
    "OpenAI": (("OPENAI_API_KEY",), "", "export OPENAI_API_KEY=..."),
}


@dataclass(frozen=True, kw_only=True)
class Config:
    """Say what works here, and how to mend the rest."""


class Finding(NamedTuple):
    """One thing that was looked at."""

    what: str
    state: State
    told: str
    mend: str = ""


def run(config: Config) -> list[dict[str, str]]:
    """Look, print a table, and return its rows."""
    found: list[Finding] = []
    with progress.bar("doctor", len(LOOKS)) as bar:
        for name, look in LOOKS.items():
            found += look()
            bar.advance(note=name)
    shown = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("", "", "", "to mend it"):
        shown.add_column(name, overflow="fold")
    for row in found:
        state = Text(row.state, style=STYLES[row.state])
        shown.add_row(row.what, state, Text(plain(row.told)), Text(plain(row.mend)))
    progress.console.print(shown)
    return [row._asdict() for row in found]


def exit_code(rows: list[dict[str, str]]) -> int:
    """Give 1 where something that is installed does not work."""
    return int(any(row["state"] == "broken" for row in rows))


def machine() -> Iterator[Finding]:
    """Look at Python, processors, memory and disk."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    told = f"{platform.python_version()} on {platform.system()}, {cores} cores{_memory()}"
    fine = sys.version_info >= (3, 11)
    mend = "" if fine else "install Python 3.11 or newer"
    yield Finding("python", "works" if fine else "broken", told, mend)
    free = shutil.disk_usage(Path.cwd()).free
    state: State = "works" if free >= LEAST_FREE else "broken"
    mend = "" if free >= LEAST_FREE else "free some space, or work in another folder"
    yield Finding("disk", state, f"{free / 2**30:.0f} GiB free here", mend)


def _memory() -> str:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return ""
    return f", {total / 2**30:.0f} GiB"


def extras() -> Iterator[Finding]:
    """Look at the packages of each extra."""
    wanted: dict[str, list[str]] = {}
    for line in requires("skythought") or ():
        requirement, _, marker = line.partition(";")
        if "extra ==" in marker:
            extra = marker.split("extra ==")[1].strip(" \"'")
            wanted.setdefault(extra, []).append(_name_of(requirement))
    for extra, packages in sorted(wanted.items()):
        if extra == "dev":
            continue
        have, lack = [], []
        for package in sorted(packages):
            try:
                have.append(f"{package} {version(package)}")
            except PackageNotFoundError:
                lack.append(package)
        if lack:
            told, mend = f"no {', '.join(lack)}", f"pip install 'skythought[{extra}]'"
            yield Finding(f"extra {extra}", "missing", told, mend)
        else:
            yield Finding(f"extra {extra}", "works", ", ".join(have))


def _name_of(requirement: str) -> str:
    name = requirement.strip()
    for sign in "[<>=!~ (":
        name = name.partition(sign)[0]
    return name


def devices() -> Iterator[Finding]:
    """Look for what models run on."""
    try:
        import torch
    except ModuleNotFoundError:
        yield Finding("models", "missing", "no torch", "pip install 'skythought[train]'")
        return
    except (ImportError, OSError) as error:
        yield Finding("models", "broken", first_line(error), "pip install --force-reinstall torch")
        return
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            card = torch.cuda.get_device_properties(index)
            told = f"{card.name}, {card.total_memory / 2**30:.0f} GiB"
            yield Finding(f"GPU {index}", "works", told)
    elif shutil.which("nvidia-smi"):
        told = f"torch {torch.__version__} sees no GPU, though nvidia-smi is here"
        mend = "install the torch of your driver: https://pytorch.org/get-started/locally"
        yield Finding("GPU", "broken", told, mend)
    else:
        yield Finding("GPU", "missing", "none; models run on the CPU, which suits small ones only")


def mini() -> Iterator[Finding]:
    """Look whether the model in the package is whole."""
    import hashlib

    folder = Path(__file__).parent / "models" / "mini"
    for line in (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines():
        wanted, name = line.split(maxsplit=1)
        path = folder / name.lstrip("*")
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != wanted:
            mend = "pip install --force-reinstall skythought"
            yield Finding("model mini", "broken", f"{name} is missing or changed", mend)
            return
    yield Finding("model mini", "works", "its files are those of the release")


def graders() -> Iterator[Finding]:
    """Ask each verifier about answers with known verdicts."""
    for name in known.CASES:
        if name == "code":
            continue
        try:
            known.self_test(name)
        except known.Broken as error:
            yield Finding(f"verifier {name}", "broken", first_line(error))
        except UserError as error:
            told, _, mend = first_line(error).partition("; run: ")
            yield Finding(f"verifier {name}", "missing", told, mend)
        else:
            told = f"{len(known.CASES[name])} answers graded as known"
            yield Finding(f"verifier {name}", "works", told)


def sandbox() -> Iterator[Finding]:
    """Start the sandbox for programs."""
    try:
        kind = code_sandbox.choose()
    except UserError as error:
        told = first_line(error)
        inside = told.partition("(")[2].rpartition(")")[0]
        yield Finding("verifier code", "missing", inside, "apt-get install bubblewrap")
        return
    try:
        known.self_test("code")
    except UserError as error:
        yield Finding("verifier code", "broken", first_line(error))
    else:
        yield Finding("verifier code", "works", f"programs run in {kind}")


def logins() -> Iterator[Finding]:
    """Say which logins there are; never what they hold."""
    for name, (variables, file, mend) in LOGINS.items():
        inside = next((v for v in variables if os.environ.get(v)), "")
        path = Path(file).expanduser() if file else None
        there = path is not None and path.is_file()
        if there and path is not None and path.name == ".netrc":
            there = "wandb" in path.read_text(errors="replace")
        if inside or there:
            yield Finding(f"login to {name}", "works", inside or file)
        else:
            yield Finding(f"login to {name}", "missing", "none; only asked for where used", mend)
    if os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0"):
        told = "HF_HUB_OFFLINE is set: models and datasets from the cache only"
        yield Finding("the hub", "missing", told, "unset HF_HUB_OFFLINE")


LOOKS: dict[str, Callable[[], Iterator[Any]]] = {
    "machine": machine,
    "extras": extras,
    "devices": devices,
    "model": mini,
    "verifiers": graders,
    "sandbox": sandbox,
    "logins": logins,
}
