"""Reads records; every filter has an index that also gives the order of the answer."""

from collections.abc import Sequence
from typing import Any

from audit.domain.record import Record
from audit.domain.search import Order, Search
from servicekit.postgres import Connection

_SELECT = (
    "SELECT index, recorded_at, event_id, time, type, topic, partition, epoch, seq, family,"
    " session, subject, client, correlation_id, selector, event FROM record"
)
_EQUAL = ("family", "session", "subject", "client", "type", "correlation_id")


def statement(search: Search, limit: int) -> tuple[str, list[Any]]:
    """A search as SQL and its arguments; identifiers and operators are all ours.

    `index + 0` is the index alone; plain `index` is what follows each filter's column in its index.
    """
    filtered = any(getattr(search, column) is not None for column in _EQUAL)
    place = "index" if filtered else "index + 0"
    wanted = [(f"{column} =", getattr(search, column)) for column in _EQUAL]
    wanted += [("time >=", search.since), ("time <", search.until)]
    newest = search.order is Order.NEWEST
    wanted.append((f"{place} <" if newest else f"{place} >", search.after))
    given = [(condition, value) for condition, value in wanted if value is not None]
    where = " AND ".join(f"{condition} ${n}" for n, (condition, _) in enumerate(given, 1))
    sql = f"{_SELECT} WHERE {where or 'true'} ORDER BY {place} {'DESC' if newest else 'ASC'}"
    return f"{sql} LIMIT {limit:d}", [value for _, value in given]


async def search(connection: Connection, search: Search, *, limit: int) -> list[Record]:
    """At most `limit` records that match, in the order asked for."""
    sql, arguments = statement(search, limit)
    return [_record(row) for row in await connection.fetch(sql, *arguments)]


async def read(connection: Connection, indexes: Sequence[int]) -> list[Record]:
    """The records at these indexes, as far as they exist, in order."""
    rows = await connection.fetch(
        f"{_SELECT} WHERE index + 0 = ANY ($1) ORDER BY index + 0", list(indexes)
    )
    return [_record(row) for row in rows]


def _record(row: Any) -> Record:
    return Record(**dict(row))
