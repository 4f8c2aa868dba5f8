"""Where a run is logged besides its log.jsonl: Weights & Biases, trackio, TensorBoard or nowhere.

Nothing here asks for a login.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

from skythought.core import progress
from skythought.core.errors import UserError

PROJECT = "skythought"
INSTALL = {  # what to type after pip install
    "wandb": "'skythought[wandb]'",
    "tensorboard": "tensorboard",
    "trackio": "trackio",
}


def choose(report_to: str, run_name: str) -> str:
    """Name the reporter: the one asked for, or wandb where a run has a name and a login exists.

    Raises:
        UserError: the reporter is asked for and not installed.
    """
    if report_to and report_to != "none" and importlib.util.find_spec(report_to) is None:
        raise UserError(
            f"--report_to {report_to}: is not installed; run: pip install {INSTALL[report_to]}"
        )
    mode = os.environ.get("WANDB_MODE", "")
    if report_to or not run_name or mode == "disabled":
        return report_to or "none"
    known = mode or _logged_in()
    if known and importlib.util.find_spec("wandb") is not None:
        return "wandb"
    missing = (
        f"wandb is not installed (pip install {INSTALL['wandb']})"
        if known
        else "not logged in to Weights & Biases (wandb login)"
    )
    progress.say(f"{missing}: the run is logged to log.jsonl only")
    return "none"


@contextlib.contextmanager
def places(reporter: str, folder: Path) -> Iterator[None]:
    """Say where a reporter writes while the block runs, where the environment does not say it.

    TensorBoard writes into the run's folder. Where nobody is logged in, Weights & Biases keeps the
    run on this machine instead of asking.
    """
    wanted = {}
    if reporter == "tensorboard":
        wanted["TENSORBOARD_LOGGING_DIR"] = str(folder / "tensorboard")
    if reporter == "wandb":
        wanted["WANDB_PROJECT"] = PROJECT
        if not _logged_in() and "WANDB_MODE" not in os.environ:
            wanted["WANDB_MODE"] = "offline"
            progress.say(
                "not logged in to Weights & Biases: the run is kept in the folder wandb; "
                "wandb sync uploads it"
            )
    new = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ |= new
    try:
        yield
    finally:
        for name in new:
            os.environ.pop(name, None)


def _logged_in() -> bool:
    """Say whether wandb would find a key without asking for it."""
    return bool(os.environ.get("WANDB_API_KEY")) or "wandb" in _text(Path.home() / ".netrc")


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.is_file() else ""
