"""A site of `skythought view` that tests can ask over HTTP, and files to show in it."""

from __future__ import annotations

import http.client
import json
import re
from contextlib import closing
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

from skythought import view
from skythought.viewing import building
from skythought.viewing.index import Index, connect
from skythought.viewing.server import Server
from skythought.viewing.site import Site

THOUGHT = (
    "Okay, Tom has 3 bags of 12 apples.\n\n3 * 12 = 36. And 36 - 6 = 31.\n\n"
    "Wait, let me check: $3 \\cdot 12 = 36$.\n\nSo the answer is 30."
)
QUESTION = "Tom has 3 bags of $4 \\cdot 3$ apples and eats 6. How many are left?"


class Page(NamedTuple):
    """What a server answered."""

    status: int
    headers: http.client.HTTPMessage
    body: str


class Opened:
    """Files that are indexed and served; with `measured`, their structure is in the index."""

    def __init__(self, cache: Path, *paths: Path, measured: bool = False) -> None:
        self.index = Index(view.index(paths, cache))
        if measured:
            measure = view.measurer()
            with closing(connect(self.index.path)) as db:
                for places in building.unmeasured(db):
                    building.measured(db, measure(places))
        self.site = Site(self.index, view.TOOLS)
        self.server = Server(self.site, 0)
        Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.index.close()

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
