"""A wire between a pool and PostgreSQL whose answers a test can hold back, or cut off."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit


class Wire:
    """Forwards connections. `answers` cleared: what the server says is kept, and the client waits.
    `questions` cleared: what clients say is kept, and arrives later, also of those that have gone;
    who connects meanwhile, as to cancel a statement, is never heard.

    `sent` counts the bytes that clients sent, so that a test can see that a statement is out, and
    `said` those of the server, so that it can see that one was answered.
    """

    def __init__(self, dsn: str) -> None:
        self.answers = asyncio.Event()
        self.answers.set()
        self.questions = asyncio.Event()
        self.questions.set()
        self.sent = 0
        self.said = 0
        self.dsn = ""
        self._parts = urlsplit(dsn)
        self._server: asyncio.Server | None = None
        self._pairs: set[asyncio.Task[None]] = set()

    async def lay(self) -> None:
        """Begin to forward; `dsn` leads through the wire."""
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        user, at, _ = self._parts.netloc.rpartition("@")
        self.dsn = self._parts._replace(netloc=f"{user}{at}127.0.0.1:{port}").geturl()

    async def cut(self) -> None:
        """Break every connection there is; new ones can be made."""
        pairs = list(self._pairs)
        for pair in pairs:
            pair.cancel()
        await asyncio.gather(*pairs, return_exceptions=True)

    async def take_up(self) -> None:
        """Break everything and forward nothing more."""
        if self._server is not None:
            self._server.close()
        await self.cut()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pair = asyncio.current_task()
        assert pair is not None
        self._pairs.add(pair)
        host, port = self._parts.hostname or "127.0.0.1", self._parts.port or 5432
        ends = [writer]
        heard = self.questions if self.questions.is_set() else asyncio.Event()
        try:
            there, back = await asyncio.open_connection(host, port)
            ends.append(back)
            await asyncio.gather(self._ask(reader, back, heard), self._answer(there, writer))
        except (asyncio.CancelledError, OSError):
            pass
        finally:
            for end in ends:
                end.transport.abort()
            self._pairs.discard(pair)

    async def _ask(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, heard: asyncio.Event
    ) -> None:
        while chunk := await source.read(65536):
            self.sent += len(chunk)
            await heard.wait()
            target.write(chunk)
            await target.drain()
        target.close()

    async def _answer(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while chunk := await source.read(65536):
            self.said += len(chunk)
            await self.answers.wait()
            target.write(chunk)
            await target.drain()
        target.close()


@asynccontextmanager
async def wire_to(dsn: str) -> AsyncIterator[Wire]:
    """A wire to a server, taken up at the end."""
    wire = Wire(dsn)
    await wire.lay()
    try:
        yield wire
    finally:
        await wire.take_up()
