"""The audit service's ingest as a process of its own, which may end itself at the worst moment."""

import asyncio
import os
import random
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace

from audit.consumers.events import record_events
from messaging.consume import Consumer, Received
from revocast_contracts.topics import TOPICS, Topic
from servicekit.postgres import Connection, create_pool


def topic_of(name: str) -> Topic:
    """`noun:partitions` -> a topic."""
    noun, partitions = name.split(":")
    return replace(TOPICS[0], noun=noun, partitions=int(partitions))


async def ingest(
    dsn: str, bootstrap: str, group: str, dies: float, topics: Sequence[Topic]
) -> None:
    """Record for ever; die between COPY and COMMIT with the given probability per batch."""

    async def handle(connection: Connection, batch: Sequence[Received]) -> None:
        await record_events(connection, batch)
        if random.random() < dies:  # noqa: S311 - no secret
            os.kill(os.getpid(), signal.SIGKILL)

    pool = await create_pool(dsn, size=3, application_name="ingest")
    consumer = Consumer(pool, bootstrap=bootstrap, group=group, topics=topics, handle=handle)
    await consumer.run()


if __name__ == "__main__":
    dsn, bootstrap, group, dies, *names = sys.argv[1:]
    asyncio.run(ingest(dsn, bootstrap, group, float(dies), [topic_of(name) for name in names]))
