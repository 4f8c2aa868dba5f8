"""A server of completions on this machine for tests; it answers as it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[dict[str, Any]], tuple[int, Any]]


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """Answer every request while the block runs; gives the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked |= {"key": self.headers.get("Authorization"), "path": self.path}
            status, body = answer(asked)
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            if status in (301, 302, 307):
                self.send_header("Location", body["to"])
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: Any) -> None:
            return

    class Server(ThreadingHTTPServer):
        request_queue_size = 64  # more clients than that are kept waiting for a second

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()


def echo(asked: dict[str, Any]) -> tuple[int, Any]:
    """Answer as vLLM does, with a token for each byte, of which each is worth its number.

    Places are counted in the texts of tokens, and half a character is a sign of its own.
    """
    prompt = str(asked["prompt"]).encode()
    tokens = [bytes([each]).decode("utf-8", "replace") for each in prompt] + ["!"]
    told = {
        "tokens": tokens,
        "text_offset": [len("".join(tokens[:i])) for i in range(len(tokens))],
        "token_logprobs": [None, *(-float(each) for each in prompt[1:]), -1e6],
    }
    usage = {"prompt_tokens": len(prompt), "completion_tokens": 1}
    choice = {"text": "".join(tokens), "logprobs": told}
    return 200, {"choices": [choice], "usage": usage}
