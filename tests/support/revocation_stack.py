"""The revocation service as a process of its own, and the issuer's half of the conversation."""

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from devstack.ports import free_port
from issuer.consumers.revocations import revocations_feed
from messaging import outbox
from messaging.relay import Relay
from messaging.security import KafkaSettings
from messaging.topics import ensure_topics
from messaging.watermarks import LifecycleWatermarks
from revocast_contracts import codec
from revocast_contracts.envelope import Draft, Event
from revocast_contracts.topics import TOKEN_LIFECYCLE, TOPICS, Topic
from servicekit.postgres import Pool, create_pool, transaction
from servicekit.serve import Background
from tests.support.revocation import HASH_KEY, Facts, eventually
from tests.unit.revocast.support import SigningKey, members, sign


@asynccontextmanager
async def an_admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """A client that may make and delete topics."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def fresh_topics(bootstrap: str) -> None:
    """Every topic of the contracts, empty."""
    names = [topic.name for topic in TOPICS]
    async with an_admin(bootstrap) as admin:
        present = sorted(set(names) & set(await admin.list_topics()))
        if present:
            await admin.delete_topics(present)

        async def gone() -> bool | None:
            return True if not set(names) & set(await admin.list_topics()) else None

        await eventually(gone)

    async def made() -> bool | None:
        with contextlib.suppress(KafkaError):
            await ensure_topics(bootstrap, replication=1)
            return True
        return None

    await eventually(made)


async def tell(pool: Pool, *drafts: Draft) -> None:
    """Commit events to the issuer's outbox."""
    async with transaction(pool) as connection:
        for draft in drafts:
            await outbox.append(connection, TOKEN_LIFECYCLE, draft)


def a_theft(*, correlation_id: str = "the request") -> tuple[Facts, Draft]:
    """A family, and the event that it was reused."""
    facts = Facts()
    event = facts.stale(1, 3).event
    return facts, Draft(
        key=facts.family,
        subject=facts.family,
        time=event.time,
        correlation_id=correlation_id,
        data=event.data,
    )


@asynccontextmanager
async def an_issuer(dsn: str, bootstrap: str) -> AsyncIterator[Pool]:
    """The issuer's outbox, relay, and answers to kills; its HTTP side is not needed here."""
    pool = await create_pool(dsn, size=6, application_name="test-issuer")
    relay = Relay(pool, bootstrap=bootstrap, source="issuer", watermarks=LifecycleWatermarks())
    kafka = KafkaSettings(kafka_bootstrap=bootstrap)
    feed = revocations_feed(kafka, pool, poke=relay.poke)
    background = Background()
    background.add("relay", relay.run)
    try:
        async with background.running():
            await feed.start()
            yield pool
            await feed.stop()
    finally:
        await pool.close()


@dataclass(slots=True)
class Service:
    """`python -m revocation`, restarted at will with the same settings."""

    environment: dict[str, str]
    port: int
    log: Path
    _process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the process; returns at once."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "revocation"],
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def kill(self) -> None:
        """End it as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def exit_status(self) -> int:
        """Wait until it ends by itself."""
        assert self._process is not None
        return self._process.wait(timeout=60)

    async def ready(self) -> dict[str, Any] | None:
        """The readiness report once it is ready, else None."""
        async with httpx.AsyncClient(base_url=self.url) as client:
            try:
                answer = await client.get("/readyz")
            except httpx.TransportError:
                return None
            return answer.json() if answer.status_code == 200 else None

    def token(self, issuer_url: str, key: SigningKey) -> str:
        """An operator's token for its API."""
        scope = "revocations.read revocations.write"
        return sign(members(iss=issuer_url, aud=self.url, sub="operator", scope=scope), key)


@contextmanager
def a_service(dsn: str, bootstrap: str, issuer_url: str) -> Iterator[Service]:
    """The service, not yet started; killed in the end."""
    port = free_port()
    with tempfile.TemporaryDirectory() as directory:
        settings = {
            "URL": f"http://127.0.0.1:{port}",
            "ISSUER_URL": issuer_url,
            "DATABASE_URL": dsn,
            "KAFKA_BOOTSTRAP": bootstrap,
            "PERSONAL_DATA_HASH_KEY": b64encode(HASH_KEY).decode(),
            "PORT": str(port),
        }
        environment = {f"REVOCAST_REVOCATION_{name}": value for name, value in settings.items()}
        service = Service(
            environment={**os.environ, **environment}, port=port, log=Path(directory) / "log"
        )
        try:
            yield service
        finally:
            service.kill()


async def read_all(bootstrap: str, topic: Topic) -> list[Event]:
    """Every event that stands on a topic now, per partition in order, duplicates and all."""
    return [codec.decode(record.value) for record in await read_records(bootstrap, topic)]


async def read_records(bootstrap: str, topic: Topic) -> list[ConsumerRecord]:
    """The records of these events."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=None)
    places = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
    await consumer.start()
    try:
        consumer.assign(places)
        await consumer.seek_to_beginning()
        ends = await consumer.end_offsets(places)
        found: list[ConsumerRecord] = []
        async with asyncio.timeout(60):
            while any([await consumer.position(place) < ends[place] for place in places]):
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    found += records
        return found
    finally:
        await consumer.stop()
