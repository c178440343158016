"""Appends records: numbered without a gap, each event once, whoever writes at the same time."""

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from uuid import UUID

from audit.domain.record import NewRecord
from servicekit.postgres import Connection

_COLUMNS = (
    "index",
    "recorded_at",
    "event_id",
    "time",
    "type",
    "topic",
    "partition",
    "epoch",
    "seq",
    "family",
    "session",
    "subject",
    "client",
    "correlation_id",
    "selector",
    "event",
)

_VALUES = attrgetter(*_COLUMNS[2:])

KNOWN = (
    "SELECT asked.event_id FROM unnest($1::uuid[], $2::timestamptz[]) AS asked (event_id, time)"
    " CROSS JOIN LATERAL (SELECT FROM record WHERE record.event_id = asked.event_id"
    " AND record.time = asked.time LIMIT 1) AS found"
)
"""Those of many ids and times that are recorded; `LIMIT` makes it one look for each."""


async def lock_head(connection: Connection) -> tuple[int, datetime]:
    """Hold the head of the log until the commit; the next index, and the database's time.

    Whoever appends holds it, so indexes become visible in their order: a reader that saw index n
    will never see a smaller one appear.
    """
    row = await connection.fetchrow(
        "SELECT next_index, clock_timestamp() AS now FROM log_head FOR UPDATE"
    )
    assert row is not None  # noqa: S101 - the migration made the row, and nobody may delete it
    return row["next_index"], row["now"]


async def known(connection: Connection, records: Sequence[NewRecord]) -> set[UUID]:
    """Which of these events are recorded already. Call it under the head's lock.

    An event's time is part of its bytes, and a republished event is the same bytes: its time says
    which partition to look into, and a unique index enforces what is found there. A dead letter
    that is sent again has its id, but a time of its own: those few are looked for everywhere.
    """
    # A plan that was made while the table was empty would read all of it for each event.
    await connection.execute("SET LOCAL enable_seqscan = off")
    dated = [record for record in records if record.dated]
    rows = await connection.fetch(
        KNOWN, [record.event_id for record in dated], [record.time for record in dated]
    )
    undated = [record.event_id for record in records if not record.dated]
    if undated:
        rows += await connection.fetch(
            "SELECT event_id FROM record WHERE event_id = ANY ($1)", undated
        )
    return {row["event_id"] for row in rows}


async def append(
    connection: Connection, records: Sequence[NewRecord], *, start: int, recorded_at: datetime
) -> None:
    """Write records with the indexes from `start` on, and move the head behind them."""
    rows = [(index, recorded_at, *_VALUES(record)) for index, record in enumerate(records, start)]
    await connection.copy_records_to_table("record", records=rows, columns=_COLUMNS)
    await connection.execute("UPDATE log_head SET next_index = $1", start + len(records))
