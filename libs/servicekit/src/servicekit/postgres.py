"""The pool every service uses, and the one way to open a transaction."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import asyncpg
from asyncpg.pool import PoolAcquireContext, PoolConnectionProxy

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"

STATEMENT_TIMEOUT_MS = 10_000
"""A statement of ours that takes longer has lost its caller long ago."""

IDLE_IN_TRANSACTION_TIMEOUT_MS = 10_000
"""A process that freezes inside a transaction must not hold its locks for ever."""

CONNECT_SECONDS = 5.0
"""Longer than a fail-over of a healthy cluster takes to accept a connection."""

ACQUIRE_SECONDS = 5.0
"""Who waited so long for a free connection is one of too many: answering 503 sheds the load."""

UNAVAILABLE: tuple[type[Exception], ...] = (
    OSError,  # unreachable; TimeoutError is one: no free connection in time
    asyncpg.PostgresConnectionError,  # class 08: lost on the way
    asyncpg.OperatorInterventionError,  # class 57: shut down, starting, or the statement timeout
    asyncpg.InsufficientResourcesError,  # class 53: too many connections, disk full
    asyncpg.TransactionRollbackError,  # class 40: deadlock
    asyncpg.LockNotAvailableError,  # 55P03: lock_timeout
    asyncpg.InterfaceError,  # asyncpg's word for a connection that died before the call
    asyncpg.InternalClientError,  # and for one that died between two messages of it
    asyncpg.ReadOnlySQLTransactionError,  # 25006: this was the primary before a fail-over
)
"""What a database raises when the same call may succeed soon."""


_ONE_PLAN = {"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off"}


class _Connection(asyncpg.Connection):
    """A connection that is given back as it is: one round trip less for every request.

    What asyncpg would reset, nothing of ours sets: no session lock, no LISTEN, no cursor that
    outlives its transaction, settings only by SET LOCAL. Open transactions are still rolled back.
    """

    def get_reset_query(self) -> str:
        """Nothing to send."""
        return ""


class _Pool(asyncpg.Pool):
    """A pool that no caller waits for without an end."""

    acquire_seconds = ACQUIRE_SECONDS

    def acquire(self, *, timeout: float | None = None) -> "PoolAcquireContext[asyncpg.Record]":
        return super().acquire(timeout=self.acquire_seconds if timeout is None else timeout)


async def create_pool(
    dsn: str,
    *,
    size: int,
    application_name: str,
    acquire_seconds: float = ACQUIRE_SECONDS,
    one_plan: bool = True,
) -> Pool:
    """A pool of at most `size` connections, in UTC, with jsonb as plain Python values.

    With `one_plan` each statement is planned once in a connection, for any parameters, by index
    wherever there is one: a few rows by their key are fetched in half the time (measured), and a
    table that was small at that moment is not read whole when it has grown. Searches whose best
    way depends on what is looked for do without.

    Raises:
        OSError, asyncpg.PostgresError: the database can't be reached.
    """
    pool = _Pool(
        dsn,
        min_size=1,
        max_size=size,
        max_queries=50_000,
        max_inactive_connection_lifetime=300.0,
        connect=None,
        setup=None,
        init=_prepare,
        reset=None,
        loop=None,
        connection_class=_Connection,
        record_class=asyncpg.Record,
        timeout=CONNECT_SECONDS,
        command_timeout=STATEMENT_TIMEOUT_MS / 1000 + 5,
        server_settings={
            "application_name": application_name,
            "timezone": "UTC",
            "statement_timeout": str(STATEMENT_TIMEOUT_MS),
            "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_TIMEOUT_MS),
            **(_ONE_PLAN if one_plan else {}),
        },
    )
    pool.acquire_seconds = acquire_seconds
    return await pool


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """A connection inside a READ COMMITTED transaction; committed on leaving, unless it raised.

    Raises:
        TimeoutError: no connection was free within the pool's time.
    """
    async with pool.acquire() as connection, connection.transaction(isolation="read_committed"):
        yield connection


async def _prepare(connection: Any) -> None:
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads
    )
