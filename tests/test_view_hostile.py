"""`skythought view` among hostile texts, pages of strangers and odd addresses."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from view_site import Opened, trace, write

from skythought.core.errors import UserError
from skythought.viewing.server import Server

Open = Callable[..., Opened]

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg onload=alert(1)>",
    "</textarea></title></style><script>alert(1)</script>",
    "javascript:alert(1)",
    "$\\text{<script>alert(1)</script>}$ \\[\\href{javascript:alert(1)}{x}\\]",
    "\u202eevil\u202c \u2066 \x07 \x1b[31m \ufeff a\u0300\u0301\u0302",
    "%3Cscript%3E &lt;script&gt; &#60;script&#62;",
)


class Tags(HTMLParser):
    """Collects what a browser would make of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def check_harmless(page: str) -> None:
    """Assert that nothing on a page can run or load but our own two files."""
    for tag, attributes in Tags(page).found:
        assert tag not in {"img", "iframe", "object", "embed", "style", "base", "foreignobject"}
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        if tag == "script":
            assert attributes == {"src": "/static/page.js"}
        for name in ("href", "src", "action", "xlink:href"):
            assert (attributes.get(name) or "/")[:1] in "/#", attributes
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", page)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_do_nothing(opened: Open, tmp_path: Path, text: str) -> None:
    folder = tmp_path / "teacher"
    problem = {"id": text, "task": text, "question": text, "answer": text, "extra": {}}
    write(folder / "problems.jsonl", problem)
    row = trace(text, text, model=text, answer=text, thought=f"{text}\n\nWait, {text} 2+2=5")
    row |= {"messages": [{"role": r, "content": text} for r in ("system", "user")]}
    made = row | {"id": f"{text} made", "parent": text, "edits": [text]}
    write(folder / "traces.jsonl", row, made)
    names = ("verifier", "extracted", "expected", "rule", "detail")
    write(
        folder / "verdicts.jsonl", {**dict.fromkeys(names, text), "id": text, "outcome": "correct"}
    )
    (tmp_path / "x<b>\"'").mkdir()
    other = write(tmp_path / "x<b>\"'" / "y'<i>.jsonl", trace("z"), {text: 1})
    site = opened(folder, other, measured=True)
    pages = [site.get("/").body, site.get("/faults").body]
    links = re.findall(r'<td class="problem"><a href="([^"]+)"', pages[0])
    assert len(links) == 3
    for link in links:
        page = site.get(link.replace("&amp;", "&"))
        assert page.status == 200
        pages.append(page.body)
    for link in re.findall(r'href="(/(?:diff|compare)/[^"]+)"', "".join(pages)):
        pages.append(site.get(link.replace("&amp;", "&")).body)
    assert len(pages) == 8
    quoted = "/?" + "&".join(f"{k}=%22%3E%3Cscript%3E" for k in ("q", "model", "sort", "page"))
    pages += [site.get(quoted).body, site.get("/trace/%3Cscript%3E/%22%3E%3Cscript%3E").body]
    for body in pages:
        check_harmless(body)


def test_check_harmless_can_fail() -> None:
    for bad in ("<script>x</script>", "<p onclick=x>", '<a href="javascript:x">', "\u202e"):
        with pytest.raises(AssertionError):
            check_harmless(bad)


def test_huge_and_odd_texts_are_cut(opened: Open, tmp_path: Path) -> None:
    path = write(
        tmp_path / "huge.jsonl",
        trace("line", thought="x" * 3_000_000),
        trace("steps", thought="So it is.\n\n" * 30_000),
        trace("dollars", thought="$" * 200_000 + "\\[" * 100_000 + "\\boxed{" * 20_000),
        trace("question", messages=[{"role": "user", "content": "q" * 3_000_000}]),
        trace("id" * 100_000),
    )
    site = opened(path)
    assert len(site.ids()) == 5
    assert len(site.get("/").body) < 100_000 + 300_000  # an id is part of its address
    for key in ("line", "steps", "dollars", "question"):
        began = time.monotonic()
        page = site.get(f"/trace/huge/{key}")
        assert page.status == 200
        assert len(page.body) < 25_000_000
        assert time.monotonic() - began < 60  # not a measure: nothing hangs
    assert "more are in" in site.get("/trace/huge/line").body
    assert "x" * 2_999_990 in site.get("/raw/huge/line").body


def test_a_file_that_changed_is_not_shown_as_another(opened: Open, tmp_path: Path) -> None:
    path = write(tmp_path / "one.jsonl", trace("a"))
    site = opened(path)
    path.write_text(path.read_text().replace("Tom", "Tim"))
    page = site.get("/trace/one/a")
    assert page.status == 404
    assert "has changed since it was indexed" in page.body
    path.unlink()
    assert site.get("/trace/one/a").status == 404
    assert site.get("/raw/one/a").status == 404


def test_only_this_machine_by_its_own_name(opened: Open, tmp_path: Path) -> None:
    site = opened(write(tmp_path / "one.jsonl", trace("a")))
    port = site.server.server_port
    assert site.server.server_address[0] == "127.0.0.1"
    for host in ("127.0.0.1", "localhost", "LOCALHOST:1", f"127.0.0.1:{port}", "[::1]:80"):
        assert site.get("/", Host=host).status == 200, host
    for host in (
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost@evil.example:80",
        "",
        "a:b:c",
    ):
        page = site.get("/", Host=host)
        assert page.status == 421, host
        assert "Tom" not in page.body
    assert site.get("/", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors").status == 403
    assert site.get("/", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate").status == 200
    with socket.create_connection(("127.0.0.1", port), timeout=10) as wire:
        wire.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n")
        assert b" 421 " in wire.recv(200)


def test_what_every_answer_says(opened: Open, tmp_path: Path) -> None:
    site = opened(write(tmp_path / "one.jsonl", trace("a")))
    for path in ("/", "/trace/one/a", "/raw/one/a", "/static/page.js", "/nothing", "/faults"):
        headers = site.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "Access-Control-Allow-Origin" not in headers
    assert site.get("/raw/one/a").headers["Content-Type"] == "text/plain; charset=utf-8"
    head = site.get("/", "HEAD")
    assert head.body == ""
    assert int(head.headers["Content-Length"]) > 1000
    assert site.get("/", "POST").status == 501


@pytest.mark.parametrize(
    "path",
    [
        "/static/../view.py",
        "/static/..%2f..%2fview.py",
        "/static/%2e%2e/__init__.py",
        "/raw/one/..%2f..%2fetc%2fpasswd",
        "/trace/one",
        "/trace/one/a/b",
        "//evil.example/",
        "/compare/one/a",
        "/%00",
        "/favicon.ico",
    ],
)
def test_there_is_no_such_page(opened: Open, tmp_path: Path, path: str) -> None:
    page = opened(write(tmp_path / "one.jsonl", trace("a"))).get(path)
    assert page.status == 404
    assert "import" not in page.body


@pytest.mark.parametrize(
    "query",
    [
        "page=-1&page=99999999999999999999",
        "page=x",
        "sort=x%27--",
        "tokens_from=nan&tokens_to=inf",
        "tokens_from=1e999",
        "role=nonsense&structure=nonsense&verdict=%27",
        "q=%22",
        "q=%00%ff%fe",
        "q=" + "a*%20" * 5000,
        "q=NEAR(a%20b)%20OR%20*%20NOT%20-x%20text:%20^a%20%22",
        "&".join(f"x{i}=1" for i in range(1000)),
    ],
)
def test_odd_questions_get_an_answer(opened: Open, tmp_path: Path, query: str) -> None:
    site = opened(write(tmp_path / "one.jsonl", trace("a")))
    assert site.get(f"/?{query}").status in (200, 400)


def test_a_port_that_is_taken(opened: Open, tmp_path: Path) -> None:
    site = opened(write(tmp_path / "one.jsonl", trace("a")))
    with pytest.raises(UserError, match=r"--port \d+: .*; choose another, or 0 for any"):
        Server(site.site, site.server.server_port)
    with pytest.raises(UserError, match="--port 99999"):
        Server(site.site, 99999)
