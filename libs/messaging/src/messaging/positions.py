"""How far a consumer has come in each partition: kept in Postgres, with what it did."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from messaging.postgres import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """The (epoch, seq) of the last event handled, (0, 0) before the first one.

    `next_offset` is where reading goes on in the log as it was then; `record_sha256` is of the
    record before that, so that another log can be told from it.
    """

    epoch: int
    seq: int
    next_offset: int
    record_sha256: bytes

    @property
    def place(self) -> tuple[int, int]:
        """What positions and events are compared by."""
        return self.epoch, self.seq


Place = tuple[str, int]
"""A topic's name on the broker, and a partition."""

START = Position(epoch=0, seq=0, next_offset=0, record_sha256=b"")


async def read(
    connection: Connection, consumer: str, places: Iterable[Place]
) -> dict[Place, Position]:
    """The positions of places, as they are now; START where there is none."""
    return await _read(connection, consumer, places, _SELECT)


async def hold(
    connection: Connection, consumer: str, places: Iterable[Place]
) -> dict[Place, Position]:
    """The positions of places, locked in order until the transaction ends.

    Whoever was given the same partition by an older rebalance waits here, and then sees that the
    work is done.
    """
    ordered = sorted(places)
    held = await _read(connection, consumer, ordered, _SELECT_FOR_UPDATE)
    if START not in held.values():
        return held
    await connection.execute(
        "INSERT INTO consumer_position"
        " (consumer, topic, partition, epoch, seq, next_offset, record_sha256)"
        " SELECT $1, t, p, 0, 0, 0, '' FROM unnest($2::text[], $3::int[]) AS x (t, p)"
        " ORDER BY t, p ON CONFLICT DO NOTHING",
        consumer,
        *_columns(ordered),
    )
    return await _read(connection, consumer, ordered, _SELECT_FOR_UPDATE)


async def save(connection: Connection, consumer: str, positions: Mapping[Place, Position]) -> None:
    """Note how far the transaction's work reaches; the rows are held."""
    await connection.executemany(
        "UPDATE consumer_position SET epoch = $4, seq = $5, next_offset = $6, record_sha256 = $7"
        " WHERE consumer = $1 AND topic = $2 AND partition = $3",
        [
            (consumer, *place, each.epoch, each.seq, each.next_offset, each.record_sha256)
            for place, each in positions.items()
        ],
    )


async def _read(
    connection: Connection, consumer: str, places: Iterable[Place], query: str
) -> dict[Place, Position]:
    ordered = sorted(places)
    rows = await connection.fetch(query, consumer, *_columns(ordered))
    found = dict.fromkeys(ordered, START)
    for row in rows:
        found[row["topic"], row["partition"]] = Position(
            epoch=row["epoch"],
            seq=row["seq"],
            next_offset=row["next_offset"],
            record_sha256=row["record_sha256"],
        )
    return found


def _columns(ordered: list[Place]) -> tuple[list[str], list[int]]:
    return [topic for topic, _ in ordered], [partition for _, partition in ordered]


_SELECT = """
SELECT topic, partition, epoch, seq, next_offset, record_sha256
FROM consumer_position
WHERE consumer = $1 AND (topic, partition) IN (SELECT * FROM unnest($2::text[], $3::smallint[]))
ORDER BY topic, partition
"""
_SELECT_FOR_UPDATE = _SELECT + "FOR UPDATE OF consumer_position"
