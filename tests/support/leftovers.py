"""All that a running system leaves: logs, topics and tables, as text."""

import asyncio
from pathlib import Path

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from revocast_contracts.topics import TOPICS
from tests.support.system import System


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
