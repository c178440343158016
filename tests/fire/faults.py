"""Faults from a seeded stream: which process, what happens to it, and when it comes back."""

import asyncio
import contextlib
import random
import signal
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from tests.fire.fleet import Fleet
from tests.fire.history import Fault, Writer, now

LEASE_SECONDS = 3.0
PATIENCE_SECONDS = 60.0
"""A process that is not ready so long after its start is reported."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """How long a killed process took to be ready; `alone`: nothing else was done meanwhile to it
    or to a server. `waited_for` is the last thing that was missing, where somebody looked."""

    target: str
    seconds: float
    alone: bool
    waited_for: str = ""


@dataclass(slots=True)
class Faults:
    """Does `kills` kills, or as many as fit before it is over. `every` is the mean pause."""

    fleet: Fleet
    writer: Writer
    dice: random.Random
    over: asyncio.Event
    kills: int
    every: float
    say: Callable[[str], None]
    killed: Counter[str] = field(default_factory=Counter)
    paused: Counter[str] = field(default_factory=Counter)
    cuts: int = 0
    recoveries: list[Recovery] = field(default_factory=list)
    unready: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _busy: set[str] = field(default_factory=set)
    _disturbances: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def rage(self) -> None:
        """Until the kills are done or it is over; then wait until everything runs again."""
        while self.killed.total() < self.kills and not self.over.is_set():
            self._one()
            try:
                async with asyncio.timeout(self.dice.uniform(0.5, 1.5) * self.every):
                    await self.over.wait()
            except TimeoutError:
                continue
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def mend(self) -> None:
        """Whatever still lies is started, whatever stands still goes on."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for name in [*self.fleet.servers, *self.fleet.services]:
            if self.fleet.alive(name):
                self.fleet.signal(name, signal.SIGCONT)
            else:
                await self.fleet.start(name)

    def _one(self) -> None:
        """Draw a fault; a process that is being dealt with is left alone."""
        roll, after = self.dice.random(), self.dice.choice((0.0, 0.0, 0.0, 0.5, 2.0))
        frozen = self.dice.uniform(LEASE_SECONDS + 1, 3 * LEASE_SECONDS)
        service = self.dice.choice(sorted(self.fleet.services))
        hasty = self.dice.random() < 0.4
        brokers = 0.05 * len(self.fleet.brokers())
        if roll < brokers:
            self._begin(broker := self._broker(), self._kill_server(broker))
        elif roll < brokers + 0.07:
            self._begin("postgres", self._kill_server("postgres"))
        elif roll < brokers + 0.19:
            self._begin(service, self._freeze(service, frozen))
        elif roll < brokers + 0.25:
            self._begin("connections", self._cut(service.partition("-")[0]))
        else:
            self._begin(service, self._kill_service(service, after, hasty=hasty))

    def _broker(self) -> str:
        """One of Kafka's nodes; where there is only one, nothing is drawn."""
        brokers = self.fleet.brokers()
        return brokers[0] if len(brokers) == 1 else self.dice.choice(brokers)

    def _begin(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        if name in self._busy or (name in self.fleet.servers and self._server_is_down()):
            work.close()
            return
        self._busy.add(name)
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._busy.discard(task.get_name())
        if not task.cancelled() and task.exception() is not None:
            self.unready.append(f"{task.get_name()}: {task.exception()!r}")
            self.say(self.unready[-1])

    def _server_is_down(self) -> bool:
        return not self._busy.isdisjoint(self.fleet.servers)

    async def _kill_service(self, name: str, after: float, *, hasty: bool) -> None:
        """`hasty`: it may be hit again before it is ready."""
        if not self.fleet.alive(name):
            await self._start(name)
            return
        disturbed = self._disturbances + self._server_is_down()
        await self._kill(name)
        at = now()
        await asyncio.sleep(after)
        await self._start(name)
        if hasty:
            return
        if not await self.fleet.until_ready(name, seconds=PATIENCE_SECONDS):
            self.unready.append(f"{name} is not ready {PATIENCE_SECONDS:.0f} s after its start")
            return
        alone = disturbed == self._disturbances
        self._note(Recovery(name, now() - at - after, alone))

    async def _kill_server(self, name: str) -> None:
        self._disturbances += 1
        disturbed = self._disturbances
        await self._kill(name)
        at = now()
        await self._start(name)
        others = [each for each in self.fleet.services if each not in self._busy]
        if not await self.fleet.until_ready(*others, seconds=PATIENCE_SECONDS):
            self.unready.append(f"not everything is ready after {name} was killed")
            return
        untouched = self._busy.isdisjoint(others) and disturbed == self._disturbances
        self._note(Recovery(name, now() - at, untouched))

    async def _freeze(self, name: str, seconds: float) -> None:
        self.paused[name] += 1
        self._tell("stop", name)
        self.fleet.signal(name, signal.SIGSTOP)
        await asyncio.sleep(seconds)
        self.fleet.signal(name, signal.SIGCONT)
        self._tell("cont", name)

    async def _cut(self, kind: str) -> None:
        """Every connection that one kind of service has to PostgreSQL ends at once."""
        self.cuts += 1
        self._tell("cut", kind)
        with contextlib.suppress(OSError, asyncpg.PostgresError):
            connection = await asyncpg.connect(self.fleet.system.postgres.dsn, timeout=5)
            try:
                query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1"
                await connection.execute(query, f"revocast_{kind}")
            finally:
                await connection.close()

    async def _kill(self, name: str) -> None:
        self.killed[name] += 1
        self._tell("kill", name)
        await self.fleet.kill(name)

    async def _start(self, name: str) -> None:
        await self.fleet.start(name)
        self._tell("start", name)

    def _note(self, recovery: Recovery) -> None:
        self.recoveries.append(recovery)
        self._tell("ready", recovery.target)

    def _tell(self, act: str, name: str) -> None:
        self.writer.write(Fault(act=act, target=name, at=now()))
