"""Level with the log: this life of the data was compared with it, and has caught up."""

from messaging.postgres import Connection


async def is_level(connection: Connection) -> bool:
    """Whether it is. A restore, a copy and a load of rows all make it untrue."""
    level: bool = await connection.fetchval("SELECT is_level()")
    return level


async def require_level(connection: Connection) -> None:
    """Go on only if it is.

    Raises:
        CannotConnectNowError: it is not; the same may succeed soon.
    """
    await connection.execute("SELECT require_level()")


async def note_level(connection: Connection) -> None:
    """It is, from now on. Only for whoever compared, on the connection on which it read what."""
    await connection.execute("SELECT note_level()")


async def forget_level(connection: Connection) -> None:
    """It is not, until somebody says so again."""
    await connection.execute("SELECT forget_level()")
