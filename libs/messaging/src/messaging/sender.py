"""Records to Kafka: idempotent, acknowledged by all replicas, and bounded in time."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.structs import RecordMetadata

from messaging.clients import start, stop_producer
from messaging.security import Security
from revocast_contracts.envelope import CONTENT_TYPE

SEND_SECONDS = 10.0
"""aiokafka's idempotent producer would retry for ever; past this it is thrown away and rebuilt."""

REQUEST_SECONDS = 5.0
"""One request to the broker; two fit into a send."""

BUFFER = 256 * 1024
"""Bytes of one partition that go in one request."""

_HEADERS = [("content-type", CONTENT_TYPE.encode())]


class UnsentError(Exception):
    """Kafka did not answer as it should: some records may have arrived and some not."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record for one partition; `topic` is its name on the broker."""

    topic: str
    partition: int
    key: str
    value: bytes


class Sender:
    """A producer. Use it as an async context manager; when anything raises, make a new one."""

    def __init__(self, bootstrap: str, *, client_id: str, security: Security | None = None) -> None:
        self._producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap,
            client_id=client_id,
            enable_idempotence=True,
            acks="all",
            linger_ms=0,
            max_batch_size=BUFFER,
            request_timeout_ms=int(REQUEST_SECONDS * 1000),
            max_request_size=1_048_576,
            **(security or {}),
        )

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            UnsentError: the broker can't be reached.
        """
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await start(self._producer)
        except (KafkaError, TimeoutError, OSError) as error:
            await stop_producer(self._producer)
            raise UnsentError(type(error).__name__) from error
        except BaseException:
            await stop_producer(self._producer)
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close. Nothing is waited for: whatever was sent has been acknowledged, or given up."""
        await stop_producer(self._producer)

    async def send(self, records: Sequence[Record]) -> dict[tuple[str, int], tuple[int, int]]:
        """Send records in their order and wait until all of them are acknowledged.

        Returns: topic and partition -> the lowest and the highest offset that they got; none where
        the broker had the record already.

        Raises:
            UnsentError: some may have arrived and some not.
        """
        try:
            async with asyncio.timeout(SEND_SECONDS):
                acks = await asyncio.gather(*[await self._start(record) for record in records])
        except (KafkaError, TimeoutError, OSError) as error:
            raise UnsentError(type(error).__name__) from error
        spans: dict[tuple[str, int], tuple[int, int]] = {}
        for ack in acks:
            if ack.offset >= 0:
                place = (ack.topic, ack.partition)
                lowest, highest = spans.get(place, (ack.offset, ack.offset))
                spans[place] = (min(lowest, ack.offset), max(highest, ack.offset))
        return spans

    async def _start(self, record: Record) -> asyncio.Future[RecordMetadata]:
        sent: asyncio.Future[RecordMetadata] = await self._producer.send(
            record.topic,
            record.value,
            key=record.key.encode(),
            partition=record.partition,
            headers=_HEADERS,
        )
        return sent
