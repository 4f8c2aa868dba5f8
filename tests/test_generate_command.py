"""skythought generate as a command: what it warns of, and the code it ends with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chat_server import Reply, Server, good, say

from skythought import cli, evaluate

TOY = """
from skythought.core.records import Completion

class Toy:
    def __init__(self, model):
        self.identity = "toy"

    def complete(self, requests, sampling):
        for request in requests:
            yield Completion(id=request.id, text="4", finish="stop")
"""


def command(folder: Path, *more: str) -> list[str]:
    words = ["generate", "--task", "toll_roads", "--limit", "2"]
    return [*words, "--result-dir", str(folder / "run"), *more]


@pytest.mark.parametrize(
    ("n", "sampling", "backend", "warned"),
    [
        (3, "", "toy_backend:Toy", True),
        (3, "temperature=0.6", "toy_backend:Toy", False),
        (1, "", "toy_backend:Toy", False),
        (3, "", "symbolic", False),
    ],
)
def test_many_greedy_samples_are_warned_of(
    n: int,
    sampling: str,
    backend: str,
    warned: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "toy_backend.py").write_text(TOY)
    monkeypatch.syspath_prepend(tmp_path)
    words = command(tmp_path, "--n", str(n), "--sampling-params", sampling, "--backend", backend)
    assert cli.main(words) == 0
    told = "warning: greedy decoding draws 3 samples of a problem that are (nearly) the same; give"
    assert capsys.readouterr().err.count(told) == warned


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = command(tmp_path, "--backend", "symbolic")
    assert cli.main(words) == 0
    assert "run: 2 traces, 0 truncated, 0 errors, " in capsys.readouterr().err
    assert cli.main([*words, "--system-prompt", "Hi"]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "was made with system_prompt='', now 'Hi'" in told


def test_samples_that_failed_are_in_the_exit_code(
    serve: Callable[..., Server], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """1, until the same command has got them."""
    pytest.importorskip("aiohttp", reason="needs skythought[openai]")
    broken = True

    def answer(asked: dict[str, Any]) -> Reply:
        return say(400, {"error": "no"}) if broken and len(server.asked) == 2 else good(asked)

    server: Server = serve(answer)
    words = command(tmp_path, "--backend", "openai", "--model", "m", "--max-error-rate", "1")
    words += ["--backend-args", f"base_url={server.url},concurrency=1"]
    assert cli.main(words) == 1
    told = capsys.readouterr().err
    assert "run: 1 traces, 0 truncated, 1 errors, 7 tokens" in told
    assert "1 sample failed; run the same command again to ask for it" in told
    broken = False
    assert cli.main([*words, "--dry-run"]) == 0
    assert cli.main(words) == 0
    assert "sample failed" not in capsys.readouterr().err
    assert len(server.asked) == 3


def test_evaluate_says_what_is_missing_in_its_own_way(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    pytest.importorskip("aiohttp", reason="needs skythought[openai]")
    server: Server = serve(
        lambda asked: say(400, {}) if len(server.asked) == 2 else good(asked, content="17")
    )
    found = evaluate.run(
        evaluate.Config(
            task="toll_roads",
            limit=3,
            backend="openai",
            model="m",
            backend_args=f"base_url={server.url},concurrency=1",
            result_dir=tmp_path / "run",
        )
    )
    assert (found["n"], found["complete"]) == (2, False)
