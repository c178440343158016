"""A cable between clients and a broker that can go silent: nothing passes and nothing is closed."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from devstack.kafka import Kafka
from devstack.ports import LOOPBACK, free_port


@dataclass(frozen=True, slots=True)
class CabledKafka:
    """A broker that is reached directly, or by `port`: all that its clients learn leads there."""

    broker: Kafka
    port: int
    inner_port: int

    @property
    def direct(self) -> str:
        """`host:port` past the cable."""
        return self.broker.bootstrap

    @asynccontextmanager
    async def laid(self) -> AsyncIterator["Cable"]:
        """The cable; at the end all that hangs on it is cut."""
        cable = Cable(self)
        server = await asyncio.start_server(cable.carry, LOOPBACK, self.port)
        try:
            yield cable
        finally:
            server.close()
            await cable.cut()


class Cable:
    """Carries connections. `hold` silences those that exist; `let_go` delivers what was held.

    Connections that are made later pass, as they do when a firewall has forgotten older ones.
    """

    def __init__(self, kafka: CabledKafka) -> None:
        self._kafka = kafka
        self._carrying: set[asyncio.Task[None]] = set()
        self._pass = asyncio.Event()
        self._pass.set()
        self.held = 0
        """Bytes of clients that have been waiting since `hold`."""

    @property
    def bootstrap(self) -> str:
        """`host:port` through the cable."""
        return f"{LOOPBACK}:{self._kafka.port}"

    def hold(self) -> Callable[[], None]:
        """From here on nothing passes on the connections that exist now.

        Returns: `let_go`, which delivers all of it.
        """
        holding, self._pass = self._pass, asyncio.Event()
        holding.clear()
        self._pass.set()
        self.held = 0
        return holding.set

    async def cut(self) -> None:
        """End every connection."""
        for each in self._carrying:
            each.cancel()
        await asyncio.gather(*self._carrying, return_exceptions=True)

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either end closes it."""
        task = asyncio.current_task()
        assert task is not None
        self._carrying.add(task)
        may_pass = self._pass
        there, back = await asyncio.open_connection(LOOPBACK, self._kafka.inner_port)
        try:
            await asyncio.gather(
                self._pour(reader, back, may_pass), self._pour(there, writer, may_pass)
            )
        except (asyncio.CancelledError, OSError):
            pass
        finally:
            for end in (writer, back):
                end.transport.abort()
            self._carrying.discard(task)

    async def _pour(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, may_pass: asyncio.Event
    ) -> None:
        while chunk := await source.read(65536):
            if not may_pass.is_set():
                self.held += len(chunk)
                await may_pass.wait()
            target.write(chunk)
            await target.drain()
        target.close()


@contextmanager
def cabled_kafka(directory: Path) -> Iterator[CabledKafka]:
    """A broker of its own with a second listener, whose address is the cable's."""
    direct, inner, outer, controller = (free_port() for _ in range(4))
    broker = Kafka(
        directory,
        port=direct,
        settings={
            "listeners": (
                f"PLAINTEXT://{LOOPBACK}:{direct},CABLE://{LOOPBACK}:{inner},"
                f"CONTROLLER://{LOOPBACK}:{controller}"
            ),
            "advertised.listeners": (f"PLAINTEXT://{LOOPBACK}:{direct},CABLE://{LOOPBACK}:{outer}"),
            "listener.security.protocol.map": (
                "PLAINTEXT:PLAINTEXT,CABLE:PLAINTEXT,CONTROLLER:PLAINTEXT"
            ),
            "controller.quorum.voters": f"1@{LOOPBACK}:{controller}",
        },
    )
    try:
        broker.start()
        yield CabledKafka(broker, outer, inner)
    finally:
        broker.stop()
