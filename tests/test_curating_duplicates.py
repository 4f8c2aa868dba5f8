"""skythought/curating/duplicates.py: what is alike is found, and the first of it stays."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from skythought import cli, curate
from skythought.core import jsonl, shapes, store
from skythought.core.errors import UserError
from skythought.core.records import Example, Message, Trace
from skythought.curating import duplicates, screening
from skythought.curating.duplicates import NearDuplicates, Sketches, banded, jaccard, text_of
from skythought.curating.screening import Search

VOCABULARY = [f"w{i}" for i in range(3000)]


def texts(n: int, seed: int = 0) -> list[str]:
    """Make texts of which about half are another with some words changed."""
    rng = random.Random(seed)
    made: list[list[str]] = []
    for _ in range(n):
        if made and rng.random() < 0.5:
            words = list(rng.choice(made))
            for _ in range(rng.choice((0, 1, 2, 4, 8, 20))):
                words[rng.randrange(len(words))] = rng.choice(VOCABULARY)
        else:
            words = rng.choices(VOCABULARY, k=rng.choice((6, 40, 150, 400)))
        made.append(words)
    return [" ".join(words) for words in made]


def stream(given: list[str], threshold: float, run: int = 5) -> dict[int, tuple[int, float]]:
    """Give for each text left out the kept one it is like, and how much."""
    kept: list[int] = []
    near = NearDuplicates(threshold, lambda n: given[kept[n]], run)
    found = {}
    for number, text in enumerate(given):
        twin = near.twin(text)
        if twin:
            found[number] = (kept[twin[0]], twin[1])
        else:
            near.keep(text)
            kept.append(number)
    assert len(near) == len(kept)
    return found


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8, 0.9])
def test_as_comparing_every_pair(threshold: float) -> None:
    pytest.importorskip("rensa", reason="needs skythought[curate]")
    given = texts(250)
    sketches = Sketches(threshold, 5)
    runs = [sketches.runs(text) for text in given]
    found = stream(given, threshold)
    kept = [i for i in range(len(given)) if i not in found]
    for number, (twin, alike) in found.items():
        assert twin < number
        assert twin in kept
        assert alike == pytest.approx(jaccard(runs[number], runs[twin]))
        assert alike >= threshold
    alike_pairs = [
        (a, b) for b in kept for a in kept if a < b and jaccard(runs[a], runs[b]) >= threshold
    ]
    assert len(found) > 40
    assert len(alike_pairs) <= 0.02 * len(found)  # of pairs just as like as asked, 99 % are found


def test_likeness_is_that_of_the_sets() -> None:
    rng = random.Random(0)
    for _ in range(50):
        first = {rng.randrange(1, 60) for _ in range(rng.randrange(30))}
        second = {rng.randrange(1, 60) for _ in range(rng.randrange(30))}
        arrays = [np.array(sorted(each), dtype=np.uint64) for each in (first, second)]
        expected = len(first & second) / len(first | second) if first and second else 0
        assert jaccard(*arrays) == pytest.approx(expected)


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.8, 0.9, 1.0])
def test_bands_find_what_is_just_as_like(threshold: float) -> None:
    bands, length = banded(threshold)
    assert bands * length <= duplicates.SLOTS
    assert 1 - (1 - threshold**length) ** bands >= 0.99


@pytest.mark.parametrize("threshold", [0, -1, 1.5, float("nan")])
def test_a_threshold_that_is_none(threshold: float) -> None:
    with pytest.raises(UserError, match="give a share above 0, at most 1"):
        banded(threshold)


def test_case_marks_and_latex_do_not_matter() -> None:
    pytest.importorskip("rensa", reason="needs skythought[curate]")
    first = "So $\\frac{1}{2}$ of 1,000 trees is 500 trees, which is what we wanted to find."
    second = "so 1/2 of 1000 trees is **500** trees which is what we wanted to find"
    assert stream([first, second], 1.0) == {1: (0, 1.0)}


def test_texts_without_words_are_like_nothing() -> None:
    pytest.importorskip("rensa", reason="needs skythought[curate]")
    assert stream(["", "?", "", "one", "one"], 0.8) == {4: (3, 1.0)}


def test_a_table_finds_all_after_it_grew() -> None:
    rng = np.random.default_rng(0)
    table = duplicates._Table(bands=7)
    keys = rng.integers(0, 2**32, (9000, 7), dtype=np.uint32)
    for row in keys:
        table.add(row)
    for number in range(0, 9000, 131):
        half = keys[number].copy()
        half[:4] = rng.integers(0, 2**32, 4, dtype=np.uint32)
        assert table.candidates(half) == [number]
    mixed = np.concatenate([keys[5][:3], keys[8][3:]])
    assert table.candidates(mixed) == [8, 5]  # it shares more bands


def test_a_key_of_many_texts_stays_cheap() -> None:
    table = duplicates._Table(bands=3)
    for number in range(500):
        table.add(np.array([7, 7, number], dtype=np.uint32))
    found = table.candidates(np.array([7, 9, 499], dtype=np.uint32))
    assert {*range(duplicates.CROWD), 499} <= set(found)
    assert len(found) < 2 * duplicates.CROWD
    assert np.count_nonzero(table._places >= 0) <= 2 * duplicates.CROWD + 500


def test_only_a_key_that_comes_again_can_tell() -> None:
    rng = np.random.default_rng(1)
    for _ in range(30):
        table = rng.integers(0, 9, (12, 6), dtype=np.uint32)  # 0: a text without words
        table[0] = 0
        expected = [
            not any(
                key and key == other[place]
                for number, other in enumerate(table)
                for place, key in enumerate(own)
                if number != at
            )
            for at, own in enumerate(table)
        ]
        assert screening.alone([row.tobytes() for row in table]).tolist() == expected
        assert expected[0]
    assert not len(screening.alone([]))


def test_keys_of_several_texts_lie_behind_each_other() -> None:
    pytest.importorskip("rensa", reason="needs skythought[curate]")
    sketches = Search(near=0.8, fields=("question", "response")).sketches()
    bands = sketches["question"].bands
    both = screening.keys(sketches, TRACES[0])
    silent = screening.keys(sketches, trace("s", "?", LONG))
    assert len(both) == len(silent) == 2 * 4 * bands
    assert silent[: 4 * bands] == bytes(4 * bands)
    assert any(silent[4 * bands :])


def test_rensa_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rensa", None)
    with pytest.raises(UserError, match=r"needs rensa.*run: pip install 'skythought\[curate\]'"):
        Sketches(0.8, 5)


def trace(key: str, question: str, thought: str) -> Trace:
    asked = (Message("system", "Think."), Message("user", question))
    return Trace(
        id=key, problem_id=key, model="m", messages=asked, thought=thought, answer="\\boxed{1}"
    )


def test_what_is_compared() -> None:
    one = trace("a", "Why?", "Hm.")
    assert text_of(one, "question") == "Why?"
    assert text_of(one, "response") == "Hm.\n\n\\boxed{1}"
    assert text_of(one, "example") == "Why?\n\nHm.\n\n\\boxed{1}"


LONG = "First I add the two numbers of the question, and then I look whether the sum is right. "
TRACES = [
    trace("a", "What is the sum of all the numbers from 1 to 10?", LONG + "It is 55."),
    trace("b", "What is the sum of all the numbers from 1 to 10 ?", "Pairs make 11, five of them."),
    trace("c", "How old is Ann?", LONG + "It is 56."),
    trace("d", "Where does Bob live now?", LONG + "It is 55, yes."),
]


@pytest.mark.parametrize(
    ("by", "left"),
    [
        (("example",), ["a", "b", "c", "d"]),
        (("question",), ["a", "c", "d"]),
        (("response",), ["a", "b"]),
        (("question", "response"), ["a"]),
    ],
)
def test_curate(by: tuple[Any, ...], left: list[str], tmp_path: Path) -> None:
    pytest.importorskip("rensa", reason="needs skythought[curate]")
    store.write_records(tmp_path / "traces.jsonl", TRACES)
    out = tmp_path / "out.jsonl"
    config = curate.Config(
        runs=(tmp_path,), out=out, outcome="any", near_duplicates=0.7, duplicates_by=by
    )
    counts = curate.run(config)
    assert [example.trace_id for example in store.read(out, Example)] == left
    assert counts["dropped"] == ({"near-duplicate": 4 - len(left)} if len(left) < 4 else {})
    rows = [row for _, row in jsonl.read_rows(tmp_path / "out.jsonl.dropped.jsonl")]
    assert all(row["reason"] == "near-duplicate of a" for row in rows)
    assert all(row["similarity"] >= 0.7 and row["compared"] in by for row in rows)
    card = (tmp_path / "out.jsonl.card.md").read_text()
    assert "| near_duplicates | 0.7 |" in card
    assert by == ("example",) or f"| duplicates_by | {', '.join(by)} |" in card


def test_exact_duplicates_by_question(tmp_path: Path) -> None:
    traces = [TRACES[0], trace("e", TRACES[0].messages[1].content, "Other."), TRACES[1]]
    store.write_records(tmp_path / "traces.jsonl", traces)
    out = tmp_path / "out.jsonl"
    config = curate.Config(runs=(tmp_path,), out=out, outcome="any", duplicates_by=("question",))
    assert curate.run(config) == {"kept": 2, "dropped": {"duplicate": 1}}
    [row] = [row for _, row in jsonl.read_rows(tmp_path / "out.jsonl.dropped.jsonl")]
    assert row == {"trace_id": "e", "reason": "duplicate of a"}


def test_only_what_was_kept_makes_duplicates(tmp_path: Path) -> None:
    pytest.importorskip("rensa", reason="needs skythought[curate]")
    source = tmp_path / "t.jsonl"
    rows = [{"id": key, "problem": "1 + 1?", "answer": "2"} for key in "ab"]
    said = [LONG + "So it is \\boxed{3}", LONG + "So it is \\boxed{2}"]
    pairs = zip(rows, said, strict=True)
    source.write_text("".join(json.dumps({**r, "response": s}) + "\n" for r, s in pairs))
    assert cli.main(["score", "--input", str(source)]) == 0
    out = tmp_path / "out.jsonl"
    assert cli.main(["curate", str(source), "--out", str(out), "--near-duplicates", "0.6"]) == 0
    assert [example.trace_id for example in store.read(out, Example)] == ["b"]


def test_a_share_is_a_share(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--near-duplicates 80: give a share from 0 to 1"):
        curate.run(
            curate.Config(runs=(tmp_path,), out=tmp_path / "o", outcome="any", near_duplicates=80)
        )


def test_workers_and_order_change_nothing(tmp_path: Path) -> None:
    pytest.importorskip("rensa", reason="needs skythought[curate]")
    given = texts(120, seed=3)
    path = tmp_path / "t.jsonl"
    rows = ({"id": str(n), "problem": "?", "response": text} for n, text in enumerate(given))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"torn": 1}\n')
    left_out = {}
    for workers in (1, 2):
        out = tmp_path / f"{workers}.jsonl"
        config = curate.Config(
            runs=(path,),
            out=out,
            outcome="any",
            near_duplicates=0.8,
            duplicates_by=("response",),
            workers=workers,
        )
        assert curate.run(config)["dropped"]["cannot be used"] == 1
        left_out[workers] = out.with_name(out.name + ".dropped.jsonl").read_text()
    assert left_out[1] == left_out[2]
    told = [json.loads(line) for line in left_out[2].splitlines()]
    found = {int(row["trace_id"]) for row in told if row.get("trace_id")}
    assert found == set(stream(given, 0.8))
    assert found


def test_real_questions_as_comparing_every_pair(shared: Path) -> None:
    pytest.importorskip("rensa", reason="needs skythought[curate]")
    source = shared / "traces" / "traces.jsonl"
    given = [text_of(found, "question") for found in shapes.read_traces(source)]
    found = stream(given, 0.8, run=3)
    sketches = Sketches(0.8, 3)
    kept: list[Any] = []
    for text in given:
        runs = sketches.runs(text)
        if not any(jaccard(runs, other) >= 0.8 for other in kept):
            kept.append(runs)
    assert len(given) - len(found) == len(kept)
