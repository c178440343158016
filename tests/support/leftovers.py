"""All that a system leaves: every file of its directory as bytes; topics and tables as text.

Bytes do not show what is compressed or encoded in them. PostgreSQL compresses values of more than 2
kB (TOAST) and, where that is switched on, the pages in its log; a record that crosses a page of
that log is cut in two by the page's header. Kafka keeps batches as their producer sent them,
which may be compressed. Therefore topics and tables are read through their servers as well.
"""

import asyncio
from collections.abc import Collection, Iterator
from pathlib import Path

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from revocast_contracts.topics import TOPICS
from tests.support.system import System

EXEMPT = ("demo.json", "secrets")
"""Files and directories of `.revocast` in which secrets belong."""


def files(directory: Path) -> Iterator[tuple[str, bytes]]:
    """Every file of a `.revocast` that is not exempt: (path in it, bytes)."""
    for path in sorted(directory.rglob("*")):
        place = path.relative_to(directory)
        if place.parts[0] not in EXEMPT and path.is_file():
            yield str(place), path.read_bytes()


def holding(needles: Collection[bytes], directory: Path) -> set[str]:
    """The files of a `.revocast` in whose name or bytes any needle stands."""
    found = set()
    for place, held in files(directory):
        kept = held.replace(_EMPTY, b"")  # logs and indexes are made at full length
        name = place.encode()
        if any(needle in kept or needle in name for needle in needles):
            found.add(place)
    return found


_EMPTY = bytes(4096)


def logs(directory: Path) -> list[tuple[str, str]]:
    """Every log file: (name, text)."""
    files = [file for file in (directory / "logs").rglob("*") if file.is_file()]
    assert files
    return [(file.name, file.read_text(errors="replace")) for file in files]


async def topics(system: System) -> list[tuple[str, str]]:
    """Every record of every topic: (topic and offset, key, headers and value)."""
    places = [
        TopicPartition(topic.name, partition)
        for topic in TOPICS
        for partition in range(topic.partitions)
    ]
    consumer = AIOKafkaConsumer(
        bootstrap_servers=system.kafka.bootstrap, group_id=None, auto_offset_reset="earliest"
    )
    await consumer.start()
    found: list[tuple[str, str]] = []
    try:
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        await consumer.seek_to_beginning(*places)
        async with asyncio.timeout(60):
            while any([await consumer.position(place) < ends[place] for place in places]):
                for place, records in (await consumer.getmany(timeout_ms=500)).items():
                    for record in records:
                        text = f"{record.key!r} {record.headers!r} {record.value!r}"
                        found.append((f"{place.topic}/{record.offset}", text))
    finally:
        await consumer.stop()
    return found


async def tables(system: System) -> list[tuple[str, str]]:
    """Every row of every table of every database: (database and table, the row as text)."""
    found = []
    for database in ("revocast_issuer", "revocast_revocation", "revocast_audit"):
        connection = await asyncpg.connect(system.postgres.address(database))
        try:
            tables = await connection.fetch(
                "SELECT quote_ident(relname) AS name FROM pg_class JOIN pg_namespace n"
                " ON n.oid = relnamespace WHERE relkind IN ('r', 'p') AND nspname = 'public'"
            )
            for table in tables:
                query = f"SELECT t::text AS row FROM {table['name']} t"  # noqa: S608 -- a catalogue name
                rows = await connection.fetch(query)
                found += [(f"{database}.{table['name']}", row["row"]) for row in rows]
        finally:
            await connection.close()
    return found
