"""A cable between a service and its PostgreSQL that a test can pull."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit


class Cable:
    """Forwards connections until it is pulled; then every one is cut and no new one is made."""

    def __init__(self, dsn: str) -> None:
        self._parts = urlsplit(dsn)
        self._forwarding: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.dsn = ""

    async def lay(self) -> None:
        """Begin to forward; `dsn` leads through the cable."""
        self._server = await asyncio.start_server(self._forward, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        user, at, _ = self._parts.netloc.rpartition("@")
        self.dsn = self._parts._replace(netloc=f"{user}{at}127.0.0.1:{port}").geturl()

    async def pull(self) -> None:
        """Cut everything; again: nothing."""
        if self._server is not None:
            self._server.close()
            for each in self._forwarding:
                each.cancel()
            await asyncio.gather(*self._forwarding, return_exceptions=True)
            self._server = None

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._forwarding.add(task)
        host, port = self._parts.hostname or "127.0.0.1", self._parts.port or 5432
        there, back = await asyncio.open_connection(host, port)
        try:
            await asyncio.gather(_pour(reader, back), _pour(there, writer))
        except (asyncio.CancelledError, OSError):
            pass
        finally:
            for end in (writer, back):
                end.transport.abort()
            self._forwarding.discard(task)


async def _pour(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while chunk := await source.read(65536):
        target.write(chunk)
        await target.drain()
    target.close()


@asynccontextmanager
async def cable(dsn: str) -> AsyncIterator[Cable]:
    """A cable to a server, pulled at the end."""
    laid = Cable(dsn)
    await laid.lay()
    try:
        yield laid
    finally:
        await laid.pull()
