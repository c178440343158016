"""The revocations log on a real broker, written as the revocation service's relay writes it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError
from aiokafka.structs import TopicPartition

from revocast_contracts.envelope import Data
from revocast_contracts.topics import REVOCATIONS
from tests.unit.revocast.support import record, watermark

TOPIC = REVOCATIONS.name


class Log:
    """Creates and writes the topic; `ticking` also says watermarks, as every source would."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self.epoch = 1

    async def __aenter__(self) -> Self:
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self.bootstrap, acks="all", request_timeout_ms=5000
        )
        await self._producer.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._producer.stop()

    async def say(self, *said: Data) -> int:
        """Write events and wait until they are acknowledged; gives the last one's offset."""
        offset = -1
        for data in said:
            offset = await self.write(*record(data, epoch=self.epoch))
        return offset

    async def write(self, key: bytes | None, value: bytes | None) -> int:
        written = await self._producer.send_and_wait(TOPIC, key=key, value=value, partition=0)
        return int(written.offset)

    @asynccontextmanager
    async def ticking(self, interval: float = 0.2) -> AsyncIterator[None]:
        task = asyncio.create_task(self._tick(interval))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _tick(self, interval: float) -> None:
        while True:
            with contextlib.suppress(KafkaError):
                await self.say(watermark())
            await asyncio.sleep(interval)


@asynccontextmanager
async def admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


async def create_topic(bootstrap: str, **config: str) -> None:
    topic = NewTopic(
        TOPIC, REVOCATIONS.partitions, 1, topic_configs=REVOCATIONS.broker_config() | config
    )
    async with admin(bootstrap) as client:
        for _ in range(100):
            with contextlib.suppress(KafkaError):
                await client.create_topics([topic])
            if TOPIC in await client.list_topics():
                return
            await asyncio.sleep(0.05)
    raise AssertionError("the topic was not created in time")


async def delete_topic(bootstrap: str) -> None:
    """Gone when this returns; no matter if it was there."""
    async with admin(bootstrap) as client:
        with contextlib.suppress(UnknownTopicOrPartitionError):
            await client.delete_topics([TOPIC])
        for _ in range(200):
            if TOPIC not in await client.list_topics():
                return
            await asyncio.sleep(0.05)
    raise AssertionError("the topic was not deleted in time")


async def add_partition(bootstrap: str) -> None:
    async with admin(bootstrap) as client:
        await client.create_partitions({TOPIC: NewPartitions(total_count=2)})


async def delete_records(bootstrap: str, before: int) -> None:
    async with admin(bootstrap) as client:
        await client.delete_records({TopicPartition(TOPIC, 0): RecordsToDelete(before)})
