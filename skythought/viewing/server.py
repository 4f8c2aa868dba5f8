"""A site on the loopback interface: only this machine can ask, and only by its own name.

A page of a stranger that a browser has open could ask 127.0.0.1 too, or let its own name point
there (DNS rebinding). So the Host must be a name of this machine, nothing may frame these pages or
read them from elsewhere, and the pages may load and send nothing but to where they came from.
"""

from __future__ import annotations

import re
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from skythought.core.errors import UserError
from skythought.viewing.site import Response, Site

HOST = "127.0.0.1"
PORT = re.compile(r":\d{1,5}\Z")
NAMES = frozenset(("127.0.0.1", "localhost", "[::1]"))
SILENCE_S = 30  # a connection that says nothing for so long is closed
MOST_PARAMETERS = 64
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Server(ThreadingHTTPServer):
    """Serves a site until `shutdown`.

    Args:
        site: what answers.
        port: of the loopback interface; 0 for any that is free.

    Raises:
        UserError: the port is taken or may not be used.
    """

    daemon_threads = True
    request_queue_size = 128  # a browser opens several connections at once

    def __init__(self, site: Site, port: int) -> None:
        self.site = site
        try:
            super().__init__((HOST, port), Handler)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UserError(f"--port {port}: {reason}; choose another, or 0 for any") from error

    @property
    def address(self) -> str:
        """Give the address of the first page."""
        return f"http://{HOST}:{self.server_port}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a browser that went away; anything else is our mistake."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: Server
    server_version = "skythought"
    sys_version = ""
    timeout = SILENCE_S

    def do_GET(self) -> None:
        """Answer with a page."""
        self._send(self._answer())

    def do_HEAD(self) -> None:
        """Answer without the page itself."""
        self._send(self._answer(), body=False)

    def _answer(self) -> Response:
        hosts = self.headers.get_all("Host") or []
        if len(hosts) != 1 or PORT.sub("", hosts[0].lower()) not in NAMES:
            return _plain(HTTPStatus.MISDIRECTED_REQUEST, "ask for 127.0.0.1 or localhost")
        if self.headers.get("Sec-Fetch-Site", "none") == "cross-site" and (
            self.headers.get("Sec-Fetch-Mode") != "navigate"
        ):
            return _plain(HTTPStatus.FORBIDDEN, "not for pages of other sites")
        try:
            asked = urlsplit(self.path)
            pairs = parse_qsl(asked.query, max_num_fields=MOST_PARAMETERS)
        except ValueError:
            return _plain(HTTPStatus.BAD_REQUEST, "this address cannot be read")
        return self.server.site.answer(asked.path, dict(pairs))

    def _send(self, response: Response, *, body: bool = True) -> None:
        self.send_response(response.status)
        self.send_header("Content-Type", response.kind)
        self.send_header("Content-Length", str(len(response.body)))
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(response.body)

    def log_message(self, format: str, *args: object) -> None:
        """Write no log."""


def _plain(status: HTTPStatus, why: str) -> Response:
    return Response(status, "text/plain; charset=utf-8", f"{status.phrase}: {why}\n".encode())
