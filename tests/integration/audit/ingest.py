"""The audit service's ingest as a process of its own, which may end itself at the worst moment."""

import asyncio
import os
import random
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from secrets import token_hex

from audit.consumers.events import record_events
from messaging.consume import Consumer, Received
from revocast_contracts.topics import TOPICS, Topic
from servicekit.postgres import Connection, create_pool


def topic_of(name: str) -> Topic:
    """`noun:partitions` -> a topic."""
    noun, partitions = name.split(":")
    return replace(TOPICS[0], noun=noun, partitions=int(partitions))


async def ingest(dsn: str, bootstrap: str, dies: float, topics: Sequence[Topic]) -> None:
    """Record for ever; die between COPY and COMMIT with the given probability per batch.

    The group is new each time: where reading goes on, Postgres says, and nobody waits for the dead.
    """

    async def handle(connection: Connection, batch: Sequence[Received]) -> None:
        await record_events(connection, batch)
        if random.random() < dies:  # noqa: S311 - no secret
            os.kill(os.getpid(), signal.SIGKILL)

    pool = await create_pool(dsn, size=3, application_name="ingest")
    consumer = Consumer(
        pool, bootstrap=bootstrap, group=f"audit-{token_hex(4)}", topics=topics, handle=handle
    )
    await consumer.run()


if __name__ == "__main__":
    asyncio.run(
        ingest(sys.argv[1], sys.argv[2], float(sys.argv[3]), [topic_of(n) for n in sys.argv[4:]])
    )
