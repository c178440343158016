"""The processes under fire: replicas of every service on a PostgreSQL and a Kafka of their own."""

import asyncio
import contextlib
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import httpx

from devstack.ports import LOOPBACK, free_port
from devstack.services import Service
from tests.support.breakable import BreakableSystem, breakable

REPLICAS = {"issuer": 3, "revocation": 2, "audit": 2}
LOOK_EVERY_SECONDS = 0.05


class Process(Protocol):
    """What can be killed and started again."""

    @property
    def pid(self) -> int:
        """Its process id."""

    def start(self) -> None:
        """Start it."""

    def kill(self) -> None:
        """End it at once."""

    def stop(self) -> None:
        """End it in order."""

    def alive(self) -> bool:
        """Whether it runs."""


@dataclass(slots=True)
class Fleet:
    """All processes by name; the servers are `postgres` and `kafka`, or `kafka-1` to `kafka-3`."""

    system: BreakableSystem
    services: dict[str, Service]
    servers: dict[str, Process]
    gave_up: Counter[str] = field(default_factory=Counter)

    def urls(self, kind: str) -> list[str]:
        """The base URLs of one kind of service."""
        return [each.url for name, each in self.services.items() if name.startswith(kind)]

    def brokers(self) -> list[str]:
        """The names of all of Kafka's nodes."""
        return [name for name in self.servers if name.startswith("kafka")]

    def process(self, name: str) -> Process:
        """One of them."""
        return self.services[name] if name in self.services else self.servers[name]

    def alive(self, name: str) -> bool:
        """Whether it runs."""
        return self.process(name).alive()

    def signal(self, name: str, what: signal.Signals) -> None:
        """Send a signal to a process and its children; a process that is gone is left alone."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process(name).pid, what)

    async def kill(self, name: str) -> None:
        """kill -9, also of one that was stopped."""
        await asyncio.to_thread(self.process(name).kill)

    async def start(self, name: str) -> None:
        """Start it; a server serves when this returns, a service is on its way."""
        await asyncio.to_thread(self.process(name).start)

    async def restart(self, name: str) -> None:
        """End it in order, and start it again."""
        await asyncio.to_thread(self.process(name).stop)
        await self.start(name)

    async def until_ready(self, *names: str, seconds: float) -> bool:
        """Wait until these services say that they are ready; whether they do in time.

        One that gave up, as it may where its database is down, is started again like by any
        supervisor of processes.
        """
        wanted = list(names)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        async with httpx.AsyncClient(timeout=2) as wire:
            while wanted and loop.time() < deadline:
                wanted = [name for name in wanted if not await self._is_ready(wire, name)]
                await asyncio.sleep(LOOK_EVERY_SECONDS)
        return not wanted

    async def _is_ready(self, wire: httpx.AsyncClient, name: str) -> bool:
        return await self.lacks(wire, name) is None

    async def lacks(self, wire: httpx.AsyncClient, name: str) -> str | None:
        """Why a service is not ready, in its own words; None when it is."""
        if not self.alive(name):
            self.gave_up[name] += 1
            await self.start(name)
        try:
            answer = await wire.get(f"{self.services[name].url}/readyz")
        except httpx.HTTPError as error:
            return type(error).__name__
        if answer.status_code == 200:
            return None
        checks: dict[str, str] = answer.json()["checks"]
        return ", ".join(f"{check}: {why}" for check, why in checks.items() if why != "ok")

    async def lacking(self, wire: httpx.AsyncClient) -> dict[str, str]:
        """Why not, by name, for all that are not ready; asked at once."""
        answers = await asyncio.gather(*[self.lacks(wire, name) for name in self.services])
        found = zip(self.services, answers, strict=True)
        return {name: why for name, why in found if why is not None}


@contextmanager
def standing(
    say: Callable[[str], None] = lambda line: None, *, brokers: int = 1, disk_mb: int = 0
) -> Iterator[Fleet]:
    """Start everything, and end all of it, whatever is left of it."""
    with breakable(brokers, disk_mb=disk_mb) as system:
        say("PostgreSQL, Kafka and one process of each service stand")
        system.unsupervised()
        system.stack.services.pop("sample_api").stop()
        services: dict[str, Service] = {}
        try:
            for kind, count in REPLICAS.items():
                services[f"{kind}-1"] = system.stack.services[kind]
                for number in range(2, count + 1):
                    services[f"{kind}-{number}"] = _replica(system, kind, number)
                    services[f"{kind}-{number}"].start()
            for each in services.values():
                each.wait_until_ready()
            say(f"{len(services)} service processes are ready")
            yield Fleet(system, services, _servers(system))
        finally:
            for each in services.values():
                each.kill()


def _servers(system: BreakableSystem) -> dict[str, Process]:
    if len(system.brokers) == 1:
        return {"postgres": system.database, "kafka": system.broker}
    nodes = {f"kafka-{number}": node for number, node in enumerate(system.brokers, start=1)}
    return {"postgres": system.database, **nodes}


def _replica(system: BreakableSystem, kind: str, number: int) -> Service:
    port = free_port()
    environment = system.stack.environment(kind)
    own = {f"REVOCAST_{kind.upper()}_PORT": str(port)}
    if kind != "issuer":
        jwks = system.stack.directory / "jwks" / f"{kind}-{number}.json"
        own[f"REVOCAST_{kind.upper()}_JWKS_PATH"] = str(jwks)
    return Service(
        name=f"{kind}-{number}",
        module=kind,
        url=f"http://{LOOPBACK}:{port}",
        environment={**environment, **own},
        directory=system.stack.directory,
        checkout=system.stack.services[kind].checkout,
    )
