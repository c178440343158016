"""A relay is paused when its pending entry is on its way; another publishes the applied one."""

import asyncio
import math
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import pytest

from messaging import batches
from messaging.lease import LeaseLostError
from messaging.publisher import Publisher
from messaging.sender import Sender
from revocast import KafkaFeed
from revocast_contracts import codec
from revocast_contracts.revocations import EntryState, RevocationEntry
from revocast_contracts.selectors import Selector, SelectorKind, subject_hash
from revocast_contracts.topics import REVOCATIONS
from revocation.store.kills import Kill
from revocation.usecases.decide_kill import KillRequest, decide_kill
from servicekit.postgres import Pool
from tests.support.kafka_cable import Cable, CabledKafka, cabled_kafka
from tests.support.revocation import HASH_KEY, Facts, eventually, handle
from tests.support.revocation_stack import fresh_topics, read_all, read_records
from tests.unit.revocast.support import claims

SUBJECT = Selector(kind=SelectorKind.SUBJECT, value="somebody")
HASHED = Selector(kind=SelectorKind.SUBJECT, value=subject_hash("somebody", HASH_KEY))


@pytest.fixture(scope="module")
def cabled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CabledKafka]:
    with cabled_kafka(tmp_path_factory.mktemp("kafka")) as kafka:
        yield kafka


@pytest.fixture
async def cable(cabled: CabledKafka) -> AsyncIterator[Cable]:
    await fresh_topics(cabled.direct)
    async with cabled.laid() as cable:
        yield cable


async def test_the_later_truth_stays_for_every_reader(
    cabled: CabledKafka, cable: Cable, pool: Pool
) -> None:
    """Pending, applied, and the same pending once more: who signed in since is let in."""
    async with _reading(cabled.direct) as earlier:
        applied_at = await _wake_up_late(cabled, cable, pool)
        states = [entry.state for entry in await _entries(cabled.direct)]
        assert states == [EntryState.PENDING, EntryState.APPLIED, EntryState.PENDING]
        async with _reading(cabled.direct) as later:
            for feed in (earlier, later):
                await _has_read(feed, 3)
                assert _denies(feed, applied_at)
                assert not _denies(feed, applied_at + timedelta(seconds=1))


async def test_compaction_cannot_take_the_later_truth(
    cabled: CabledKafka, cable: Cable, pool: Pool
) -> None:
    """Compaction keeps the last record of a key: the late one must not have the applied one's."""
    await _wake_up_late(cabled, cable, pool)
    last = {
        record.key: codec.decode(record.value).data
        for record in await read_records(cabled.direct, REVOCATIONS)
    }
    states = {entry.state for entry in last.values() if isinstance(entry, RevocationEntry)}
    assert states == {EntryState.APPLIED, EntryState.PENDING}


async def _wake_up_late(cabled: CabledKafka, cable: Cable, pool: Pool) -> datetime:
    """The scenario; when the kill was applied."""
    async with _owner(pool, "paused", cable.bootstrap) as (paused, slow):
        kill = await _decide(pool)
        let_go = cable.hold()
        publishing = asyncio.create_task(paused.publish_visible(slow))
        await eventually(lambda: _is_on_its_way(pool, cable))
        async with _owner(pool, "other", cabled.direct) as (other, quick):
            facts = Facts()
            await handle(pool, facts.applied(kill.id, HASHED))
            await other.publish_visible(quick)
        let_go()
        await publishing
        await _decide(pool, "another theft")
        with pytest.raises(LeaseLostError):
            await paused.publish_visible(slow)
    return facts.at


@asynccontextmanager
async def _owner(pool: Pool, name: str, bootstrap: str) -> AsyncIterator[tuple[Publisher, Sender]]:
    """One that has taken over the outbox, as a relay with the lease does, and its producer."""
    async with pool.acquire() as connection:
        state = await batches.take_over(connection, name)
        publisher = Publisher(connection, state, owner=name, source="revocation")
        async with Sender(bootstrap, client_id=name) as sender:
            await publisher.resume(sender, bootstrap)
            yield publisher, sender


async def _decide(pool: Pool, reason: str = "a theft") -> Kill:
    request = KillRequest(
        selector=SUBJECT,
        reason=reason,
        actor="an operator",
        idempotency_key=None,
        correlation_id="the request",
    )
    kill = await decide_kill(pool, request, hash_key=HASH_KEY, poke=lambda: None)
    assert isinstance(kill, Kill)
    return kill


async def _is_on_its_way(pool: Pool, cable: Cable) -> bool | None:
    """Whether the batch is written down and its records wait on the cable."""
    written = await pool.fetchval(
        "SELECT ids <> '{}' FROM relay_batch ORDER BY number DESC LIMIT 1"
    )
    return True if written and cable.held else None


async def _entries(bootstrap: str) -> list[RevocationEntry]:
    said = [event.data for event in await read_all(bootstrap, REVOCATIONS)]
    return [data for data in said if isinstance(data, RevocationEntry)]


@asynccontextmanager
async def _reading(bootstrap: str) -> AsyncIterator[KafkaFeed]:
    feed = KafkaFeed(bootstrap)
    await feed.start()
    try:
        yield feed
    finally:
        await feed.stop()


async def _has_read(feed: KafkaFeed, entries: int) -> None:
    async def read() -> bool | None:
        return True if feed.stats.entries >= entries else None

    await eventually(read)


def _denies(feed: KafkaFeed, issued_at: datetime) -> bool:
    token = claims(subject_hash=HASHED.value, iat=math.floor(issued_at.timestamp()))
    return feed.revocations.denies(token) is not None
