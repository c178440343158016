"""When partitions are assigned, reading goes on where Postgres says, whatever Kafka remembers."""

import asyncio

import asyncpg
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from messaging import positions
from messaging.intake import Intake
from messaging.positions import Position
from messaging.postgres import Pool

PATIENCE_SECONDS = 5.0
"""The whole group waits for this; past it the consumer is made anew."""

_log = structlog.get_logger()


class SeekToPositions(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Seeks to the record before each position, so that it is read again and can be recognised.

    aiokafka swallows what a listener raises and would go on from Kafka's own offsets. So partitions
    are paused until their positions were read, and `failed` says why that can't be done.
    """

    def __init__(self, pool: Pool, consumer: AIOKafkaConsumer, group: str, intake: Intake) -> None:
        self._pool = pool
        self._consumer = consumer
        self._group = group
        self._intake = intake
        self.failed: str | None = None

    async def on_partitions_revoked(self, revoked: list[TopicPartition]) -> None:
        """Nothing to do: whoever comes too late finds the position moved."""

    async def on_partitions_assigned(self, assigned: list[TopicPartition]) -> None:
        """Seek, before the first record is fetched."""
        self._consumer.pause(*assigned)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._seek({(tp.topic, tp.partition): tp for tp in assigned})
        except (asyncpg.PostgresError, asyncpg.InterfaceError, KafkaError, OSError) as error:
            self.failed = type(error).__name__
            return
        self._consumer.resume(*assigned)
        _log.info("partitions assigned", group=self._group, partitions=len(assigned))

    async def _seek(self, assigned: dict[tuple[str, int], TopicPartition]) -> None:
        async with self._pool.acquire() as connection:
            known = await positions.read(connection, self._group, assigned)
        fresh = [assigned[place] for place, each in known.items() if each.next_offset == 0]
        beginnings = await self._consumer.beginning_offsets(fresh) if fresh else {}
        for place, tp in assigned.items():
            self._intake.expect(place, known[place])
            self._consumer.seek(tp, _begin(known[place], beginnings.get(tp, 0)))


def _begin(position: Position, beginning: int) -> int:
    return position.next_offset - 1 if position.next_offset else beginning
