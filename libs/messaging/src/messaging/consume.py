"""The only maker of consumers: positions in the handler's own transaction, Kafka's committed last.

A record is handled exactly once as far as the handler's database goes. What cannot be read goes to
the dead letters with its reason; for anything else the same batch is tried again, for ever.
"""

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

import asyncpg
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError

from messaging import metrics, positions
from messaging.clients import leave_seat, start, stop_consumer
from messaging.dead_letter import letter
from messaging.dead_letter_limit import DeadLetterLimit, TooManyDeadLettersError
from messaging.intake import Intake, Received, Taken
from messaging.positions import Place
from messaging.postgres import Connection, Pool
from messaging.rebalance import SeekToPositions
from messaging.security import Security
from messaging.sender import Sender, UnsentError
from messaging.silence import Silence
from revocast_contracts.topics import Topic

__all__ = ["TROUBLE", "Consumer", "Handler", "Received", "TooManyDeadLettersError"]

Handler: TypeAlias = Callable[
    [Connection, Sequence[Received]], Awaitable[Callable[[], None] | None]
]
"""Handles a batch inside a transaction; what it returns is called once that is committed."""
Batches: TypeAlias = dict[Place, list[ConsumerRecord]]

LARGEST_BATCH = 500
"""Records in one transaction: some ten milliseconds of work."""

POLL_SECONDS = 1.0
"""How long one look for records waits; longer only where the process itself stood still."""

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0
"""Seconds before a batch is tried again, at first and at most; jittered."""

UNREADY_AFTER = timedelta(seconds=5)
"""A batch that has been failing for so long makes the process unready; it is still tried."""

WORTH_GATHERING = 256 * 1024
"""Bytes that a consumer that gathers gets at once: several of its batches."""

SESSION_MS = 6_000
"""The shortest that brokers take by default (group.min.session.timeout.ms): the partitions of a
member that was killed lie idle for so long, unless it comes back to its seat before."""

HINTED_EVERY = 1.0
"""Seconds between two commits to Kafka: its tools show how far we are, our positions decide."""

TROUBLE = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    KafkaError,
    UnsentError,
    OSError,
    TimeoutError,
)
"""What passes: a database or a broker that does not answer as it should."""

_log = structlog.get_logger()


@dataclass(slots=True)
class _Progress:
    polled_at: float | None = None
    failing_since: float | None = None
    stopped: TooManyDeadLettersError | None = None
    why: str = ""


class Consumer:
    """Consumes topics as one member of a group; `handle` gets each batch inside a transaction.

    `quiet` is how long a partition that carries watermarks may be silent before its connection is
    thought dead and all is made anew: aiokafka does not notice by itself.
    `committed` is called after each commit: what a batch has written to an outbox can go out.
    `gather` is how long the broker may hold records back so that more come at once: for a consumer
    that no request waits for.
    `seat` names this member for as long as it may be started again (`group.instance.id`): whoever
    comes back to a seat has its partitions at once, and nobody else is rebalanced.
    `security` is how it is let in.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        bootstrap: str,
        group: str,
        topics: Sequence[Topic],
        handle: Handler,
        quiet: timedelta | None = None,
        committed: Callable[[], None] = lambda: None,
        gather: timedelta = timedelta(0),
        seat: str | None = None,
        security: Security | None = None,
    ) -> None:
        self._pool = pool
        self._bootstrap = bootstrap
        self._group = group
        self._topics = topics
        self._handle = handle
        self._quiet = quiet
        self._committed = committed
        self._gather = gather
        self._seat = seat
        self._security = security or {}
        self._limit = DeadLetterLimit()
        self._progress = _Progress()
        self._hints: dict[TopicPartition, int] = {}

    async def check(self) -> str | None:
        """For readiness: why nothing is being consumed, or None."""
        progress = self._progress
        now = time.monotonic()
        if progress.stopped is not None:
            return f"stopped: too many dead letters: {progress.stopped}"
        if progress.failing_since is not None:
            failing = now - progress.failing_since
            return progress.why if failing > UNREADY_AFTER.total_seconds() else None
        if progress.polled_at is None:
            return "not connected to Kafka yet"
        silent = now - progress.polled_at
        return None if silent < 2 * UNREADY_AFTER.total_seconds() else f"stuck for {silent:.0f} s"

    async def run(self) -> None:
        """Consume until something is wrong with the connection; then run it again.

        Raises:
            KafkaError, UnsentError, OSError, TimeoutError: the connection.
            TooManyDeadLettersError: see there; then at once, until the process is restarted.
        """
        if self._progress.stopped is not None:
            raise self._progress.stopped
        self._progress = _Progress()
        self._hints.clear()
        intake = Intake()
        async with self._consumer(intake) as (consumer, listener):
            silence = Silence(self._topics, self._quiet) if self._quiet else None
            hinted_at = time.monotonic()
            while True:
                began = time.monotonic()
                batches = await self._poll(consumer, intake)
                if listener.failed is not None:
                    raise TimeoutError(f"positions were not read: {listener.failed}")
                now = self._progress.polled_at = time.monotonic()
                if silence is not None:
                    _hear(silence, min(now - began, POLL_SECONDS), consumer, batches)
                if batches:
                    await self._work_off(consumer, intake, batches)
                if now - hinted_at > HINTED_EVERY:
                    hinted_at = now
                    await self._hint(consumer)

    @asynccontextmanager
    async def _consumer(
        self, intake: Intake
    ) -> AsyncIterator[tuple[AIOKafkaConsumer, SeekToPositions]]:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=self._group,
            group_instance_id=self._seat,
            client_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="none",
            session_timeout_ms=SESSION_MS,
            heartbeat_interval_ms=SESSION_MS // 4,
            metadata_max_age_ms=30_000,
            **self._fetching(),
            **self._security,
        )
        listener = SeekToPositions(self._pool, consumer, self._group, intake)
        consumer.subscribe([topic.name for topic in self._topics], listener=listener)
        try:
            async with asyncio.timeout(30):
                await start(consumer)
            yield consumer, listener
        except asyncio.CancelledError:  # the process ends: others may have its partitions at once
            leave_seat(consumer)
            raise
        finally:
            await stop_consumer(consumer)

    def _fetching(self) -> dict[str, int]:
        if not self._gather:
            return {}
        return {
            "fetch_min_bytes": WORTH_GATHERING,
            "fetch_max_wait_ms": self._gather // timedelta(milliseconds=1),
        }

    async def _poll(self, consumer: AIOKafkaConsumer, intake: Intake) -> Batches:
        """What arrived, without partitions that turned out to be another log."""
        try:
            arrived = await consumer.getmany(
                timeout_ms=int(POLL_SECONDS * 1000), max_records=LARGEST_BATCH
            )
        except NoOffsetForPartitionError:  # just assigned: its position is still being read
            return {}
        except OffsetOutOfRangeError as error:
            await self._start_over(
                consumer, intake, [(tp.topic, tp.partition) for tp in error.args[0]]
            )
            return {}
        batches = {(tp.topic, tp.partition): list(records) for tp, records in arrived.items()}
        other = [place for place, each in batches.items() if not intake.is_same_log(place, each)]
        await self._start_over(consumer, intake, other)
        return {place: each for place, each in batches.items() if place not in other}

    async def _start_over(
        self, consumer: AIOKafkaConsumer, intake: Intake, places: Sequence[Place]
    ) -> None:
        tps = [TopicPartition(*place) for place in places]
        tps = [tp for tp in tps if tp in consumer.assignment()]
        for tp, beginning in (await consumer.beginning_offsets(tps) if tps else {}).items():
            metrics.STARTED_OVER.labels(tp.topic).inc()
            _log.error("starting over", group=self._group, topic=tp.topic, shard=tp.partition)
            intake.start_over((tp.topic, tp.partition))
            consumer.seek(tp, beginning)

    async def _work_off(self, consumer: AIOKafkaConsumer, intake: Intake, batches: Batches) -> None:
        taken = await self._until_handled(intake, batches)
        self._progress.failing_since = None
        intake.saved(taken)
        self._hints.update(
            (TopicPartition(*place), each.next_offset) for place, each in taken.positions.items()
        )
        if taken.holes:
            ends = await consumer.end_offsets([TopicPartition(*place) for place in taken.holes])
            for place, hole in taken.holes.items():
                intake.search(place, hole, until=ends[TopicPartition(*place)])
            await self._start_over(consumer, intake, list(taken.holes))

    async def _until_handled(self, intake: Intake, batches: Batches) -> Taken:
        pause = FIRST_PAUSE
        while True:
            try:
                return await self._handle_once(intake, batches)
            except TooManyDeadLettersError as error:
                self._progress.stopped = error
                raise
            except Exception as error:  # noqa: BLE001 -- whatever it is, nothing may be skipped
                self._note_trouble(error)
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 -- jitter
            pause = min(LONGEST_PAUSE, pause * 2)

    async def _handle_once(self, intake: Intake, batches: Batches) -> Taken:
        async with self._pool.acquire() as connection:
            async with connection.transaction():
                held = await positions.hold(connection, self._group, batches)
                taken = intake.take(batches, held)
                limit = self._limit.after(read=taken.read, unreadable=len(taken.unreadable))
                done = None
                if taken.received:
                    done = await self._handle(connection, taken.received)
                await positions.save(connection, self._group, taken.positions)
                await self._set_aside(taken)
            self._committed()
            if done is not None:
                done()
        self._limit = limit
        self._count(taken)
        return taken

    async def _set_aside(self, taken: Taken) -> None:
        if not taken.unreadable:
            return
        letters = [
            letter(
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
                consumer=self._group,
                why=why,
                original=record.value or b"",
            )
            for record, why in taken.unreadable
        ]
        async with Sender(
            self._bootstrap, client_id=f"{self._group}-letters", security=self._security
        ) as sender:
            await sender.send(letters)

    def _count(self, taken: Taken) -> None:
        for topic, count in Counter(each.topic for each in taken.received).items():
            metrics.CONSUMED.labels(topic).inc(count)
        for topic, count in taken.dropped.items():
            metrics.DROPPED.labels(topic).inc(count)
        for record, why in taken.unreadable:
            metrics.DEAD_LETTERS.labels(record.topic).inc()
            _log.error("dead letter", topic=record.topic, offset=record.offset, why=why)
        for topic, count in taken.missed.items():
            metrics.MISSED.labels(topic).inc(count)
            _log.error("events are missing on the topic", topic=topic, count=count)

    def _note_trouble(self, error: Exception) -> None:
        metrics.RETRIED.inc()
        self._progress.why = f"a batch fails: {type(error).__name__}"
        if self._progress.failing_since is None:
            self._progress.failing_since = time.monotonic()
            known = isinstance(error, TROUBLE)  # anything else is a bug, and wants its traceback
            _log.warning("batch failed, trying again", group=self._group, exc_info=not known)

    async def _hint(self, consumer: AIOKafkaConsumer) -> None:
        assigned = consumer.assignment()
        hints = {tp: offset for tp, offset in self._hints.items() if tp in assigned}
        self._hints.clear()
        if hints:
            with contextlib.suppress(KafkaError, TimeoutError):
                async with asyncio.timeout(1):
                    await consumer.commit(hints)


def _hear(silence: Silence, seconds: float, consumer: AIOKafkaConsumer, batches: Batches) -> None:
    assigned = [(tp.topic, tp.partition) for tp in consumer.assignment()]
    silent = silence.listened(seconds, to=assigned, heard=batches)
    if silent:
        raise TimeoutError(f"not even a watermark heard of {sorted(silent)}")
