"""skythought/completion.py: a real shell completes verbs and flags."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from skythought import cli, completion
from skythought.core.errors import UserError


def completed(*words: str) -> list[str]:
    """Let bash complete the last word."""
    typed = " ".join(f"'{word}'" for word in words)
    ask = f"COMP_WORDS=(skythought {typed}); COMP_CWORD={len(words)}; _skythought"
    script = completion.script(["bash"], cli.VERBS)
    done = subprocess.run(
        ["bash", "-c", f'{script}\n{ask}\necho "${{COMPREPLY[@]}}"'],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def test_verbs_and_flags_are_completed() -> None:
    assert completed("tr") == ["train"]
    assert {"--lora-r", "--lora-alpha"} <= {*completed("train", "--lora")}
    assert completed("compare", "--f") == ["--flips"]
    assert {"--help", "--quiet", "--json", "--out"} <= {*completed("compare", "--")}
    assert "--a" not in completed("compare", "--")  # a positional


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_scripts_are_well_formed(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "train" in script
    if shell == "fish":
        assert "-l lora-r\n" in script
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)


@pytest.mark.parametrize("words", [[], ["csh"], ["bash", "zsh"]])
def test_other_shells(words: list[str]) -> None:
    with pytest.raises(UserError, match="of which shell"):
        completion.script(words, cli.VERBS)
