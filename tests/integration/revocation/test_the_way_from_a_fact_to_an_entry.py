import asyncio
import random
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from aiokafka.admin import NewTopic

from revocast import KafkaFeed
from revocast_contracts.revocations import EntryState, RevocationEntry
from revocast_contracts.selectors import SelectorKind, subject_hash
from revocast_contracts.signals import KillCompleted, KillDecided, ReuseDetected
from revocast_contracts.topics import REVOCATIONS, SECURITY_SIGNALS
from servicekit.postgres import Pool
from tests.integration.revocast.support import IssuerServer, issuer_server
from tests.support.kafka import Server
from tests.support.revocation import HASH_KEY, eventually
from tests.support.revocation_stack import (
    Service,
    a_service,
    a_theft,
    an_admin,
    an_issuer,
    fresh_topics,
    read_all,
    tell,
)
from tests.unit.revocast.support import claims

CHANCE = random.Random(7)  # noqa: S311 - when a crash comes, not a secret


@pytest.fixture
async def bootstrap(kafka: Server) -> str:
    await fresh_topics(kafka.bootstrap)
    return kafka.bootstrap


@pytest.fixture
async def issuer_http() -> AsyncIterator[IssuerServer]:
    async with issuer_server() as server:
        yield server


@pytest.fixture
async def issuer(issuer_database: str, bootstrap: str) -> AsyncIterator[Pool]:
    async with an_issuer(issuer_database, bootstrap) as pool:
        yield pool


@pytest.fixture
def service(
    revocation_database: str, bootstrap: str, issuer_http: IssuerServer
) -> Iterator[Service]:
    with a_service(revocation_database, bootstrap, issuer_http.url) as service:
        yield service


@pytest.fixture
async def feed(bootstrap: str) -> AsyncIterator[KafkaFeed]:
    feed = KafkaFeed(bootstrap)
    await feed.start()
    yield feed
    await feed.stop()


async def test_a_stale_token_is_denied_by_every_reader(
    issuer: Pool, service: Service, feed: KafkaFeed
) -> None:
    """An event committed to the issuer's outbox becomes an entry that denies the family."""
    service.start()
    await eventually(service.ready, seconds=60)
    facts, theft = a_theft()
    await tell(issuer, theft)
    stolen = claims(family=facts.family)

    async def denied() -> object:
        return feed.revocations.denies(stolen)

    await eventually(denied)


async def test_a_kill_is_applied_by_the_issuer_and_answered(
    bootstrap: str, issuer: Pool, service: Service, feed: KafkaFeed, issuer_http: IssuerServer
) -> None:
    """POST answers 200 once the issuer has cut the subject off; signals tell both steps."""
    del issuer
    service.start()
    await eventually(service.ready, seconds=60)
    token = service.token(issuer_http.url, issuer_http.keys[0])
    async with httpx.AsyncClient(base_url=service.url, timeout=40) as client:
        answer = await client.post(
            "/revocations",
            params={"wait": 30},
            json={"selector": {"subject": "somebody"}, "reason": "a theft"},
            headers={"Authorization": f"Bearer {token}", "X-Request-Id": "the-request"},
        )
    assert answer.status_code == 200, answer.text
    kill = answer.json()
    hashed = subject_hash("somebody", HASH_KEY)

    async def applied() -> object:
        entry = feed.revocations.denies(claims(subject_hash=hashed))
        return entry if entry and not entry.pending else None

    await eventually(applied)
    told = [
        event
        for event in await read_all(bootstrap, SECURITY_SIGNALS)
        if isinstance(event.data, KillDecided | KillCompleted) and event.data.kill_id == kill["id"]
    ]
    assert {type(event.data) for event in told} == {KillDecided, KillCompleted}
    assert {event.correlationid for event in told} == {"the-request"}
    sent = [
        event.data
        for event in await read_all(bootstrap, REVOCATIONS)
        if isinstance(event.data, RevocationEntry)
    ]
    assert [entry.state for entry in sent] == [EntryState.PENDING, EntryState.APPLIED]
    assert {entry.selector.kind for entry in sent} == {SelectorKind.SUBJECT}


async def test_a_service_killed_at_any_moment_loses_and_doubles_nothing(
    bootstrap: str, issuer: Pool, service: Service
) -> None:
    """Killed again and again while thefts come in, it signals each once and kills each family."""
    thefts = [a_theft() for _ in range(90)]
    source = iter(thefts)

    async def steal() -> None:
        for _, theft in source:
            await tell(issuer, theft)
            await asyncio.sleep(CHANCE.uniform(0, 0.1))

    stealing = asyncio.create_task(steal())
    for _ in range(3):
        service.start()
        await eventually(lambda: _consumes(service), seconds=60)
        await asyncio.sleep(CHANCE.uniform(0, 0.5))
        service.kill()
    service.start()
    await stealing
    families = {facts.family for facts, _ in thefts}

    async def all_dead() -> list[RevocationEntry] | None:
        sent = [event.data for event in await read_all(bootstrap, REVOCATIONS)]
        entries = [data for data in sent if isinstance(data, RevocationEntry)]
        return entries if {entry.selector.value for entry in entries} == families else None

    entries = await eventually(all_dead, seconds=90)
    assert len({entry.entry_id for entry in entries}) == len(families)
    told: dict[tuple[int, int, int], str] = {}

    async def all_told() -> bool | None:
        for event in await read_all(bootstrap, SECURITY_SIGNALS):
            if isinstance(event.data, ReuseDetected):
                told[event.shard, event.epoch, event.seq] = event.data.family
        return families <= set(told.values()) or None

    await eventually(all_told, seconds=60)
    assert sorted(told.values()) == sorted(families)


async def test_it_refuses_a_log_that_forgets_too_early(kafka: Server, service: Service) -> None:
    """A `revocations` topic that keeps less than the contract ends the start with a reason."""
    config = REVOCATIONS.broker_config() | {"retention.ms": "60000"}
    async with an_admin(kafka.bootstrap) as admin:
        await admin.delete_topics([REVOCATIONS.name])

        async def made() -> bool | None:
            if REVOCATIONS.name in await admin.list_topics():
                return None
            topic = NewTopic(REVOCATIONS.name, 1, 1, topic_configs=config)
            await admin.create_topics([topic])
            return True

        await eventually(made)
    try:
        service.start()
        assert await asyncio.to_thread(service.exit_status) != 0
        assert "retention.ms" in service.log.read_text()
    finally:
        await fresh_topics(kafka.bootstrap)


async def _consumes(service: Service) -> bool | None:
    """Whether the process answers; it works before it is ready."""
    async with httpx.AsyncClient(base_url=service.url) as client:
        try:
            await client.get("/livez")
        except httpx.TransportError:
            return None
    return True
