"""Rows of the outbox: what is visible, and the record that each one becomes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from messaging.gaps import Gaps
from messaging.postgres import Connection
from messaging.sender import Record
from revocast_contracts import codec
from revocast_contracts.envelope import Draft, Event
from revocast_contracts.topics import TOPIC_BY_NOUN

LARGEST_BATCH = 1000
"""Rows in one batch: some ten milliseconds of work, so that a backlog starves nobody."""

LARGEST_ROW = 900_000
"""Bytes; Kafka takes a megabyte by default, and the envelope wants its share."""

COLUMNS = """
    id, event_id, topic, shard, key, type, subject, correlation_id, occurred_at, data,
    octet_length(key) + octet_length(subject) + octet_length(correlation_id)
        + CASE WHEN pg_column_size(data) > 2000 THEN octet_length(data::text) ELSE 0 END AS size
"""


class UnpublishableError(Exception):
    """No consumer could read this row. `str()` says why, without its content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at the outbox: the rows not seen before in order of id, and what the snapshot was.

    `at` was read before the snapshot was taken: every commit visible then is in `rows`, unless
    there is `more` than one batch takes.
    """

    rows: list[Any]
    at: datetime
    xmin: int
    more: bool


async def look(connection: Connection, gaps: Gaps) -> Look:
    """Everything visible that was not seen before, in one statement and so in one snapshot."""
    shown = await connection.fetch(
        f"""
        SELECT o.*, now() AS at, pg_snapshot_xmin(s)::text::bigint AS xmin
        FROM pg_current_snapshot() AS s LEFT JOIN LATERAL (
            (SELECT {COLUMNS} FROM outbox WHERE id = ANY ($2))
            UNION ALL
            (SELECT {COLUMNS} FROM outbox WHERE id > $1 ORDER BY id LIMIT $3)
            ORDER BY id
        ) AS o ON true
        """,  # noqa: S608 -- the only insertion is a constant of this file
        gaps.high,
        gaps.missing,
        LARGEST_BATCH,
    )
    rows = [row for row in shown if row["id"] is not None]
    new = sum(row["id"] > gaps.high for row in rows)
    return Look(rows=rows, at=shown[0]["at"], xmin=shown[0]["xmin"], more=new >= LARGEST_BATCH)


async def read(connection: Connection, ids: list[int]) -> dict[int, Any]:
    """Those of the rows that are still there, by id."""
    rows = await connection.fetch(
        f"SELECT {COLUMNS} FROM outbox WHERE id = ANY ($1)",  # noqa: S608 -- a constant
        ids,
    )
    return {row["id"]: row for row in rows}


def shard_name(row: Any) -> str:
    """`topic/shard`, as the relay's state names it."""
    return f"{row['topic']}/{row['shard']}"


def event_of(row: Any, *, source: str) -> Event:
    """A row -> its event, still without its place.

    Raises:
        UnpublishableError: it violates its closed schema, is on no topic, or is too long.
    """
    topic = TOPIC_BY_NOUN.get(row["topic"])
    if topic is None:
        raise UnpublishableError("unknown topic")
    if not 0 <= row["shard"] < topic.partitions:
        raise UnpublishableError("the topic has no such shard")
    if row["type"] not in {data.event_type for data in topic.types}:
        raise UnpublishableError("the type is not one of the topic's")
    if row["size"] > LARGEST_ROW:
        raise UnpublishableError(f"longer than {LARGEST_ROW} bytes")
    try:
        draft = Draft(
            id=row["event_id"],
            key=row["key"],
            subject=row["subject"],
            time=row["occurred_at"],
            correlation_id=row["correlation_id"],
            data=codec.validate(row["type"], row["data"]),
        )
        return codec.place(draft, source=source, shard=row["shard"], epoch=1, seq=0)
    except codec.UndecodableError as error:
        raise UnpublishableError(str(error)) from None
    except ValueError:
        raise UnpublishableError("the envelope violates its schema") from None


def record_of(event: Event, row: Any, *, epoch: int, seq: int) -> Record:
    """An event at its place -> the record."""
    placed = event.model_copy(update={"epoch": epoch, "seq": seq})
    return Record(TOPIC_BY_NOUN[row["topic"]].name, row["shard"], row["key"], codec.encode(placed))
