"""Three Kafka nodes under load: leaders are killed, then each node is restarted in turn."""

import asyncio
from dataclasses import dataclass

from revocast_contracts.topics import REVOCATIONS, TOKEN_LIFECYCLE, TOPICS
from tests.fire.faults import PATIENCE_SECONDS
from tests.fire.history import now
from tests.fire.one_by_one import OneByOne
from tests.support.kafka_cluster import leader, out_of_sync

LED = (REVOCATIONS.name, TOKEN_LIFECYCLE.name)
"""Whose leaders are killed: what guards read, and what the issuer writes."""

NAMES = [topic.name for topic in TOPICS]
LOOK_EVERY_SECONDS = 0.25
BOUND_SECONDS = 10.0
"""What issue 4 asks for after a single kill; here the killed one stays away meanwhile."""


@dataclass(slots=True)
class Rolling(OneByOne):
    """A kill of each leader, then an ordered restart of all; between two, all are in sync."""

    async def rage(self) -> None:
        """All of it, or until it is over."""
        await self._calm(now())
        for topic in LED:
            await self._in_sync()
            await self._lose(topic)
        for name in self.fleet.brokers():
            await self._in_sync()
            await self._restart(name)
        await self._in_sync()

    async def _lose(self, topic: str) -> None:
        bootstrap = self.fleet.system.kafka.bootstrap
        led_by = await leader(bootstrap, topic)
        name = f"kafka-{led_by}"
        await self._kill(name)
        at = now()
        seconds, waited_for = await self._calm(at)
        self._judge(f"{name}, leader of {topic}, lost", seconds, waited_for)
        if await leader(bootstrap, topic) in {led_by, -1}:
            self.unready.append(f"nobody leads {topic} instead of {name}")
        await self._start(name)

    async def _restart(self, name: str) -> None:
        at = now()
        self._tell("restart", name)
        async with asyncio.TaskGroup() as group:  # readiness is looked at all the time
            group.create_task(self.fleet.restart(name))
            calm = group.create_task(self._calm(at))
        seconds, waited_for = calm.result()
        self._judge(f"{name} restarted", seconds, waited_for)

    async def _in_sync(self) -> None:
        began = now()
        while left := await out_of_sync(self.fleet.system.kafka.bootstrap, NAMES):
            if now() - began > PATIENCE_SECONDS:
                self.unready.append(f"out of sync after {PATIENCE_SECONDS:.0f} s: {left}")
                return
            await asyncio.sleep(LOOK_EVERY_SECONDS)

    def _judge(self, what: str, seconds: float, waited_for: str) -> None:
        if seconds < LOOK_EVERY_SECONDS:
            waited_for = "nothing, all stayed ready"
        self.notes.append(f"{what}: all ready after {seconds:.2f} s; last: {waited_for}")
        self.say(self.notes[-1])
        if seconds > BOUND_SECONDS:
            self.unready.append(f"{what}: {seconds:.1f} s, not {BOUND_SECONDS:.0f} s")
