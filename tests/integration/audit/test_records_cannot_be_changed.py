from datetime import UTC, datetime

import asyncpg
import pytest

from audit.consumers.events import record_events
from audit.store import partitions
from servicekit.postgres import Pool, transaction
from tests.support.audit import Story, indexes, record

ROLE = "SET LOCAL ROLE revocast_audit"


async def test_the_services_role_appends_and_reads(pool: Pool) -> None:
    """The rights that the service has are enough for its work: append, read, tend the months."""
    story = Story()
    async with transaction(pool) as connection:
        await connection.execute(ROLE)
        await partitions.tend(connection)
        await partitions.misplaced(connection)
        assert await connection.fetchval("SELECT count(*) FROM record") == 0
    async with transaction(pool) as connection:
        await connection.execute(ROLE)
        await record_events(connection, [story.started(), story.rotated(2)])
    assert await indexes(pool) == [0, 1]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE record SET event = ''",
        "DELETE FROM record",
        "TRUNCATE record",
        "DROP TABLE record",
        "ALTER TABLE record ADD COLUMN more text",
        "ALTER TABLE record DETACH PARTITION {month}",
        "UPDATE {month} SET event = ''",
        "DELETE FROM {month}",
        "TRUNCATE {month}",
        "DROP TABLE {month}",
        "DELETE FROM record_default",
        "DELETE FROM log_head",
        "INSERT INTO log_head (next_index) VALUES (0)",
        "UPDATE retention SET keep = interval '60 days'",
        "SELECT make_record_month(now())",
        "CREATE TABLE public.record_2001_01 (index bigint)",
        "ALTER FUNCTION tend_records() SET lock_timeout = 0",
        "CREATE RULE gone AS ON INSERT TO record DO INSTEAD NOTHING",
    ],
)
async def test_the_services_role_cannot_touch_what_is_recorded(pool: Pool, statement: str) -> None:
    """Nobody who has only the service's password can change, remove or hide a record."""
    month = f"record_{datetime.now(UTC):%Y_%m}"
    await record(pool, Story().started())
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await _as_the_service(pool, statement.format(month=month))
    assert await indexes(pool) == [0]


async def _as_the_service(pool: Pool, statement: str) -> None:
    async with transaction(pool) as connection:
        await connection.execute(ROLE)
        await connection.execute(statement)


async def test_retention_has_a_floor(pool: Pool) -> None:
    """Not even the owner can set a retention below what topics still hold."""
    with pytest.raises(asyncpg.CheckViolationError):
        await pool.execute("UPDATE retention SET keep = interval '59 days'")
