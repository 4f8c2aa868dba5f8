"""Run folders: append-only JSONL per record kind, and a manifest.

    runs/teacher/manifest.json  problems.jsonl  traces.jsonl  verdicts.jsonl  dropped.jsonl
    data/correct.jsonl  correct.jsonl.manifest.json

A stage that makes one file puts the manifest beside it. Every line is flushed before the next is
made, so a crash loses at most the line it was writing; a torn last line is cut off when the file is
opened again. Work to do is what is wanted minus what is on disk, so the same command run again goes
on where it stopped.
"""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import os
import re
import stat
from collections.abc import Collection, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import msgspec

from skythought.core import jsonl
from skythought.core.errors import UserError
from skythought.core.provenance import code_revision, versions
from skythought.core.records import digest

T = TypeVar("T")

NEVER_WRITTEN = ("key", "token", "secret", "password")
TORN = "if it was made by this very command, delete it; else choose another output folder"
BLOCK = 2**20
HUB_NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*")  # owner/name


def read(path: Path, kind: type[T]) -> list[T]:
    """Read the records of one kind; a missing file holds none.

    Raises:
        UserError: a line is not a record of this kind (named as file:line).
    """
    if not path.exists():
        return []
    found = []
    for number, row in jsonl.read_rows(path):
        try:
            found.append(msgspec.convert(row, kind))
        except msgspec.ValidationError as error:
            raise UserError(f"{path}:{number}: not a {kind.__name__} record: {error}") from error
    return found


class Appender:
    """An append-only JSONL file that is safe to kill at any moment."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _cut_torn_line(path)
            self._file = path.open("ab")
        except OSError as error:
            raise disk_error(error, path) from error

    def __enter__(self) -> Appender:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            with self._file:
                self._file.flush()
                to_disk(self._file.fileno())
        except OSError as failed:  # the rest of a line that did not fit: told already by `add`
            if error is None:
                raise disk_error(failed, self.path) from failed

    def add(self, record: object) -> None:
        """Write one record and hand it to the operating system.

        Raises:
            UserError: the disk is full; what was written before is kept.
        """
        try:
            self._file.write(msgspec.json.encode(record) + b"\n")
            self._file.flush()
        except OSError as error:
            raise disk_error(error, self.path) from error


def _cut_torn_line(path: Path) -> None:
    if not path.exists() or path.stat().st_size == 0:
        return
    with path.open("rb+") as file:
        file.seek(-1, os.SEEK_END)
        if file.read(1) == b"\n":
            return
        end = file.tell()
        while end > 0:  # backwards in blocks: the file may be larger than the memory
            begin = max(0, end - BLOCK)
            file.seek(begin)
            found = file.read(end - begin).rfind(b"\n")
            if found >= 0:
                end = begin + found + 1
                break
            end = begin
        file.truncate(end)


def disk_error(error: OSError, path: Path) -> Exception:
    """Turn "no space left" and "may not write" into one line; anything else is given back."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UserError(
            f"{path}: no space left on the device; free some and run the same command again"
        )
    if error.errno == errno.EFBIG:
        return UserError(f"{path}: a file may not grow so large here; see: ulimit -f")
    if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOENT):
        return UserError(f"{path}: may not be written here; choose another output folder")
    if error.errno in (errno.ENOTDIR, errno.EEXIST, errno.EISDIR):
        return UserError(
            f"{path}: a file lies where a folder is needed, or a folder where a file is"
        )
    return error


def write_whole(path: Path, data: str | bytes) -> None:
    """Write a file so that a reader sees the old content or the new, never a part.

    Raises:
        UserError: the disk is full or the place may not be written.
    """
    raw = data.encode() if isinstance(data, str) else data
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        with part.open("wb") as file:
            file.write(raw)
            to_disk(file.fileno())
        part.replace(path)
        to_disk(path.parent)
    except OSError as error:
        raise disk_error(error, path) from error


def to_disk(what: int | Path) -> None:
    """Wait until an open file, or the names in a folder, outlive a power loss, where that works."""
    file = os.open(what, os.O_RDONLY) if isinstance(what, Path) else what
    try:
        os.fsync(file)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES):
            raise
    finally:
        if isinstance(what, Path):
            os.close(file)


def write_records(path: Path, records: Iterable[object]) -> int:
    """Write records as a new JSONL file in one go; returns how many."""
    lines = [msgspec.json.encode(record) for record in records]
    write_whole(path, b"".join(line + b"\n" for line in lines))
    return len(lines)


def settings(config: object) -> dict[str, Any]:
    """Show a config as plain JSON values, without secrets."""
    if not dataclasses.is_dataclass(config) or isinstance(config, type):
        raise TypeError(f"not a config: {config!r}")
    plain = {
        field.name: getattr(config, field.name)
        for field in dataclasses.fields(config)
        if not any(part in field.name.split("_") for part in NEVER_WRITTEN)
    }
    encoded = msgspec.to_builtins(plain, enc_hook=_plain)
    return dict(encoded)


def _plain(value: object) -> object:
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"cannot be written to a manifest: {value!r}")


class Unreadable(UserError):
    """A manifest that is cut off, as a power loss may leave it."""


def manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a run folder.

    Raises:
        UserError: it is no JSON object (`Unreadable` where it is no JSON at all).
    """
    path = folder / "manifest.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except msgspec.ValidationError as error:
        raise UserError(f"{path}: not a run's manifest; choose another output folder") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable(f"{path}: not a run's manifest, or cut off; {TORN}") from error


def owns(folder: Path, stage: str, config: dict[str, Any], sizes: Collection[str] = ()) -> bool:
    """Say whether a run folder is this config's own; False where it is nobody's.

    The settings named in `sizes` may differ.

    Raises:
        UserError: the folder holds a run of another config; the first difference is named.
    """
    if not (folder / "manifest.json").exists():
        return False
    old = manifest(folder)
    if old.get("stage") != stage or not isinstance(old.get("config"), dict):
        raise UserError(f"{folder}: holds a {old.get('stage')!r} run; choose another output folder")
    then, now = old["config"], msgspec.json.decode(msgspec.json.encode(config))
    for key in sorted({*now, *then}.difference(sizes)):
        if then.get(key) != now.get(key):
            raise UserError(
                f"{folder}: was made with {key}={then.get(key)!r}, now {now.get(key)!r}; choose "
                "another output folder or delete this one"
            )
    return True


def claim(folder: Path, stage: str, config: dict[str, Any], sizes: Collection[str] = ()) -> None:
    """Make a run folder this config's own, or find that it already is.

    `config` holds what decides the content (not where it lies or how fast it is made). Those named
    in `sizes` are written anew where they differ.

    Raises:
        UserError: as `owns`, or the place may not be written.
    """
    if owns(folder, stage, config, sizes):
        if all(manifest(folder)["config"].get(key) == config.get(key) for key in sizes):
            return
        facts = manifest(folder) | {"config": config, "fingerprint": digest(config), "done": False}
    else:
        facts = {
            "stage": stage,
            "config": config,
            "fingerprint": digest(config),
            "versions": versions(),
            "revision": code_revision(),
            "done": False,
        }
    write_whole(folder / "manifest.json", msgspec.json.format(msgspec.json.encode(facts), indent=1))


def note(folder: Path, name: str, value: str) -> None:
    """Add a value to a list of the manifest that is no part of the config, once."""
    facts = manifest(folder)
    noted = facts.get(name, [])
    if value not in noted:
        facts[name] = [*noted, value]
        text = msgspec.json.format(msgspec.json.encode(facts), indent=1)
        write_whole(folder / "manifest.json", text)


def is_done(folder: Path) -> bool:
    """Say whether the run in this folder was finished."""
    return (folder / "manifest.json").exists() and bool(manifest(folder).get("done"))


def may_be_on_hub(name: str) -> bool:
    """Say whether the hub is worth asking for a name; offline that takes a minute.

    A folder that lies where this machine has runs is not: `runs/typo`.
    """
    parent = Path(name).parent
    return bool(HUB_NAME.fullmatch(name)) and not any(parent.glob("*/manifest.json"))


def finish(folder: Path, *, done: bool = True, **counts: Any) -> None:
    """Write the counts of a run into its manifest, and whether nothing is left to do.

    Weights may then be read by who may read the manifest; safetensors 0.8 keeps them from others.
    """
    facts = manifest(folder) | {"done": done, "counts": counts}
    path = folder / "manifest.json"
    write_whole(path, msgspec.json.format(msgspec.json.encode(facts), indent=1))
    for weights in folder.glob("*.safetensors"):
        weights.chmod(stat.S_IMODE(path.stat().st_mode))


class Made(msgspec.Struct):
    """The manifest beside a file that a stage made as a whole."""

    stage: str
    config: dict[str, Any]  # what decides the content
    counts: dict[str, Any]
    output: str = ""  # hash of the file
    versions: dict[str, str] = {}


def hash_files(paths: Iterable[Path]) -> str:
    """Hash the contents of files in their order (16 hex digits)."""
    total = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()[:16]


def made_already(path: Path, stage: str, config: dict[str, Any]) -> dict[str, Any] | None:
    """Give the counts of a file that this stage made of this config, None where there is no file.

    Raises:
        UserError: the file is from elsewhere, of another config, or was changed since.
    """
    if not path.exists():
        return None
    foreign = f"{path}: exists, and not from {stage}; choose another output"
    try:
        old = msgspec.json.decode(_manifest_beside(path).read_bytes(), type=Made)
    except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError(foreign) from error
    if old.stage != stage:
        raise UserError(foreign)
    now = msgspec.json.decode(msgspec.json.encode(config))
    for key in sorted({*now, *old.config}):
        if old.config.get(key) != now.get(key):
            raise UserError(
                f"{path}: was made with {key}={old.config.get(key)!r}, now {now.get(key)!r}; "
                "choose another output or delete it"
            )
    if old.output and old.output != hash_files([path]):
        raise UserError(
            f"{path}: was changed after it was made; choose another output or delete it"
        )
    return old.counts


def publish(
    part: Path, path: Path, stage: str, config: dict[str, Any], counts: dict[str, Any]
) -> None:
    """Put a finished file in its place, after its manifest: that it is there says all of it is.

    Raises:
        UserError: the disk is full or the place may not be written.
    """
    made = Made(stage, config, counts, output=hash_files([part]), versions=versions())
    text = msgspec.json.format(msgspec.json.encode(made), indent=1)
    write_whole(_manifest_beside(path), text)
    try:
        part.replace(path)
    except OSError as error:
        raise disk_error(error, path) from error


def _manifest_beside(path: Path) -> Path:
    return path.with_name(path.name + ".manifest.json")
