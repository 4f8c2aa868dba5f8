"""Every recipe's command: the launch it makes, and a rehearsal of it without weights."""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from skythought import cli

ROOT = Path(__file__).parents[1] / "recipes"
SCRIPTS = sorted(ROOT.glob("qwen*/*.sh"))
SPEC = importlib.util.spec_from_file_location("cards", ROOT / "cards.py")
assert SPEC is not None
assert SPEC.loader is not None
cards: Any = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(cards)
recipes = functools.cache(cards.recipes)


def name(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").as_posix()


def launched(path: Path, folder: Path, *flags: str, **environment: str) -> list[str]:
    """Run a script with launchers that only write down what they are given."""
    for program in ("torchrun", "python"):
        stub = folder / program
        stub.write_text('#!/usr/bin/env bash\nprintf "%s\\n" "$(basename "$0")" "$@"\n')
        stub.chmod(0o755)
    done = subprocess.run(
        ["bash", str(path), "r1 17k.jsonl", *flags],
        env={"PATH": f"{folder}:{os.environ['PATH']}", **environment},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.splitlines()


def test_scripts_and_table_are_what_the_plan_says_now() -> None:
    """`python recipes/cards.py` would change nothing."""
    found = recipes()
    assert sorted(recipe.path for recipe in found) == SCRIPTS
    for recipe in found:
        assert recipe.path.read_text() == cards.script(recipe)
        assert os.access(recipe.path, os.X_OK)
    text = (ROOT / "README.md").read_text()
    assert cards.page(text, found) == text


@pytest.mark.parametrize("path", SCRIPTS, ids=name)
def test_a_recipe_launches_one_process_a_card(path: Path, tmp_path: Path) -> None:
    words = launched(path, tmp_path, "--seed", "3", NODE_RANK="1", HEAD="first")
    machine = path.stem.partition("-")[2]
    at = words.index("-m")
    assert words[at : at + 3] == ["-m", "skythought", "train"]
    assert words[words.index("--dataset") + 1] == "r1 17k.jsonl"
    assert words[-2:] == ["--seed", "3"]
    if machine == "1x80gb":
        assert words[:at] == ["python"]
    else:
        assert words[0] == "torchrun"
        cards_of_node = machine.removeprefix("2x").partition("x")[0]
        assert words[words.index("--nproc_per_node") + 1] == cards_of_node
    if machine.startswith("2x"):
        assert words[words.index("--nnodes") + 1] == "2"
        assert words[words.index("--node_rank") + 1] == "1"
        assert words[words.index("--rdzv_endpoint") + 1] == "first:29500"


def test_a_rehearsal_refuses_what_does_not_fit(capsys: Any) -> None:
    pytest.importorskip("trl")
    base = str(ROOT / "models" / "Qwen2.5-32B-Instruct")
    words = ["train", "--base_model", base, "--dataset", "none", "--gradient_checkpointing"]
    assert cli.main([*words, "--dry_run", "1x80GB"]) == 2
    told = capsys.readouterr().err
    assert "--dry_run 1x80GB: a sample of 16,384 tokens takes" in told
    assert cli.main([*words, "--dry_run", "1x80GB", "--lora_target", "q_prj"]) == 2
    assert "q_prj" in capsys.readouterr().err


def test_what_lies_in_the_machines_memory_leaves_room_on_the_cards(capsys: Any) -> None:
    pytest.importorskip("trl")
    base = str(ROOT / "models" / "Qwen2.5-32B-Instruct")
    words = ["train", "--base_model", base, "--dataset", "none", "--gradient_checkpointing"]
    words += ["--full", "--dry_run", "8x80GB", "--sharding"]
    for sharding in ("fsdp", "zero3"):
        assert cli.main([*words, sharding]) == 2
        assert "a sample of 16,384 tokens takes" in capsys.readouterr().err
    assert cli.main([*words, "zero3", "--offload"]) == 0
    assert "are trained, sharding zero3, 16,384 tokens a pass" in capsys.readouterr().err
    words[words.index("8x80GB")] = "8xL40S"
    assert cli.main([*words, "zero3", "--offload"]) == 2
    assert "begins with all weights on each device, 61.0 GiB" in capsys.readouterr().err


def test_two_nodes_say_what_they_need(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        launched(ROOT / "qwen2.5-7b" / "lora-2x8xh100.sh", tmp_path)
    assert "NODE_RANK: 0 or 1" in caught.value.stderr


@pytest.mark.parametrize("path", SCRIPTS, ids=name)
def test_a_recipe_resolves_without_weights(path: Path, tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("trl")
    method, _, machine = path.stem.partition("-")
    model = next(m for m in cards.MODELS if m.lower().startswith(path.parent.name))
    base = str(ROOT / "models" / model)
    where = {"BASE_MODEL": base, "NODE_RANK": "0", "HEAD": "first"}
    words = launched(path, tmp_path, "--dry_run", cards.MACHINES[machine], **where)
    assert cli.main([*words[words.index("train") :], "--json"]) == 0
    told = capsys.readouterr()
    assert "parameters are trained" in told.err
    recipe = next(r for r in recipes() if r.path == path)
    found = json.loads(told.out)
    assert found["trained_parameters"] == recipe.row.setup.trained
    assert found["memory"]["total"] == pytest.approx(recipe.row.memory.total)
    setup = recipe.row.setup
    shared = "zero3" if setup.zero3 else "fsdp" if setup.shards > 1 else found["sharding"]
    assert found["sharding"] == shared
    assert found["full"] == (method == "full")
