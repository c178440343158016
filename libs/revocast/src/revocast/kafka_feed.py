"""The Kafka feed: the whole `revocations` log from its beginning, then its end, without a gap.

No consumer group and no automatic offset reset: whatever happens to the topic, the answer is to
read all of it again, never to jump. What is known stays in force meanwhile.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import NoOffsetForPartitionError, OffsetOutOfRangeError

from revocast.clock import SYSTEM_CLOCK, Clock
from revocast.feed import CausedEntry, Intake, LogReplacedError
from revocast.log_watch import AnchorGoneError, LogWatch
from revocast.revocations import Revocations
from revocast.stats import Stats
from revocast_contracts.revocations import RevocationEntry
from revocast_contracts.topics import REVOCATIONS

log = logging.getLogger("revocast")

OnEntry = Callable[[RevocationEntry, str], Awaitable[None]]
"""Is given an entry, and the correlation id of what caused it: that of logs and audit records."""

POLL = timedelta(seconds=1)
"""How long one read waits for records; watermarks come each second, so it rarely waits longer."""
PROBE = timedelta(seconds=5)
"""How often the log is checked for having been replaced under the same name."""
QUIET = timedelta(seconds=10)
"""A consumer that got nothing for so long is thrown away: aiokafka can hang without saying so."""
REQUEST_LIMIT = timedelta(seconds=5)
"""The longest that a question to the broker may take."""
BACKOFF = (0.2, 5.0)
"""Seconds between attempts to read the log, the first and the longest; jittered."""
RECORDS_AT_ONCE = 500
"""Records taken before other tasks get a turn: about 20 ms of work."""


class KafkaFeed:
    """Reads `bootstrap` (host:port, comma-separated) into `revocations`.

    `on_entry(entry, correlation_id)` is awaited for every entry, in log order and again after each
    rebuild, already expired ones included; while it raises, it is called again with the same entry
    and reading waits. `security` holds further arguments of `aiokafka.AIOKafkaConsumer` for TLS and
    SASL.
    """

    def __init__(
        self,
        bootstrap: str,
        *,
        on_entry: OnEntry | None = None,
        security: Mapping[str, Any] | None = None,
        clock: Clock = SYSTEM_CLOCK,
        stats: Stats | None = None,
    ) -> None:
        self._bootstrap = bootstrap
        self._on_entry = on_entry
        self._security = dict(security or {})
        self._clock = clock
        self.stats = stats if stats is not None else Stats()
        self._intake = Intake(clock, self.stats)
        self._partitions: frozenset[int] = frozenset()
        self._task: asyncio.Task[None] | None = None

    @property
    def revocations(self) -> Revocations:
        """The entries in force."""
        return self._intake.revocations

    async def start(self) -> None:
        """Begin to read in the background; returns at once, also while Kafka is down."""
        if self._task is not None:
            raise RuntimeError("the feed is already started")
        self._task = asyncio.create_task(self._run(), name="revocast-kafka-feed")

    async def stop(self) -> None:
        """Stop reading and close the consumer; nothing of it runs afterwards."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled() and task.exception() is not None:
                log.warning("the feed did not end cleanly: %r", task.exception())

    def staleness(self) -> timedelta | None:
        """Whatever was committed longer ago is known here; None: a source was never heard."""
        seconds = self._intake.freshness.staleness()
        return None if seconds is None else timedelta(seconds=seconds)

    def trouble(self, max_staleness: timedelta) -> str | None:
        """Why this feed may not be relied on now; None if it may."""
        if self._partitions - {*range(REVOCATIONS.partitions)}:
            return f"{REVOCATIONS.name} has {len(self._partitions)} partitions"
        return self._intake.trouble(max_staleness)

    async def _run(self) -> None:
        pause, longest = BACKOFF
        while True:
            started = self._clock.monotonic()
            try:
                await self._read_log()
            except asyncio.CancelledError:
                if self._task is None or self._task.cancelling():
                    raise
                log.warning("reading revocations was cancelled from within aiokafka")
            except (LogReplacedError, OffsetOutOfRangeError, NoOffsetForPartitionError) as error:
                self._intake.distrust()
                log.warning("the log of revocations was replaced: %s", error)
            except AnchorGoneError as error:
                log.info("the log of revocations is read again: %s", error)
            except Exception as error:  # noqa: BLE001 - this loop supervises the reading
                log.warning("reading revocations failed: %s: %s", type(error).__name__, error)
            self.stats.feed_rebuilds += 1
            if self._clock.monotonic() - started > longest:
                pause = BACKOFF[0]
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
            pause = min(longest, pause * 2)

    async def _read_log(self) -> None:
        """Read from the beginning until something is wrong."""
        async with self._consumer() as consumer:
            assigned = sorted(consumer.assignment())
            async with asyncio.timeout(REQUEST_LIMIT.total_seconds()):
                ends = await consumer.end_offsets(assigned)
                if not await consumer.seek_to_beginning(*assigned):
                    raise TimeoutError("the beginning of the log was not found in time")
            self._intake.restart()
            watch = LogWatch()
            await self._follow(consumer, watch, until=ends)
            self._intake.reached_end()
            log.info("revocations are read to the end of the log")
            await self._follow(consumer, watch, until=None)

    @asynccontextmanager
    async def _consumer(self) -> AsyncIterator[AIOKafkaConsumer]:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=None,
            auto_offset_reset="none",
            enable_auto_commit=False,
            request_timeout_ms=REQUEST_LIMIT // timedelta(milliseconds=1),
            fetch_max_wait_ms=500,
            metadata_max_age_ms=10_000,
            max_poll_records=RECORDS_AT_ONCE,
            client_id="revocast-guard",
            **self._security,
        )
        consumer.assign([TopicPartition(REVOCATIONS.name, 0)])
        try:
            await _start(consumer)
            self._partitions = frozenset(consumer.partitions_for_topic(REVOCATIONS.name) or ())
            if self._partitions != {0}:
                consumer.assign([TopicPartition(REVOCATIONS.name, p) for p in self._partitions])
            yield consumer
        finally:
            await _stop(consumer)

    async def _follow(
        self,
        consumer: AIOKafkaConsumer,
        watch: LogWatch,
        *,
        until: Mapping[TopicPartition, int] | None,
    ) -> None:
        """Take records until every partition stands at its offset in `until`; None: for ever."""
        heard_at = probed_at = self._clock.monotonic()
        while until is None or not await _stands_at(consumer, until):
            records = await self._poll(consumer)
            now = self._clock.monotonic()
            if records:
                heard_at = now
                await self._take(watch, records)
            elif now - heard_at > QUIET.total_seconds():
                raise TimeoutError("the consumer got nothing for too long")
            if now - probed_at > PROBE.total_seconds():
                probed_at = now
                await self._probe(consumer, watch)
            self.revocations.forget()

    async def _poll(self, consumer: AIOKafkaConsumer) -> Sequence[ConsumerRecord]:
        async with asyncio.timeout(REQUEST_LIMIT.total_seconds()):
            batches = await consumer.getmany(timeout_ms=POLL // timedelta(milliseconds=1))
        await asyncio.sleep(0)
        return [record for batch in batches.values() for record in batch]

    async def _take(self, watch: LogWatch, records: Sequence[ConsumerRecord]) -> None:
        """Bring all records into force first; only then call the hook, which may be slow."""
        entries = []
        for record in records:
            if watch.is_news(record):
                caused = self._intake.take(record.key, record.value)
                if caused is not None:
                    entries.append(caused)
        for caused in entries:
            await self._tell(caused)

    async def _probe(self, consumer: AIOKafkaConsumer, watch: LogWatch) -> None:
        """Find out whether this is still the same log, and the same clock.

        Raises:
            LogReplacedError: it is not.
        """
        partitions = consumer.partitions_for_topic(REVOCATIONS.name)
        if partitions and partitions != self._partitions:
            raise LogReplacedError(f"it has {len(partitions)} partitions now")
        if self.revocations.lost_by_clock():
            raise LogReplacedError("the clock went back; what was forgotten may be in force")
        async with asyncio.timeout(REQUEST_LIMIT.total_seconds()):
            ends = await consumer.end_offsets(watch.places())
        watch.ask_again(consumer, ends)

    async def _tell(self, caused: CausedEntry) -> None:
        pause, longest = BACKOFF
        while self._on_entry is not None:
            try:
                return await self._on_entry(caused.entry, caused.correlation_id)
            except Exception as error:  # noqa: BLE001 - the hook's failure must not lose its entry
                self.stats.hook_failures += 1
                log.warning("on_entry failed, trying again: %s", type(error).__name__)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
            pause = min(longest, pause * 2)
        return None


async def _start(consumer: AIOKafkaConsumer) -> None:
    """Start it, to the end even if cancelled: aiokafka leaks a connection that it was making."""
    starting = asyncio.ensure_future(consumer.start())
    try:
        await asyncio.shield(starting)
    except asyncio.CancelledError:
        await asyncio.gather(starting, return_exceptions=True)
        raise


async def _stop(consumer: AIOKafkaConsumer) -> None:
    """Close it and its connections in bounded time.

    aiokafka's own stop ends half-way, with the CancelledError of a task of its own, when a fetch
    was waiting for a lost broker; and it can hang.
    """
    try:
        await _end(consumer.stop())
    finally:
        await _end(consumer._client.close())  # noqa: SLF001 - there is no public way


async def _end(closing: Coroutine[Any, Any, None]) -> None:
    task = asyncio.ensure_future(closing)
    await asyncio.wait([task], timeout=REQUEST_LIMIT.total_seconds())
    if task.cancel() or task.cancelled():
        return
    if task.exception() is not None:
        log.warning("a consumer did not end cleanly: %r", task.exception())


async def _stands_at(consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> bool:
    async with asyncio.timeout(REQUEST_LIMIT.total_seconds()):
        positions = {place: await consumer.position(place) for place in ends}
    return all(positions[place] >= end for place, end in ends.items())
