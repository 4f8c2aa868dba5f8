"""The page, the plots, the published table and the words of a report."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from test_report import build

from skythought import report, study
from skythought.core import store
from skythought.reporting import drawing, paper, plots, wording
from skythought.reporting.runs import Arm, Card, Facts, Seed, Step

HOSTILE = (
    "</pre></details><script>alert(1)</script><img src=x onerror=alert(2)>'\"&lt; "
    "\x00\u202e| [x](y)"
)


class Page(HTMLParser):
    """The tags of a page, its links and the text a reader sees."""

    VOID = ("meta", "br", "img", "link", "input", "hr", "circle", "line", "rect")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def attributes(self) -> Iterator[tuple[str, str]]:
        """List all attributes."""
        for _, attrs in self.tags:
            yield from ((key, value or "") for key, value in attrs.items())


def page_of(folder: Path) -> Page:
    report.run(report.Config(study=folder))
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    folder = build(tmp_path, {"base": {0: "0"}, "correct": {0: "10"}}, text=HOSTILE)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["config"] |= {"study": HOSTILE, "settings": {HOSTILE: HOSTILE}}
    manifest["revision"] = HOSTILE
    store.write_whole(folder / "manifest.json", json.dumps(manifest))
    card = json.loads((folder / "arms" / "correct" / "arm.json").read_text())
    card |= {"title": HOSTILE, "group": f'x" onload="{HOSTILE}'}
    store.write_whole(folder / "arms" / "correct" / "arm.json", json.dumps(card))
    page = page_of(folder)
    assert page.open == []
    assert not {tag for tag, _ in page.tags} & {"script", "img", "iframe", "object", "base", "link"}
    assert not [key for key, _ in page.attributes() if key.startswith("on")]
    seen = "".join(page.text)
    assert "thinking </pre></details><script>alert(1)</script><img src=x onerror=alert(2)>" in seen
    assert "\x00" not in seen
    assert "\u202e" not in seen
    told = (folder / "report.md").read_text()
    assert "<script" not in told
    assert "<img" not in told


@pytest.mark.parametrize(("seeds", "luck"), [((0,), "nothing of"), ((0, 1), "some of")])
def test_the_page_says_whether_intervals_hold_luck_in_training(
    seeds: tuple[int, ...], luck: str, tmp_path: Path
) -> None:
    arms = {name: dict.fromkeys(seeds, "10") for name in ("correct", "digits_50")}
    seen = "".join(page_of(build(tmp_path, arms)).text)
    assert f"the interval holds {luck} the luck of training" in seen


def test_long_texts_are_cut_visibly_and_the_page_stays_small(tmp_path: Path) -> None:
    arms = {name: {0: "1" * 12} for name in study.DEFAULT}
    folder = build(tmp_path, arms, text="x" * 200_000)
    store.write_whole(folder / "data" / "card.md", "# Card\n")
    page = page_of(folder)
    seen = "".join(page.text)
    assert "[cut here: 194,009 more characters in arms/base/seed0/greedy/traces.jsonl]" in seen
    assert (folder / "report.html").stat().st_size < 3 * 2**20


def test_the_page_needs_no_network_and_its_links_lead_somewhere(tmp_path: Path) -> None:
    arms = {"base": {0: "10"}, "correct": {0: "11"}, "digits_50": {0: "10"}}
    page = page_of(build(tmp_path, arms))
    text = (tmp_path / "report.html").read_text()
    links = [value for key, value in page.attributes() if key == "href"]
    ids = {value for key, value in page.attributes() if key == "id"}
    outside = {link for link in links if "://" in link}
    assert outside == {paper.URL}
    assert text.count("://") == text.count(paper.URL)
    assert not [value for key, value in page.attributes() if key in ("src", "srcset", "data")]
    assert "url(" not in text
    assert "@import" not in text
    for link in set(links) - outside:
        assert (link[1:] in ids) if link.startswith("#") else (tmp_path / link).exists(), link
    for name in arms:
        assert links.count(f"arms/{name}/") == 2  # in both tables


def test_the_page_can_be_read_without_seeing_it(tmp_path: Path) -> None:
    page = page_of(build(tmp_path, {"correct": {0: "11"}, "digits_50": {0: "10"}}))
    ids = [value for key, value in page.attributes() if key == "id"]
    assert len(ids) == len(set(ids))
    drawings = [attrs for tag, attrs in page.tags if tag == "svg"]
    assert len(drawings) == 6  # two plots wide and narrow, two curves
    for attrs in drawings:
        assert attrs["role"] == "img"
        assert set(str(attrs["aria-labelledby"]).split()) <= set(ids)
    heads = [attrs for tag, attrs in page.tags if tag == "th"]
    assert heads
    assert all(attrs.get("scope") for attrs in heads)


def test_every_arm_shows_the_same_problems(tmp_path: Path) -> None:
    arms = {"correct": {0: "1" * 30}, "digits_50": {0: "0" * 30}}
    seen = "".join(page_of(build(tmp_path, arms)).text)
    shown = [number for number in range(30) if f"problem{number}? " in seen]
    assert len(shown) == 10
    assert all(seen.count(f"problem{number}? ") == 2 for number in shown)
    assert "10 answers, 10 correct" in seen
    assert "10 answers, 0 correct" in seen


def test_the_published_table_is_consistent() -> None:
    for name, row in paper.ROWS.items():
        mean = (row.math500 + row.aime24 + row.amc23 + row.olympiad) / 4
        assert (abs(mean - row.average) < 0.0551) == (name != "base"), name
        if row.change is not None:
            assert row.average - paper.ROWS["correct"].average == pytest.approx(row.change)
    assert set(paper.ROWS) <= set(study.ARMS)


def test_published_changes() -> None:
    assert report.paper_change("deleted_100") == -16.8
    assert report.paper_change("digits_50") == -2.1
    for name in ("base", "correct", "correct_full", "short_answers", "no such arm"):
        assert report.paper_change(name) is None


def test_the_boundary_stands_between_the_published_groups() -> None:
    losses = [-row.change for row in paper.ROWS.values() if row.change]
    small = [loss for loss in losses if loss < paper.BOUNDARY]
    large = [loss for loss in losses if loss > paper.BOUNDARY]
    assert (min(small), max(small)) == (0.4, 4.3)
    assert (min(large), max(large)) == (9.1, 63.6)
    assert "0.4 to 4.3 points, and 9.1 points or more" in paper.RULE


@pytest.mark.parametrize(
    ("published", "low", "high", "found"),
    [
        (-2.1, -6.9, 3.0, "reproduced"),
        (-2.1, -7.1, 3.0, "undecided"),
        (-2.1, -30.0, -7.1, "not reproduced"),
        (-2.1, -7.0, -7.0, "undecided"),
        (-12.8, -30.0, -7.1, "reproduced"),
        (-12.8, -30.0, -6.9, "undecided"),
        (-12.8, -6.9, 3.0, "not reproduced"),
    ],
)
def test_one_rule_of_agreement_for_every_row(
    published: float, low: float, high: float, found: str
) -> None:
    assert paper.agreement(published, low, high) == found


@pytest.mark.parametrize(
    ("lift_low", "max_steps", "found"),
    [
        (10.1, -1, True),
        (10.0, -1, False),
        (-3.0, -1, False),
        (None, -1, False),
        (50.0, 0, True),
        (50.0, 3, False),
        (50.0, None, True),
    ],
)
def test_verdicts_need_a_lift_and_training_to_the_end(
    lift_low: float | None, max_steps: int | None, found: bool
) -> None:
    assert paper.judgeable(lift_low, max_steps) is found
    assert f"above {paper.MIN_LIFT:g} points" in paper.RULE


def row(name: str, delta: float, **more: Any) -> dict[str, Any]:
    """Give what the plots need of a row of results.json."""
    arm = study.ARMS[name]
    found = {"name": name, "title": arm.title, "group": arm.group, "delta": delta, "accuracy": 0.5}
    found |= {"delta_low": delta - 0.02, "delta_high": delta + 0.02, "mean_tokens": 100.0}
    return {**found, "paper_change": paper.change(name), **more}


ROWS = [row("correct_full", 0.1), row("digits_50", -0.2), row("deleted_67", -0.4)]


@pytest.mark.parametrize("width", [990, 350])
def test_effects_are_drawn_where_they_belong(width: int) -> None:
    drawn = plots.effects(ROWS, width)
    dots = [float(x) for x in re.findall(r'<circle class="mark fill" cx="([\d.]+)"', drawn)][1:]
    assert dots == sorted(dots, reverse=True)
    left, right = dots[2], dots[0]
    assert (dots[1] - left) / (right - left) == pytest.approx(0.4, abs=0.01)  # of -40 to +10
    assert drawn.count('class="paper"') == 3  # the legend's, and two rows have a published change
    spans = re.findall(r'class="span stroke" x1="([\d.]+)" y1="[\d.]+" x2="([\d.]+)"', drawn)[1:]
    for (low, high), dot in zip(spans, dots, strict=True):
        assert (float(low) + float(high)) / 2 == pytest.approx(dot, abs=0.2)
        assert 0 <= float(low) <= float(high) <= width
    assert "deleted 67 %: −40.0 (−42.0 to −38.0), published −12.8" in drawn


def test_nothing_to_draw_draws_nothing() -> None:
    assert plots.effects([{**row("correct", 0.0), "delta": None}], 990) == ""
    assert plots.lengths([row("correct", 0.0, accuracy=None)], 990) == ""
    assert plots.curves([]) == []


def test_labels_do_not_lie_on_each_other() -> None:
    crowd = [row(name, 0.0, mean_tokens=100.0 + i) for i, name in enumerate(study.DEFAULT)]
    drawn = plots.lengths(crowd, 990)
    labels = re.findall(r'<text class="fill ?\w*" x="[\d.]+" y="([\d.]+)">', drawn)
    assert len(labels) >= 8
    assert len(set(labels)) >= len(labels) / 2


def test_curves_skip_what_is_no_number() -> None:
    card = Card(name="correct", title="a <b>", group="clean")
    log = tuple(Step(step=i, loss=math.nan if i == 2 else 3.0 / i) for i in range(1, 1001))
    seed = Seed(number=0, facts=Facts(), answers={}, log=log)
    [(arm, drawn)] = plots.curves([Arm(card=card, seeds=(seed,))])
    assert arm.card is card
    assert "nan" not in drawn
    assert "from 3.00 at step 1 to 0.00 at step 1000" in drawn
    assert "a &lt;b&gt;" in drawn
    assert len(drawn) < 20_000  # a thousand steps are thinned out


@pytest.mark.parametrize(
    ("low", "high", "most", "found"),
    [
        (-81, 7, 6, [-80, -60, -40, -20, 0]),
        (0, 2.2, 4, [0, 1, 2]),
        (-0.3, 0.3, 4, [-0.2, 0, 0.2]),
        (0, 0, 4, [0]),
    ],
)
def test_ticks_are_round(low: float, high: float, most: int, found: list[float]) -> None:
    assert drawing.ticks(low, high, most) == found


def test_numbers_are_written_the_same_everywhere() -> None:
    assert wording.points(-0.1284) == "−12.8"
    assert wording.points(0.0004) == "0.0"
    assert wording.points(None) == "–"
    assert wording.percent(0.6942) == "69.4 %"
    assert wording.between(-0.05, 0.01) == "−5.0 to +1.0"
    assert [wording.p_value(p) for p in (0.0004, 0.0214, 0.5, 1.0)] == [
        "< 0.001",
        "0.021",
        "0.50",
        "1.00",
    ]
    assert [wording.p_clause(p) for p in (0.0004, 0.05)] == ["p < 0.001", "p = 0.050"]
    assert [wording.seconds(s) for s in (9.4, 600, 9000)] == ["9 s", "10 min", "2.5 h"]
    assert wording.several(["a", "b", "c"]) == "a, b and c"
