"""Reads what the log holds beyond a database's positions: the events that a restore took away."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from messaging.clients import start, stop_consumer
from messaging.log_ends import LogEnd
from messaging.security import Security
from messaging.sender import UnsentError
from revocast_contracts import codec
from revocast_contracts.envelope import Event
from revocast_contracts.lifecycle import WatermarkPassed
from revocast_contracts.revocations import RevocationWatermark
from revocast_contracts.topics import TOPIC_BY_NOUN

LARGEST_BATCH = 500
"""Records that are taken over in one transaction."""

PATIENCE_SECONDS = 20.0
"""Without a record for so long, the broker has a problem, and reading begins again."""

_log = structlog.get_logger()


@dataclass(slots=True)
class _Shard:
    """What is known of one partition: seqs are dense, so what never came shows."""

    seq: int
    until: int
    holes: set[int] = field(default_factory=set)

    def see(self, event: Event) -> bool:
        """Whether this event is one of the missing."""
        marks = isinstance(event.data, WatermarkPassed | RevocationWatermark)
        if event.seq > self.seq:
            self.holes.update(range(self.seq + 1, event.seq + (1 if marks else 0)))
            self.seq = event.seq
            return not marks
        if marks or event.seq not in self.holes:
            return False
        self.holes.discard(event.seq)
        return True


class Missing:
    """The events beyond `heads`, up to the `ends` that were read; one topic after another.

    After the iteration, `lost` counts those that the log holds no more; where a whole partition is
    gone, nobody knows how many, and it counts as one.
    """

    def __init__(
        self,
        bootstrap: str,
        ends: Mapping[str, LogEnd],
        *,
        heads: Mapping[str, int],
        offsets: Mapping[str, int],
        security: Security | None = None,
    ) -> None:
        self._bootstrap = bootstrap
        self._security = security or {}
        self._offsets = offsets
        self._shards = {
            shard: _Shard(seq=heads.get(shard, 0), until=end.offset) for shard, end in ends.items()
        }
        self._gone = sum(end.is_gone_since(offsets.get(shard, -1)) for shard, end in ends.items())

    @property
    def lost(self) -> int:
        """How many events are gone for good."""
        return self._gone + sum(len(shard.holes) for shard in self._shards.values())

    async def batches(self) -> AsyncIterator[list[Event]]:
        """The missing events, each shard's in the order of the log.

        Raises:
            UnsentError: the broker stopped answering.
        """
        for noun in sorted({name.split("/")[0] for name in self._shards}, key=_lifecycle_first):
            async for events in self._topic(noun):
                yield events

    async def _topic(self, noun: str) -> AsyncIterator[list[Event]]:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=None,
            auto_offset_reset="none",
            **self._security,
        )
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await start(consumer)
                awaited = await self._begin(consumer, noun)
            while awaited:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    arrived = await _some(consumer)
                records = [record for some in arrived.values() for record in some]
                if events := self._new(noun, records):
                    yield events
                for place in list(awaited):
                    if await consumer.position(place) >= awaited[place]:
                        del awaited[place]
        except (KafkaError, TimeoutError, OSError) as error:
            raise UnsentError(type(error).__name__) from error
        finally:
            await stop_consumer(consumer)

    async def _begin(self, consumer: AIOKafkaConsumer, noun: str) -> dict[TopicPartition, int]:
        """Seek to the first record that may be missing; partition -> where to stop."""
        topic = TOPIC_BY_NOUN[noun]
        places = {
            TopicPartition(topic.name, n): f"{noun}/{n}"
            for n in range(topic.partitions)
            if f"{noun}/{n}" in self._shards
        }
        consumer.assign(list(places))
        begins = await consumer.beginning_offsets(list(places))
        awaited = {}
        for place, name in places.items():
            first = max(begins[place], self._offsets.get(name, -1) + 1)
            consumer.seek(place, first)
            if first < self._shards[name].until:
                awaited[place] = self._shards[name].until
        return awaited

    def _new(self, noun: str, records: list[ConsumerRecord]) -> list[Event]:
        events = []
        for record in records:
            shard = self._shards[f"{noun}/{record.partition}"]
            try:
                event = codec.decode(record.value or b"")
            except codec.UndecodableError:
                _log.error("unreadable record", topic=record.topic, offset=record.offset)
                continue
            if record.offset < shard.until and shard.see(event):
                events.append(event)
        return events


async def _some(consumer: AIOKafkaConsumer) -> dict[TopicPartition, list[ConsumerRecord]]:
    """The next records, within the patience of the caller."""
    arrived: dict[TopicPartition, list[ConsumerRecord]] = {}
    while not arrived:
        arrived = await consumer.getmany(timeout_ms=500, max_records=LARGEST_BATCH)
    return arrived


def _lifecycle_first(noun: str) -> tuple[bool, str]:
    """What was enabled again is judged by when it was disabled."""
    return noun != "token-lifecycle", noun
