"""A chat server that answers every request the same after a fixed time, at little cost.

    python benchmarks/chat_server.py --latency 0.2 --port-file port

It speaks just enough HTTP to measure a client with; the port is written into the file, or printed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections import deque
from pathlib import Path

MESSAGE = {
    "role": "assistant",
    "reasoning_content": "\n\n".join(["Let me add the two again, to be sure of it."] * 50),
    "content": "The answer is \\boxed{4}.",
}
ANSWER = json.dumps(
    {
        "id": "chatcmpl-0",
        "object": "chat.completion",
        "model": "echo-2026",
        "choices": [{"index": 0, "message": MESSAGE, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 620, "total_tokens": 720},
    }
).encode()
HEAD = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(ANSWER)}\r\n\r\n"
WHOLE = HEAD.encode() + ANSWER


class Line:
    """Who waits for an answer, in the order of asking; all wait as long, so one timer is enough."""

    def __init__(self, latency: float) -> None:
        self.latency, self.waiting = latency, deque[tuple[float, asyncio.Transport]]()
        self.loop = asyncio.get_running_loop()

    def join(self, transport: asyncio.Transport) -> None:
        """Answer after the latency."""
        self.waiting.append((self.loop.time() + self.latency, transport))
        if len(self.waiting) == 1:
            self.loop.call_at(self.waiting[0][0], self.answer)

    def answer(self) -> None:
        """Send the answers that are due, to whoever still listens."""
        now = self.loop.time() + 1e-4
        while self.waiting and self.waiting[0][0] <= now:
            _, transport = self.waiting.popleft()
            if not transport.is_closing():
                transport.write(WHOLE)
        if self.waiting:
            self.loop.call_at(self.waiting[0][0], self.answer)


class Connection(asyncio.Protocol):
    """One connection: a request, a wait, the answer, and the next request."""

    def __init__(self, line: Line) -> None:
        self.line, self.read = line, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Take what came; a whole request is answered after the latency."""
        self.read += data
        while (end := self.read.find(b"\r\n\r\n")) >= 0:
            length = self.read[:end].lower().rpartition(b"content-length:")[2]
            size = end + 4 + int(length.split(b"\r\n")[0])
            if len(self.read) < size:
                return
            self.read = self.read[size:]
            self.line.join(self.transport)


async def serve(latency: float, port_file: Path | None) -> None:
    """Serve on a free port of this machine until stopped."""
    loop = asyncio.get_running_loop()
    line = Line(latency)
    server = await loop.create_server(lambda: Connection(line), "127.0.0.1", 0, backlog=4096)
    port = str(server.sockets[0].getsockname()[1])
    if port_file is None:
        print(port, flush=True)
    else:
        port_file.write_text(port)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0.2, help="seconds to an answer")
    parser.add_argument("--port-file", type=Path, help="where the port is written to")
    args = parser.parse_args()
    asyncio.run(serve(args.latency, args.port_file))
