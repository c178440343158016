"""Entries: what is dead, as resource servers get it. A row and its event go in together.

An entry changes only from pending to applied. Rows are locked in the order of their ids.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from messaging import outbox
from revocast_contracts.envelope import Draft
from revocast_contracts.lifetimes import ENTRY_LIFETIME
from revocast_contracts.revocations import EntryCause, EntryState, RevocationEntry
from revocast_contracts.selectors import Selector, SelectorKind
from revocast_contracts.topics import REVOCATIONS
from servicekit import metrics
from servicekit.postgres import Connection

COLUMNS = "entry_id, kind, value, state, not_before, expires_at, cause, correlation_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class CausedEntry:
    """An entry and the correlation id of what caused it."""

    entry: RevocationEntry
    correlation_id: str


async def expiries(connection: Connection, ids: Sequence[str]) -> dict[str, datetime]:
    """Those of the ids that exist -> when they expire."""
    rows = await connection.fetch(
        "SELECT entry_id, expires_at FROM entry WHERE entry_id = ANY ($1)", list(ids)
    )
    return {row["entry_id"]: row["expires_at"] for row in rows}


async def add(connection: Connection, caused: Sequence[CausedEntry]) -> int:
    """Store and publish entries; one whose id exists already changes nothing and is not sent.

    Returns: how many were new.
    """
    rows = await connection.fetch(
        f"""
        INSERT INTO entry ({COLUMNS})
        SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[],
            $6::timestamptz[], $7::text[], $8::text[]) AS e ({COLUMNS})
        ORDER BY entry_id
        ON CONFLICT (entry_id) DO NOTHING RETURNING {COLUMNS}, sent_at
        """,  # noqa: S608 -- the columns are a constant
        *_columns(caused),
    )
    await _publish(connection, rows)
    return len(rows)


async def apply(connection: Connection, caused: Sequence[CausedEntry]) -> None:
    """Pending -> applied, and publish; an entry that is applied already stays as it is."""
    ids = [c.entry.entry_id for c in caused]
    await connection.execute(
        "SELECT FROM entry WHERE entry_id = ANY ($1) ORDER BY entry_id FOR UPDATE", ids
    )
    rows = await connection.fetch(
        """
        UPDATE entry SET state = 'applied', not_before = a.not_before, expires_at = a.expires_at,
            sent_at = clock_timestamp()
        FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[])
            AS a (applied_id, not_before, expires_at)
        WHERE entry.entry_id = a.applied_id AND entry.state = 'pending'
        RETURNING entry_id, kind, value, state, entry.not_before, entry.expires_at, cause,
            correlation_id, sent_at
        """,
        ids,
        [c.entry.not_before for c in caused],
        [c.entry.expires_at for c in caused],
    )
    await _publish(connection, rows)


async def take_over(connection: Connection, caused: Sequence[CausedEntry]) -> None:
    """Store entries that the log has already; a stored one only changes from pending to applied."""
    await connection.execute(
        f"""
        INSERT INTO entry ({COLUMNS})
        SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[],
            $6::timestamptz[], $7::text[], $8::text[]) AS e ({COLUMNS})
        ORDER BY entry_id
        ON CONFLICT (entry_id) DO UPDATE SET state = excluded.state,
            not_before = excluded.not_before, expires_at = excluded.expires_at
        WHERE entry.state = 'pending' AND excluded.state = 'applied'
        """,  # noqa: S608 -- the columns are a constant
        *_columns(caused),
    )


async def applied_of_open_kills(connection: Connection) -> list[CausedEntry]:
    """Applied entries of kills that are still waiting for it."""
    rows = await connection.fetch(
        "SELECT e.*, k.correlation_id AS caused_by FROM entry e JOIN kill k ON k.id = e.entry_id"
        " WHERE e.state = 'applied' AND k.applied_at IS NULL ORDER BY e.entry_id"
    )
    return [CausedEntry(entry=_entry(row), correlation_id=row["caused_by"]) for row in rows]


def applied_at(entry: RevocationEntry) -> datetime:
    """When the kill of an applied entry was applied."""
    return entry.not_before or entry.expires_at - ENTRY_LIFETIME


async def resend_pending(
    connection: Connection, *, older_than: timedelta, lifetime: timedelta, limit: int
) -> int:
    """Give pending entries sent longer ago a new expiry and publish them again; how many."""
    rows = await connection.fetch(
        f"""
        WITH due AS MATERIALIZED (
            SELECT entry_id FROM entry
            WHERE state = 'pending' AND sent_at < clock_timestamp() - $1::interval
            ORDER BY entry_id LIMIT $3 FOR UPDATE
        )
        UPDATE entry SET sent_at = clock_timestamp(), expires_at = clock_timestamp() + $2::interval
        FROM due WHERE entry.entry_id = due.entry_id AND state = 'pending'
        RETURNING entry.{COLUMNS}, sent_at
        """,  # noqa: S608 -- the columns are a constant
        older_than,
        lifetime,
        limit,
    )
    await _publish(connection, rows)
    return len(rows)


async def forget_expired(connection: Connection, *, longer_ago: timedelta, limit: int) -> int:
    """Delete applied entries that expired longer ago, for readers have forgotten them; how many."""
    rows = await connection.fetch(
        "DELETE FROM entry WHERE entry_id = ANY (ARRAY("
        " SELECT entry_id FROM entry WHERE state = 'applied'"
        " AND expires_at < clock_timestamp() - $1::interval LIMIT $2 FOR UPDATE SKIP LOCKED))"
        " RETURNING 1",
        longer_ago,
        limit,
    )
    return len(rows)


async def read_live(
    connection: Connection,
    *,
    kind: SelectorKind | None,
    values: Sequence[str] | None,
    after: str,
    limit: int,
) -> list[RevocationEntry]:
    """A page of the entries in force, in the order of their ids, from after an id."""
    filters = ["entry_id > $1", "(state = 'pending' OR expires_at > clock_timestamp())"]
    wanted: list[Any] = [after, limit]
    for condition, value in (("kind = ${}", kind), ("value = ANY (${}::text[])", values)):
        if value is not None:
            wanted.append(value)
            filters.append(condition.format(len(wanted)))
    rows = await connection.fetch(
        f"SELECT {COLUMNS} FROM entry WHERE {' AND '.join(filters)}"  # noqa: S608 -- constants
        " ORDER BY entry_id LIMIT $2",
        *wanted,
    )
    return [_entry(row) for row in rows]


async def read_entry(connection: Connection, entry_id: str) -> RevocationEntry | None:
    """One entry, expired or not, until it is forgotten."""
    row = await connection.fetchrow(
        f"SELECT {COLUMNS} FROM entry WHERE entry_id = $1",  # noqa: S608 -- a constant
        entry_id,
    )
    return _entry(row) if row else None


def draft(entry: RevocationEntry, *, time: datetime, correlation_id: str) -> Draft:
    """An entry -> its event; the key is selector, entry id and state."""
    return Draft(
        key=f"{entry.selector}/{entry.entry_id}/{entry.state}",
        subject=str(entry.selector),
        time=time,
        correlation_id=correlation_id,
        data=entry,
    )


def _columns(caused: Sequence[CausedEntry]) -> list[list[Any]]:
    return [
        [c.entry.entry_id for c in caused],
        [c.entry.selector.kind.value for c in caused],
        [c.entry.selector.value for c in caused],
        [c.entry.state.value for c in caused],
        [c.entry.not_before for c in caused],
        [c.entry.expires_at for c in caused],
        [c.entry.cause.value for c in caused],
        [c.correlation_id for c in caused],
    ]


async def _publish(connection: Connection, rows: Sequence[Any]) -> None:
    if not rows:
        return
    drafts = [
        draft(_entry(row), time=row["sent_at"], correlation_id=row["correlation_id"])
        for row in sorted(rows, key=lambda row: str(row["entry_id"]))
    ]
    await outbox.append(connection, REVOCATIONS, *drafts)
    for row in rows:
        metrics.increment("revocast_revocations_total", cause=row["cause"])


def _entry(row: Any) -> RevocationEntry:
    return RevocationEntry(
        entry_id=row["entry_id"],
        selector=Selector(kind=SelectorKind(row["kind"]), value=row["value"]),
        state=EntryState(row["state"]),
        not_before=row["not_before"],
        expires_at=row["expires_at"],
        cause=EntryCause(row["cause"]),
    )
