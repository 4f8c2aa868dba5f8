"""The index of `skythought view`: made once, gone on with, added to, and made anew."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from skythought import view
from skythought.core.errors import UserError
from skythought.viewing import building, query, sources
from skythought.viewing.building import Batch, Builder
from skythought.viewing.index import Index, connect
from skythought.viewing.query import Filters, Lists


def row(key: str, thought: str = "Hm.\n\nSo 2+2=4.", **more: Any) -> dict[str, Any]:
    asked = [{"role": "user", "content": f"question {key}"}]
    rest = {"problem_id": key, "model": "m", "messages": asked, "answer": "\\boxed{4}"}
    return {"id": key, **rest, "thought": thought, **more}


def write(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return path


def content(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Give what an index holds, but for hashes and times of files."""
    with closing(sqlite3.connect(path)) as db:
        tables = {
            "traces": "SELECT * FROM traces ORDER BY n",
            "names": "SELECT * FROM names ORDER BY n",
            "verdicts": "SELECT * FROM verdicts ORDER BY 1, 2, 3",
            "faults": "SELECT * FROM faults ORDER BY 1, 2",
            "files": "SELECT label, path, reached, hash FROM files",
            "words": "SELECT rowid FROM words WHERE words MATCH 'question'",
        }
        return {name: db.execute(sql).fetchall() for name, sql in tables.items()}


def ids(path: Path, **asked: str) -> list[str]:
    with closing(Index(path)) as index:
        numbers = Lists(index, {"compute": "C", "verify": "V"}).get(Filters.read(asked), 0)
        names = {r["n"]: r["id"] for r in index.rows("SELECT n, id FROM names")}
        return [names[n] for n in numbers]


def measure(path: Path) -> None:
    work = view.measurer()
    with closing(connect(path)) as db:
        for places in building.unmeasured(db):
            building.measured(db, work(places))


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """List the lines that are read into an index."""
    lines: list[int] = []
    real = Builder.add

    def add(self: Builder, batch: Batch) -> None:
        lines.append(batch.lines)
        real(self, batch)

    monkeypatch.setattr(Builder, "add", add)
    return lines


def test_opening_again_reads_nothing(tmp_path: Path, read: list[int]) -> None:
    path = write(tmp_path / "a.jsonl", row("a"), row("b"))
    index = view.index([path], tmp_path / "cache")
    before = content(index)
    assert view.index([path], tmp_path / "cache") == index
    assert read == [2]
    os.utime(path, (1, 1))  # touched, not changed
    view.index([path], tmp_path / "cache")
    assert read == [2]
    assert content(index) == before


def test_only_the_user_may_read_it(tmp_path: Path) -> None:
    index = view.index([write(tmp_path / "a.jsonl", row("a"))], tmp_path / "cache")
    assert index.stat().st_mode & 0o077 == 0
    assert index.parent.stat().st_mode & 0o077 == 0


def test_what_is_added_to_a_file_is_added(tmp_path: Path, read: list[int]) -> None:
    path = write(tmp_path / "a.jsonl", row("a"), row("b"))
    index = view.index([path], tmp_path / "cache")
    measure(index)
    with path.open("a") as file:
        file.write(json.dumps(row("c")) + "\n" + json.dumps(row("d"))[:30])  # still being written
    view.index([path], tmp_path / "cache")
    assert ids(index) == ["a", "b", "c"]
    assert ids(index, structure="unthought") == []
    with closing(Index(index)) as held:
        assert [r[0] for r in held.rows("SELECT measured FROM traces ORDER BY n")] == [1, 1, 0]
    with path.open("a") as file:
        file.write(json.dumps(row("d"))[30:] + "\n")
    view.index([path], tmp_path / "cache")
    assert ids(index) == ["a", "b", "c", "d"]
    fresh = view.index([path], tmp_path / "other")
    measure(index)
    measure(fresh)
    assert content(index) == content(fresh)
    assert read == [2, 2, 1, 4]


def test_an_interrupted_index_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: list[int]
) -> None:
    rows = [row(f"r{i}") for i in range(700)]  # three batches
    path = write(tmp_path / "a.jsonl", *rows, {"foo": 1}, row("last"))
    real, done = Builder.add, list[int]()

    def stop(self: Builder, batch: Batch) -> None:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(batch.lines)
        real(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr(Builder, "add", stop)
        with pytest.raises(KeyboardInterrupt):
            view.index([path], tmp_path / "cache")
    assert sum(done) == 512
    index = view.index([path], tmp_path / "cache")
    assert read[2:] == [190]
    assert content(index) == content(view.index([path], tmp_path / "other"))


@pytest.mark.parametrize("old", ["question b", "Hm."])
def test_a_file_that_changed_is_indexed_anew(tmp_path: Path, old: str) -> None:
    path = write(tmp_path / "a.jsonl", row("a"), row("b"))
    index = view.index([path], tmp_path / "cache")
    measure(index)
    text = path.read_text()
    path.write_text(text.replace(old, old[::-1], 1))  # of the same length
    view.index([path], tmp_path / "cache")
    other = view.index([path], tmp_path / "other")
    assert content(index) == content(other)
    path.write_text(text[: len(text) // 2 + 1].rpartition("\n")[0] + "\n")  # shorter
    view.index([path], tmp_path / "cache")
    assert ids(index) == ["a"]


def test_new_verdicts_keep_what_was_measured(tmp_path: Path, read: list[int]) -> None:
    path = write(tmp_path / "a.jsonl", row("a"), row("b"))
    index = view.index([path], tmp_path / "cache")
    measure(index)
    graded = {"verifier": "math@6", "id": "a", "outcome": "correct"}
    verdicts = tmp_path / "a.jsonl.verdicts.jsonl"
    write(verdicts, graded, {**graded, "id": "b", "outcome": "incorrect", "detail": "d" * 9000})
    write(tmp_path / "a.jsonl.verdicts.judge.jsonl", {**graded, "outcome": "incorrect"})
    view.index([path], tmp_path / "cache")
    assert ids(index, verdict="correct") == ["a"]
    assert ids(index, verdict="incorrect") == ["b"]
    assert ids(index, role="compute") == ["a", "b"]
    verdicts.unlink()
    view.index([path], tmp_path / "cache")
    assert read == [2]


def test_a_broken_index_is_made_anew(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", row("a"))
    index = view.index([path], tmp_path / "cache")
    index.write_bytes(b"SQLite format 3\0" + b"garbage" * 1000)
    view.index([path], tmp_path / "cache")
    assert ids(index) == ["a"]
    with closing(sqlite3.connect(index)) as db, db:
        db.execute("UPDATE facts SET value = '0'")
    view.index([path], tmp_path / "cache")
    assert ids(index) == ["a"]


def test_two_at_once(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", row("a"))
    index = view.index([path], tmp_path / "cache")
    with closing(sqlite3.connect(index)) as db:
        db.execute("BEGIN EXCLUSIVE")
        with pytest.raises(UserError, match="another skythought view makes the index"):
            view.index([path], tmp_path / "cache")


FILTERED: list[tuple[str, dict[str, Any], str, str]] = [
    ("a", {}, "correct", "Okay, 2+2=4.\n\nWait, let me check: 2+2=4.\n\nSo it is 4."),
    ("b", {"model": "n"}, "incorrect", "So 2+2=5. And 3+3=7. Hold on tight.\n\nThen 5."),
    ("c", {"finish": "length", "edits": ["digits fraction=1"]}, "no_answer", ""),
    ("d", {"completion_tokens": 9000}, "", "我们 计算 三角形。 naïve 3.14 end\n\nLet me check."),
]


@pytest.fixture(scope="module")
def filtered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filtered")
    path = write(folder / "f.jsonl", *(row(k, text, **more) for k, more, _, text in FILTERED))
    graded = ((k, outcome) for k, _, outcome, _ in FILTERED if outcome)
    rows = ({"verifier": "v", "id": k, "outcome": outcome} for k, outcome in graded)
    write(folder / "f.jsonl.verdicts.jsonl", *rows)
    index = view.index([path, write(folder / "g.jsonl", row("e", "other"))], folder / "cache")
    measure(index)
    return index


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, "abcde"),
        ({"verdict": "correct"}, "a"),
        ({"verdict": "none"}, "de"),
        ({"model": "n"}, "b"),
        ({"source": "g"}, "e"),
        ({"edit": "digits fraction=1"}, "c"),
        ({"end": "length"}, "c"),
        ({"structure": "fails"}, "b"),
        ({"structure": "unreached"}, "bde"),
        ({"role": "verify"}, "ad"),
        ({"role": "-verify"}, "bce"),
        ({"tokens_from": "1000"}, "d"),
        ({"tokens_to": "999", "model": "m"}, "ace"),
        ({"grounding_to": "50"}, "b"),
        ({"grounding_from": "100"}, "a"),
        ({"q": "wait"}, "a"),
        ({"q": "WAIT check"}, "a"),
        ({"q": "wait tight"}, ""),
        ({"q": '"hold on"'}, "b"),
        ({"q": '"on hold"'}, ""),
        ({"q": "tig*"}, "b"),
        ({"q": "tig"}, ""),
        ({"q": "question"}, "abcde"),
        ({"q": "三角"}, "d"),
        ({"q": "角三"}, ""),
        ({"q": "naive"}, "d"),
        ({"q": "3.14"}, "d"),
        ({"q": "NOT wait"}, ""),
        ({"q": "***"}, ""),
        ({"q": '"'}, ""),
        ({"q": "wait", "verdict": "incorrect"}, ""),
        ({"task": "' OR 1=1 --"}, ""),
    ],
)
def test_filters(filtered: Path, asked: dict[str, str], found: str) -> None:
    assert "".join(ids(filtered, **asked)) == found


def test_orders(filtered: Path) -> None:
    assert ids(filtered, sort="-tokens")[0] == "d"
    assert ids(filtered, sort="tokens")[-1] == "d"
    assert ids(filtered, sort="grounding")[0] == "b"
    assert set(ids(filtered, sort="-grounding")[-2:]) == {"d", "e"}  # nothing that can be checked
    assert ids(filtered, sort="nonsense") == list("abcde")


def test_filters_are_written_as_they_are_read() -> None:
    asked = Filters.read({"q": ' "a & b" ', "model": "x/y", "nonsense": "1", "sort": "-steps"})
    assert asked == Filters(q='"a & b"', model="x/y", sort="-steps")
    assert asked.write(page=2) == "q=%22a+%26+b%22&model=x%2Fy&sort=-steps&page=2"


def test_terms() -> None:
    assert query.terms('a "b c" d* "e') == [("a", False), ("b c", False), ("d", True), ("e", False)]
    assert query.match('x" OR y') == '"x" "OR" "y"'


def test_sources_are_named_apart() -> None:
    paths = [Path("/r/one/greedy/traces.jsonl"), Path("/r/two/greedy/traces.jsonl")]
    paths += [Path("/d/x.jsonl"), Path("/d/x.json"), Path("/traces.jsonl")]
    labels = list(sources.name_apart(paths).values())
    assert labels == ["one/greedy", "two/greedy", "d/x", "d/x~2", "traces"]


def test_the_same_file_twice_is_one(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", row("a"))
    assert len(sources.find([path, tmp_path, path])) == 1
