"""skythought/reporting/changes.py and `perturb --html`: a page in which no text is markup."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest

from skythought import perturb
from skythought.core import store
from skythought.core.errors import UserError
from skythought.core.records import Message, Trace
from skythought.perturb import Config
from skythought.reporting import changes

HOSTILE = "</div></details><script>alert(1)</script><img src=x onerror=alert(2)>&lt;\x1b[2J\u202e"
KNOWN = {
    *("html", "head", "meta", "title", "style", "body", "header", "p", "h1", "del", "ins", "main"),
    *("section", "h2", "ul", "li", "details", "summary", "pre", "div", "footer"),
}


class Tags(HTMLParser):
    """Lists the elements of a page, and fails where one closes that is not open."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.attributes: set[str] = set()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def trace(number: int, text: str) -> Trace:
    return Trace(
        id=f"t{number} {text}",
        problem_id="p",
        model="m",
        messages=(Message("user", f"How many? {text}"),),
        thought=f"Step 1: {text}\n\nStep 2 is {text}.\n\nSo 3 {text}.",
        answer=f"\\boxed{{3}} {text}",
    )


@pytest.mark.parametrize("kind", ["digits", "shuffle", "delete", "answers"])
def test_nothing_of_a_trace_is_markup(kind: str, tmp_path: Path) -> None:
    store.write_records(tmp_path / "in.jsonl", [trace(i, HOSTILE) for i in range(3)])
    shown = tmp_path / "page.html"
    made = Config(
        input=tmp_path / "in.jsonl",
        output=tmp_path / "out.jsonl",
        kind=kind,
        fraction=1,
        html=shown,
    )
    perturb.run(made)
    text = shown.read_text()
    tags = Tags()
    tags.feed(text)
    assert tags.seen <= KNOWN
    assert tags.open == []
    assert tags.attributes <= {
        *("lang", "charset", "http-equiv", "content", "name", "class", "id", "aria-labelledby")
    }
    assert not {"\x1b", "\u202e"} & set(text)
    assert text.count("<section") == 3
    assert "<del>" in text
    assert "default-src 'none'" in text
    assert ">solution<" in text if kind == "answers" else ">solution<" not in text


def test_a_finished_file_is_shown_as_a_page(tmp_path: Path) -> None:
    store.write_records(tmp_path / "in.jsonl", [trace(i, "") for i in range(30)])
    paths: dict[str, Any] = {"input": tmp_path / "in.jsonl", "output": tmp_path / "out.jsonl"}
    perturb.run(Config(**paths, kind="delete", fraction=0.33))
    before = (tmp_path / "out.jsonl").read_bytes()
    for show, n in ((0, perturb.SHOWN), (2, 2)):
        perturb.run(Config(**paths, html=tmp_path / "page.html", show=show))
        text = (tmp_path / "page.html").read_text()
        assert text.count("<section") == n
        assert text.count("2 steps as before") + text.count("1 step as before") >= n
        assert text.count("(removed)") == n
    assert (tmp_path / "out.jsonl").read_bytes() == before
    for name in ("page.jsonl", "in"):
        with pytest.raises(UserError, match=r"--html .*: give a file called \.html"):
            perturb.run(Config(**paths, html=tmp_path / name))
    with pytest.raises(UserError, match="--html shows one file"):
        perturb.run(Config(**paths, grid="paper", html=tmp_path / "page.html"))


def test_a_thought_without_end_is_cut() -> None:
    long = ("changed", "x" * changes.LONGEST, "y")
    page = changes.page("a", [changes.Change("n", (), "q" * 10**6, [("kept", "k", "k"), long])])
    assert "1 step as before" in page
    assert "The rest is left out here" in page
    assert len(page) < 2 * changes.CUT


def test_the_parts_of_a_page_take_any_text() -> None:
    lone = msgspec.structs.replace(trace(1, "a"), thought="")
    page = changes.page(lone.id, [changes.Change(lone.id, (), "", [])])
    assert "1 trace, the original" in page
