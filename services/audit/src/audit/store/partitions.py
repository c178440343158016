"""Keeps the record table's partitions: made ahead, dropped when their time is over."""

from datetime import timedelta

from servicekit.postgres import Connection


async def tend(connection: Connection) -> list[str]:
    """Make the partitions that are missing and drop the outdated; what was done, in words.

    The function runs with its owner's rights and reads the retention itself: the service can
    neither drop a partition early nor touch a record.
    """
    rows = await connection.fetch("SELECT tend_records() AS done")
    return [row["done"] for row in rows]


async def keep_for(connection: Connection, retention: timedelta) -> None:
    """Set how long records are kept. Only the tables' owner may."""
    await connection.execute("UPDATE retention SET keep = $1", retention)


async def misplaced(connection: Connection) -> int:
    """How many records lie outside every month: strange times, or upkeep that fails."""
    count: int = await connection.fetchval(
        "SELECT count(*) FROM record WHERE tableoid = 'record_default'::regclass"
    )
    return count
