import asyncio
import contextlib
import random
from datetime import datetime

from messaging import outbox
from messaging.postgres import Pool
from revocast_contracts.topics import TOKEN_LIFECYCLE
from servicekit.postgres import create_pool, transaction
from tests.integration.messaging.support import (
    a_consumer,
    a_relay,
    fact,
    facts,
    handled,
    read,
    running,
    say,
    until,
    until_handled,
    until_marked,
    until_published,
)

WRITERS, FACTS, KEYS = 8, 40, 5


class Undone(Exception):
    """Rolls a transaction back: its ids are never seen."""


async def write(pool: Pool, writer: int, counts: list[int]) -> None:
    """Facts of a few keys, each under its key's lock; some take their time, some roll back."""
    chance = random.Random(writer)  # noqa: S311 -- a test's dice
    for _ in range(FACTS):
        with contextlib.suppress(Undone):
            await write_one(pool, chance, counts)


async def write_one(pool: Pool, chance: random.Random, counts: list[int]) -> None:
    key = chance.randrange(KEYS)
    async with transaction(pool) as connection:
        if chance.random() < 0.5:  # the transaction has its number before it has the lock
            await connection.fetchval("SELECT pg_current_xact_id()")
        await connection.execute("SELECT pg_advisory_xact_lock($1)", key)
        told = fact(f"key {key}", counts[key] + 1)
        await outbox.append(connection, TOKEN_LIFECYCLE, told)
        await asyncio.sleep(chance.choice((0, 0, 0.01, 0.05)))
        if chance.random() < 0.1:
            raise Undone
        counts[key] += 1


async def test_nothing_is_lost_and_nothing_overtakes_its_key(
    bootstrap: str, outbox_pool: Pool, heard_pool: Pool
) -> None:
    """Eight writers commit in any order, some roll back, and each key's facts arrive in order."""
    counts = [0] * KEYS
    relay = a_relay(outbox_pool, bootstrap)
    async with running(relay.run, a_consumer(heard_pool, bootstrap).run):
        await asyncio.gather(*(write(outbox_pool, one, counts) for one in range(WRITERS)))
        await until_handled(heard_pool, sum(counts))
    arrived = await handled(heard_pool)
    for key, count in enumerate(counts):
        numbers = [number for name, number in arrived if name == f"key {key}"]
        assert numbers == list(range(1, count + 1))


async def test_a_long_transaction_delays_nobody_and_is_not_lost(
    bootstrap: str, outbox_pool: Pool
) -> None:
    """Facts with higher ids are published while a transaction holds a low id, then that one is."""
    relay = a_relay(outbox_pool, bootstrap)
    async with running(relay.run):
        async with transaction(outbox_pool) as slow:
            await outbox.append(slow, TOKEN_LIFECYCLE, fact("slow", 1))
            for number in range(1, 21):
                await say(outbox_pool, fact("fast", number))
                relay.poke()
            await until_published(bootstrap, 20)
            assert {event.partitionkey for event in await facts(bootstrap)} == {"fast"}
        await until_published(bootstrap, 21)
    assert [event.partitionkey for event in await facts(bootstrap)].count("slow") == 1


async def test_a_transaction_in_another_database_delays_nobody(
    bootstrap: str, outbox_pool: Pool, heard: str
) -> None:
    """Another application of the cluster writes for long, while one of ours rolls back."""
    async with (
        await create_pool(heard, size=1, application_name="another application") as others,
        running(a_relay(outbox_pool, bootstrap).run),
        transaction(others) as slow,
    ):
        await slow.fetchval("SELECT pg_current_xact_id()")
        began: datetime = await outbox_pool.fetchval("SELECT clock_timestamp()")
        for number in range(1, 21):
            with contextlib.suppress(Undone):
                async with transaction(outbox_pool) as connection:
                    await outbox.append(connection, TOKEN_LIFECYCLE, fact("undone", number))
                    raise Undone
            await say(outbox_pool, fact("told", number))
        await until_published(bootstrap, 20)
        await until_marked(bootstrap, began)
    assert {event.partitionkey for event in await facts(bootstrap)} == {"told"}


async def test_a_later_transaction_with_a_lower_id_is_not_lost(
    bootstrap: str, outbox_pool: Pool
) -> None:
    """A gap stays open for a transaction that stands above the snapshot which showed the gap."""
    relay = a_relay(outbox_pool, bootstrap)
    async with running(relay.run), outbox_pool.acquire() as earlier, outbox_pool.acquire() as later:
        first, second = earlier.transaction(), later.transaction()
        await first.start()
        await earlier.fetchval("SELECT pg_current_xact_id()")
        await second.start()
        await outbox.append(later, TOKEN_LIFECYCLE, fact("later", 1))  # the lower row id
        await outbox.append(earlier, TOKEN_LIFECYCLE, fact("earlier", 1))
        await first.commit()
        await until_published(bootstrap, 1)
        marks = len(await read(bootstrap, TOKEN_LIFECYCLE))

        async def looked_often() -> bool:
            return len(await read(bootstrap, TOKEN_LIFECYCLE)) >= marks + 24

        await until(looked_often, "two more rounds of watermarks")
        await second.commit()
        await until_published(bootstrap, 2)
    assert {event.partitionkey for event in await facts(bootstrap)} == {"earlier", "later"}


async def test_seqs_of_a_shard_are_dense(bootstrap: str, outbox_pool: Pool) -> None:
    """Every shard's events carry 1, 2, 3, ... in the order of the log, whatever rolled back."""
    relay = a_relay(outbox_pool, bootstrap)
    counts = [0] * KEYS
    async with running(relay.run):
        await asyncio.gather(*(write(outbox_pool, one, counts) for one in range(4)))
        await until_published(bootstrap, sum(counts))
    seqs: dict[int, list[int]] = {}
    for event in await facts(bootstrap):
        seqs.setdefault(event.shard, []).append(event.seq)
    assert all(each == list(range(1, len(each) + 1)) for each in seqs.values())
