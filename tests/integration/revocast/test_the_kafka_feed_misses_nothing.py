import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from devstack.kafka import Kafka
from revocast import Guard, KafkaFeed, RevokedToken, Unavailable
from revocast_contracts.lifetimes import SKEW
from revocast_contracts.revocations import RevocationEntry
from tests.integration.revocast.log import (
    Log,
    add_partition,
    create_topic,
    delete_records,
    delete_topic,
)
from tests.integration.revocast.support import IssuerServer, until, while_true
from tests.unit.revocast.support import AUDIENCE, claims, entry, members, sign, watermark

BOUND = SKEW + timedelta(seconds=3)


@asynccontextmanager
async def reading(log: Log, **settings: Any) -> AsyncIterator[KafkaFeed]:
    feed = KafkaFeed(log.bootstrap, **settings)
    await feed.start()
    try:
        yield feed
    finally:
        await feed.stop()


def denies(feed: KafkaFeed, family: str) -> bool:
    return feed.revocations.denies(claims(family=family, iat=int(time.time()))) is not None


def ready(feed: KafkaFeed) -> bool:
    return feed.trouble(BOUND) is None


async def test_a_late_reader_knows_everything_when_it_is_ready(log: Log) -> None:
    """Entries from before its start are in force before it says that it is ready."""
    families = [f"family-{number}" for number in range(1200)]
    await log.say(*(entry(value=family, entry_id=family) for family in families))
    async with log.ticking(), reading(log) as feed:
        await until(lambda: ready(feed))
        assert all(denies(feed, family) for family in families)
        assert feed.stats.entries == len(families)


async def test_a_reader_is_not_ready_without_every_source(log: Log) -> None:
    """At the end of the log, but one source was never heard: it waits for that one."""
    partial = watermark()
    sources = {name: when for name, when in partial.sources.items() if name != "revocation"}
    async with reading(log) as feed:
        await log.say(entry(), partial.model_copy(update={"sources": sources}))
        await until(lambda: denies(feed, "family-1"))
        assert feed.trouble(BOUND) == "no watermark yet from revocation"
        await log.say(watermark())
        await until(lambda: ready(feed))


async def test_an_old_watermark_does_not_make_ready(log: Log) -> None:
    """The log of a service that stopped says so itself."""
    await log.say(watermark(time.time() - 60))
    async with reading(log) as feed:
        await until(lambda: feed.staleness() is not None)
        assert not ready(feed)
        staleness = feed.staleness()
        assert staleness is not None
        assert staleness > timedelta(seconds=60)


async def test_a_new_entry_denies_at_once(log: Log) -> None:
    """While it follows, an entry is in force a moment after it was acknowledged."""
    async with log.ticking(), reading(log) as feed:
        await until(lambda: ready(feed))
        for number in range(20):
            await log.say(entry(value=f"family-{number}", entry_id=str(number)))
            await until(lambda n=number: denies(feed, f"family-{n}"), seconds=5)  # type: ignore[misc]  # bound now
        assert feed.stats.feed_rebuilds == 0


async def test_a_restarted_reader_reads_all_again(log: Log) -> None:
    """Nothing of it is kept anywhere, so nothing of it can be stale or lost."""
    await log.say(entry())
    async with log.ticking():
        for _ in range(2):
            async with reading(log) as feed:
                assert not ready(feed)
                await until(lambda: ready(feed))
                assert denies(feed, "family-1")


async def test_kafka_may_be_away_longer_than_the_bound(
    broker: Kafka, log: Log, issuer: IssuerServer
) -> None:
    """The policy is followed while it is away; what was revoked then is denied afterwards."""
    guard = Guard(issuer=issuer.url, audience=AUDIENCE, kafka=log.bootstrap, max_staleness=BOUND)
    good, killed = (sign(members(iss=issuer.url, family=family)) for family in ("good", "killed"))
    async with guard:
        async with log.ticking():
            await log.say(entry(value="before"))
            await until(lambda: guard.ready)
            assert (await guard.check(killed)).family == "killed"
        broker.kill()
        await until(lambda: not guard.ready)
        with pytest.raises(Unavailable):
            await guard.check(good)
        with pytest.raises(RevokedToken):
            await guard.check(sign(members(iss=issuer.url, family="before")))
        await asyncio.to_thread(broker.start)
        async with log.ticking():
            await log.say(entry(value="killed"))
            await until(lambda: guard.ready, seconds=60)
            assert (await guard.check(good)).family == "good"
            with pytest.raises(RevokedToken):
                await guard.check(killed)


async def test_a_reader_starts_before_its_broker_and_topic(broker: Kafka, log: Log) -> None:
    """It waits for both, without anybody's hands."""
    await delete_topic(broker.bootstrap)
    broker.stop()
    async with reading(log) as feed:
        await until(lambda: feed.stats.feed_rebuilds)
        await asyncio.to_thread(broker.start)
        await create_topic(broker.bootstrap)
        async with Log(log.bootstrap) as writer, writer.ticking():
            await writer.say(entry())
            await until(lambda: ready(feed), seconds=60)
            assert denies(feed, "family-1")


@pytest.mark.parametrize("new_epoch", [True, False])
@pytest.mark.parametrize("records", [1, 60])
async def test_a_recreated_topic_is_read_from_its_beginning(
    broker: Kafka,
    log: Log,
    records: int,
    new_epoch: bool,
) -> None:
    """Shorter or longer than the old log, with the writer noticing or not: no entry is skipped."""
    async with reading(log) as feed:
        await log.say(entry(value="old"), *(watermark() for _ in range(30)))
        await until(lambda: ready(feed))
        await delete_topic(broker.bootstrap)
        await create_topic(broker.bootstrap)
        async with Log(log.bootstrap) as writer:
            writer.epoch += new_epoch
            await writer.say(entry(value="skipped"), *(watermark() for _ in range(records)))
            async with writer.ticking():
                await until(lambda: denies(feed, "skipped"), seconds=60)
                await until(lambda: ready(feed), seconds=30)
        assert denies(feed, "old")
        assert feed.stats.feed_rebuilds > 0


async def test_a_log_that_was_replaced_while_nobody_looked_is_found_out(
    broker: Kafka, log: Log
) -> None:
    """The new log is longer than what was read of the old one, so Kafka reports no error at all."""
    held, released = asyncio.Event(), asyncio.Event()

    async def on_entry(said: RevocationEntry, correlation_id: str) -> None:
        if said.entry_id == "holds the reader":
            held.set()
            await released.wait()

    async with reading(log, on_entry=on_entry) as feed:
        await log.say(*(watermark() for _ in range(10)), entry(entry_id="holds the reader"))
        await held.wait()
        await log.say(watermark())
        await delete_topic(broker.bootstrap)
        await create_topic(broker.bootstrap)
        async with Log(log.bootstrap) as writer:
            await writer.say(entry(value="skipped"), *(watermark() for _ in range(60)))
            released.set()
            async with writer.ticking():
                await until(lambda: ready(feed))
                await until(lambda: denies(feed, "skipped"), seconds=30)
                await until(lambda: ready(feed))


async def test_a_new_epoch_is_not_believed_before_all_was_read(log: Log) -> None:
    """Its first watermark never makes a reader ready that may have skipped entries."""
    async with log.ticking(), reading(log) as feed:
        await until(lambda: ready(feed))
        log.epoch = 2
        await log.say(entry(value="later"))
        await until(lambda: feed.stats.feed_rebuilds)
        await until(lambda: ready(feed))
        assert denies(feed, "later")
        await while_true(lambda: feed.stats.feed_rebuilds == 1, seconds=1)


async def test_records_may_be_deleted(broker: Kafka, log: Log) -> None:
    """Whoever shortens the log from its beginning takes nothing from a reader's memory."""
    async with log.ticking(), reading(log) as feed:
        offset = await log.say(entry(), watermark())
        await until(lambda: ready(feed))
        await delete_records(broker.bootstrap, offset)
        await until(lambda: feed.stats.feed_rebuilds, seconds=30)
        await until(lambda: ready(feed))
        assert denies(feed, "family-1")


async def test_another_number_of_partitions_is_trouble(broker: Kafka, log: Log) -> None:
    """Entries could stand where no watermark covers them; what is found is enforced anyway."""
    async with log.ticking(), reading(log) as feed:
        await log.say(entry())
        await until(lambda: ready(feed))
        await add_partition(broker.bootstrap)
        await until(lambda: "2 partitions" in (feed.trouble(BOUND) or ""), seconds=60)
        assert denies(feed, "family-1")


async def test_entries_flow_while_watermarks_stand_still(log: Log) -> None:
    """They are enforced, but the reader says that it cannot know what else there is."""
    async with reading(log) as feed:
        await log.say(watermark())
        await until(lambda: ready(feed))
        number = 0
        while ready(feed):
            number += 1
            await log.say(entry(value=f"family-{number}", entry_id=str(number)))
            await asyncio.sleep(0.1)
        await until(lambda: denies(feed, f"family-{number}"))
        assert "behind" in (feed.trouble(BOUND) or "")
        assert feed.stats.feed_rebuilds == 0
        await log.say(watermark())
        await until(lambda: ready(feed))


async def test_an_unreadable_record_is_told_until_it_is_replaced(log: Log) -> None:
    """A tombstone of its key, written by somebody who looked, ends it; so does a restart not."""
    async with log.ticking(), reading(log) as feed:
        await until(lambda: ready(feed))
        await log.write(b"family:x|1", b"?")
        await until(lambda: not ready(feed))
        await log.say(entry())
        await until(lambda: denies(feed, "family-1"))
        async with reading(log) as restarted:
            await until(lambda: restarted.stats.watermarks)
            await while_true(lambda: not ready(restarted) and not ready(feed), seconds=1)
            await log.write(b"family:x|1", None)
            await until(lambda: ready(feed) and ready(restarted))


async def test_compaction_takes_nothing_that_matters(broker: Kafka, log: Log) -> None:
    """A new reader knows the same, and one that reads again stays ready meanwhile."""
    await delete_topic(broker.bootstrap)
    await create_topic(
        broker.bootstrap,
        **{
            "segment.ms": "200",
            "min.cleanable.dirty.ratio": "0.001",
            "max.compaction.lag.ms": "200",
        },
    )
    async with Log(log.bootstrap) as writer, writer.ticking(), reading(writer) as follower:
        await writer.say(*(entry(pending=True) for _ in range(50)))
        now = time.time()
        await writer.say(entry(not_before=now), entry(value="family-2", entry_id="entry-2"))
        deadline = now + 90
        while True:
            assert time.time() < deadline, "the log was not compacted"
            async with reading(writer) as feed:
                await until(lambda: ready(feed))
                token = claims(iat=int(now) + 1)
                assert feed.revocations.denies(token) is None
                assert feed.revocations.denies(claims(iat=int(now))) is not None
                assert denies(feed, "family-2")
                if feed.stats.entries < 10:
                    break
            await asyncio.sleep(0.5)
        assert follower.revocations.denies(token) is None
        before = follower.stats.feed_rebuilds
        await until(
            lambda: follower.stats.feed_rebuilds > before or not ready(follower), seconds=90
        )
        await while_true(lambda: ready(follower), seconds=2)


async def test_the_hook_sees_every_entry_in_order(log: Log) -> None:
    """Also those of the bootstrap, expired ones too, and again while it fails."""
    seen: list[str] = []
    failures = 0

    async def on_entry(said: RevocationEntry, correlation_id: str) -> None:
        nonlocal failures
        if said.entry_id == "3" and failures < 3:
            failures += 1
            raise RuntimeError("the database is down")
        assert said.state
        seen.append(said.entry_id)

    expired = entry(entry_id="0", expires_at=time.time() - 1)
    await log.say(expired, *(entry(entry_id=str(number)) for number in range(1, 5)))
    async with log.ticking(), reading(log, on_entry=on_entry) as feed:
        await until(lambda: len(seen) == 5)
        await log.say(*(entry(entry_id=str(number)) for number in range(5, 9)))
        await until(lambda: len(seen) == 9)
        assert seen == [str(number) for number in range(9)]
        assert feed.stats.hook_failures == 3
        await until(lambda: ready(feed))


async def test_a_hook_that_hangs_holds_back_no_revocation(log: Log) -> None:
    """Entries of a batch are in force before the hook is called, and stopping does not wait."""
    stuck = asyncio.Event()

    async def on_entry(said: RevocationEntry, correlation_id: str) -> None:
        stuck.set()
        await asyncio.Event().wait()

    await log.say(*(entry(value=f"family-{n}", entry_id=str(n)) for n in range(10)))
    async with reading(log, on_entry=on_entry) as feed:
        await stuck.wait()
        assert all(denies(feed, f"family-{n}") for n in range(10))
        assert not ready(feed)
