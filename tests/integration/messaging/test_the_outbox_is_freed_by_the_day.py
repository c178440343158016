import asyncio
from datetime import timedelta

import asyncpg
import pytest

from messaging.postgres import Pool
from tests.integration.messaging.support import a_relay, fact, running, say, until

KEPT = timedelta(days=8)


async def days(pool: Pool) -> list[str]:
    rows = await pool.fetch(
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits"
        " WHERE inhparent = 'outbox'::regclass ORDER BY 1"
    )
    return [row["name"] for row in rows if row["name"] != "outbox_default"]


async def an_old_day(pool: Pool, *, rows: int = 1) -> str:
    """A day that ended long ago, with rows of that day; its name."""
    name = "outbox_20200101"
    await pool.execute(
        f"CREATE TABLE {name} PARTITION OF outbox"
        " FOR VALUES FROM ('2020-01-01 00:00+00') TO ('2020-01-02 00:00+00')"
    )
    await say(pool, *(fact("key", number) for number in range(rows)))
    await pool.execute(
        "UPDATE outbox SET created_at = '2020-01-01 12:00+00'"  # moves the rows to that day
    )
    return name


async def tend(pool: Pool, published: int, gaps: list[int]) -> None:
    while await pool.fetchval("SELECT tend_outbox($1, $2, $3)", KEPT, published, gaps):
        pass


async def test_days_are_made_ahead(outbox_pool: Pool) -> None:
    """Today and the next three days have partitions, and what is written goes to today's."""
    assert len(await days(outbox_pool)) == 4
    await say(outbox_pool, fact("key", 1))
    today = await outbox_pool.fetchval("SELECT tableoid::regclass::text FROM outbox")
    assert today == (await days(outbox_pool))[0]
    await outbox_pool.execute(f"DROP TABLE {(await days(outbox_pool))[-1]}")
    await tend(outbox_pool, 0, [])
    assert len(await days(outbox_pool)) == 4


async def test_a_day_goes_only_when_all_of_it_was_published(outbox_pool: Pool) -> None:
    """An old day stays while a row of it is not published, whatever its age, and goes then."""
    name = await an_old_day(outbox_pool, rows=3)
    for published, gaps in ((0, []), (2, []), (3, [2])):
        await tend(outbox_pool, published, gaps)
        assert name in await days(outbox_pool)
    await tend(outbox_pool, 3, [])
    assert name not in await days(outbox_pool)
    assert await outbox_pool.fetchval("SELECT count(*) FROM outbox") == 0


async def test_upkeep_never_waits_behind_a_transaction(outbox_pool: Pool) -> None:
    """While a transaction has the outbox open, dropping gives up at once and writers go on."""
    name = await an_old_day(outbox_pool)
    async with outbox_pool.acquire() as reader, reader.transaction():
        await reader.fetch("SELECT count(*) FROM outbox")
        tending = asyncio.create_task(tend(outbox_pool, 1, []))
        async with asyncio.timeout(5):
            await say(outbox_pool, fact("key", 2))
            with pytest.raises(asyncpg.LockNotAvailableError):
                await tending
    assert name in await days(outbox_pool)


async def test_the_relay_tends_it(bootstrap: str, outbox_pool: Pool) -> None:
    """A relay that owns the outbox publishes an old day's rows and then drops the day."""
    name = await an_old_day(outbox_pool, rows=5)

    async def freed() -> bool:
        return name not in await days(outbox_pool)

    async with running(a_relay(outbox_pool, bootstrap).run):
        await until(freed, "the old day dropped")
