"""Waiting until PostgreSQL says so: sessions that wait for locks, rows that are there."""

import asyncio
import time

from servicekit.postgres import Pool


async def until_somebody_waits(pool: Pool, *, count: int = 1, seconds: float = 10.0) -> None:
    """Poll until so many sessions of this database wait for a lock."""
    deadline = time.monotonic() + seconds
    while await waiting(pool) < count:
        assert time.monotonic() < deadline, "nobody waits for a lock"
        await asyncio.sleep(0.01)


async def waiting(pool: Pool) -> int:
    """How many sessions of this database wait for a lock."""
    count: int = await pool.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        " AND datname = current_database()"
    )
    return count


async def until_count(pool: Pool, query: str, count: int, *, seconds: float = 10.0) -> None:
    """Poll until a query that counts says so many."""
    deadline = time.monotonic() + seconds
    while await pool.fetchval(query) != count:
        assert time.monotonic() < deadline, f"never {count}: {query}"
        await asyncio.sleep(0.01)
