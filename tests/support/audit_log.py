"""Topics on a real broker, written as the services' relays write them."""

from collections.abc import AsyncIterator, Iterable
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
    async with AIOKafkaAdminClient(bootstrap_servers=bootstrap) as admin:
        await admin.create_topics([NewTopic(topic.name, topic.partitions, 1)])
    return topic


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
