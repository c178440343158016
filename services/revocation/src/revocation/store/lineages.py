"""Lineages: what the detector remembers of each family, read under locks, written as a set."""

from collections.abc import Collection, Mapping
from datetime import timedelta

from revocation.domain.detector import Lineage
from servicekit.postgres import Connection


async def lock(connection: Connection, families: Collection[str]) -> dict[str, Lineage]:
    """The lineages that are known of these families, locked in the order of their ids."""
    rows = await connection.fetch(
        "SELECT family, epoch, seq, at, generation, rotated_by, network, replayed_generation,"
        " replays, ended FROM lineage WHERE family = ANY ($1) ORDER BY family FOR UPDATE",
        list(families),
    )
    return {
        row["family"]: Lineage(
            place=(row["epoch"], row["seq"]),
            at=row["at"],
            generation=row["generation"],
            rotated_by=row["rotated_by"],
            network=row["network"],
            replayed_generation=row["replayed_generation"],
            replays=tuple(row["replays"]),
            ended=row["ended"],
        )
        for row in rows
    }


async def write(connection: Connection, lineages: Mapping[str, Lineage]) -> None:
    """Store lineages, in one statement."""
    known = list(lineages.values())
    await connection.execute(
        """
        INSERT INTO lineage (family, epoch, seq, at, generation, rotated_by, network,
            replayed_generation, replays, ended)
        SELECT family, epoch, seq, at, generation, rotated_by, network, replayed_generation,
            string_to_array(replays, ',')::uuid[], ended
        FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::timestamptz[], $5::bigint[],
            $6::uuid[], $7::text[], $8::bigint[], $9::text[], $10::boolean[]) AS l (family, epoch,
            seq, at, generation, rotated_by, network, replayed_generation, replays, ended)
        ORDER BY family
        ON CONFLICT (family) DO UPDATE SET epoch = EXCLUDED.epoch, seq = EXCLUDED.seq,
            at = EXCLUDED.at, generation = EXCLUDED.generation, rotated_by = EXCLUDED.rotated_by,
            network = EXCLUDED.network, replayed_generation = EXCLUDED.replayed_generation,
            replays = EXCLUDED.replays, ended = EXCLUDED.ended, seen_at = clock_timestamp()
        """,
        list(lineages),
        [lineage.place[0] for lineage in known],
        [lineage.place[1] for lineage in known],
        [lineage.at for lineage in known],
        [lineage.generation for lineage in known],
        [lineage.rotated_by for lineage in known],
        [lineage.network for lineage in known],
        [lineage.replayed_generation for lineage in known],
        [",".join(str(event_id) for event_id in lineage.replays) for lineage in known],
        [lineage.ended for lineage in known],
    )


async def forget(
    connection: Connection, *, ended_for: timedelta, silent_for: timedelta, limit: int
) -> int:
    """Delete lineages of families that ended, or were not heard of, so long ago; how many.

    A family that speaks again is judged without its history, which loses nothing but evidence.
    """
    rows = await connection.fetch(
        "DELETE FROM lineage WHERE family = ANY (ARRAY(SELECT family FROM lineage"
        " WHERE seen_at < clock_timestamp() - $2::interval"
        " OR ended AND seen_at < clock_timestamp() - $1::interval"
        " LIMIT $3 FOR UPDATE SKIP LOCKED)) RETURNING 1",
        ended_for,
        silent_for,
        limit,
    )
    return len(rows)
