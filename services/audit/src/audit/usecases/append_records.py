"""Append events to the log: each once, in the order given, with the next indexes."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from audit.domain.record import NewRecord
from audit.store import appends
from servicekit.postgres import Connection


async def append_records(connection: Connection, records: Sequence[NewRecord]) -> list[NewRecord]:
    """Append, in the caller's transaction, what is not recorded yet; what was appended."""
    if not records:
        return []
    next_index, now = await appends.lock_head(connection)
    fresh = _fresh(records, await appends.known(connection, records))
    if fresh:
        await appends.append(connection, fresh, start=next_index, recorded_at=now)
    return fresh


def _fresh(records: Iterable[NewRecord], known: Iterable[UUID]) -> list[NewRecord]:
    seen = set(known)
    fresh = []
    for record in records:
        if record.event_id not in seen:
            seen.add(record.event_id)
            fresh.append(record)
    return fresh
