"""Topics on a real broker, written as the services' relays write them."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from secrets import token_hex

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from messaging.consume import Received
from messaging.topics import ensure_topics
from revocast_contracts.topics import Topic


async def own_topic(bootstrap: str, like: Topic, *, partitions: int | None = None) -> Topic:
    """A topic of this test alone, in every other way like a contract's."""
    topic = replace(
        like,
        noun=f"{like.noun}-{token_hex(4)}",
        partitions=partitions or like.partitions,
    )
    await ensure_topics(bootstrap, replication=1)
    async with admin(bootstrap) as client:
        await client.create_topics([NewTopic(topic.name, topic.partitions, 1)])
    return topic


@asynccontextmanager
async def admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client that is closed again."""
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


async def make_anew(bootstrap: str, topic: Topic) -> None:
    """Delete a topic and create it again, empty."""
    async with admin(bootstrap) as client:
        await client.delete_topics([topic.name])
        await until(_listed(client, topic, wanted=False))
        await client.create_topics([NewTopic(topic.name, topic.partitions, 1)])
        await until(_listed(client, topic, wanted=True))


def _listed(
    client: AIOKafkaAdminClient, topic: Topic, *, wanted: bool
) -> Callable[[], Awaitable[bool]]:
    async def listed() -> bool:
        return (topic.name in await client.list_topics()) is wanted

    return listed


async def until(condition: Callable[[], Awaitable[bool]], *, seconds: float = 60) -> None:
    """Wait until the condition holds; fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while not await condition():
        if time.monotonic() > deadline:
            raise AssertionError("the condition did not come true in time")
        await asyncio.sleep(0.02)


@asynccontextmanager
async def writer(bootstrap: str) -> AsyncIterator[AIOKafkaProducer]:
    """A producer that is closed again."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def write(producer: AIOKafkaProducer, topic: Topic, events: Iterable[Received]) -> None:
    """Write events to their shards, in order, and wait until they are acknowledged."""
    sent = [
        await producer.send(topic.name, one.raw, partition=one.event.shard % topic.partitions)
        for one in events
    ]
    for one in sent:
        await one
