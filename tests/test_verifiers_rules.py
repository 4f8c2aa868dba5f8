"""skythought/verifiers/rules.py: what each rule set makes of the answers graders disagree about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from skythought import verifiers
from skythought.core.records import Problem

LINES = (Path(__file__).parent / "cases" / "rules.jsonl").read_text(encoding="utf-8").splitlines()
CASES = [json.loads(line) for line in LINES]
NAMES = ("math_strict", "math", "math_lenient")


@pytest.mark.parametrize(
    "case", CASES, ids=[f"{i} {c['reference'][:20]!a}" for i, c in enumerate(CASES)]
)
def test_rule_sets(case: dict[str, Any]) -> None:
    question = case.get("question", "What?")
    asked = Problem(id="p", task="t", question=question, answer=case["reference"])
    text = case.get("text") or f"So it is $\\boxed{{{case['answer']}}}$."
    found = [verifiers.get(name).check(asked, text).outcome for name in NAMES]
    assert found == case["outcomes"]


def test_a_stricter_set_takes_no_more() -> None:
    for case in CASES:
        right = [outcome == "correct" for outcome in case["outcomes"]]
        assert right == sorted(right), case


def test_each_set_is_a_verifier_of_its_own() -> None:
    labels = {verifiers.get(name).label for name in NAMES}
    assert labels == {"math@6", "math_strict@3", "math_lenient@3"}
