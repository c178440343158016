"""Where our relay stands on `revocations`, so that a snapshot can be followed without a gap."""

from dataclasses import dataclass

from revocast_contracts.topics import REVOCATIONS
from servicekit.postgres import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A place on the topic: whatever stands there or before is in a snapshot read afterwards.

    `offset` is where to read on, a hint as long as the topic is the same; None: its beginning.
    """

    epoch: int
    seq: int
    offset: int | None = None


async def read(connection: Connection) -> Position:
    """The last place that our relay has given away; read it before the snapshot."""
    row = await connection.fetchrow(
        "SELECT epoch, coalesce((heads ->> $1)::bigint, -1) AS seq,"
        " (offsets ->> $1)::bigint + 1 AS offset"
        " FROM relay_batch ORDER BY number DESC LIMIT 1",
        f"{REVOCATIONS.noun}/0",
    )
    if row is None:
        return Position(epoch=1, seq=-1)
    return Position(epoch=row["epoch"], seq=row["seq"], offset=row["offset"])
