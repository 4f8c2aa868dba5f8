"""skythought/backends/proxy.py: found in the environment, and its password is nowhere else."""

from __future__ import annotations

import base64
import socket
import threading

import pytest
from chat_server import requests

from skythought import backends
from skythought.backends import proxy as proxies
from skythought.core.errors import UserError
from skythought.core.records import Sampling

pytest.importorskip("aiohttp", reason="needs skythought[openai]")


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "NO_PROXY", "no_proxy", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", "inside.example")
    assert proxies.proxy_of("http://outside.example/v1") == proxies.Proxy("http://proxy:3128")
    assert proxies.proxy_of("https://outside.example/v1") is None
    assert proxies.proxy_of("http://inside.example:8000/v1") is None
    for host in ("127.0.0.1:8000", "localhost", "[::1]:8000"):
        assert proxies.proxy_of(f"http://{host}/v1") is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("proxy:3128", ("http://proxy:3128", "", "")),
        ("http://u:p%40%2Fq@[::1]:3128/", ("http://[::1]:3128", "u", "p@/q")),
        ("https://u@proxy", ("https://proxy", "u", "")),
    ],
)
def test_the_login_of_a_proxy_is_no_part_of_its_address(
    text: str, found: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", text)
    monkeypatch.delenv("no_proxy", raising=False)
    assert proxies.proxy_of("https://outside.example/v1") == found


@pytest.mark.parametrize(
    "text",
    [
        "http://u:SECRETPW@h:port",
        "http://u:SECRET/PW@h:80",
        "socks5://u:SECRETPW@h:80",
        "u:SECRETPW@",
    ],
)
def test_a_proxy_that_cannot_be_read_is_not_shown(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", text)
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(UserError, match=r"variable https_proxy names no proxy .*%2F") as caught:
        proxies.proxy_of("https://outside.example/v1")
    assert "SECRET" not in str(caught.value)
    assert caught.value.__suppress_context__


class Proxy:
    """A proxy that lets nobody through, says so with every login it was given, and notes them."""

    def __init__(self, status: str) -> None:
        self.status, self.logins = status, set[str]()
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        while True:
            try:
                talk, _ = self.socket.accept()
            except OSError:
                return
            with talk, talk.makefile("rb") as lines:
                head = [line.strip().decode() for line in iter(lines.readline, b"\r\n")]
                self.logins |= {row for row in head if row.lower().startswith("proxy-auth")}
                body = b"no way for http://teacher:SECRETPW@proxy and SECRETPW"
                said = f"HTTP/1.1 {self.status}\r\nContent-Length: {len(body)}\r\n\r\n"
                talk.sendall(said.encode() + body)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("status", ["407 Proxy Authentication Required", "502 SECRETPW"])
def test_the_password_of_a_proxy_is_nowhere(
    scheme: str, status: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    proxy = Proxy(status)
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, f"http://teacher:SECRETPW@127.0.0.1:{proxy.port}")
    monkeypatch.delenv("no_proxy", raising=False)
    options = {"base_url": f"{scheme}://outside.example/v1", "backoff": 0.01, "retries": 1}
    made = backends.make("openai", "m", options)
    try:
        told = str([*made.complete(requests(2), Sampling())])
        assert status.startswith("502")
        assert "502 " in told
    except UserError as error:
        told = str(error)
        assert "407 Proxy Authentication Required" in told
        assert f"put the proxy's user and password into the environment variable {scheme}_" in told
    finally:
        proxy.socket.close()
    assert "SECRETPW" not in told + "".join(capfd.readouterr())
    login = base64.b64encode(b"teacher:SECRETPW").decode()
    assert proxy.logins == {f"Proxy-Authorization: Basic {login}"}
