"""Who does the upkeep: at most one transaction in the whole database at a time."""

from servicekit.postgres import Connection

UPKEEP_LOCK = 7381520020


async def is_ours(connection: Connection) -> bool:
    """Whether this transaction does the upkeep; another one is doing it where it does not."""
    ours: bool = await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", UPKEEP_LOCK)
    return ours
