"""skythought/curating/encoders.py: models in folders and servers that give embeddings."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from skythought.core.errors import UserError
from skythought.curating import encoders


def test_a_server_encodes(serve_embeddings: Callable[[Any], str]) -> None:
    asked: list[dict[str, Any]] = []

    def answer(body: dict[str, Any]) -> Any:
        asked.append(body)
        rows = [{"index": i, "embedding": [len(t), 1]} for i, t in enumerate(body["input"])]
        return {"data": rows[::-1]}

    encode = encoders.load(serve_embeddings(answer) + "#tiny")
    assert encode(["abc", "a"]).tolist() == [[3, 1], [1, 1]]
    assert asked == [{"model": "tiny", "input": ["abc", "a"]}]
    assert len(encode([str(i) for i in range(150)])) == 150
    assert encode([]).shape[0] == 0


WRONG: dict[str, Any] = {
    "none": {"data": []},
    "an error": {"error": "no"},
    "a list": [],
    "no numbers": {"data": [{"index": 0, "embedding": "x"}]},
}


@pytest.mark.parametrize("said", WRONG.values(), ids=WRONG)
def test_a_server_that_answers_otherwise(said: Any, serve_embeddings: Callable[[Any], str]) -> None:
    with pytest.raises(UserError, match="/embeddings: "):
        encoders.load(serve_embeddings(lambda _: said) + "#tiny")(["abc"])


@pytest.fixture
def serve_embeddings() -> Any:
    """Give what starts a server whose /embeddings are made by a function."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    from threading import Thread

    started = []

    def start(answer: Callable[[Any], Any]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                raw = json.dumps(answer(body)).encode()
                self.send_response(200 if self.path == "/v1/embeddings" else 404)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *args: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=server.serve_forever, daemon=True).start()
        started.append(server)
        return f"http://127.0.0.1:{server.server_port}/v1"

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


def test_encoders_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no folder of a model"):
        encoders.load(str(tmp_path))
    with pytest.raises(UserError, match="which model\\? write its name behind #"):
        encoders.load("http://127.0.0.1:1/v1")
    with pytest.raises(UserError, match="no embeddings from there"):
        encoders.load("http://127.0.0.1:1/v1#m")(["a"])


def test_a_local_model_encodes(tiny_model: Path) -> None:
    encode = encoders.load(str(tiny_model))
    one, two, again = encode(["what is the answer", "oak pine elm", "what is the answer"])
    assert np.allclose(one, again, atol=1e-5)
    assert not np.allclose(one, two, atol=1e-2)
    assert np.allclose(encode(["oak pine elm"])[0], two, atol=1e-4)  # padding changes nothing
