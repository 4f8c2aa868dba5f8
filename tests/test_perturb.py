"""skythought/perturb.py: any shape in, one file out, resumed, refused, and shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from perturbed import ANSWERED, run, traces, write

from skythought import cli, perturb
from skythought.core import shapes, steps, store
from skythought.core.errors import UserError
from skythought.core.records import Message, Trace
from skythought.perturb import Config

USER, TOLD = {"role": "user", "content": "How many?"}, {"role": "assistant", "content": ANSWERED}
SHAPES: dict[str, dict[str, Any]] = {
    "messages": {"messages": [USER, TOLD]},
    "sharegpt": {
        "conversations": [
            {"from": "human", "value": "How many?"},
            {"from": "gpt", "value": ANSWERED},
        ]
    },
    "prompt and completion": {"prompt": "How many?", "completion": ANSWERED},
    "problem and response": {"problem": "How many?", "response": ANSWERED},
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    store.write_records(tmp_path / "traces.jsonl", traces())
    return tmp_path / "traces.jsonl"


@pytest.mark.parametrize("row", SHAPES.values(), ids=SHAPES)
def test_every_shape_goes_in_and_traces_come_out(row: dict[str, Any], tmp_path: Path) -> None:
    counts = run(write(tmp_path / "in.jsonl", row), tmp_path / "deep" / "out.jsonl")
    assert counts == {"traces": 1, "changed": 1, "without_thought": 0, "dropped": 0}
    [new] = store.read(tmp_path / "deep" / "out.jsonl", Trace)
    assert (len(steps.split(new.thought)), new.answer) == (2, "So \\boxed{32}.")
    assert new.edits == ("delete fraction=0.5 seed=0",)
    assert new.messages == (Message("user", "How many?"),)


def test_a_run_folder_goes_in(source: Path, tmp_path: Path) -> None:
    run(source.parent, tmp_path / "out.jsonl")
    found = store.read(tmp_path / "out.jsonl", Trace)
    assert [t.parent for t in found] == [f"t{i}" for i in range(6)]
    assert [t.problem_id for t in found] == [f"p{i}" for i in range(6)]
    assert store.read(source, Trace) == traces()


def test_the_manifest_says_how_it_was_made(source: Path, tmp_path: Path) -> None:
    counts = run(source, tmp_path / "out.jsonl", seed=3)
    facts = json.loads((tmp_path / "out.jsonl.manifest.json").read_text())
    assert facts["stage"] == "perturb"
    expected = {"traces": 6, "changed": 6, "without_thought": 0, "dropped": 0}
    assert facts["counts"] == counts == expected
    config = facts["config"]
    assert (config["kind"], config["fraction"], config["seed"]) == ("delete", 0.5, 3)
    assert "skythought" in facts["versions"]


def test_the_same_command_again_makes_nothing(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.jsonl"
    counts = run(source, out)
    before = out.stat().st_mtime_ns
    assert run(source, out) == counts
    assert out.stat().st_mtime_ns == before
    assert "made already with these settings" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"kind": "shuffle"}, "was made with kind='delete', now 'shuffle'"),
        ({"fraction": 0.25}, "was made with fraction=0.5, now 0.25"),
        ({"seed": 1}, "was made with seed=0, now 1"),
    ],
)
def test_other_settings_are_refused(
    options: dict[str, Any], told: str, source: Path, tmp_path: Path
) -> None:
    run(source, tmp_path / "out.jsonl")
    with pytest.raises(UserError, match=told):
        run(source, tmp_path / "out.jsonl", **options)


def test_another_input_is_refused(source: Path, tmp_path: Path) -> None:
    run(source, tmp_path / "out.jsonl")
    store.write_records(source, traces(5))
    with pytest.raises(UserError, match=r"was made with input='\w+', now '\w+'; choose another"):
        run(source, tmp_path / "out.jsonl")


def test_a_changed_output_is_refused(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    run(source, out)
    out.write_text(out.read_text().replace("36", "37"))
    with pytest.raises(UserError, match="was changed after it was made"):
        run(source, out)


def test_foreign_files_are_not_overwritten(source: Path, tmp_path: Path) -> None:
    mine = write(tmp_path / "mine.jsonl", {"x": 1})
    with pytest.raises(UserError, match="exists, and not from perturb"):
        run(source, mine)
    with pytest.raises(UserError, match="this one is the input or a folder"):
        run(source, source)
    with pytest.raises(UserError, match="this one is the input or a folder"):
        run(source, tmp_path)
    run(source, tmp_path / "out.jsonl")
    (tmp_path / "out.jsonl.manifest.json").write_text("{}")
    with pytest.raises(UserError, match="exists, and not from perturb; choose another output"):
        run(source, tmp_path / "out.jsonl")
    around = tmp_path / "deep" / ".." / source.name
    (tmp_path / "deep").mkdir()
    with pytest.raises(UserError, match="this one is the input or a folder"):
        run(source, around)


def test_a_part_of_a_broken_run_is_made_anew(source: Path, tmp_path: Path) -> None:
    part = tmp_path / "out.jsonl.part"
    part.write_text('{"torn')
    run(source, tmp_path / "out.jsonl")
    assert len(store.read(tmp_path / "out.jsonl", Trace)) == 6
    assert not part.exists()


def test_stopped_at_the_end_it_can_be_run_again(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An output without its manifest would be taken for a foreign file."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    out = tmp_path / "out.jsonl"
    with monkeypatch.context() as patched:
        patched.setattr(store, "write_whole", stop)
        with pytest.raises(KeyboardInterrupt):
            run(source, out)
    assert [p.name for p in tmp_path.glob("out*")] == []
    run(source, out)
    assert len(store.read(out, Trace)) == 6


def test_nothing_to_perturb(tmp_path: Path) -> None:
    empty = write(tmp_path / "empty.jsonl")
    with pytest.raises(UserError, match=r"empty\.jsonl: holds no traces"):
        run(empty, tmp_path / "out.jsonl")
    plain = write(tmp_path / "plain.jsonl", {"problem": "1 + 1?", "response": "2"})
    with pytest.raises(UserError, match=r"none of 1 traces has a thought to change; a thought"):
        run(plain, tmp_path / "out.jsonl")
    with pytest.raises(UserError, match="no such file"):
        run(tmp_path / "none.jsonl", tmp_path / "out.jsonl")
    counts = run(plain, tmp_path / "out.jsonl", kind="answers", fraction=1.0)
    assert counts == {"traces": 1, "changed": 1, "without_thought": 1, "dropped": 0}


def test_missing_and_wrong_flags(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with pytest.raises(UserError, match=r"what to change\? give --kind and --fraction"):
        perturb.run(Config(input=source, output=out, kind="delete"))
    with pytest.raises(UserError, match=r"what to change\?"):
        perturb.run(Config(input=source, output=out, fraction=0.5))
    with pytest.raises(UserError, match="--grid sets kinds and fractions"):
        perturb.run(Config(input=source, output=out, grid="paper", kind="delete"))
    with pytest.raises(UserError, match=r"'keyword': did you mean 'keywords'\?"):
        run(source, out, kind="keyword")
    with pytest.raises(UserError, match="'math:pi': expected a function, found float"):
        run(source, out, kind="math:pi")
    with pytest.raises(UserError, match=r"fraction 50: give a number from 0 to 1 \(50 % is 0\.5\)"):
        run(source, out, fraction=50)
    with pytest.raises(UserError, match="--show -1: give 0 or more"):
        run(source, out, show=-1)
    assert not out.exists()


def test_the_grid_of_the_paper(source: Path, tmp_path: Path) -> None:
    counts = perturb.run(Config(input=source, output=tmp_path / "grid", grid="paper"))
    files = sorted(p.stem for p in (tmp_path / "grid").glob("*.jsonl"))
    assert files == sorted(counts)
    assert len(files) == 17
    for name in files:
        assert counts[name]["traces"] == 6
        kind, level = name.rsplit("_", 1)
        made = store.read(tmp_path / "grid" / f"{name}.jsonl", Trace)
        assert len(made) == 6
        expected = {"shuffled": "shuffle", "deleted": "delete", "inserted": "insert"}.get(
            kind, kind
        )
        assert all(
            t.edits[0].startswith(f"{expected} fraction={int(level) / 100:g} ") for t in made
        )
    again = perturb.run(Config(input=source, output=tmp_path / "grid", grid="paper"))
    assert again == counts


def test_a_second_kind_is_another_edit(source: Path, tmp_path: Path) -> None:
    run(source, tmp_path / "a.jsonl")
    run(tmp_path / "a.jsonl", tmp_path / "b.jsonl", kind="digits")
    first, second = (store.read(tmp_path / f"{n}.jsonl", Trace)[0] for n in "ab")
    assert second.edits == ("delete fraction=0.5 seed=0", "digits fraction=0.5 seed=0")
    assert second.parent == first.id


def test_donors(source: Path, tmp_path: Path) -> None:
    given = write(
        tmp_path / "donors.jsonl",
        {"problem": "Other?", "response": "<think>\nforeign\n</think>\n1"},
        {"problem": "Cut?", "response": "<think>\nnever ended"},
    )
    run(source, tmp_path / "out.jsonl", kind="insert", donors=given)
    for old, new in zip(traces(), store.read(tmp_path / "out.jsonl", Trace), strict=True):
        added = [s for s in steps.split(new.thought) if s not in steps.split(old.thought)]
        assert added == ["foreign", "foreign"]
    write(given, {"problem": "Other?", "response": "<think>\nelse\n</think>\n1"})
    with pytest.raises(UserError, match="was made with donors="):
        run(source, tmp_path / "out.jsonl", kind="insert", donors=given)


def test_one_problem_alone_has_no_donors(tmp_path: Path) -> None:
    path = write(tmp_path / "in.jsonl", SHAPES["messages"])
    with pytest.raises(UserError, match="give a file that holds other problems with --donors"):
        run(path, tmp_path / "out.jsonl", kind="insert")


def test_a_perturbation_of_ones_own(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text(
        "import msgspec\ndef upper(trace, rng, *, fraction):\n"
        "    return msgspec.structs.replace(trace, thought=trace.thought.upper())\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    run(source, tmp_path / "out.jsonl", kind="mine:upper")
    assert store.read(tmp_path / "out.jsonl", Trace)[0].thought.startswith("0: 3 BOXES")


def test_the_command(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "out.jsonl")
    words = ["perturb", str(source), out, "--kind", "digits", "--fraction", "0.5"]
    assert cli.main(words) == 0
    assert "digits 50%, 6 of 6 traces changed" in capsys.readouterr().err
    assert cli.main([*words[:-1], "5"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_several_kinds_are_done_in_order(source: Path, tmp_path: Path) -> None:
    """Texts, ids and edits are those of one command after another; the parent is in the input."""
    run(source, tmp_path / "a.jsonl", kind="digits", fraction=0.5)
    run(tmp_path / "a.jsonl", tmp_path / "b.jsonl", kind="shuffle", fraction=0.67)
    run(source, tmp_path / "ab.jsonl", kind="digits,shuffle", fraction="0.5,0.67")
    two, one = (store.read(tmp_path / f"{n}.jsonl", Trace) for n in ("b", "ab"))
    parents = [t.id for t in traces()]
    assert one == [msgspec.structs.replace(t, parent=p) for t, p in zip(two, parents, strict=True)]
    assert one[0].edits == ("digits fraction=0.5 seed=0", "shuffle fraction=0.67 seed=0")
    facts = json.loads((tmp_path / "ab.jsonl.manifest.json").read_text())["config"]
    assert (facts["kind"], facts["fraction"]) == ("digits,shuffle", [0.5, 0.67])
    with pytest.raises(UserError, match="was made with fraction="):
        run(source, tmp_path / "ab.jsonl", kind="digits,shuffle", fraction="0.5")


def test_options_of_kinds(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    run(source, out, kind="keywords,delete", fraction="1,0", options="words=wait")
    [first, *_] = store.read(out, Trace)
    assert first.thought == "0: 3 boxes of 12.\n\n3 times 12 is 36.\n\nBut 4 are broken.\n\nSo 32."
    assert first.edits[0] == "keywords fraction=1 seed=0 words=wait"
    with pytest.raises(UserError, match="was made with options="):
        run(source, out, kind="keywords,delete", fraction="1,0", options="words=but")
    with pytest.raises(UserError, match="unknown option of delete 'word'"):
        run(source, tmp_path / "x.jsonl", kind="keywords,delete", options="word=but")


def test_real_traces_keep_their_number_and_order(shared: Path, tmp_path: Path) -> None:
    source = shared / "traces" / "traces.jsonl"
    counts = run(source, tmp_path / "out.jsonl", kind="shuffle", fraction=1.0)
    assert counts["traces"] == 1423
    assert counts["without_thought"] == 26
    parents = [t.parent for t in store.read(tmp_path / "out.jsonl", Trace)]
    assert parents == [t.id for t in shapes.read_traces(source)]
