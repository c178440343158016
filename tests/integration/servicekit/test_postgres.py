import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from servicekit.postgres import UNAVAILABLE, Pool, create_pool, transaction


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    made = await create_pool(database, size=1, application_name="a test", acquire_seconds=0.2)
    yield made
    await made.close()


async def test_sessions_have_bounds_and_names(pool: Pool) -> None:
    """UTC, a name, and no statement or idle transaction without an end."""
    settings = ["timezone", "application_name", "statement_timeout"]
    settings += ["idle_in_transaction_session_timeout"]
    found = [await pool.fetchval("SELECT current_setting($1)", each) for each in settings]
    assert found == ["UTC", "a test", "10s", "10s"]


async def test_a_statement_is_planned_once_and_by_its_index(pool: Pool) -> None:
    """What was planned on an empty table is neither planned anew nor read whole when it is full."""
    await pool.execute("CREATE TABLE grown (n int PRIMARY KEY) WITH (autovacuum_enabled = off)")
    query = "SELECT n FROM grown WHERE n = ANY ($1)"
    async with pool.acquire() as connection:
        await connection.fetch(query, [1])
        await connection.execute("INSERT INTO grown SELECT generate_series(1, 10000)")
        for n in range(10):
            assert [row["n"] for row in await connection.fetch(query, [n + 1])] == [n + 1]
        kept = await connection.fetchrow(
            "SELECT name, generic_plans, custom_plans FROM pg_prepared_statements"
            " WHERE statement = $1",
            query,
        )
        assert kept is not None
        assert (kept["generic_plans"], kept["custom_plans"]) == (11, 0)
        plan = await connection.fetch(f'EXPLAIN EXECUTE "{kept["name"]}" (ARRAY[1])')
    assert "Seq Scan" not in str(plan)


async def test_jsonb_is_python(pool: Pool) -> None:
    """What goes in as a table comes out as one."""
    value = {"a": [1, None, "é\u2028"], "b": {"c": True}}
    assert await pool.fetchval("SELECT $1::jsonb", value) == value


async def insert_and_raise(pool: Pool) -> None:
    async with transaction(pool) as connection:
        await connection.execute("INSERT INTO t VALUES (2)")
        raise RuntimeError("no")


async def test_a_transaction_is_whole_or_nothing(pool: Pool) -> None:
    """Leaving commits, raising rolls back."""
    await pool.execute("CREATE TABLE t (n int)")
    async with transaction(pool) as connection:
        await connection.execute("INSERT INTO t VALUES (1)")
        assert await connection.fetchval("SHOW transaction_isolation") == "read committed"
    with pytest.raises(RuntimeError, match="no"):
        await insert_and_raise(pool)
    assert [row["n"] for row in await pool.fetch("SELECT n FROM t")] == [1]


async def test_nobody_waits_for_a_connection_without_an_end(pool: Pool) -> None:
    """Transactions, acquire and the pool's own calls give up when no connection comes free."""
    async with transaction(pool):
        with pytest.raises(TimeoutError):
            await pool.fetchval("SELECT 1")
        with pytest.raises(TimeoutError):
            async with transaction(pool):
                pass
    assert await pool.fetchval("SELECT 1") == 1


async def test_a_connection_that_died_before_the_call_is_unavailability(pool: Pool) -> None:
    """A server that was killed leaves dead connections behind: that passes, it is no bug."""
    async with pool.acquire() as connection:
        connection.terminate()
        with pytest.raises(UNAVAILABLE):
            await connection.execute("SELECT 1")
    assert issubclass(asyncpg.InternalClientError, UNAVAILABLE)


async def test_what_may_pass_is_known_as_such(pool: Pool) -> None:
    """A statement that took too long, or lost its server, is unavailability; a bad one is not."""
    async with transaction(pool) as connection:
        await connection.execute("SET LOCAL statement_timeout = 20")
        with pytest.raises(UNAVAILABLE):
            await connection.execute("SELECT pg_sleep(30)")
    with pytest.raises(UNAVAILABLE):
        await pool.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    assert not issubclass(asyncpg.UndefinedTableError, UNAVAILABLE)
    assert not issubclass(asyncpg.UniqueViolationError, UNAVAILABLE)


async def test_a_cancelled_caller_gives_its_connection_back(pool: Pool) -> None:
    """A request that goes away leaves no transaction open."""
    inside = asyncio.Event()

    async def stuck() -> None:
        async with transaction(pool):
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.ensure_future(stuck())
    await inside.wait()
    task.cancel()
    await asyncio.wait([task])
    assert await pool.fetchval("SELECT 1") == 1
