import asyncio
from collections.abc import Mapping
from datetime import datetime

from aiokafka import AIOKafkaConsumer, TopicPartition

from messaging import outbox
from messaging.postgres import Connection, Pool
from messaging.relay import Relay
from messaging.watermarks import RevocationWatermarks
from revocast_contracts import codec
from revocast_contracts.envelope import Event
from revocast_contracts.lifecycle import WatermarkPassed
from revocast_contracts.revocations import RevocationWatermark
from revocast_contracts.topics import REVOCATIONS, TOKEN_LIFECYCLE
from servicekit.postgres import transaction
from tests.integration.messaging.support import (
    a_relay,
    fact,
    facts,
    read,
    running,
    until,
    until_marked,
    until_published,
)

WRITERS, FACTS = 6, 150


async def write(pool: Pool, writer: int, visible_before: dict[str, datetime]) -> None:
    """Facts, and a time at which each of them was visible to everybody."""
    for number in range(FACTS):
        async with transaction(pool) as connection:
            told = fact(f"{writer}", number)
            await outbox.append(connection, TOKEN_LIFECYCLE, told)
            await asyncio.sleep(0.003 * (writer % 3))
        visible_before[str(told.id)] = await pool.fetchval("SELECT clock_timestamp()")


async def in_order(bootstrap: str, shard: int) -> list[Event]:
    """The events of one shard, watermarks among them, in the order of the log."""
    place = TopicPartition(TOKEN_LIFECYCLE.name, shard)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([place])
        end = (await consumer.end_offsets([place]))[place]
        events: list[Event] = []
        while await consumer.position(place) < end:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                events += [codec.decode(record.value) for record in records]
        return events
    finally:
        await consumer.stop()


async def test_under_concurrent_commits(bootstrap: str, outbox_pool: Pool) -> None:
    """No event that was visible before a watermark's time stands after it in its shard."""
    visible_before: dict[str, datetime] = {}
    async with running(a_relay(outbox_pool, bootstrap).run):
        await asyncio.gather(*(write(outbox_pool, one, visible_before) for one in range(WRITERS)))
        await until_published(bootstrap, WRITERS * FACTS)

        async def marked() -> bool:
            marks = [e for e in await read(bootstrap, TOKEN_LIFECYCLE) if e.time > newest]
            return sum(isinstance(e.data, WatermarkPassed) for e in marks) >= 12

        newest = max(visible_before.values())
        await until(marked, "a watermark of every shard after the last commit")
    marks = 0
    for shard in range(TOKEN_LIFECYCLE.partitions):
        complete_through: datetime | None = None
        seq = 0
        for event in await in_order(bootstrap, shard):
            if isinstance(event.data, WatermarkPassed):
                complete_through = event.data.complete_through
                assert event.data.source == f"token-lifecycle/{shard}"
                assert event.seq == seq
                marks += 1
            else:
                seq = event.seq
                late = complete_through and visible_before[str(event.id)] < complete_through
                assert not late, f"{event.id} came after a watermark that covers it"
    assert marks >= 24


async def test_a_transaction_that_runs_does_not_stop_it(bootstrap: str, outbox_pool: Pool) -> None:
    """A long write transaction does not make watermarks stale: they speak of what was visible."""
    async with running(a_relay(outbox_pool, bootstrap).run), transaction(outbox_pool) as slow:
        await outbox.append(slow, TOKEN_LIFECYCLE, fact("slow", 1))
        began: datetime = await outbox_pool.fetchval("SELECT clock_timestamp()")
        await until_marked(bootstrap, began)
        assert await facts(bootstrap) == []


async def test_the_revocation_service_passes_on_what_it_was_told(
    bootstrap: str, outbox_pool: Pool
) -> None:
    """Its watermark carries its own time and the times of its sources, read before the outbox."""
    told: dict[str, datetime] = {}

    async def heard(connection: Connection) -> Mapping[str, datetime]:
        told["token-lifecycle/0"] = await connection.fetchval("SELECT clock_timestamp()")
        return dict(told)

    relay = Relay(
        outbox_pool,
        bootstrap=bootstrap,
        source="revocation",
        watermarks=RevocationWatermarks(heard),
    )
    async with running(relay.run):

        async def marked() -> bool:
            return len(await read(bootstrap, REVOCATIONS)) >= 2

        await until(marked, "two watermarks")
    for event in await read(bootstrap, REVOCATIONS):
        assert isinstance(event.data, RevocationWatermark)
        sources = event.data.sources
        assert sources["token-lifecycle/0"] < sources["revocation"]
