"""skythought/core/store.py: nothing on disk is lost, mixed up, or told to the wrong people."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skythought.core import jsonl, store
from skythought.core.errors import UserError
from skythought.core.records import Problem, Verdict

ROWS = [Problem(id=str(i), task="sums", question=f"{i} plus 1?", answer=str(i + 1)) for i in (1, 2)]


def test_records_are_read_back(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "problems.jsonl"
    assert store.write_records(path, ROWS) == 2
    assert store.read(path, Problem) == ROWS
    assert [p.name for p in path.parent.iterdir()] == ["problems.jsonl"]


def test_a_missing_file_holds_no_records(tmp_path: Path) -> None:
    assert store.read(tmp_path / "none.jsonl", Problem) == []
    with pytest.raises(UserError, match=r"none\.jsonl: no such file"):
        list(jsonl.read_rows(tmp_path / "none.jsonl"))


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b'{"id": "1", ', "not valid JSON"),
        (b"{'id': 1}", "not valid JSON"),
        (b'{"id": "\xff\xfe"}', "not valid JSON"),
        (b'["id"]', "expected a JSON object, found list"),
        (b"null", "expected a JSON object, found NoneType"),
        (b'{"id": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "not valid JSON"),
        (b'{"id": "1"}', "not a Problem record"),
        (b'{"id": 1, "task": "t", "question": "q", "answer": "a"}', "not a Problem record"),
    ],
)
def test_a_bad_line_is_named(line: bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / "problems.jsonl"
    good = b'{"id": "1", "task": "t", "question": "q", "answer": "a"}\n'
    path.write_bytes(good + b"\n" + line + b"\n" + good)
    with pytest.raises(UserError) as caught:
        store.read(path, Problem)
    assert str(caught.value).startswith(f"{path}:3: {told}")
    assert "\n" not in str(caught.value)


def test_files_of_other_systems(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}\r\n\r\n{"a": 2}\r\n')
    assert list(jsonl.read_rows(path)) == [(1, {"a": 1}), (3, {"a": 2})]
    path.write_bytes(b"\xef\xbb\xbf")
    assert list(jsonl.read_rows(path)) == []
    for encoding in ("utf-16", "utf-16-be"):
        path.write_bytes('\ufeff{"a": 1}\n'.encode(encoding))
        with pytest.raises(UserError, match=r"rows\.jsonl: is UTF-16; save it as UTF-8"):
            list(jsonl.read_rows(path))


@pytest.mark.parametrize(
    "text", ['[\n  {\n    "a": 1\n  }\n]\n', '\n [{"a": 1}]', '\ufeff[{"a": 1},\n{"a": 2}]', "[]"]
)
def test_an_array_is_not_one_object_per_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"rows\.json: a JSON array; expected one object per line"):
        list(jsonl.read_rows(path))


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a folder; give a JSONL file"):
        list(jsonl.read_rows(tmp_path))


def test_appending_keeps_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "problems.jsonl"
    for row in ROWS:
        with store.Appender(path) as file:
            file.add(row)
    assert store.read(path, Problem) == ROWS


@settings(deadline=None)
@given(cut=st.integers(min_value=0, max_value=200))
def test_a_file_cut_anywhere_goes_on_without_loss(
    cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whole lines stay, a torn one goes, and what is appended then is readable."""
    path = tmp_path_factory.mktemp("cut") / "problems.jsonl"
    store.write_records(path, ROWS)
    data = path.read_bytes()[:cut]
    path.write_bytes(data)
    with store.Appender(path) as file:
        file.add(ROWS[0])
    whole = ROWS[: data.count(b"\n")]
    assert store.read(path, Problem) == [*whole, ROWS[0]]


@pytest.mark.parametrize("block", [1, 7, 64, 2**20])
def test_a_torn_line_is_found_whatever_its_length(
    block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "BLOCK", block)
    path = tmp_path / "rows.jsonl"
    for whole in (b"", b'{"a": 1}\n' * 9):
        for torn in (b"{", b'{"a": ' + b"x" * 500):
            path.write_bytes(whole + torn)
            with store.Appender(path):
                pass
            assert path.read_bytes() == whole


def test_a_line_is_on_disk_before_the_next_is_made(tmp_path: Path) -> None:
    """Even if the process dies without closing anything."""
    code = (
        "import os, pathlib, sys\n"
        "from skythought.core import store\n"
        "file = store.Appender(pathlib.Path(sys.argv[1]))\n"
        "file.add({'n': 1})\n"
        "file.add({'n': 2})\n"
        "os._exit(9)\n"
    )
    path = tmp_path / "rows.jsonl"
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert done.returncode == 9
    assert [row for _, row in jsonl.read_rows(path)] == [{"n": 1}, {"n": 2}]


def test_appending_to_a_full_device_is_one_line() -> None:
    """Closing the file must not hide the reason: the line is still in its buffer."""
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full on this system")
    with pytest.raises(UserError, match="/dev/full: no space left on the device"):
        _add_to_full(full)


def _add_to_full(full: Path) -> None:
    class Full(store.Appender):
        def __init__(self) -> None:
            self.path = full
            self._file = full.open("ab")

    with Full() as file:
        file.add({"n": 1})


def test_a_disk_that_fills_up_keeps_the_lines_before(small_disk: Path) -> None:
    path = small_disk / "traces.jsonl"
    written = 0

    def fill() -> None:
        nonlocal written
        with store.Appender(path) as file:
            while True:
                file.add({"n": written, "text": "x" * 1000})
                written += 1

    with pytest.raises(UserError, match=r"traces\.jsonl: no space left on the device; free some"):
        fill()
    assert written > 10
    with pytest.raises(UserError, match="no space left"):
        store.write_whole(small_disk / "other.json", "y" * 100_000)
    assert not (small_disk / "other.json").exists()
    (small_disk / "other.json.part").unlink()
    with store.Appender(path):
        pass  # cuts the torn line
    assert [row["n"] for _, row in jsonl.read_rows(path)] == list(range(written))


def test_a_full_disk_keeps_the_old_file(small_disk: Path) -> None:
    path = small_disk / "manifest.json"
    store.write_whole(path, "old")
    with pytest.raises(UserError, match="no space left"):
        store.write_whole(path, "new" * 100_000)
    assert path.read_text() == "old"


def test_a_file_in_the_way_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(UserError, match="where a folder is needed"):
        store.claim(tmp_path / "runs", "generate", {})
    with pytest.raises(UserError, match="where a folder is needed"):
        store.Appender(tmp_path / "runs" / "traces.jsonl")
    with pytest.raises(UserError, match="or a folder where a file is"):
        store.Appender(tmp_path)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOENT])
def test_a_place_that_may_not_be_written(code: int) -> None:
    told = store.disk_error(OSError(code, os.strerror(code)), Path("/proc/x"))
    assert isinstance(told, UserError)
    assert str(told) == "/proc/x: may not be written here; choose another output folder"


def test_a_file_that_may_not_grow() -> None:
    told = store.disk_error(OSError(errno.EFBIG, "File too large"), Path("out.jsonl"))
    assert isinstance(told, UserError)
    assert str(told) == "out.jsonl: a file may not grow so large here; see: ulimit -f"


def test_other_errors_of_the_system_stay_as_they_are() -> None:
    error = OSError(errno.EIO, "a broken disk")
    assert store.disk_error(error, Path("x")) is error


@dataclass(frozen=True, kw_only=True)
class Config:
    out: Path
    model: str = "m"
    max_tokens: int = 8
    names: tuple[str, ...] = ("a", "b")
    api_key: str = ""
    hf_token: str = ""
    password: str = ""
    client_secret: str = ""


def test_settings_are_plain_and_hold_no_secret() -> None:
    secrets: dict[str, Any] = {
        "api_key": "sk-1",
        "hf_token": "hf-2",
        "password": "pw-3",
        "client_secret": "cs-4",
    }
    plain = store.settings(Config(out=Path("runs/x"), **secrets))
    assert json.loads(json.dumps(plain)) == {
        "out": "runs/x",
        "model": "m",
        "max_tokens": 8,
        "names": ["a", "b"],
    }
    with pytest.raises(TypeError, match="not a config"):
        store.settings({"a": 1})


def test_a_manifest_holds_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WANDB_API_KEY", "HF_TOKEN", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "sk-from-the-environment")
    store.claim(tmp_path, "generate", store.settings(Config(out=tmp_path, api_key="sk-given")))
    assert "sk-" not in (tmp_path / "manifest.json").read_text()


def test_claim_writes_what_can_move_a_number(tmp_path: Path) -> None:
    store.claim(tmp_path, "generate", {"model": "m", "names": ("a",)})
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["stage"] == "generate"
    assert manifest["config"] == {"model": "m", "names": ["a"]}
    assert {"skythought", "python", "math-verify"} <= set(manifest["versions"])
    assert manifest["done"] is False


def test_claim_knows_its_own(tmp_path: Path) -> None:
    config = {"model": "m", "n": 2, "names": ("a", "b"), "limit": None, "lr": 2e-3}
    assert not store.owns(tmp_path, "generate", config)
    store.claim(tmp_path, "generate", config)
    before = (tmp_path / "manifest.json").read_bytes()
    store.claim(tmp_path, "generate", config)
    assert store.owns(tmp_path, "generate", config)
    assert (tmp_path / "manifest.json").read_bytes() == before


def test_claim_lets_sizes_change(tmp_path: Path) -> None:
    store.claim(tmp_path, "generate", {"model": "m", "n": 2}, sizes=("n",))
    before = store.manifest(tmp_path)
    store.finish(tmp_path, traces=2)
    store.claim(tmp_path, "generate", {"model": "m", "n": 3}, sizes=("n",))
    after = store.manifest(tmp_path)
    assert (after["config"], after["done"]) == ({"model": "m", "n": 3}, False)
    assert after["fingerprint"] != before["fingerprint"]
    assert after["versions"] == before["versions"]
    with pytest.raises(UserError, match="was made with model='m', now 'other'"):
        store.claim(tmp_path, "generate", {"model": "other", "n": 4}, sizes=("n",))


@pytest.mark.parametrize(
    ("stage", "config", "told"),
    [
        ("generate", {"model": "other", "n": 2}, "was made with model='m', now 'other'"),
        ("generate", {"model": "m", "n": 3}, "was made with n=2, now 3"),
        ("generate", {"model": "m"}, "was made with n=2, now None"),
        ("generate", {"model": "m", "n": 2, "top": 1}, "was made with top=None, now 1"),
        ("train", {"model": "m", "n": 2}, "holds a 'generate' run"),
    ],
)
def test_claim_refuses_another(
    stage: str, config: dict[str, object], told: str, tmp_path: Path
) -> None:
    store.claim(tmp_path, "generate", {"model": "m", "n": 2})
    with pytest.raises(UserError, match="choose another output folder") as caught:
        store.claim(tmp_path, stage, config)
    assert told in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path}: ")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"name": "a browser extension"}'])
def test_claim_refuses_a_manifest_that_is_not_ours(text: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(UserError, match="choose another output folder"):
        store.claim(tmp_path, "generate", {})
    assert (tmp_path / "manifest.json").read_text() == text
    (tmp_path / "manifest.json").write_bytes(b'{"stage": "\xff"}')
    with pytest.raises(UserError, match="not a run's manifest"):
        store.claim(tmp_path, "generate", {})


def test_finish(tmp_path: Path) -> None:
    assert not store.is_done(tmp_path)
    store.claim(tmp_path, "generate", {"n": 1})
    assert not store.is_done(tmp_path)
    store.finish(tmp_path, done=False, traces=3, errors=1)
    assert not store.is_done(tmp_path)
    store.finish(tmp_path, traces=4, errors=0)
    assert store.is_done(tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["counts"] == {"traces": 4, "errors": 0}
    assert manifest["config"] == {"n": 1}


def test_verdicts_are_not_problems(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.jsonl"
    store.write_records(path, [Verdict(id="t", verifier="v", outcome="error")])
    with pytest.raises(UserError, match=r"verdicts\.jsonl:1: not a Problem record"):
        store.read(path, Problem)


def test_a_file_is_made_once_and_known_again(tmp_path: Path) -> None:
    path, part = tmp_path / "out.jsonl", tmp_path / "part"
    config = {"kind": "x", "levels": (1, 2)}
    assert store.made_already(path, "curate", config) is None
    store.write_records(part, ROWS)
    store.publish(part, path, "curate", config, {"kept": 2})
    assert not part.exists()
    assert store.read(path, Problem) == ROWS
    assert store.made_already(path, "curate", config) == {"kept": 2}
    with pytest.raises(UserError, match=r"was made with levels=\[1, 2\], now \[1\]; choose"):
        store.made_already(path, "curate", {**config, "levels": (1,)})
    with pytest.raises(UserError, match="was made with more=None, now 1"):
        store.made_already(path, "curate", {**config, "more": 1})
    with pytest.raises(UserError, match="exists, and not from perturb; choose another output"):
        store.made_already(path, "perturb", config)
    manifest = tmp_path / "out.jsonl.manifest.json"
    facts = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({k: v for k, v in facts.items() if k != "output"}))
    path.write_text("")  # the manifest of an older version holds no hash
    assert store.made_already(path, "curate", config) == {"kept": 2}
    manifest.write_text(json.dumps(facts))
    with pytest.raises(UserError, match="was changed after it was made"):
        store.made_already(path, "curate", config)
    for text in (b"{}", b"torn", b"\xff"):
        manifest.write_bytes(text)
        with pytest.raises(UserError, match="exists, and not from curate"):
            store.made_already(path, "curate", config)


@pytest.mark.parametrize(
    ("name", "found"),
    [("owner/name-1.5_b", True), ("mimi", False), ("a/b/c", False), ("./a", False), ("", False)],
)
def test_names_of_the_hub(name: str, found: bool) -> None:
    assert store.may_be_on_hub(name) is found


def test_a_place_of_runs_is_none_of_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Qwen" / "Qwen2.5-7B").mkdir(parents=True)
    assert store.may_be_on_hub("Qwen/Qwen3-8B")  # beside one that was downloaded
    (tmp_path / "runs" / "student").mkdir(parents=True)
    (tmp_path / "runs" / "student" / "manifest.json").write_text("{}")
    assert not store.may_be_on_hub("runs/studend")
