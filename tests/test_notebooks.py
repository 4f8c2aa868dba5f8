"""notebooks/: every cell runs on a CPU, from top to bottom, and shows what the text says."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chat_server import Server, say

from skythought import backends, tasks
from skythought.core.records import Message, Request, Sampling

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def execute(name: str, folder: Path, **environment: str) -> list[dict[str, Any]]:
    """Run a notebook in a folder; gives its cells."""
    nbclient = pytest.importorskip("nbclient", reason="needs skythought[dev]")
    nbformat = pytest.importorskip("nbformat", reason="needs skythought[dev]")
    pytest.importorskip("torch", reason="needs skythought[train]")
    book = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), **environment}
    client = nbclient.NotebookClient(
        book, timeout=900, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    client.execute(env=env)
    return [dict(cell) for cell in book.cells]


def shown(cells: list[dict[str, Any]]) -> str:
    """Give the texts that cells printed or displayed."""
    found = []
    for cell in cells:
        for output in cell.get("outputs", []):
            found.append(output.get("text", ""))
            found += output.get("data", {}).values()
    return "\n".join(text for text in found if isinstance(text, str))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_hold_no_output(path: Path) -> None:
    for cell in json.loads(path.read_text())["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_quickstart(tmp_path: Path) -> None:
    told = shown(execute("quickstart", tmp_path))
    scores = {
        name: json.loads((tmp_path / "runs" / "eval" / name / "scores.json").read_text())
        for name in ("base", "correct", "keywords", "shuffled")
    }
    assert scores["correct"]["accuracy"] > scores["base"]["accuracy"] + 0.2
    assert scores["correct"]["accuracy"] > scores["shuffled"]["accuracy"] + 0.2
    assert "runs/eval/shuffled against runs/eval/correct, 60 problems" in told
    assert "Traceback" not in told


@pytest.fixture
def teacher() -> Iterator[Server]:
    """A chat server on this machine that solves toll roads as the symbolic teacher does."""
    solver = backends.make("symbolic", "", {})

    def answer(asked: dict[str, Any]) -> Any:
        messages = tuple(Message(turn["role"], turn["content"]) for turn in asked["messages"])
        request = Request(id="r", messages=messages[-1:], sample=asked["seed"])
        [made] = solver.complete([request], Sampling())
        from skythought.core import formats

        parts = formats.parse(made.text)
        message = {"role": "assistant", "content": parts.answer, "reasoning_content": parts.thought}
        usage = {"prompt_tokens": 50, "completion_tokens": made.completion_tokens}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return say(200, {"model": "teacher", "choices": [choice], "usage": usage})

    server = Server(answer)
    yield server
    server.close()


def test_distill_your_own(tmp_path: Path, teacher: Server) -> None:
    told = shown(
        execute(
            "distill_your_own",
            tmp_path,
            TEACHER_URL=f"http://127.0.0.1:{teacher.port}/v1",
            TEACHER_MODEL="teacher",
            STUDENT="mini",
            MAX_STEPS="4",
        )
    )
    assert len(teacher.asked) == 240
    assert "240 requests to teacher" in told
    assert "runs/eval/student against runs/eval/base, 40 problems" in told
    assert "Traceback" not in told
    assert tasks.get(str(tmp_path / "data" / "held_out.jsonl"))
