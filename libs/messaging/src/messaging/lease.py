"""The lease on publishing: one relay at a time. It saves work; the order is kept by the fence."""

import asyncio
import os
import secrets
import socket
from datetime import timedelta

import asyncpg
import structlog

from messaging.postgres import Connection, Pool

DURATION = timedelta(seconds=3)
"""How long an owner may be silent before a standby takes over."""

RENEWED_EVERY = timedelta(milliseconds=750)
"""Several renewals fit into the duration, so that one slow commit loses nothing."""

TRIED_EVERY = timedelta(milliseconds=500)
"""How often a standby looks whether the lease is free."""

_log = structlog.get_logger()


class LeaseLostError(Exception):
    """Another relay publishes now."""


class Lease:
    """One relay's view of the lease."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.owner = f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}"

    async def acquire(self) -> None:
        """Wait until the lease is free, and take it."""
        while True:
            if await self._take():
                return
            await asyncio.sleep(TRIED_EVERY.total_seconds())

    async def keep(self) -> None:
        """Renew it for ever, on a connection of its own: a busy pool must not cost the lease.

        Raises:
            LeaseLostError: somebody else has it, or it was not renewed for as long as it lasts.
        """
        loop = asyncio.get_running_loop()
        renewed = loop.time()
        while True:
            try:
                async with self._pool.acquire(timeout=DURATION.total_seconds()) as connection:
                    while await self._renew(connection):
                        renewed = loop.time()
                        await asyncio.sleep(RENEWED_EVERY.total_seconds())
                    raise LeaseLostError("taken over")
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                if loop.time() - renewed > DURATION.total_seconds():
                    raise LeaseLostError("could not be renewed") from error
                _log.warning("lease not renewed", why=type(error).__name__)
                await asyncio.sleep(TRIED_EVERY.total_seconds())

    async def release(self) -> None:
        """Let a standby take over at once."""
        async with asyncio.timeout(1), self._pool.acquire() as connection:
            await connection.execute(
                "UPDATE relay_lease SET expires_at = '-infinity' WHERE owner = $1", self.owner
            )

    async def somebody_has_it(self) -> bool:
        """Whether any relay publishes: a standby is as ready as the owner."""
        async with self._pool.acquire() as connection:
            taken: bool = await connection.fetchval(
                "SELECT expires_at > clock_timestamp() FROM relay_lease"
            )
        return taken

    async def _take(self) -> bool:
        async with self._pool.acquire() as connection:
            status = await connection.execute(
                "UPDATE relay_lease SET owner = $1, expires_at = clock_timestamp() + $2"
                " WHERE expires_at <= clock_timestamp()",
                self.owner,
                DURATION,
            )
        return bool(status == "UPDATE 1")

    async def _renew(self, connection: Connection) -> bool:
        async with asyncio.timeout(DURATION.total_seconds() / 2):
            status = await connection.execute(
                "UPDATE relay_lease SET expires_at = clock_timestamp() + $2 WHERE owner = $1",
                self.owner,
                DURATION,
            )
        return bool(status == "UPDATE 1")
