"""Refreshes with few and with many live families: `python -m bench.growth --families 1000 100000`.

Families are written straight into the issuer's own table, by statements that write many at once;
their refresh tokens are made here, with its keys. Clients refresh families from all over the table.
"""

import argparse
import asyncio
from base64 import b64decode
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import asyncpg
import uvloop
from rich.console import Console
from rich.table import Table

from bench.operations import Chain, refresh
from bench.throughput import FEW, database, issuer_alone, leave_the_issuer, measured
from cli.demo import Demo
from cli.up import running
from devstack.lifetime import ends_in_order
from devstack.stack import Stack
from issuer.domain.refresh_token import MacKeys

SAMPLE = 60_000
"""Chains that clients go through: more than a run refreshes, so that none is met twice by luck."""

AT_ONCE = 250_000

_SEED = """
INSERT INTO family (id, client_id, subject, subject_hash, session_id, shard, salt, key_id,
    rotated_at, scope, resource, auth_time, acr, started_at, idle_expires_at, absolute_expires_at)
SELECT id, $2, gen_random_uuid(), md5(id::text), gen_random_uuid(), n % 12,
    uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()), $3, now, 'orders.read', $4, now,
    'password', now, now + interval '14 days', now + interval '90 days'
FROM (SELECT new_event_id() AS id, n, clock_timestamp() AS now
    FROM generate_series(1, $1::int) AS n) AS one
"""


async def grow(dsn: str, count: int, *, client_id: str, key_id: str, resource: str) -> None:
    """Live families until there are `count`; after many, indexes are made anew: it is faster."""
    connection = await asyncpg.connect(dsn)
    try:
        missing = count - await connection.fetchval("SELECT count(*) FROM family")
        indexes = await connection.fetch(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'family'"
            " AND indexname <> 'family_pkey'"
        )
        for index in indexes if missing > AT_ONCE else ():
            await connection.execute(f"DROP INDEX {index['indexname']}")
        while missing > 0:
            await connection.execute(_SEED, min(missing, AT_ONCE), client_id, key_id, resource)
            missing -= AT_ONCE
        for index in indexes:
            exists = await connection.fetchval("SELECT to_regclass($1)", index["indexname"])
            if exists is None:
                await connection.execute(index["indexdef"])
        await connection.execute("VACUUM (ANALYZE) family")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


async def chains(dsn: str, keys: MacKeys) -> list[Chain]:
    """Current refresh tokens of families from all over the table."""
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch(
            "SELECT id, generation, salt FROM family WHERE state = 'active' AND key_id = $1"
            " ORDER BY random() LIMIT $2",
            keys.active,
            SAMPLE,
        )
    finally:
        await connection.close()
    return [
        Chain(keys.mint(keys.active, UUID(str(row["id"])), row["generation"], row["salt"]))
        for row in rows
    ]


def mac_keys(stack: Stack) -> MacKeys:
    """The key with which the running issuer makes refresh tokens."""
    path = Path(stack.environment("issuer")["REVOCAST_ISSUER_REFRESH_MAC_KEYS_FILE"])
    key_id, _, encoded = path.read_text().partition(",")[0].strip().partition(":")
    return MacKeys({key_id: b64decode(encoded)}, key_id)


def main(counts: Sequence[int], console: Console) -> None:
    """Print the table."""
    table = Table("live families", "per s", "per CPU-s", "of the first", "p99 ms", "WAL bytes each")
    with running(console) as (stack, demo):
        leave_the_issuer(stack)
        first = 0.0
        for count in sorted(counts):
            console.print(f"{count:,} live families", highlight=False)
            rate, row = _row(stack, demo, count)
            first = first or rate
            table.add_row(f"{count:,}", *row[:2], f"{rate / first:.0%}", *row[2:])
    console.print(table)


def _row(stack: Stack, demo: Demo, count: int) -> tuple[float, list[str]]:
    server, web = database(stack), issuer_alone(stack, demo, demo.clients["web"])
    dsn, keys = server.dsn("revocast_issuer"), mac_keys(stack)
    api = demo.urls["sample_api"]
    asyncio.run(grow(dsn, count, client_id=web.client_id, key_id=keys.active, resource=api))
    found = asyncio.run(chains(dsn, keys))
    making = [refresh(web, found[number::FEW]) for number in range(FEW)]
    run, wal = uvloop.run(measured(web, making, dsn))
    return run.rate, [
        f"{run.rate:,.0f}",
        f"{run.per_cpu_second:,.0f}",
        f"{run.percentile(99):.1f}",
        f"{wal:,.0f}",
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="bench.growth", description=__doc__)
    parser.add_argument("--families", type=int, nargs="+", default=[1_000, 100_000])
    with ends_in_order():
        main(parser.parse_args().families, Console(soft_wrap=True))
