"""The pool every service uses, and the one way to open a transaction."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"

STATEMENT_TIMEOUT_MS = 10_000
"""A statement of ours that takes longer has lost its caller long ago."""

IDLE_IN_TRANSACTION_TIMEOUT_MS = 10_000
"""A process that freezes inside a transaction must not hold its locks for ever."""

CONNECT_SECONDS = 5.0
"""Longer than a fail-over of a healthy cluster takes to accept a connection."""


async def create_pool(dsn: str, *, size: int, application_name: str) -> Pool:
    """A pool of at most `size` connections, in UTC, with jsonb as plain Python values.

    Raises:
        OSError, asyncpg.PostgresError: the database can't be reached.
    """
    return await asyncpg.create_pool(
        dsn,
        min_size=1,
        max_size=size,
        timeout=CONNECT_SECONDS,
        command_timeout=STATEMENT_TIMEOUT_MS / 1000 + 5,
        init=_prepare,
        server_settings={
            "application_name": application_name,
            "timezone": "UTC",
            "statement_timeout": str(STATEMENT_TIMEOUT_MS),
            "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_TIMEOUT_MS),
        },
    )


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """A connection inside a READ COMMITTED transaction; committed on leaving, unless it raised."""
    async with pool.acquire(timeout=CONNECT_SECONDS) as connection, connection.transaction():
        yield connection


async def _prepare(connection: Any) -> None:
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads
    )
