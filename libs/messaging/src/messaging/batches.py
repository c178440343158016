"""The relay's memory: each batch is written down before it is sent. The last row is its state.

A batch's number is the fence. Every owner begins by writing one, so an owner that was frozen while
another took over wants a number that is taken, and fails before it gives out any seq.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from messaging.gaps import Gaps
from messaging.lease import LeaseLostError
from messaging.postgres import Connection

TAKE_OVER_TRIES = 20
"""Another owner that still writes takes the number we wanted; it stops when it loses the lease."""


@dataclass(slots=True, kw_only=True)
class State:
    """What an owner knows. Shards are named `topic/shard`, with the topic's noun.

    `heads` are the last seq given out, `offsets` the last offset acknowledged; `acked` is the last
    batch that is known to have been sent whole; `republish` are topics to be sent again.
    """

    number: int
    epoch: int
    gaps: Gaps
    acked: int
    heads: dict[str, int]
    offsets: dict[str, int]
    republish: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Outbox rows and the seq that each got; `dead` are rows that no consumer could read."""

    number: int = 0
    epoch: int
    ids: list[int] = field(default_factory=list)
    seqs: list[int] = field(default_factory=list)
    dead: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """One life of the log. `cause` is `first`, `database_restored` or `topic_recreated`."""

    number: int
    cause: str
    started_at: datetime


async def take_over(connection: Connection, owner: str) -> State:
    """Shut out the owner before, and read what it left.

    Raises:
        LeaseLostError: somebody else writes batches all the time.
    """
    for _ in range(TAKE_OVER_TRIES):
        row = await connection.fetchrow(
            """
            INSERT INTO relay_batch (number, owner, epoch, ids, seqs, dead, high, gaps, acked,
                heads, offsets, republish)
            SELECT number + 1, $1, epoch, '{}', '{}', '{}', high, gaps, acked, heads, offsets,
                republish
            FROM relay_batch ORDER BY number DESC LIMIT 1
            ON CONFLICT (number) DO NOTHING
            RETURNING number, epoch, high, gaps, acked, heads, offsets, republish,
                pg_current_xact_id()::text::bigint AS xid
            """,
            owner,
        )
        if row is not None:
            return _state(row)
    raise LeaseLostError("another relay is writing batches")


async def write(connection: Connection, owner: str, state: State, batch: Batch) -> None:
    """Commit the next batch with the state that it leads to. `state.number` moves on.

    Raises:
        LeaseLostError: another owner has written a batch of that number.
    """
    xid: int | None = await connection.fetchval(
        """
        INSERT INTO relay_batch (number, owner, epoch, ids, seqs, dead, high, gaps, acked, heads,
            offsets, republish)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        ON CONFLICT (number) DO NOTHING RETURNING pg_current_xact_id()::text::bigint
        """,
        state.number + 1,
        owner,
        batch.epoch,
        batch.ids,
        batch.seqs,
        batch.dead,
        state.gaps.high,
        state.gaps.missing,
        state.acked,
        state.heads,
        state.offsets,
        state.republish,
    )
    if xid is None:
        raise LeaseLostError("fenced off")
    state.number += 1
    state.gaps.bound_by(xid)


async def read(connection: Connection, *, after: int, through: int, limit: int) -> list[Batch]:
    """Batches that hold anything, by number: `after` < number <= `through`."""
    rows = await connection.fetch(
        "SELECT number, epoch, ids, seqs, dead FROM relay_batch"
        " WHERE number > $1 AND number <= $2 AND (ids <> '{}' OR dead <> '{}')"
        " ORDER BY number LIMIT $3",
        after,
        through,
        limit,
    )
    return [Batch(**row) for row in rows]


async def begin_epoch(connection: Connection, owner: str, state: State, cause: str) -> None:
    """Write down that `state.epoch` has begun, and why.

    Raises:
        LeaseLostError: another owner has written a batch of that number.
    """
    async with connection.transaction():
        await connection.execute(
            "INSERT INTO relay_epoch (epoch, cause) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            state.epoch,
            cause,
        )
        await write(connection, owner, state, Batch(epoch=state.epoch))


async def current_epoch(connection: Connection) -> Epoch:
    """The life of the log that this database writes, for whoever has to know of a restore."""
    row = await connection.fetchrow(
        "SELECT epoch AS number, cause, started_at FROM relay_epoch ORDER BY epoch DESC LIMIT 1"
    )
    if row is None:
        raise LookupError("no epoch: the migrations were not applied")
    return Epoch(**row)


async def forget(connection: Connection, *, before: int, longer_ago: timedelta) -> None:
    """Delete some batches whose outbox rows have gone already."""
    await connection.execute(
        "DELETE FROM relay_batch WHERE number IN (SELECT number FROM relay_batch"
        " WHERE number < $1 AND created_at < now() - $2::interval ORDER BY number LIMIT 10000)",
        before,
        longer_ago,
    )


def _state(row: Any) -> State:
    return State(
        number=row["number"],
        epoch=row["epoch"],
        gaps=Gaps(row["high"], row["gaps"], row["xid"]),
        acked=row["acked"],
        heads=row["heads"],
        offsets=row["offsets"],
        republish=row["republish"],
    )
