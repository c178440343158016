"""Kills: what an operator or the detector decided. Each is decided once and completed once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from revocast_contracts.selectors import Selector, SelectorKind
from servicekit.postgres import Connection

COLUMNS = (
    "id, kind, value, cause, actor, reason, decided_at, applied_at, correlation_id, request_sha256"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """One decision. `selector` is as it was asked for, but a `jti` is its hash.

    `request_sha256` is of what was asked, so that another request under the same idempotency key
    is told apart.
    """

    id: str
    selector: Selector
    cause: str
    actor: str
    reason: str
    decided_at: datetime
    applied_at: datetime | None
    correlation_id: str
    request_sha256: bytes


async def decide(
    connection: Connection, kills: Sequence[Kill], *, idempotency_sha256: bytes | None = None
) -> set[str]:
    """Store kills; the ids of those that are new by id and by idempotency key (of one kill)."""
    rows = await connection.fetch(
        f"""
        INSERT INTO kill ({COLUMNS}, idempotency_sha256)
        SELECT k.*, $11::bytea FROM unnest($1::text[], $2::text[], $3::text[], $4::text[],
            $5::text[], $6::text[], $7::timestamptz[], $8::timestamptz[], $9::text[],
            $10::bytea[]) AS k ({COLUMNS})
        ORDER BY id
        ON CONFLICT DO NOTHING RETURNING id
        """,  # noqa: S608 -- the columns are a constant
        [kill.id for kill in kills],
        [kill.selector.kind.value for kill in kills],
        [kill.selector.value for kill in kills],
        [kill.cause for kill in kills],
        [kill.actor for kill in kills],
        [kill.reason for kill in kills],
        [kill.decided_at for kill in kills],
        [kill.applied_at for kill in kills],
        [kill.correlation_id for kill in kills],
        [kill.request_sha256 for kill in kills],
        idempotency_sha256,
    )
    return {row["id"] for row in rows}


async def complete(connection: Connection, applied: Mapping[str, datetime]) -> list[Kill]:
    """Store when kills were applied; those that were not completed before."""
    await connection.execute(
        "SELECT FROM kill WHERE id = ANY ($1) ORDER BY id FOR UPDATE", list(applied)
    )
    rows = await connection.fetch(
        """
        UPDATE kill SET applied_at = a.applied_at
        FROM unnest($1::text[], $2::timestamptz[]) AS a (kill_id, applied_at)
        WHERE kill.id = a.kill_id AND kill.applied_at IS NULL
        RETURNING kill.*
        """,
        list(applied),
        list(applied.values()),
    )
    return [_kill(row) for row in rows]


async def read(connection: Connection, kill_id: str) -> Kill | None:
    """One kill by its id."""
    row = await connection.fetchrow("SELECT * FROM kill WHERE id = $1", kill_id)
    return _kill(row) if row else None


async def read_by_idempotency(connection: Connection, idempotency_sha256: bytes) -> Kill | None:
    """The kill that was decided under this idempotency key."""
    row = await connection.fetchrow(
        "SELECT * FROM kill WHERE idempotency_sha256 = $1", idempotency_sha256
    )
    return _kill(row) if row else None


async def forget(connection: Connection, *, decided_before: timedelta, limit: int) -> int:
    """Delete kills completed and decided so long ago, for the audit keeps them; how many."""
    rows = await connection.fetch(
        "DELETE FROM kill WHERE id = ANY (ARRAY(SELECT id FROM kill WHERE applied_at IS NOT NULL"
        " AND decided_at < clock_timestamp() - $1::interval LIMIT $2 FOR UPDATE SKIP LOCKED))"
        " RETURNING 1",
        decided_before,
        limit,
    )
    return len(rows)


def _kill(row: Any) -> Kill:
    return Kill(
        id=row["id"],
        selector=Selector(kind=SelectorKind(row["kind"]), value=row["value"]),
        cause=row["cause"],
        actor=row["actor"],
        reason=row["reason"],
        decided_at=row["decided_at"],
        applied_at=row["applied_at"],
        correlation_id=row["correlation_id"],
        request_sha256=row["request_sha256"],
    )
