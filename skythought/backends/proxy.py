"""The proxy that the environment wants, and its login, which goes to nobody else."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from skythought.core.errors import UserError

LOCAL = ("localhost", "127.0.0.1", "::1")  # never behind a proxy


class Proxy(NamedTuple):
    """What stands between here and a server; its login is no part of the address."""

    url: str
    user: str = ""
    password: str = ""


def proxy_of(url: str) -> Proxy | None:
    """Find the proxy that the environment wants for a url; none for this machine.

    Raises:
        UserError: its address cannot be read; it is not shown, because it may hold a password.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host in LOCAL or proxy_bypass(host):
        return None
    text = getproxies().get(parts.scheme)
    if not text:
        return None
    try:
        found = urlsplit(text if "://" in text else f"http://{text}")
        name, port = found.hostname, found.port
        if found.scheme not in ("http", "https") or not name or re.search(r"[@\s]", name):
            raise ValueError
    except ValueError:
        raise UserError(
            f"the environment variable {parts.scheme}_proxy names no proxy that can be used; "
            "give http://HOST:PORT or http://USER:PASSWORD@HOST:PORT, with signs such as / or @ "
            "in the password written as %2F and %40"
        ) from None
    name = f"[{name}]" if ":" in name else name
    address = f"{found.scheme}://{name}" + (f":{port}" if port else "")
    return Proxy(address, unquote(found.username or ""), unquote(found.password or ""))
