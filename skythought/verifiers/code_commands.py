"""The commands that start a sandbox: bubblewrap's, podman's or docker's, and one without a sandbox.

    bubblewrap_command(own_user=False) -> ["/usr/bin/bwrap", "--unshare-pid", ..., "python3.11"]

Each runs `code_runner` with Python's own library and the files of `INSIDE`, and nothing else
that is on this machine but the packages of `PACKAGES`.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path

SCRIPT = "skythought/verifiers/code_runner.py"
INSIDE = ("code_runner", "code_confine", "code_child", "code_plain")
PACKAGES = ("numpy", "sortedcontainers")  # for programs, where the environment has them
DISK_BYTES = 1 << 26  # of /tmp and of /dev/shm
IMAGE = f"python:3.{sys.version_info.minor}-slim"
ENVIRONMENT = {
    "PATH": "/usr/bin",
    "HOME": "/tmp",
    "LANG": "C.UTF-8",
    "PYTHONPATH": "/sandbox:/packages",
    "PYTHONHASHSEED": "0",  # the same verdict every time
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}


def bubblewrap_command(*, own_user: bool) -> list[str]:
    """Write the command for bubblewrap.

    Root (`own_user`) must not use a user namespace: root in it is root outside to files such as
    /proc/sys. The first process keeps the right to become another user instead, and gives programs
    a user id that nobody has. Anybody else gets a user namespace.
    """
    bwrap = shutil.which("bwrap") or "bwrap"
    python, binds = _python(bwrap)
    sized = ["--size", str(DISK_BYTES)] if "--size" in _help(bwrap) else []
    rights = [f for c in ("SETUID", "SETGID", "KILL") for f in ("--cap-add", f"CAP_{c}")]
    return [
        bwrap,
        *("--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"),
        *("--unshare-cgroup-try", "--hostname", "sandbox"),
        *(() if own_user else ("--unshare-user", "--uid", "65534", "--gid", "65534")),
        *("--die-with-parent", "--new-session", "--as-pid-1", "--cap-drop", "ALL"),
        *(rights if own_user else ()),
        *binds,
        *("--proc", "/proc", "--ro-bind-try", "/proc/sys", "/proc/sys"),
        *("--dev", "/dev", *sized, "--tmpfs", "/dev/shm"),
        *("--remount-ro", "/dev", *sized, "--tmpfs", "/tmp", "--remount-ro", "/"),
        *("--chdir", "/tmp"),
        *(f for k, v in ENVIRONMENT.items() for f in ("--setenv", k, v)),
        *("--", python, "-sSPB", f"/sandbox/{SCRIPT}"),
    ]


@functools.cache
def _help(bwrap: str) -> str:
    done = subprocess.run([bwrap, "--help"], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@functools.cache
def _python(bwrap: str) -> tuple[str, list[str]]:
    """Say where Python is and what has to be bound for it: its library, no other program."""
    python = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    base = Path(sys.base_prefix).resolve()
    standard = Path(sysconfig.get_path("stdlib", vars={"base": sys.base_prefix})).resolve()
    triplet = sysconfig.get_config_var("MULTIARCH") or ""
    shared = Path("/usr/lib") / triplet
    bound = [python, standard, shared if triplet and shared.is_dir() else Path("/usr/lib")]
    if base != Path("/usr"):
        bound += sorted(base.glob("lib/libpython*")) + sorted(base.glob("lib/*.so*"))
    bound += [path for path in (Path("/usr/lib64"), Path("/etc/ld.so.cache")) if path.exists()]
    binds: list[str] = []
    for name in ("lib", "lib64"):
        path = Path("/", name)
        if path.is_symlink():
            binds += ["--symlink", os.readlink(path), f"/{name}"]  # noqa: PTH115 - as it is written
        elif path.is_dir():
            bound.append(path)
    places = {path: path for path in dict.fromkeys(bound)}
    for name in INSIDE:
        places[Path("/sandbox/skythought/verifiers", f"{name}.py")] = _source(name)
    for path in _packages():
        places[Path("/packages", path.name)] = path
    for parent in sorted({parent for place in places for parent in place.parents[:-1]}):
        binds += ["--dir", str(parent)]  # so that another user may enter it
    for place, path in places.items():
        binds += ["--ro-bind", str(path), str(place)]
    for name in ("site-packages", "dist-packages"):
        if (standard / name).is_dir():
            binds += ["--tmpfs", str(standard / name), "--remount-ro", str(standard / name)]
    return str(python), binds


def _source(name: str) -> Path:
    return Path(__file__).with_name(f"{name}.py")


def _packages() -> list[Path]:
    """List the folders of the packages that programs may import."""
    found = []
    for name in PACKAGES:
        spec = find_spec(name)
        if spec is not None and spec.origin is not None:
            folder = Path(spec.origin).parent
            found += [p for p in (folder, folder.with_name(f"{name}.libs")) if p.is_dir()]
    return found


def container_command(kind: str, name: str, memory: int, processes: int) -> list[str]:
    """Write the command for podman or docker; the image has to be there, nothing is downloaded."""
    mounts = [
        f"{_source(inside)}:/sandbox/skythought/verifiers/{inside}.py:ro" for inside in INSIDE
    ]
    return [
        *(shutil.which(kind) or kind, "run", "--rm", "--interactive", "--pull", "never"),
        *("--name", name, "--network", "none", "--read-only", "--user", "65534:65534"),
        *("--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
        *("--pids-limit", str(2 * processes), "--memory", str(memory)),
        *("--memory-swap", str(memory), "--workdir", "/tmp", "--hostname", "sandbox"),
        *("--tmpfs", f"/tmp:rw,size={DISK_BYTES},mode=1777"),
        *(f for mount in mounts for f in ("--volume", mount)),
        *(f for k, v in ENVIRONMENT.items() if k != "PATH" for f in ("--env", f"{k}={v}")),
        *(IMAGE, "python", "-sSPB", f"/sandbox/{SCRIPT}"),
    ]


def plain_command(folder: Path) -> list[str]:
    """Write the command without a sandbox, in a folder where only the runner can be imported."""
    package = folder / "skythought" / "verifiers"
    package.mkdir(parents=True)
    for name in INSIDE:
        shutil.copy(_source(name), package)
    for path in _packages():
        (folder / path.name).symlink_to(path)
    python = str(Path(getattr(sys, "_base_executable", sys.executable)).resolve())
    given = {**ENVIRONMENT, "HOME": str(folder), "PYTHONPATH": str(folder)}
    words = [f"{k}={v}" for k, v in given.items()]
    return [shutil.which("env") or "/usr/bin/env", *words, python, "-sSPB", str(folder / SCRIPT)]
