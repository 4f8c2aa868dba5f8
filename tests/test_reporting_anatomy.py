"""skythought/reporting/anatomy.py: a summary as a page, plots and lines."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from skythought.core.records import Message, Trace
from skythought.reporting import anatomy
from skythought.structure import measure
from skythought.structure.roles import LETTERS
from skythought.structure.summary import Summary

THOUGHT = "\n\n".join(["3 boxes of 12.", *(f"{i} + 1 = {i + 1}." for i in range(6)), "Wait, no."])


def described(*models: str, thought: str = THOUGHT) -> dict[str, Any]:
    found = Summary()
    for model in models:
        trace = Trace(
            id="t",
            problem_id="p",
            model=model,
            messages=(Message("user", "3 boxes of 12?"),),
            thought=thought,
            answer="\\boxed{6}",
        )
        found.add(measure(trace))
    source = {"source": "in.jsonl", "letters": dict(LETTERS), "unparsed": 0, "scorer": None}
    return {**source, **found.describe()}


@pytest.mark.parametrize("name", ["roles", "transitions", "after_answer", "plane"])
def test_plots_are_whole_and_say_what_they_show(name: str) -> None:
    root = ET.fromstring(anatomy.plots(described("ant", "bee"))[name])
    parts = {part.tag.rpartition("}")[2]: part for part in root}
    assert parts["title"].text
    assert parts["desc"].text
    x, _, wide, _ = map(float, root.attrib["viewBox"].split())
    for shape in root.iter():
        for left, size in (("x", "width"), ("cx", "r")):
            if left in shape.attrib:
                assert x <= float(shape.attrib[left])
                assert float(shape.attrib[left]) + float(shape.get(size, 0)) <= wide + 0.1


def test_bars_of_roles_are_as_wide_as_their_shares() -> None:
    svg = anatomy.roles(described("ant"))
    widths = [float(w) for w in re.findall(r'width="([\d.]+)" height="22"', svg)]
    shares = described("ant")["all"]["roles"].values()
    assert len(widths) == 2 * len(LETTERS)
    assert [w / sum(widths[:7]) for w in widths[:7]] == pytest.approx([*shares], abs=0.001)


def test_only_large_sets_have_a_panel() -> None:
    assert "cicada" not in anatomy.after_answer(described("ant", "bee", "cicada"))
    svg = anatomy.after_answer(described(*["ant"] * 10, "bee"))
    assert ">ant</text>" in svg
    assert ">bee</text>" not in svg


def test_a_page_has_a_row_for_each_model() -> None:
    page = anatomy.page(described("ant", "b|e<e", "b|e<e"))
    assert page.startswith("# Structure of in.jsonl\n")
    rows = [line for line in page.splitlines() if line.startswith("| b\\|e&lt;e |")]
    assert len(rows) == 4
    assert "| b\\|e&lt;e | 2 |" in page


def test_lines_are_for_the_set_and_for_its_models() -> None:
    assert len([*anatomy.lines(described("ant"))]) == 1
    assert [line.partition(":")[0] for line in anatomy.lines(described("ant", "bee"))] == [
        *("all", "ant", "bee")
    ]
    assert len([*anatomy.lines(described(*(f"m{i}" for i in range(20))))]) == 6
    [*_, last] = anatomy.lines({**described("ant"), "unparsed": 3})
    assert last.startswith("3 rows were not analyzed")


def test_a_set_of_empty_traces_has_a_page() -> None:
    found = described("ant", thought="")
    found["all"]["reached"] = 0
    assert "NaN" not in anatomy.page(found)
    assert "after_answer" not in anatomy.plots(found)


def test_names_are_text() -> None:
    for svg in anatomy.plots(described("<script>", "x\x1b[2J" + "y" * 99)).values():
        assert "<script>" not in svg
        assert "\x1b" not in svg
