"""Keep what libraries say to themselves; say a full disk or GPU in one line."""

from __future__ import annotations

import contextlib
import errno
import logging
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path

from skythought.core import store
from skythought.core.errors import UserError, first_line


@contextlib.contextmanager
def libraries() -> Iterator[None]:
    """Keep the libraries' own progress and advice off the terminal; errors stay."""
    import datasets
    import transformers

    datasets.disable_progress_bars()
    transformers.logging.disable_progress_bar()
    loggers = [logging.getLogger(name) for name in ("transformers", "trl", "peft", "accelerate")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextlib.contextmanager
def full_disk(folder: Path) -> Iterator[None]:
    """Say "the disk is full" in one line, also where torch and safetensors say it otherwise.

    Raises:
        UserError: the disk that holds `folder` is full.
    """
    from safetensors import SafetensorError

    try:
        yield
    except OSError as error:
        raise store.disk_error(error, folder) from error
    except (RuntimeError, SafetensorError) as error:
        place = next(p for p in (folder, *folder.absolute().parents) if p.exists())
        if "os error 28" in str(error) or shutil.disk_usage(place).free < 2**20:
            raise store.disk_error(OSError(errno.ENOSPC, ""), folder) from error
        raise


@contextlib.contextmanager
def full_device(tokens: int) -> Iterator[None]:
    """Say that memory is full in one line, also where a CPU's allocator says it otherwise.

    Args:
        tokens: of a forward pass.

    Raises:
        UserError: training does not fit.
    """
    import torch

    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        full = isinstance(error, torch.OutOfMemoryError | MemoryError)
        if not full and "can't allocate memory" not in str(error):
            raise
        raise UserError(
            f"out of memory with {tokens:,} tokens in a forward pass: {first_line(error)}; give "
            "--micro_batch_tokens fewer, --gradient_checkpointing, a shorter --max_length, or "
            "--sharding fsdp over more devices; the last checkpoint is kept and gone on from"
        ) from error
