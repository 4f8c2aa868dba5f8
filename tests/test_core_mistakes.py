"""skythought/core/mistakes.py: what is wrong with a flag is one line that says what to do."""

from __future__ import annotations

import builtins
from typing import Any

import pytest

from skythought import cli

TRAIN = ("train", "--base_model", "mini", "--dataset", "x")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("train",), "--base-model and --dataset are missing"),
        (("report",), "study is missing"),
        (
            ("train", "--base_modl", "mini"),
            "there is no flag --base_modl; did you mean --base_model?",
        ),
        ((*TRAIN, "--lora-rr=4"), "there is no flag --lora-rr; did you mean --lora-r?"),
        ((*TRAIN, "--zzz", "3"), "there is no flag --zzz"),
        ((*TRAIN, "--lora_r", "many"), "--lora-r many: this is not a whole number"),
        ((*TRAIN, "--lr=fast"), "--lr fast: this is not a number"),
        ((*TRAIN, "--lr"), "--lr needs a value"),
        ((*TRAIN, "--objective", "ppo"), "--objective ppo: choose dpo, sft or simpo"),
        ((*TRAIN, "--full", "yes"), "'yes' belongs to no flag"),
        (("reproduce", "max"), "study max: choose mini"),
        (("score", "runs/x"), "'runs/x' belongs to no flag; did you mean --run-dir runs/x?"),
    ],
)
def test_a_wrong_flag_is_one_line(
    words: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words) == 2
    said = capsys.readouterr()
    assert said.err == f"skythought {words[0]}: {told} (--help shows all flags)\n"
    assert not said.out


def test_without_the_hook_tyro_says_it_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **values: Any) -> Any:
        if name == "tyro" and "_errors" in (args[2] or ()) and "mistakes" in args[0]["__name__"]:
            raise ImportError(name)
        return real(name, *args, **values)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(SystemExit) as stopped:
        cli.main(["train", "--base_modl", "mini"])
    assert stopped.value.code == 2
    assert "--base_modl" in capsys.readouterr().err
