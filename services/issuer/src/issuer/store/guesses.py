"""Counts of tries, shared by all replicas: whoever counts holds the rows until it commits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from issuer.domain.guessing import FORGOTTEN_AFTER, Tries
from servicekit.postgres import Connection

KNOWN_FOR = timedelta(days=180)
"""How long a browser that an account signed in from counts as known."""


@dataclass(frozen=True, slots=True)
class Held:
    """The counts of some buckets, locked, and the time that was read after the lock."""

    now: datetime
    tries: dict[bytes, Tries]


async def hold(connection: Connection, buckets: Sequence[bytes]) -> Held:
    """Lock the buckets, making those that are missing; in one order everywhere, so no deadlock."""
    rows = await connection.fetch(
        """
        INSERT INTO guess (bucket) SELECT unnest($1::bytea[]) ORDER BY 1
        ON CONFLICT (bucket) DO UPDATE SET bucket = EXCLUDED.bucket
        RETURNING bucket, failures, last_at, blocked_until, told
        """,
        sorted(buckets),
    )
    now: datetime = await connection.fetchval("SELECT clock_timestamp()")
    tries = {
        row["bucket"]: Tries(
            failures=row["failures"],
            last_at=row["last_at"],
            blocked_until=row["blocked_until"],
            told=row["told"],
        )
        for row in rows
    }
    return Held(now, tries)


async def save(connection: Connection, tries: Mapping[bytes, Tries]) -> None:
    """Write counts back to buckets that this transaction holds."""
    await connection.executemany(
        "UPDATE guess SET failures = $2, last_at = $3, blocked_until = $4, told = $5"
        " WHERE bucket = $1",
        [
            (bucket, each.failures, each.last_at, each.blocked_until, each.told)
            for bucket, each in tries.items()
        ],
    )


async def browser_is_known(connection: Connection, browser: bytes) -> bool:
    """Whether this browser signed in to this account before; `browser` is a hash of both."""
    known: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM known_browser WHERE id = $1"
        " AND seen_at > clock_timestamp() - $2::interval)",
        browser,
        KNOWN_FOR,
    )
    return known


async def know_browser(connection: Connection, browser: bytes) -> None:
    """Remember that an account signed in from a browser."""
    await connection.execute(
        "INSERT INTO known_browser (id, seen_at) VALUES ($1, clock_timestamp())"
        " ON CONFLICT (id) DO UPDATE SET seen_at = EXCLUDED.seen_at",
        browser,
    )


async def delete_forgotten(connection: Connection, *, limit: int) -> int:
    """Delete up to `limit` counts and browsers that no longer mean anything; how many."""
    counts = await connection.execute(
        """
        DELETE FROM guess WHERE bucket IN (
            SELECT bucket FROM guess
            WHERE last_at < clock_timestamp() - $2::interval
                AND coalesce(blocked_until < clock_timestamp(), true)
            LIMIT $1 FOR UPDATE SKIP LOCKED)
        """,
        limit,
        FORGOTTEN_AFTER,
    )
    browsers = await connection.execute(
        """
        DELETE FROM known_browser WHERE id IN (
            SELECT id FROM known_browser WHERE seen_at < clock_timestamp() - $2::interval
            LIMIT $1 FOR UPDATE SKIP LOCKED)
        """,
        limit,
        KNOWN_FOR,
    )
    return sum(int(status.removeprefix("DELETE ")) for status in (counts, browsers))
