"""An operator's ear on the dead letters: each one is counted and logged, whoever wrote it."""

import asyncio

import structlog
from faststream import AckPolicy
from faststream.kafka import KafkaBroker

from messaging import metrics
from revocast_contracts import codec
from revocast_contracts.dead_letters import LetterDied
from revocast_contracts.topics import DEAD_LETTER

GROUP = "dead-letter-alarm"

_log = structlog.get_logger()


class DeadLetterAlarm:
    """A FastStream consumer: a line twice or late does no harm here, so its own offsets do."""

    def __init__(self, bootstrap: str) -> None:
        self._broker = KafkaBroker(bootstrap, logger=None)
        self._broker.subscriber(
            DEAD_LETTER.name,
            group_id=GROUP,
            auto_offset_reset="earliest",
            ack_policy=AckPolicy.ACK,
        )(self._hear)

    async def run(self) -> None:
        """Listen until cancelled.

        Raises:
            KafkaError: the broker can't be reached; run it again.
        """
        try:
            await self._broker.start()
            await asyncio.Event().wait()
        finally:
            await self._broker.stop()

    async def _hear(self, value: bytes) -> None:
        try:
            died = codec.decode(value).data
        except codec.UndecodableError:
            died = None
        if not isinstance(died, LetterDied):
            _log.error("a dead letter can't be read itself")
            return
        metrics.LETTERS_HEARD.labels(died.topic, died.consumer).inc()
        _log.error(
            "a letter died",
            topic=died.topic,
            shard=died.partition,
            offset=died.offset,
            consumer=died.consumer,
            why=died.reason,
        )
