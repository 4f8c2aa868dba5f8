"""skythought/structure/summary.py: many traces together, whoever counted them."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from skythought import structure
from skythought.core.records import Trace
from skythought.structure.summary import CELLS, MOST_MODELS, OTHERS, Summary, Values

THOUGHT = (
    "3 boxes of 12 apples, 4 broken.\n\n3 * 12 = 36.\n\n36 - 4 = 32.\n\nWait, let me check. Yes."
)


def measures(**values: Any) -> structure.Measures:
    made = structure.measure(
        Trace(id="t", problem_id="p", model="m", messages=(), thought=THOUGHT, answer="32")
    )
    return msgspec.structs.replace(made, **values)


def test_values_keep_three_digits_and_exact_means() -> None:
    values = Values()
    for number in range(1, 10_001):
        values.add(number)
    found = values.describe()
    assert found is not None
    assert found["mean"] == 5000.5
    assert found["p50"] == pytest.approx(5000, rel=0.005)
    assert found["p90"] == pytest.approx(9000, rel=0.005)
    assert len(values.counts) < 3000
    assert Values().describe() is None


def test_merged_is_the_same_as_added() -> None:
    rows = [measures(model=f"m{i % 60}", steps=i + 1, tokens=3 * i) for i in range(200)]
    whole, parts = Summary(), [Summary(), Summary()]
    for i, row in enumerate(rows):
        whole.add(row)
        parts[i >= 100].add(row)
    parts[0].merge(parts[1])
    one, other = whole.describe(), parts[0].describe()
    assert one["all"]["steps"] == other["all"]["steps"]
    assert len(one["models"]) == MOST_MODELS + 1
    assert one["models"][OTHERS]["traces"] > 1


def test_transitions_are_shares() -> None:
    found = Summary()
    found.add(measures(roles="RCCF"))
    found.add(measures(roles="C"))
    table = found.describe()["all"]["transitions"]
    assert table["compute"] == {
        **dict.fromkeys(table["compute"], 0),
        "compute": 0.5,
        "conclude": 0.5,
    }
    assert table["restate"]["compute"] == 1
    assert sum(table["conclude"].values()) == 0
    assert "verify" not in table


def test_a_model_may_be_called_all() -> None:
    found = Summary()
    found.add(measures(model="all"))
    assert [*found.describe()["models"]] == ["model all"]


def test_all_is_plain_json() -> None:
    found = Summary()
    found.add(measures(grounding=None, consistency=None, checkable=0, answer_step=None))
    assert json.loads(msgspec.json.encode(found.describe())) == found.describe()
    assert found.describe()["all"]["grounding"] is None
    assert Summary().describe()["all"]["steps"] is None


def test_the_plane_has_traces_with_enough_to_check() -> None:
    found = Summary()
    found.add(measures(grounding=1.0, consistency=0.0, checkable=5))
    found.add(measures(grounding=0.0, consistency=1.0, checkable=5, flag=structure.UNGROUNDED))
    found.add(measures(grounding=0.0, consistency=1.0, checkable=4))
    assert found.describe()["all"]["plane"] == [[0, CELLS - 1, 1], [CELLS - 1, 0, 1]]
    assert found.describe()["all"]["ungrounded"] == 1
