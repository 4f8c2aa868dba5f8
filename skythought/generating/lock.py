"""One process at a time writes a run folder.

The lock belongs to the open file, so it ends with its process, however that ends. The file stays:
one that is taken away could be locked by two. Where the file system has no locks, that is said and
the run goes on without.
"""

from __future__ import annotations

import errno
import fcntl
import os
import platform
from pathlib import Path
from types import TracebackType

from skythought.core import progress, store
from skythought.core.errors import UserError, plain

NAME = ".lock"
NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP)  # some network mounts


class Lock:
    """Holds a folder for this process while the block runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> Lock:
        """Take the lock.

        Raises:
            UserError: another process has it (named by its number), or the place may not be
                written.
        """
        path = self.folder / NAME
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise store.disk_error(error, path) from error
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self.file, 0)
            os.write(self.file, f"{os.getpid()} {platform.node()}\n".encode())
        except BlockingIOError as error:
            holder = os.read(self.file, 200).decode("utf-8", "replace").split()
            os.close(self.file)
            raise UserError(
                f"{self.folder}: {_by(holder)} is writing it; {_todo(holder)}"
            ) from error
        except OSError as error:
            if error.errno not in NO_LOCKS:
                os.close(self.file)
                raise store.disk_error(error, path) from error
            progress.say(
                f"warning: {path}: this file system has no locks ({error.strerror}); see that "
                "no other command writes this folder"
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self.file)


def _by(holder: list[str]) -> str:
    if len(holder) != 2:  # caught between taking the lock and writing who has it
        return "another process"
    number, machine = map(plain, holder)
    where = "" if machine == platform.node() else f" on {machine}"
    return f"process {number}{where}"


def _todo(holder: list[str]) -> str:
    end = f" or end it (kill {plain(holder[0])})" if len(holder) == 2 else ""
    return f"wait for it{end}, or give another --result-dir"
