"""skythought/structure/roles.py: the table of rules, and how often it agrees with a reader."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from skythought import structure
from skythought.core import shapes
from skythought.core.records import digest
from skythought.structure import roles

ROOT = Path(__file__).parents[1]
QUESTION = (
    "Tom buys a bedroom set for $3000. He sells his old bedroom for $1000 and uses that to pay "
    "for part of it. He then has to pay 10% a month. How much does he have to pay per month?"
)
STEPS = {
    "Okay, so Tom buys a bedroom set for $3000 and sells his old one for $1000.": "restate",
    "First, I need to find how much is left to pay.": "plan",
    "Let me compute that:": "plan",
    "3000 - 1000 = 2000.": "compute",
    "10% of 2000 is 200.": "compute",
    "Wait, maybe the 10% are of the old price.": "backtrack",
    "No, that's not right.": "backtrack",
    "Let me read it again: He sells his old bedroom for $1000 and uses that to pay": "verify",
    '"He sells his old bedroom for $1000 and uses that to pay for part of it."': "restate",
    "The problem says he pays monthly.": "restate",
    "Wait, let me double-check that. 0.1 * 2000 is 200.": "verify",
    "But just to be absolutely sure, 2000 / 10 = 200.": "verify",
    "I don't see any mistakes in it.": "verify",
    "200 * 10 = 2000, so that checks out.": "verify",
    "Alternatively, as a fraction: 2000 / 10.": "alternative",
    "Is there another way to look at it?": "alternative",
    "Alternatively, 200 times 10, to verify, is 2000.": "verify",
    "So the answer is 200.": "conclude",
    "I think that's right. The answer should be $200.": "conclude",
    "**Final Answer**\nTom pays \\boxed{200} dollars.": "conclude",
    "Therefore, he pays $200 each month.": "conclude",
}


@pytest.mark.parametrize(("text", "role"), STEPS.items(), ids=list(STEPS))
def test_roles(text: str, role: str) -> None:
    number = [*STEPS].index(text)
    assert roles.name(text, roles.Question(QUESTION), number, len(STEPS)) == role


def test_place_decides_where_words_do_not() -> None:
    asked = roles.Question(QUESTION)
    said = "Tom uses $1000 of his old set for part of the bedroom, $3000."
    assert roles.name(said, asked, 0, 9) == "restate"
    assert roles.name(said, asked, 5, 9) == "compute"
    last = "Therefore, the rate it is."
    assert roles.name(last, asked, 8, 9) == "conclude"
    assert roles.name(last, asked, 4, 9) == "compute"


def test_every_rule_is_used_and_every_role_has_a_letter() -> None:
    assert {rule.role for rule in roles.RULES} | {"compute"} == set(roles.LETTERS)
    assert len(set(roles.LETTERS.values())) == len(roles.LETTERS)
    assert len({rule.why for rule in roles.RULES}) == len(roles.RULES)


@pytest.mark.parametrize(
    "text",
    [
        *("a" * 10**6, " " * 10**6, "okay, " * 10**5, "wait but " * 10**5, "\n" * 10**6),
        *("= " * 10**5, "let me " * 10**5, "(" * 10**6, "no, no. " * 10**5 + ":"),
    ],
    ids=range(9),
)
def test_hostile_steps_have_a_role(text: str) -> None:
    assert roles.name(text, roles.Question(text), 0, 2) in roles.LETTERS


def labelled() -> list[dict[str, Any]]:
    """Read the steps that a reader labelled before any rule was written."""
    lines = (ROOT / "tests" / "cases" / "roles.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def kappa(pairs: list[tuple[str, str]]) -> float:
    """Cohen's kappa: agreement beyond that of chance."""
    agreed = sum(a == b for a, b in pairs) / len(pairs)
    said, given = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    chance = sum(said[role] * given[role] for role in said) / len(pairs) ** 2
    return (agreed - chance) / (1 - chance)


def test_kappa() -> None:
    assert kappa([("a", "a"), ("b", "b")]) == 1
    assert kappa([("a", "a"), ("a", "b"), ("b", "a"), ("b", "b")]) == 0


def test_the_table_holds_no_text_and_enough_labels() -> None:
    rows = labelled()
    assert len({(row["id"], row["step"]) for row in rows}) == len(rows) >= 150
    assert {*rows[0]} == {"id", "step", "text", "role", "half"}
    assert all(len(row["text"]) == 16 for row in rows)


def test_the_rules_agree_with_the_reader_as_documented(shared: Path) -> None:
    traces = {t.id: t for t in shapes.read_traces(shared / "traces" / "traces.jsonl")}
    pairs: dict[str, list[tuple[str, str]]] = {"dev": [], "test": []}
    for row in labelled():
        step = structure.read(traces[row["id"]])[row["step"]]
        assert digest(step.text) == row["text"], "steps are cut elsewhere: label them again"
        pairs[row["half"]].append((row["role"], step.role))
    page = (ROOT / "docs" / "analyze.md").read_text(encoding="utf-8")
    for half, name in (("dev", "rules were made on"), ("test", "held out")):
        found = pairs[half]
        agreed = sum(a == b for a, b in found) / len(found)
        assert f"| {name} | {len(found)} | {agreed:.0%} | {kappa(found):.2f} |" in page
    table = Counter([*pairs["dev"], *pairs["test"]])
    for said in roles.LETTERS:
        cells = " | ".join(str(table[said, given]) for given in roles.LETTERS)
        assert f"| {said} | {cells} |" in page
