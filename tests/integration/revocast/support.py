"""A real HTTP server that plays the issuer's public documents, and a way to wait."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.unit.revocast.support import SigningKey, signing_key

METADATA = "/.well-known/oauth-authorization-server"
JWKS = "/jwks.json"


@dataclass
class IssuerServer:
    """What it answers can be changed at any time; it counts what it was asked for."""

    keys: list[SigningKey] = field(default_factory=lambda: [signing_key()])
    asked: dict[str, int] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    raw: bytes | None = None
    hold: asyncio.Event | None = None
    url: str = ""
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def fetches(self) -> int:
        return self.asked.get(JWKS, 0)

    async def start(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
            for writer in self._writers:
                writer.close()
            await server.wait_closed()

    async def restart(self) -> None:
        await self.start(int(self.url.rsplit(":", 1)[1]))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                path = head.split(b" ", 2)[1].decode()
                self.asked[path] = self.asked.get(path, 0) + 1
                if self.hold is not None:
                    await self.hold.wait()
                writer.write(self._answer(path))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    def _answer(self, path: str) -> bytes:
        if self.raw is not None:
            return self.raw
        documents: dict[str, Any] = {
            METADATA: {"issuer": self.url, "jwks_uri": self.url + JWKS, **self.metadata},
            JWKS: {"keys": [key.jwk() for key in self.keys]},
        }
        if path not in documents:
            return http(404, b"{}")
        return http(200, json.dumps(documents[path]).encode())


def http(status: int, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@asynccontextmanager
async def issuer_server() -> AsyncIterator[IssuerServer]:
    server = IssuerServer()
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def until(condition: Callable[[], object], *, seconds: float = 20.0) -> None:
    """Wait until the condition holds; fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("the condition did not come true in time")
        await asyncio.sleep(0.01)


async def while_true(condition: Callable[[], object], *, seconds: float) -> None:
    """Fail if the condition ceases to hold within the time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert condition()
        await asyncio.sleep(0.01)
