"""What the inside left behind, raw: topics, outboxes, records and families, for the checker."""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from revocast_contracts.topics import REVOCATIONS, TOPICS
from tests.support.postgres import Server

WATERMARKS = ("revocast.watermark.passed.v1", "revocast.revocation.watermark.v1")
CREDENTIAL = re.compile(rb"rvc_rt_|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}")
"""A refresh token of ours, or a JWT of anybody: hashes may contain the letters of its beginning."""

DATABASES = ("revocast_issuer", "revocast_revocation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One record of a topic. `event` is what its JSON says, None for a tombstone."""

    topic: str
    partition: int
    offset: int
    event: dict[str, Any] | None
    secret: bool = False

    @property
    def data(self) -> dict[str, Any]:
        """What the event says."""
        found: dict[str, Any] = (self.event or {}).get("data", {})
        return found

    @property
    def type(self) -> str:
        """The event's type."""
        found: str = (self.event or {}).get("type", "")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of an outbox."""

    event_id: str
    topic: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One row of the audit."""

    index: int
    event_id: str
    topic: str
    partition: int
    epoch: int
    seq: int
    family: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One family as the issuer's row has it."""

    family: str
    generation: int
    state: str
    cause: str | None
    client: str
    subject: str


@dataclass(slots=True)
class Evidence:
    """All of it; `stored` in the order of each partition."""

    stored: list[Stored] = field(default_factory=list)
    outbox: list[Row] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    families: list[Family] = field(default_factory=list)

    def of(self, topic: str) -> list[Stored]:
        """The events of a topic (its name), watermarks left out."""
        return [
            one
            for one in self.stored
            if one.topic == topic and one.event is not None and one.type not in WATERMARKS
        ]


async def gather(bootstrap: str, postgres: Server) -> Evidence:
    """Read everything there is."""
    evidence = Evidence()
    for topic in TOPICS:
        evidence.stored += await _topic(bootstrap, topic.name, topic.partitions)
    for database in DATABASES:
        query = "SELECT event_id::text, topic, type FROM outbox ORDER BY id"
        evidence.outbox += [Row(**dict(row)) for row in await _rows(postgres, database, query)]
    query = "SELECT index, event_id::text, topic, partition, epoch, seq, family FROM record"
    rows = await _rows(postgres, "revocast_audit", f"{query} ORDER BY index")
    evidence.records = [Record(**dict(row)) for row in rows]
    query = "SELECT id::text AS family, generation, state, cause, client_id AS client,"
    query += " subject::text FROM family"
    evidence.families = [Family(**dict(r)) for r in await _rows(postgres, DATABASES[0], query)]
    return evidence


def keep(evidence: Evidence, directory: Path) -> None:
    """Write it down, for whoever wants to see what a violation was made of."""
    for name in ("stored", "outbox", "records", "families"):
        lines = (json.dumps(asdict(each)) + "\n" for each in getattr(evidence, name))
        (directory / f"{name}.jsonl").write_text("".join(lines))


def kept(directory: Path) -> Evidence:
    """What `keep` wrote; each record of a topic is looked at for credentials again."""

    def lines(name: str) -> Iterator[dict[str, Any]]:
        with (directory / f"{name}.jsonl").open(encoding="utf-8") as file:
            yield from map(json.loads, file)

    evidence = Evidence()
    for each in lines("stored"):
        said = json.dumps(each["event"]).encode()
        secret = CREDENTIAL.search(said) is not None
        evidence.stored.append(Stored(**{**each, "secret": secret}))
    evidence.outbox = [Row(**each) for each in lines("outbox")]
    evidence.records = [Record(**each) for each in lines("records")]
    evidence.families = [Family(**each) for each in lines("families")]
    return evidence


async def unrecorded(postgres: Server) -> set[str]:
    """The ids of events that were committed and are no record yet."""
    written: set[str] = set()
    for database in DATABASES:
        query = "SELECT event_id::text FROM outbox WHERE topic <> $1"
        written |= {row[0] for row in await _rows(postgres, database, query, REVOCATIONS.noun)}
    rows = await _rows(postgres, "revocast_audit", "SELECT event_id::text FROM record")
    return written - {row[0] for row in rows}


async def _rows(
    postgres: Server, database: str, query: str, *arguments: Any
) -> list["asyncpg.Record"]:
    connection = await asyncpg.connect(postgres.address(database), timeout=10)
    try:
        return await connection.fetch(query, *arguments)
    finally:
        await connection.close()


async def _topic(bootstrap: str, name: str, partitions: int) -> list[Stored]:
    places = [TopicPartition(name, number) for number in range(partitions)]
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=None)
    await consumer.start()
    found: list[Stored] = []
    try:
        ends = await consumer.end_offsets(places)
        for place in places:
            consumer.assign([place])
            await consumer.seek_to_beginning(place)
            while await consumer.position(place) < ends[place]:
                for batch in (await consumer.getmany(place, timeout_ms=1000)).values():
                    found += [_stored(name, each) for each in batch]
    finally:
        await consumer.stop()
    return found


def _stored(topic: str, record: Any) -> Stored:
    value: bytes | None = record.value
    return Stored(
        topic=topic,
        partition=record.partition,
        offset=record.offset,
        event=None if value is None else json.loads(value),
        secret=value is not None and CREDENTIAL.search(value) is not None,
    )
