"""How long the outage lasts is REVOCAST_TEST_OUTAGE_SECONDS: 4 by default, 30 as promised."""

import asyncio
import os
from pathlib import Path

import pytest

from devstack.kafka import Kafka
from messaging.postgres import Pool
from revocast_contracts.topics import DEAD_LETTER
from servicekit.postgres import create_pool
from tests.integration.messaging.proxy import proxied
from tests.integration.messaging.support import (
    a_consumer,
    a_relay,
    fact,
    handled,
    make_topics_anew,
    read,
    running,
    say,
    until,
    until_handled,
)

OUTAGE_SECONDS = float(os.environ.get("REVOCAST_TEST_OUTAGE_SECONDS", "4"))
IN_ORDER = [("key", number) for number in range(1, 51)]


async def last_for(seconds: float) -> None:
    """An outage lasts; nothing is waited for but time itself."""
    await asyncio.sleep(seconds)


async def test_the_consumers_database_is_down(
    bootstrap: str, outbox_pool: Pool, heard: str, heard_pool: Pool
) -> None:
    """While its database is gone a consumer holds on, becomes unready, and then catches up."""
    async with proxied(heard) as (proxy, through):
        pool = await create_pool(through, size=4, application_name="test")
        consumer = a_consumer(pool, bootstrap)
        relay = a_relay(outbox_pool, bootstrap)
        async with running(relay.run, consumer.run):
            await say(outbox_pool, *(fact("key", number) for number in range(1, 26)))
            await until_handled(heard_pool, 25)
            proxy.cut()
            await say(outbox_pool, *(fact("key", number) for number in range(26, 51)))

            async def unready() -> bool:
                return await consumer.check() is not None

            await until(unready, "consumer unready")
            await last_for(OUTAGE_SECONDS)
            assert len(await handled(heard_pool)) == 25
            proxy.mend()
            await until_handled(heard_pool, 50)

            async def ready() -> bool:
                return await consumer.check() is None

            await until(ready, "consumer ready again")
        await pool.close()
    assert await handled(heard_pool) == IN_ORDER
    assert await read(bootstrap, DEAD_LETTER) == []


async def test_the_relays_database_is_down(
    bootstrap: str, said: str, outbox_pool: Pool, heard_pool: Pool
) -> None:
    """A relay whose database goes away and comes back publishes what was written meanwhile."""
    async with proxied(said) as (proxy, through):
        pool = await create_pool(through, size=4, application_name="test")
        async with running(a_relay(pool, bootstrap).run, a_consumer(heard_pool, bootstrap).run):
            await say(outbox_pool, *(fact("key", number) for number in range(1, 26)))
            await until_handled(heard_pool, 25)
            proxy.cut()
            await say(outbox_pool, *(fact("key", number) for number in range(26, 51)))
            await last_for(OUTAGE_SECONDS)
            proxy.mend()
            await until_handled(heard_pool, 50)
        await pool.close()
    assert await handled(heard_pool) == IN_ORDER


@pytest.fixture(scope="module")
def own_kafka(server_directory: Path) -> Kafka:
    """A broker that this file alone may stop."""
    return Kafka(server_directory / "own-kafka")


async def test_kafka_is_down(own_kafka: Kafka, outbox_pool: Pool, heard_pool: Pool) -> None:
    """While Kafka is gone rows wait in the outbox; when it is back they all arrive, in order."""
    await asyncio.to_thread(own_kafka.start)
    try:
        bootstrap = own_kafka.bootstrap
        await make_topics_anew(bootstrap)
        relay = a_relay(outbox_pool, bootstrap)
        async with running(relay.run, a_consumer(heard_pool, bootstrap).run):
            await say(outbox_pool, *(fact("key", number) for number in range(1, 26)))
            await until_handled(heard_pool, 25)
            await asyncio.to_thread(own_kafka.kill)
            await say(outbox_pool, *(fact("key", number) for number in range(26, 51)))

            async def unready() -> bool:
                return await relay.check() is not None

            await until(unready, "relay unready")
            await last_for(OUTAGE_SECONDS)
            await asyncio.to_thread(own_kafka.start)
            await until_handled(heard_pool, 50, patience=60)
            assert await relay.check() is None
    finally:
        await asyncio.to_thread(own_kafka.stop)
    assert await handled(heard_pool) == IN_ORDER
