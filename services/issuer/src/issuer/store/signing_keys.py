"""Signing keys at rest: sealed, with the times from and until which they are used."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from servicekit.postgres import Connection

MAKING_LOCK = 7381520020
"""Advisory lock: of several replicas that start at once, one makes the first key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """A key's row. `usable` says whether it may sign at the moment it was read."""

    kid: str
    alg: str
    sealed_private: bytes
    public_jwk: dict[str, Any]
    signs_from: datetime
    usable: bool


async def hold_making(connection: Connection) -> None:
    """Be the only one that makes keys, until the transaction ends."""
    await connection.execute("SELECT pg_advisory_xact_lock($1)", MAKING_LOCK)


async def find_published(connection: Connection, *, kept: timedelta) -> list[KeyRow]:
    """Every key but those retired longer than `kept` ago; the newest first."""
    rows = await connection.fetch(
        """
        SELECT kid, alg, sealed_private, public_jwk, signs_from,
            signs_from <= clock_timestamp()
                AND (retired_at IS NULL OR clock_timestamp() < retired_at) AS usable
        FROM signing_key WHERE retired_at IS NULL OR retired_at > clock_timestamp() - $1::interval
        ORDER BY signs_from DESC, kid
        """,
        kept,
    )
    return [KeyRow(**dict(row)) for row in rows]


async def add(
    connection: Connection,
    *,
    kid: str,
    alg: str,
    sealed_private: bytes,
    public_jwk: dict[str, Any],
    signs_after: timedelta,
) -> datetime:
    """Add a key; the moment from which it signs."""
    signs_from: datetime = await connection.fetchval(
        """
        INSERT INTO signing_key (kid, alg, sealed_private, public_jwk, added_at, signs_from)
        SELECT $1, $2, $3, $4, now, now + $5::interval FROM clock_timestamp() AS now
        RETURNING signs_from
        """,
        kid,
        alg,
        sealed_private,
        public_jwk,
        signs_after,
    )
    return signs_from


async def retire_older(connection: Connection, *, alg: str, newer: str) -> list[str]:
    """Let every key of an algorithm but `newer` stop signing when that one begins to; their ids."""
    rows = await connection.fetch(
        """
        UPDATE signing_key SET retired_at = (SELECT signs_from FROM signing_key WHERE kid = $2)
        WHERE alg = $1 AND kid <> $2 AND retired_at IS NULL RETURNING kid
        """,
        alg,
        newer,
    )
    return [row["kid"] for row in rows]
