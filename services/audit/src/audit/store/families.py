"""Reads what decides about a family: a few records of many."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from servicekit.postgres import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """Of a family's records: when the first happened, and the indexes of those that decide.

    `now` is the database's time of the reading.
    """

    now: datetime
    first_at: datetime
    first: int
    last_minted: int | None
    last_denied: int | None
    deciding: tuple[int, ...]


async def outline(
    connection: Connection,
    family: str,
    *,
    minting: Sequence[str],
    denying: str,
    deciding: Sequence[str],
) -> Outline | None:
    """The outline of a family, given the types that mint, deny and decide; None if unknown."""
    row = await connection.fetchrow(
        "SELECT clock_timestamp() AS now, min(time) AS first_at, min(index) AS first,"
        " max(index) FILTER (WHERE type = ANY ($2)) AS last_minted,"
        " max(index) FILTER (WHERE type = $3) AS last_denied,"
        " array_agg(index ORDER BY index) FILTER (WHERE type = ANY ($4)) AS deciding"
        " FROM record WHERE family = $1",
        family,
        list(minting),
        denying,
        list(deciding),
    )
    if row is None or row["first"] is None:
        return None
    return Outline(**{**dict(row), "deciding": tuple(row["deciding"] or ())})


async def cuts(
    connection: Connection, selectors: Sequence[str], *, types: Sequence[str], since: datetime
) -> list[int]:
    """The first records that ended any of these selectors from `since` on."""
    rows = await connection.fetch(
        "SELECT index FROM record WHERE selector = ANY ($1) AND type = ANY ($2) AND time >= $3"
        " ORDER BY time LIMIT 100",
        list(selectors),
        list(types),
        since,
    )
    return [row["index"] for row in rows]


async def decisions(
    connection: Connection, selector: str, *, type: str, until: datetime
) -> list[int]:
    """The last decisions about a selector before `until`, the newest first."""
    rows = await connection.fetch(
        "SELECT index FROM record WHERE selector = $1 AND type = $2 AND time <= $3"
        " ORDER BY time DESC LIMIT 100",
        selector,
        type,
        until,
    )
    return [row["index"] for row in rows]
