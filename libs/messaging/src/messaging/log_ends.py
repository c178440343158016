"""Looks at the ends of a writer's partitions: is the log ahead of the database, or another one?"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from messaging.clients import start, stop_consumer
from messaging.security import Security
from messaging.sender import UnsentError
from revocast_contracts import codec
from revocast_contracts.topics import TOPICS

PATIENCE_SECONDS = 20.0
"""Longer than a broker's restart takes; then the next try has fresh connections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEnd:
    """One partition. `offset` is where the next record goes; the last one's place, if there is.

    `emptied` says that there were records and none is left: all are older than the retention.
    """

    offset: int
    epoch: int = 0
    seq: int = 0
    emptied: bool = False

    def is_gone_since(self, offset: int) -> bool:
        """Whether nobody can read any more what came after the record at this offset."""
        return self.emptied and self.offset > offset + 1


async def read_log_ends(
    bootstrap: str, writer: str, security: Security | None = None
) -> dict[str, LogEnd]:
    """`topic/shard` -> how it ends, for every topic that this writer writes.

    Raises:
        UnsentError: the broker can't be reached, or lacks a topic.
    """
    shards = {
        TopicPartition(topic.name, shard): f"{topic.noun}/{shard}"
        for topic in TOPICS
        if topic.writer == writer
        for shard in range(topic.partitions)
    }
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=None,
        auto_offset_reset="none",
        fetch_max_wait_ms=50,
        **(security or {}),
    )
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await start(consumer)
            consumer.assign(list(shards))
            found = await _read(consumer, list(shards))
    except (KafkaError, TimeoutError, OSError) as error:
        raise UnsentError(type(error).__name__) from error
    finally:
        await stop_consumer(consumer)
    return {shards[place]: end for place, end in found.items()}


def is_ahead(
    ends: Mapping[str, LogEnd],
    *,
    epoch: int,
    heads: Mapping[str, int],
    offsets: Mapping[str, int],
) -> bool:
    """Whether the log holds a place that this database has never given out: it was restored.

    Where the log has been emptied since the last acknowledged offset, nobody can tell any more.
    """
    return any(
        (end.epoch, end.seq) > (epoch, heads.get(shard, 0))
        or end.is_gone_since(offsets.get(shard, -1))
        for shard, end in ends.items()
    )


def replaced(ends: Mapping[str, LogEnd], offsets: Mapping[str, int]) -> list[str]:
    """The topics that end before an offset they have acknowledged: they were made anew."""
    shards = [shard for shard, end in ends.items() if end.offset <= offsets.get(shard, -1)]
    return sorted({shard.split("/")[0] for shard in shards})


async def _read(
    consumer: AIOKafkaConsumer, places: list[TopicPartition]
) -> dict[TopicPartition, LogEnd]:
    beginnings = await consumer.beginning_offsets(places)
    ends = await consumer.end_offsets(places)
    found = {
        place: LogEnd(offset=ends[place], emptied=0 < ends[place] == beginnings[place])
        for place in places
    }
    awaited = {place for place in places if ends[place] > beginnings[place]}
    consumer.pause(*(place for place in places if place not in awaited))
    for place in places:
        consumer.seek(place, max(ends[place] - 1, beginnings[place]))
    while awaited:
        for place, records in (await consumer.getmany(timeout_ms=1000)).items():
            for record in records:
                found[place] = _end(record.value, record.offset + 1, found[place])
            if found[place].offset >= ends[place]:
                awaited.discard(place)
    return found


def _end(value: bytes | None, offset: int, before: LogEnd) -> LogEnd:
    try:
        event = codec.decode(value or b"")
    except codec.UndecodableError:
        return LogEnd(offset=offset, epoch=before.epoch, seq=before.seq)
    return LogEnd(offset=offset, epoch=event.epoch, seq=event.seq)
