import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from audit.store import partitions
from audit.usecases.tend_partitions import tend_partitions
from servicekit.postgres import Pool, transaction
from tests.support.audit import Story, indexes, record


async def _months(pool: Pool) -> set[str]:
    rows = await pool.fetch(
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits"
        " WHERE inhparent = 'record'::regclass"
    )
    return {row["name"] for row in rows}


async def _tend(pool: Pool) -> list[str]:
    async with transaction(pool) as connection:
        return await partitions.tend(connection)


async def _misplaced(pool: Pool) -> int:
    async with pool.acquire() as connection:
        return await partitions.misplaced(connection)


async def _pretend(pool: Pool, month: str, recorded_at: datetime) -> None:
    """Make a month of long ago with one record in it, as if it had been recorded then."""
    first = datetime.strptime(month, "%Y_%m").replace(tzinfo=UTC)
    await pool.execute("SELECT make_record_month($1)", first)
    story = Story(now=first + timedelta(days=5))
    await record(pool, story.started())
    await pool.execute(
        f"UPDATE record_{month} SET recorded_at = $1",  # noqa: S608 - the tests' own name
        recorded_at,
    )


def _name(when: datetime) -> str:
    return f"record_{when:%Y_%m}"


async def test_months_are_made_ahead_once(pool: Pool) -> None:
    """Last month, this one and two more stand ready, and tending again makes no more."""
    first = datetime.now(UTC).replace(day=1)
    wanted = {_name(first + timedelta(days=days)) for days in (-1, 0, 32)}
    assert await _months(pool) >= wanted | {"record_default"}
    assert len(await _months(pool)) == 5
    assert await _tend(pool) == []


async def test_what_came_before_its_month_moves_there(pool: Pool) -> None:
    """An event that is dated ahead waits in the default partition and does not forbid its month."""
    ahead = (datetime.now(UTC).replace(day=15) + timedelta(days=62)).replace(day=10)
    await pool.execute(f"DROP TABLE IF EXISTS {_name(ahead)}")
    await record(pool, Story(now=ahead).started())
    assert await _misplaced(pool) == 1
    assert await _tend(pool) == [f"made {_name(ahead)}"]
    assert await _misplaced(pool) == 0
    assert await indexes(pool) == [0]


async def test_a_month_goes_when_its_time_is_over(pool: Pool) -> None:
    """Past the retention a month is dropped whole; a month within it stays."""
    old, kept = datetime.now(UTC) - timedelta(days=440), datetime.now(UTC) - timedelta(days=300)
    for when in (old, kept):
        await _pretend(pool, f"{when:%Y_%m}", when)
    assert await _tend(pool) == [f"dropped {_name(old)}"]
    assert _name(kept) in await _months(pool)
    assert await indexes(pool) == [1]


async def test_what_was_recorded_late_is_kept_as_long_as_the_rest(pool: Pool) -> None:
    """An event that claims an old time takes no short cut to being forgotten."""
    old = datetime.now(UTC) - timedelta(days=440)
    await _pretend(pool, f"{old:%Y_%m}", datetime.now(UTC) - timedelta(days=1))
    await record(pool, Story(now=datetime.now(UTC) - timedelta(days=9000)).started())
    assert await _tend(pool) == []
    assert await indexes(pool) == [0, 1]
    await pool.execute("UPDATE record SET recorded_at = recorded_at - interval '401 days'")
    assert await _tend(pool) == [f"dropped {_name(old)}"]
    assert await indexes(pool) == []


async def test_the_owner_sets_the_retention(pool: Pool) -> None:
    """A shorter retention, set by the owner, drops at the next turn what it does not cover."""
    old = datetime.now(UTC) - timedelta(days=150)
    await _pretend(pool, f"{old:%Y_%m}", old)
    async with transaction(pool) as connection:
        await partitions.keep_for(connection, timedelta(days=90))
    assert await _tend(pool) == [f"dropped {_name(old)}"]


async def test_upkeep_waits_for_nobody_long(pool: Pool) -> None:
    """A reader that holds a month makes upkeep give up at once instead of stopping everybody."""
    old = datetime.now(UTC) - timedelta(days=440)
    await _pretend(pool, f"{old:%Y_%m}", old)
    async with transaction(pool) as reader:
        await reader.fetch("SELECT count(*) FROM record")
        with pytest.raises(asyncpg.LockNotAvailableError):
            async with asyncio.timeout(5):
                await tend_partitions(pool)
    assert await _tend(pool) == [f"dropped {_name(old)}"]


async def test_two_processes_do_not_tend_at_once(pool: Pool) -> None:
    """While one process tends, another leaves it to it."""
    async with transaction(pool) as first:
        await partitions.tend(first)
        await pool.execute("SELECT 1")
        assert await _tend(pool) == []
