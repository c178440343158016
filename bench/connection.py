"""One keep-alive HTTP/1.1 connection: cheap, so that the generator leaves the cores alone."""

import asyncio
from typing import Self, cast

import httptools


class Connection(asyncio.Protocol):
    """Sends one request at a time to `host:port` and hands back status and body."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._body = b""
        self.location = ""
        """Where the last answer pointed, if it did."""

    @classmethod
    async def open(cls, host: str, port: int) -> Self:
        """Connect.

        Raises:
            OSError: nobody listens.
        """
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(cls, host, port)
        return connection

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """The answer to a whole request as it goes over the wire.

        Raises:
            ConnectionError: the server closed the connection.
        """
        if self._transport is None or self._transport.is_closing():
            raise ConnectionError("closed")
        self._answer = asyncio.get_running_loop().create_future()
        self.location = ""
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio's callback."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """asyncio's callback."""
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio's callback."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError("the server hung up"))

    def on_header(self, name: bytes, value: bytes) -> None:
        """The parser's callback."""
        if name.lower() == b"location":
            self.location = value.decode()

    def on_body(self, body: bytes) -> None:
        """The parser's callback."""
        self._body += body

    def on_message_complete(self) -> None:
        """The parser's callback."""
        status, body = self._parser.get_status_code(), self._body
        self._body = b""
        self._parser = httptools.HttpResponseParser(self)
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((status, body))


def post(host: str, path: str, form: bytes, *, authorization: str | None = None) -> bytes:
    """A form post as it goes over the wire."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(form)}\r\n"
    )
    if authorization is not None:
        head += f"Authorization: {authorization}\r\n"
    return head.encode() + b"\r\n" + form


def get(host: str, path: str, *, cookies: str = "") -> bytes:
    """A GET as it goes over the wire."""
    sent = f"Cookie: {cookies}\r\n" if cookies else ""
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{sent}\r\n".encode()
