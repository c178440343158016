"""What the tests of messaging begin with: facts to tell, a log to read, a handler that counts."""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from aiokafka.errors import TopicAlreadyExistsError

from messaging import outbox
from messaging.consume import Consumer, Handler, Received
from messaging.postgres import Connection, Pool
from messaging.relay import Relay
from messaging.topics import ensure_topics
from messaging.watermarks import LifecycleWatermarks
from revocast_contracts import codec
from revocast_contracts.envelope import Draft, Event
from revocast_contracts.lifecycle import EndCause, FamilyEnded, WatermarkPassed
from revocast_contracts.topics import TOKEN_LIFECYCLE, TOPICS, Topic
from servicekit.postgres import transaction

CHECKOUT = Path(__file__).parents[3]
PATIENCE = 30.0

HANDLED = """
CREATE TABLE handled (
    n bigint GENERATED ALWAYS AS IDENTITY, event_id uuid, key text, number int, epoch int, seq int)
"""


def fact(key: str, number: int) -> Draft:
    """The number-th fact of a key."""
    now = datetime.now(UTC)
    return Draft(
        key=key,
        subject=key,
        time=now,
        correlation_id=f"{key}-{number}",
        data=FamilyEnded(
            family=key,
            sub="s",
            client_id="web",
            generation=number,
            cause=EndCause.LOGOUT,
            ended_at=now,
        ),
    )


async def say(pool: Pool, *drafts: Draft, topic: Topic = TOKEN_LIFECYCLE) -> None:
    """Put events into the outbox, all in one transaction."""
    async with transaction(pool) as connection:
        for draft in drafts:
            await outbox.append(connection, topic, draft)


def a_relay(pool: Pool, bootstrap: str) -> Relay:
    return Relay(pool, bootstrap=bootstrap, source="issuer", watermarks=LifecycleWatermarks())


def a_consumer(
    pool: Pool,
    bootstrap: str,
    *,
    group: str = "test",
    handle: Handler | None = None,
    seat: str | None = None,
) -> Consumer:
    """A consumer of token-lifecycle whose handler writes down what it got."""
    return Consumer(
        pool,
        bootstrap=bootstrap,
        group=group,
        topics=(TOKEN_LIFECYCLE,),
        handle=handle or write_down,
        quiet=timedelta(seconds=10),
        seat=seat,
    )


async def write_down(connection: Connection, batch: Sequence[Received]) -> None:
    """Every event becomes a row; nothing in the table hides a double."""
    await connection.executemany(
        "INSERT INTO handled (event_id, key, number, epoch, seq) VALUES ($1, $2, $3, $4, $5)",
        [
            (
                received.event.id,
                received.event.partitionkey,
                received.event.data.generation,
                received.event.epoch,
                received.event.seq,
            )
            for received in batch
            if isinstance(received.event.data, FamilyEnded)
        ],
    )


async def handled(pool: Pool) -> list[tuple[str, int]]:
    """(key, number) in the order in which they were handled."""
    return [tuple(row) for row in await pool.fetch("SELECT key, number FROM handled ORDER BY n")]


@asynccontextmanager
async def running(*works: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Run coroutines, each again whenever it fails, as a service does."""
    tasks = [asyncio.create_task(_again_and_again(work)) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _again_and_again(work: Callable[[], Awaitable[None]]) -> None:
    while True:
        with contextlib.suppress(Exception):
            await work()
        await asyncio.sleep(0.1)


async def until(
    condition: Callable[[], Awaitable[bool]], what: str, patience: float = PATIENCE
) -> None:
    """Wait until a condition holds, or fail saying what did not happen."""
    deadline = time.monotonic() + patience
    while not await condition():
        assert time.monotonic() < deadline, f"not within {patience:.0f} s: {what}"
        await asyncio.sleep(0.05)


async def until_handled(pool: Pool, count: int, patience: float = PATIENCE) -> None:
    async def enough() -> bool:
        return bool(await pool.fetchval("SELECT count(*) FROM handled") >= count)

    await until(enough, f"{count} events handled", patience)


async def until_published(bootstrap: str, count: int, topic: Topic = TOKEN_LIFECYCLE) -> None:
    async def enough() -> bool:
        return len(await facts(bootstrap, topic)) >= count

    await until(enough, f"{count} events published")


async def until_marked(bootstrap: str, moment: datetime) -> None:
    """Wait for a watermark that is later than that."""

    async def marked() -> bool:
        events = await read(bootstrap, TOKEN_LIFECYCLE)
        times = [e.data.complete_through for e in events if isinstance(e.data, WatermarkPassed)]
        return max(times, default=moment) > moment

    await until(marked, f"a watermark later than {moment}")


async def facts(bootstrap: str, topic: Topic = TOKEN_LIFECYCLE) -> list[Event]:
    """Every event on a topic but watermarks, in order of partition and offset."""
    events = await read(bootstrap, topic)
    return [event for event in events if not isinstance(event.data, WatermarkPassed)]


async def read(bootstrap: str, topic: Topic) -> list[Event]:
    """Every event on a topic, in order of partition and offset."""
    return [codec.decode(value) for value in await read_raw(bootstrap, topic)]


async def read_raw(bootstrap: str, topic: Topic) -> list[bytes]:
    """The value of every record on a topic, in order of partition and offset."""
    places = [TopicPartition(topic.name, shard) for shard in range(topic.partitions)]
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=20
    )
    await consumer.start()
    try:
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        values: list[bytes] = []
        for place in places:
            while await consumer.position(place) < ends[place]:
                for records in (await consumer.getmany(place, timeout_ms=200)).values():
                    values += [record.value for record in records if record.offset < ends[place]]
        return values
    finally:
        await consumer.stop()


@asynccontextmanager
async def admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


async def make_topics_anew(bootstrap: str, *only: Topic) -> None:
    """Delete topics, all by default, and make them again."""
    names = {topic.name for topic in only or TOPICS}

    async with admin(bootstrap) as client:

        async def gone() -> bool:
            there = names.intersection(await client.list_topics())
            if there:
                await client.delete_topics(list(there))
            return not there

        async def made() -> bool:
            with contextlib.suppress(TopicAlreadyExistsError):
                await ensure_topics(bootstrap, replication=1)
            return names.issubset(await client.list_topics())

        await until(gone, "topics deleted")
        await until(made, "topics made")


async def add_partitions(bootstrap: str, topic: Topic, count: int) -> None:
    """Give a topic more partitions than the contract says; nobody can take them away again."""
    async with admin(bootstrap) as client:
        await client.create_partitions({topic.name: NewPartitions(total_count=count)})

        async def there() -> bool:
            described = await client.describe_topics([topic.name])
            return len(described[0]["partitions"]) == count

        await until(there, f"{count} partitions")


@asynccontextmanager
async def process(script: str, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process of its own that runs one of the scripts beside this file; killed at the end."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"tests.integration.messaging.{script}", *arguments, cwd=CHECKOUT
    )
    try:
        yield child
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()
