import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest

from messaging.consume import Received
from messaging.postgres import Connection, Pool
from messaging.topics import TopicRefusedError, ensure_topics
from revocast_contracts.topics import TOKEN_LIFECYCLE
from tests.integration.messaging.support import (
    a_consumer,
    a_relay,
    add_partitions,
    fact,
    facts,
    handled,
    running,
    say,
    until,
    until_handled,
    write_down,
)

KEYS = ("a", "b", "c", "d", "e")
LONGER_THAN_QUIET = 12
"""Watermarks, one each second: a partition that is silent for 10 s counts as a dead connection."""


async def test_order_and_places_stay(bootstrap: str, outbox_pool: Pool, heard_pool: Pool) -> None:
    """The shard is computed from the contract: a key stays where it is, and in its order."""
    async with running(a_relay(outbox_pool, bootstrap).run, a_consumer(heard_pool, bootstrap).run):
        await say(outbox_pool, *(fact(key, n) for n in range(1, 6) for key in KEYS))
        await until_handled(heard_pool, 25)
        await add_partitions(bootstrap, TOKEN_LIFECYCLE, TOKEN_LIFECYCLE.partitions + 3)
        await say(outbox_pool, *(fact(key, n) for n in range(6, 11) for key in KEYS))
        await until_handled(heard_pool, 50)
    # Relay and consumer are made anew, as after a restart.
    async with running(a_relay(outbox_pool, bootstrap).run, a_consumer(heard_pool, bootstrap).run):
        await say(outbox_pool, *(fact(key, n) for n in range(11, 16) for key in KEYS))
        await until_handled(heard_pool, 75)
    for key in KEYS:
        numbers = [number for each, number in await handled(heard_pool) if each == key]
        assert numbers == list(range(1, 16))
    said = {event.id for event in await facts(bootstrap)}  # in the partitions of the contract
    assert len(said) == 75


async def test_it_is_named(bootstrap: str) -> None:
    """Whoever checks the topics says which one has how many, and how many it should have."""
    await add_partitions(bootstrap, TOKEN_LIFECYCLE, 13)
    with pytest.raises(TopicRefusedError, match="13 partitions, not 12"):
        await ensure_topics(bootstrap, replication=1)


async def test_a_partition_that_nobody_writes_is_no_dead_connection(
    bootstrap: str, outbox_pool: Pool, heard_pool: Pool
) -> None:
    """No watermark ever comes there: the consumer is not made anew for that."""
    await add_partitions(bootstrap, TOKEN_LIFECYCLE, 13)
    heard: Counter[int] = Counter()

    async def count(connection: Connection, batch: Sequence[Received]) -> None:
        heard.update(received.partition for received in batch)
        await write_down(connection, batch)

    async with running(a_relay(outbox_pool, bootstrap).run):
        consuming = asyncio.create_task(a_consumer(heard_pool, bootstrap, handle=count).run())

        async def listened_for_long() -> bool:
            return consuming.done() or heard[0] > LONGER_THAN_QUIET

        await until(listened_for_long, "many watermarks", patience=60)
        ended = consuming.done()
        consuming.cancel()
        await asyncio.gather(consuming, return_exceptions=True)
    assert not ended
