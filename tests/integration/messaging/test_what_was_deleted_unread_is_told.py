import asyncio
from collections.abc import Sequence

from structlog.testing import capture_logs

from messaging.consume import Received
from messaging.postgres import Connection, Pool
from revocast_contracts.topics import TOKEN_LIFECYCLE
from tests.integration.messaging.support import (
    a_consumer,
    a_relay,
    fact,
    handled,
    running,
    say,
    until,
    until_handled,
    until_published,
    write_down,
)
from tests.support.topics import delete_records, log_ends

SHARD = TOKEN_LIFECYCLE.shard("key")


async def until_marked_everywhere(bootstrap: str) -> None:
    """Wait until the log goes on: another watermark stands on every partition."""
    before = await log_ends(bootstrap, TOKEN_LIFECYCLE)

    async def marked() -> bool:
        ends = await log_ends(bootstrap, TOKEN_LIFECYCLE)
        return all(ends[shard] > before[shard] for shard in before)

    await until(marked, "a watermark on each partition")


def missing(logged: Sequence[object]) -> list[object]:
    """How many events each line says are missing."""
    return [
        line["count"]
        for line in logged
        if isinstance(line, dict) and line["event"] == "events are missing on the topic"
    ]


async def test_events_that_were_deleted_while_it_was_stopped(
    bootstrap: str, outbox_pool: Pool, heard_pool: Pool
) -> None:
    """It goes on with what there still is, and says how many events it will never see."""
    relay = a_relay(outbox_pool, bootstrap)
    async with running(relay.run):
        async with running(a_consumer(heard_pool, bootstrap).run):
            await say(outbox_pool, *(fact("key", number) for number in range(1, 6)))
            await until_handled(heard_pool, 5)
        await say(outbox_pool, *(fact("key", number) for number in range(6, 11)))
        await until_published(bootstrap, 10)
        await delete_records(bootstrap, TOKEN_LIFECYCLE)
        await say(outbox_pool, fact("key", 11), fact("key", 12))
        with capture_logs() as logged:
            async with running(a_consumer(heard_pool, bootstrap).run):
                await until_handled(heard_pool, 7)
    assert await handled(heard_pool) == [("key", n) for n in (1, 2, 3, 4, 5, 11, 12)]
    assert missing(logged) == [5]


async def test_events_of_a_partition_that_had_had_none(
    bootstrap: str, outbox_pool: Pool, heard_pool: Pool
) -> None:
    """Where it had only heard that nothing was said yet, the next watermark tells it the same."""

    async def heard() -> bool:
        query = "SELECT next_offset > 0 FROM consumer_position WHERE partition = $1"
        return bool(await heard_pool.fetchval(query, SHARD))

    relay = a_relay(outbox_pool, bootstrap)
    async with running(relay.run):
        async with running(a_consumer(heard_pool, bootstrap).run):
            await until(heard, "a watermark heard")
        await say(outbox_pool, *(fact("key", number) for number in range(1, 4)))
        await until_published(bootstrap, 3)
        await delete_records(bootstrap, TOKEN_LIFECYCLE)
        await until_marked_everywhere(bootstrap)
        with capture_logs() as logged:
            async with running(a_consumer(heard_pool, bootstrap).run):

                async def told() -> bool:
                    return bool(missing(logged))

                await until(told, "the loss is told")
                await say(outbox_pool, fact("key", 4))
                await until_handled(heard_pool, 1)
    assert await handled(heard_pool) == [("key", 4)]
    assert missing(logged) == [3]


async def test_events_that_are_deleted_while_it_is_stuck(
    bootstrap: str, outbox_pool: Pool, heard_pool: Pool
) -> None:
    """A batch that fails until its successors are gone passes, and the loss of these is told."""
    stuck, fails = asyncio.Event(), True

    async def handle(connection: Connection, batch: Sequence[Received]) -> None:
        if fails and any(received.event.seq for received in batch):
            stuck.set()
            raise OSError("no database")
        await write_down(connection, batch)

    async with running(a_relay(outbox_pool, bootstrap).run):
        with capture_logs() as logged:
            async with running(a_consumer(heard_pool, bootstrap, handle=handle).run):
                await say(outbox_pool, fact("key", 1))
                async with asyncio.timeout(30):
                    await stuck.wait()
                # More than a fetch holds, so that some were not read ahead.
                await say(outbox_pool, *(fact("key", number) for number in range(2, 5002)))
                await until_published(bootstrap, 5001)
                await delete_records(bootstrap, TOKEN_LIFECYCLE)
                fails = False
                await say(outbox_pool, fact("last", 1))
                shard = TOKEN_LIFECYCLE.shard("last")
                assert shard != SHARD

                async def went_on() -> bool:
                    return ("last", 1) in await handled(heard_pool)

                await until(went_on, "it goes on")
                await say(outbox_pool, fact("key", 5002))

                async def all_there() -> bool:
                    return ("key", 5002) in await handled(heard_pool)

                await until(all_there, "the events after the loss")
    numbers = [number for key, number in await handled(heard_pool) if key == "key"]
    assert numbers == sorted(set(numbers))
    assert sum(map(int, map(str, missing(logged)))) == 5002 - len(numbers)
