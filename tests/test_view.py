"""`skythought view` from the outside: a real server, asked over HTTP, on files of every shape."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import pytest

from skythought import score, view
from skythought.core.errors import UserError
from skythought.viewing import building
from skythought.viewing.index import Index, connect
from skythought.viewing.server import Server
from skythought.viewing.site import Site

THOUGHT = (
    "Okay, Tom has 3 bags of 12 apples.\n\n3 * 12 = 36. And 36 - 6 = 31.\n\n"
    "Wait, let me check: $3 \\cdot 12 = 36$.\n\nSo the answer is 30."
)
QUESTION = "Tom has 3 bags of $4 \\cdot 3$ apples and eats 6. How many are left?"
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


class Page(NamedTuple):
    """What a server answered."""

    status: int
    headers: http.client.HTTPMessage
    body: str


class Opened(NamedTuple):
    """A server, and what asks it."""

    server: Server
    site: Site

    def get(self, path: str, method: str = "GET", **headers: str) -> Page:
        wire = http.client.HTTPConnection("127.0.0.1", self.server.server_port, timeout=30)
        wire.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
        answer = wire.getresponse()
        body = answer.read().decode()
        wire.close()
        return Page(answer.status, answer.headers, body)

    def ids(self, query: str = "") -> list[str]:
        """List the traces of a page in order."""
        return re.findall(
            r'<td class="problem"><a href="/trace/[^/]+/([^"?]+)', self.get(f"/?{query}").body
        )


Open = Callable[..., Opened]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """Give what indexes files and serves them; with `measured`, all structure is there."""
    made: list[tuple[Server, Index]] = []

    def start(*paths: Path, measured: bool = False) -> Opened:
        index = Index(view.index(paths, tmp_path / "cache"))
        site = Site(index, view.TOOLS)
        if measured:
            measure = view.measurer()
            with closing(connect(index.path)) as db:
                for places in building.unmeasured(db):
                    building.measured(db, measure(places))
            site = Site(index, view.TOOLS)
        server = Server(site, 0)
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        made.append((server, index))
        return Opened(server, site)

    yield start
    for server, index in made:
        server.shutdown()
        server.server_close()
        index.close()


def write(path: Path, *rows: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def trace(key: str, problem: str = "p1", **more: Any) -> dict[str, Any]:
    return {
        "id": key,
        "problem_id": problem,
        "model": "m",
        "messages": [{"role": "user", "content": QUESTION}],
        "thought": THOUGHT,
        "answer": "The answer is \\boxed{30}.",
        **more,
    }


def run_folder(folder: Path) -> Path:
    problem = {"id": "p1", "task": "apples", "question": QUESTION, "answer": "30", "extra": {}}
    write(folder / "problems.jsonl", problem)
    write(folder / "traces.jsonl", trace("a"), trace("b", sample=1, thought="Hm.", model="n"))
    verdict = {"verifier": "math@6", "expected": "30", "rule": "boxed; number"}
    write(
        folder / "verdicts.jsonl",
        {**verdict, "id": "a", "outcome": "incorrect", "extracted": "1"},
        {**verdict, "id": "a", "outcome": "correct", "extracted": "30"},
        {**verdict, "id": "b", "outcome": "no_answer"},
    )
    return folder


def test_a_run_folder(opened: Open, tmp_path: Path) -> None:
    site = opened(run_folder(tmp_path / "teacher"), measured=True)
    assert site.ids() == ["a", "b"]
    body = site.get("/").body
    assert "2 traces" in body
    assert "correct (1)" in body  # of two verdicts the last holds
    assert "no answer (1)" in body
    page = site.get("/trace/teacher/a").body
    assert "boxed; number" in page
    assert "math@6" in page
    assert "<math><mrow><mn>4</mn><mo>·</mo><mn>3</mn></mrow></math>" in page
    assert re.findall(r'<span class="role">(\w+)</span>', page) == [
        *("restate", "compute", "verify", "conclude")
    ]
    assert re.search(r'said fails" title="✗ 36-6 = 31 fails">36 - 6 = 31<', page)
    assert re.search(r'said holds" title="✓ 3\*12 = 36 holds">3 \* 12 = 36<', page)
    assert "<mark>Wait</mark>" in page
    assert "1 other answer" in page


def test_every_shape_of_trace(opened: Open, tmp_path: Path) -> None:
    said = f"<think>\n{THOUGHT}\n</think>\n\nIt is \\boxed{{30}}."
    turns = [{"role": "user", "content": "q one"}, {"role": "assistant", "content": said}]
    shares = [{"from": "human", "value": "q two"}, {"from": "gpt", "value": said}]
    path = write(
        tmp_path / "mixed.jsonl",
        {"messages": turns},
        {"conversations": shares},
        {"problem": "q three", "response": said, "answer": "30"},
        {"prompt": "q four", "completion": said},
        {"id": "e", "trace_id": "gone", "messages": turns[:1], "completion": said, "tags": []},
        trace("own"),
    )
    site = opened(path)
    assert len(site.ids()) == 6
    for key in site.ids():
        page = site.get(f"/trace/mixed/{key}")
        assert page.status == 200
        assert "<mark>Wait</mark>" in page.body
    assert "gone, which is in none of these files" in site.get("/trace/mixed/e").body


def test_rows_of_the_same_id_all_count_in_a_file_and_have_their_verdicts(
    opened: Open, tmp_path: Path
) -> None:
    row = {"id": "x", "problem": "What is 1+1?", "answer": "2"}
    path = write(
        tmp_path / "many.jsonl",
        {**row, "response": "\\boxed{2}"},
        {**row, "response": "\\boxed{3}"},
        {**row, "response": "\\boxed{3}"},
    )
    assert score.run(score.Config(input=path, workers=1)) == {"correct": 1, "incorrect": 2}
    site = opened(path)
    assert len(set(site.ids())) == 3
    assert len(site.ids("verdict=incorrect")) == 2
    assert site.ids("verdict=correct") == ["x"]


def test_a_row_replaces_an_earlier_one_in_a_run_folder(opened: Open, tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "teacher")
    failed = trace("a", finish="error", error="timed out", thought="", answer="")
    write(folder / "traces.jsonl", failed, trace("a"))
    site = opened(folder)
    assert site.ids() == ["a"]
    assert site.ids("end=error") == []


def test_what_is_no_trace_is_listed(opened: Open, tmp_path: Path) -> None:
    path = write(tmp_path / "some.jsonl", {"problem": "q", "response": "a"}, {"foo": 1})
    path.write_text(path.read_text() + "not json <b>\n" + json.dumps(trace("z")) + "\n")
    site = opened(path)
    assert len(site.ids()) == 2
    page = site.get("/faults").body
    assert "some.jsonl:2: unknown row with fields foo" in page
    assert "some.jsonl:3: not valid JSON" in page


def test_nothing_to_show(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with pytest.raises(UserError, match="no such file"):
        view.index([tmp_path / "gone.jsonl"], cache)
    with pytest.raises(UserError, match=r"no traces to show; .*bad\.jsonl:1: unknown row"):
        view.index([write(tmp_path / "bad.jsonl", {"foo": 1})], cache)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"no run folder and no \.jsonl file"):
        view.index([tmp_path / "empty"], cache)


def test_a_folder_of_run_folders(opened: Open, tmp_path: Path) -> None:
    run_folder(tmp_path / "study" / "one" / "greedy")
    run_folder(tmp_path / "study" / "two" / "greedy")
    site = opened(tmp_path / "study")
    assert len(site.ids()) == 4
    assert site.ids("source=one%2Fgreedy") == ["a", "b"]
    assert site.get("/trace/two%2Fgreedy/a").status == 200


def test_original_and_perturbed(opened: Open, tmp_path: Path) -> None:
    path = write(tmp_path / "clean.jsonl", trace("a"))
    steps = THOUGHT.replace("36. And", "39. And").split("\n\n")
    made = trace("a2", parent="a", edits=["shuffle fraction=1 seed=0"])
    made["thought"] = "\n\n".join([steps[0], steps[3], steps[2], steps[1]])
    made["answer"] = "The answer is \\boxed{31}."
    perturbed = write(tmp_path / "shuffled.jsonl", made)
    site = opened(path, perturbed)
    page = site.get("/diff/shuffled/a2")
    assert page.status == 200
    assert "moved to row" in page.body
    assert "and digits changed" in page.body
    assert re.search(r"<del>30</del>.*<ins>31</ins>", page.body, re.DOTALL)
    assert site.get("/diff/clean/a").status == 404  # was made from nothing
    assert "What the perturbation did" in site.get("/trace/shuffled/a2").body
    assert "shuffle fraction=1 seed=0" in site.get("/trace/clean/a").body


def test_side_by_side(opened: Open, tmp_path: Path) -> None:
    site = opened(run_folder(tmp_path / "teacher"))
    page = site.get("/compare/teacher/a/teacher/b")
    assert page.status == 200
    assert page.body.count('<ol class="steps">') == 2
    assert "different problems" not in page.body
    assert site.get("/compare/teacher/a/teacher/zzz").status == 404


def test_the_trace_before_and_after_are_those_of_the_list(opened: Open, tmp_path: Path) -> None:
    rows = [trace(f"t{i}", model="even" if i % 2 == 0 else "odd") for i in range(6)]
    site = opened(write(tmp_path / "six.jsonl", *rows))
    page = site.get("/trace/six/t2?model=even&sort=-tokens").body
    assert "2 of 3" in page
    assert re.findall(r'href="([^"]+)" rel="(\w+)"', page) == [
        ("/trace/six/t0?model=even&amp;sort=-tokens", "prev"),
        ("/trace/six/t4?model=even&amp;sort=-tokens", "next"),
    ]
    assert "/?model=even&amp;sort=-tokens" in page


def test_formulas_as_they_are_written(opened: Open, tmp_path: Path) -> None:
    site = opened(write(tmp_path / "one.jsonl", trace("a")))
    assert "<math" in site.get("/trace/one/a").body
    page = site.get("/trace/one/a?as=written").body
    assert "<math" not in page
    assert "$4 \\cdot 3$" in page


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


def test_the_command_serves_measures_and_ends(tmp_path: Path) -> None:
    """As a user does it: start, read the address, look, Ctrl-C."""
    folder = run_folder(tmp_path / "teacher")
    command = [sys.executable, "-m", "skythought", "view", str(folder), "--port", "0"]
    with subprocess.Popen(
        [*command, "--cache", str(tmp_path / "cache")],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(view.__file__).parents[1])},
    ) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            found = re.fullmatch(r"2 traces: http://127\.0\.0\.1:(\d+)/ \(Ctrl-C ends\)\n", line)
            assert found, line
            until = time.monotonic() + 60
            while True:
                wire = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=30)
                wire.request("GET", "/?role=verify")
                body = wire.getresponse().read().decode()
                wire.close()
                if "so far" not in body:
                    break
                assert time.monotonic() < until, "structure is never measured"
                time.sleep(0.1)
            assert "1 of 2 traces" in body
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
            assert process.stderr.read() == "ended\n"
        finally:
            process.kill()
