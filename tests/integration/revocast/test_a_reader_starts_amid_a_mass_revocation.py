"""Readers start while thousands of entries are written and Kafka compacts what was written."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

from devstack.kafka import Kafka
from revocast import KafkaFeed
from revocast_contracts.lifetimes import SKEW
from tests.integration.revocast.log import Log, create_topic, delete_topic
from tests.integration.revocast.support import until
from tests.unit.revocast.support import claims, entry

FAMILIES = 1500
RESENT = [f"resent-{number}" for number in range(20)]
"""Families whose pending entry is sent again and again, so that there is much to compact."""

READERS = 6
BOUND = SKEW + timedelta(seconds=3)
COMPACTED_AT_ONCE = {
    "segment.ms": "200",
    "min.cleanable.dirty.ratio": "0.001",
    "max.compaction.lag.ms": "200",
}


async def test_whoever_is_ready_denies_all_that_was_acknowledged_before_it_started(
    broker: Kafka, log: Log
) -> None:
    """No reader is ready without one of them, at whatever point of the wave it starts."""
    await delete_topic(broker.bootstrap)
    await create_topic(broker.bootstrap, **COMPACTED_AT_ONCE)
    acknowledged: list[str] = []
    async with Log(log.bootstrap) as writer, writer.ticking(), AsyncExitStack() as readers:
        wave = asyncio.create_task(_wave(writer, acknowledged))
        followers: list[KafkaFeed] = []
        ready_amid = 0
        for number in range(READERS):
            await until(lambda n=number: len(acknowledged) >= n * FAMILIES // READERS)  # type: ignore[misc]  # bound now
            known = [*acknowledged]
            feed = await readers.enter_async_context(_reading(log))
            followers.append(feed)
            await until(lambda f=feed: f.trouble(BOUND) is None)  # type: ignore[misc]  # bound now
            assert not [family for family in known if not _denies(feed, family)]
            ready_amid += not wave.done()
        assert ready_amid > 1
        await wave
        for feed in followers:
            await until(lambda f=feed: all(_denies(f, family) for family in acknowledged))  # type: ignore[misc]  # bound now
        await _compacted(log, acknowledged)


async def _wave(writer: Log, acknowledged: list[str]) -> None:
    """Entries pending, then applied, and between them the same pending ones over and over."""
    for number in range(FAMILIES):
        family = f"family-{number}"
        resent = RESENT[number % len(RESENT)]
        await writer.say(
            entry(value=family, entry_id=family, pending=True),
            entry(value=resent, entry_id=resent, pending=True),
            entry(value=family, entry_id=family),
        )
        acknowledged += [family, resent]


async def _compacted(log: Log, acknowledged: list[str]) -> None:
    """What stood in between is gone from the log; a reader that starts now knows all the same."""
    deadline = time.monotonic() + 90
    while True:
        assert time.monotonic() < deadline, "the log was not compacted"
        async with _reading(log) as feed:
            await until(lambda f=feed: f.trouble(BOUND) is None)  # type: ignore[misc]  # bound now
            assert all(_denies(feed, family) for family in {*acknowledged})
            if feed.stats.entries < 2 * FAMILIES + 2 * len(RESENT):
                return
        await asyncio.sleep(0.5)


@asynccontextmanager
async def _reading(log: Log) -> AsyncIterator[KafkaFeed]:
    feed = KafkaFeed(log.bootstrap)
    await feed.start()
    try:
        yield feed
    finally:
        await feed.stop()


def _denies(feed: KafkaFeed, family: str) -> bool:
    return feed.revocations.denies(claims(family=family, iat=int(time.time()))) is not None
