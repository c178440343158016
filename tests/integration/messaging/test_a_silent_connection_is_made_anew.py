"""A firewall that forgot a connection: nothing comes, nothing fails, nobody is told."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest

from messaging.consume import Consumer
from messaging.postgres import Pool
from revocast_contracts.lifecycle import FamilyEnded
from revocast_contracts.topics import TOKEN_LIFECYCLE
from tests.integration.messaging.support import (
    a_relay,
    fact,
    facts,
    handled,
    make_topics_anew,
    running,
    say,
    until,
    until_handled,
    until_published,
    write_down,
)
from tests.support.kafka_cable import Cable, CabledKafka, cabled_kafka

QUIET = timedelta(seconds=2)
"""Watermarks come each second."""


@pytest.fixture(scope="module")
def cabled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CabledKafka]:
    with cabled_kafka(tmp_path_factory.mktemp("kafka")) as kafka:
        yield kafka


@pytest.fixture
async def cable(cabled: CabledKafka) -> AsyncIterator[Cable]:
    await make_topics_anew(cabled.direct)
    async with cabled.laid() as cable:
        yield cable


@pytest.mark.parametrize("seat", [None, "a seat"])
async def test_a_consumer_goes_on_by_itself(
    cabled: CabledKafka, cable: Cable, outbox_pool: Pool, heard_pool: Pool, seat: str | None
) -> None:
    """Watermarks stop to come: it connects anew, handles what it missed, and nothing twice."""
    consumer = Consumer(
        heard_pool,
        bootstrap=cable.bootstrap,
        group=f"silent {seat}",
        topics=(TOKEN_LIFECYCLE,),
        handle=write_down,
        quiet=QUIET,
        seat=seat,
    )
    async with running(a_relay(outbox_pool, cabled.direct).run, consumer.run):
        await say(outbox_pool, *(fact("key", number) for number in range(1, 6)))
        await until_handled(heard_pool, 5)
        cable.hold()
        await say(outbox_pool, *(fact("key", number) for number in range(6, 11)))
        await until_published(cabled.direct, 10)
        assert len(await handled(heard_pool)) == 5
        await until_handled(heard_pool, 10)

        async def ready() -> bool:
            return await consumer.check() is None

        await until(ready, "consumer ready again")
    assert await handled(heard_pool) == [("key", number) for number in range(1, 11)]


async def test_a_relay_goes_on_by_itself(
    cabled: CabledKafka, cable: Cable, outbox_pool: Pool, heard_pool: Pool
) -> None:
    """An acknowledgement does not come: it connects anew and sends again, each event once."""
    relay = a_relay(outbox_pool, cable.bootstrap)
    async with running(relay.run):
        await say(outbox_pool, *(fact("key", number) for number in range(1, 6)))
        await until_published(cabled.direct, 5)
        let_go = cable.hold()
        await say(outbox_pool, *(fact("key", number) for number in range(6, 11)))
        await until_published(cabled.direct, 10)

        async def ready() -> bool:
            return await relay.check() is None

        await until(ready, "relay ready again")
        let_go()
    told = [event.data for event in await facts(cabled.direct)]
    numbers = [data.generation for data in told if isinstance(data, FamilyEnded)]
    assert sorted(set(numbers)) == list(range(1, 11))
