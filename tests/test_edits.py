"""skythought/edits.py: what a command asks for, and donors."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from skythought import edits
from skythought.core import steps, store
from skythought.core.errors import UserError
from skythought.core.records import Message, Trace
from skythought.edits import Edit, Fault


def traces(n: int) -> list[Trace]:
    return [
        Trace(
            id=f"t{i}",
            problem_id=f"p{i}",
            model="m",
            messages=(Message("user", f"How many, {i}?"),),
            thought=f"one of {i}\n\ntwo of {i}" if i % 5 else "",
            answer="1",
            finish="length" if i % 7 == 3 else "stop",
        )
        for i in range(n)
    ]


@pytest.mark.parametrize(
    ("kinds", "fractions", "options", "found"),
    [
        ("digits", 0.5, "", (Edit("digits", 0.5, {}),)),
        ("digits", "0.5", "", (Edit("digits", 0.5, {}),)),
        ("digits, delete", "1", "", (Edit("digits", 1, {}), Edit("delete", 1, {}))),
        ("digits,delete", "0.2,0.67", "", (Edit("digits", 0.2, {}), Edit("delete", 0.67, {}))),
        (
            "keywords,paraphrase",
            "1,0.5",
            "words=wait|but,paraphrase.whole=1",
            (Edit("keywords", 1, {"words": "wait|but"}), Edit("paraphrase", 0.5, {"whole": "1"})),
        ),
        (
            "keywords,keywords",
            "1",
            "words=so",
            (Edit("keywords", 1, {"words": "so"}), Edit("keywords", 1, {"words": "so"})),
        ),
    ],
)
def test_read(kinds: str, fractions: float | str, options: str, found: tuple[Edit, ...]) -> None:
    assert edits.read(kinds, fractions, options) == found


@pytest.mark.parametrize(
    ("kinds", "fractions", "options", "told"),
    [
        ("", "1", "", r"what to change\? give --kind and --fraction"),
        ("digits", None, "", r"what to change\?"),
        ("digits", "half", "", "--fraction half: give a number from 0 to 1, or one for each kind"),
        ("digits", "0.5,0.5", "", "2 fractions for 1 kinds; give one, or one for each kind"),
        ("digits,shufle", "0.5", "", "did you mean 'shuffle'"),
        (
            "digits,shuffle",
            "0.5,50",
            "",
            r"fraction 50: give a number from 0 to 1 \(50 % is 0\.5\)",
        ),
        ("digits,shuffle", "0.5", "words=x", "unknown option of shuffle 'words'"),
        ("keywords", "0.5", "digits.x=1", r"--options digits\.x=1: digits is none of --kind"),
        ("keywords", "0.5", "keywords.x=1", "unknown option of keywords 'x'"),
        ("keywords", "0.5", "rng=1", "unknown option of keywords 'rng'"),
        ("paraphrase", "0.5", "whole=all", "whole=all: give a whole number"),
        ("paraphrase", "0.5", "rewrite=nowhere:f", "rewrite 'nowhere:f': there is no module"),
    ],
)
def test_mistakes(kinds: str, fractions: str | None, options: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        edits.read(kinds, fractions, options)


def test_roles_change_places() -> None:
    """The roles are those of `structure`, and the places of unlike ones are swapped."""
    parts = ["Okay, how many are 3 boxes of 12?", "3 * 12 = 36.", "Wait, let me check: 36."]
    parts += ["12 + 24 = 36.", "So the answer is 36."]
    old = msgspec.structs.replace(traces(2)[1], thought="\n\n".join(parts))
    had = edits.roles_of(old, parts)
    assert had == ["compute", "compute", "verify", "compute", "conclude"]
    new = edits.bind(edits.read("swap_roles", "0.8"), seed=0)(old)
    has = [had[parts.index(part)] for part in steps.split(new.thought)]
    assert sorted(has) == sorted(had)
    assert sum(a != b for a, b in zip(had, has, strict=True)) == 4
    assert new.edits == ("swap_roles fraction=0.8 seed=0 roles=skythought.edits:roles_of",)


def test_donors_are_finished_and_have_a_thought(tmp_path: Path) -> None:
    path = tmp_path / "traces.jsonl"
    store.write_records(path, traces(40))
    path.write_text(path.read_text() + "torn\n")
    faults: list[Fault] = []
    chosen = edits.choose_donors(path, 0, fault=faults.append)
    assert {t.id for t in chosen} == {f"t{i}" for i in range(40) if i % 5 and i % 7 != 3}
    assert [(fault.file, fault.line) for fault in faults] == [(str(path), 41)]


@pytest.mark.parametrize("workers", [1, 2])
def test_donors_do_not_depend_on_the_order_of_the_file(
    workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edits, "MAX_DONORS", 30)
    monkeypatch.setattr(edits, "ALONE_S", 0.0)
    store.write_records(tmp_path / "a.jsonl", traces(600))
    store.write_records(tmp_path / "b.jsonl", traces(600)[::-1])
    one, other = (edits.choose_donors(tmp_path / f"{n}.jsonl", 0, workers) for n in "ab")
    assert one == other
    assert len(one) == 30
    assert one != edits.choose_donors(tmp_path / "a.jsonl", 1, workers)
