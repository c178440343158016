import os
import signal
from collections import Counter

import pytest

from messaging import batches
from messaging.batches import Batch
from messaging.lease import LeaseLostError
from messaging.postgres import Pool
from messaging.sender import Record, Sender
from revocast_contracts import codec
from revocast_contracts.topics import TOKEN_LIFECYCLE
from tests.integration.messaging.support import (
    a_consumer,
    a_relay,
    fact,
    facts,
    handled,
    process,
    read_raw,
    running,
    say,
    until,
    until_handled,
    until_published,
)


async def owner_pid(pool: Pool) -> int | None:
    """The process that has the lease now."""
    owner: str | None = await pool.fetchval(
        "SELECT owner FROM relay_lease WHERE expires_at > clock_timestamp()"
    )
    return int(owner.split("/")[1]) if owner else None


async def until_owned(pool: Pool, *pids: int) -> int:
    async def owned() -> bool:
        return await owner_pid(pool) in pids

    await until(owned, "a relay owns the outbox")
    return await owner_pid(pool) or 0


async def say_and_wait(pool: Pool, bootstrap: str, numbers: range) -> None:
    for number in numbers:
        await say(pool, fact(f"key {number % 3}", number))
    await until_published(bootstrap, numbers.stop - 1)


async def test_a_relay_killed_after_the_ack_repeats_ids_and_places(
    bootstrap: str, said: str, outbox_pool: Pool, heard_pool: Pool
) -> None:
    """Kafka has the batch but no mark says so: it comes again with its places, and is dropped."""
    async with process("relay_process", said, bootstrap):
        await say(outbox_pool, *(fact("key", number) for number in range(1, 6)))
        await until_published(bootstrap, 5)
    async with process("relay_process", said, bootstrap):
        await until_published(bootstrap, 10)
        await say(outbox_pool, fact("key", 6))
        await until_published(bootstrap, 11)
    places = Counter((event.id, event.epoch, event.seq) for event in await facts(bootstrap))
    assert sorted(places.values()) == [1, 2, 2, 2, 2, 2]
    async with running(a_consumer(heard_pool, bootstrap).run):
        await until_handled(heard_pool, 6)
    assert await handled(heard_pool) == [("key", number) for number in range(1, 7)]


async def test_a_standby_takes_over_from_a_killed_owner(
    bootstrap: str, said: str, outbox_pool: Pool, heard_pool: Pool
) -> None:
    """Of two relays one publishes; when it is killed the other goes on, in order, in seconds."""
    async with (
        process("relay_process", said, bootstrap) as one,
        process("relay_process", said, bootstrap) as other,
        running(a_consumer(heard_pool, bootstrap).run),
    ):
        owner = await until_owned(outbox_pool, one.pid, other.pid)
        await say_and_wait(outbox_pool, bootstrap, range(1, 11))
        os.kill(owner, signal.SIGKILL)
        for number in range(11, 21):
            await say(outbox_pool, fact(f"key {number % 3}", number))
        await until_handled(heard_pool, 20, patience=10)
        assert await until_owned(outbox_pool, one.pid, other.pid) != owner
    arrived = await handled(heard_pool)
    for key in range(3):
        numbers = [number for name, number in arrived if name == f"key {key}"]
        assert numbers == [number for number in range(1, 21) if number % 3 == key]


async def test_an_owner_that_slept_past_its_lease_changes_nothing(
    bootstrap: str, said: str, outbox_pool: Pool, heard_pool: Pool
) -> None:
    """Frozen, replaced and woken: the first owner gives out no place, and nothing is doubled."""
    async with (
        process("relay_process", said, bootstrap) as one,
        process("relay_process", said, bootstrap) as other,
        running(a_consumer(heard_pool, bootstrap).run),
    ):
        frozen = await until_owned(outbox_pool, one.pid, other.pid)
        await say_and_wait(outbox_pool, bootstrap, range(1, 6))
        os.kill(frozen, signal.SIGSTOP)
        await say(outbox_pool, *(fact(f"key {number % 3}", number) for number in range(6, 31)))
        await until_owned(outbox_pool, *({one.pid, other.pid} - {frozen}))
        os.kill(frozen, signal.SIGCONT)
        await say(outbox_pool, *(fact(f"key {number % 3}", number) for number in range(31, 61)))
        await until_handled(heard_pool, 60)
        assert await owner_pid(outbox_pool) != frozen
    events = await facts(bootstrap)
    assert len({(event.shard, event.epoch, event.seq) for event in events}) == 60
    assert sorted(number for _, number in await handled(heard_pool)) == list(range(1, 61))


async def test_a_fenced_owner_can_write_no_batch(outbox_pool: Pool) -> None:
    """After a take-over the owner before fails at its next batch, before it has given out a seq."""
    async with outbox_pool.acquire() as connection:
        before = await batches.take_over(connection, "one")
        after = await batches.take_over(connection, "other")
        with pytest.raises(LeaseLostError):
            await batches.write(connection, "one", before, Batch(epoch=1, ids=[1], seqs=[1]))
        await batches.write(connection, "other", after, Batch(epoch=1, ids=[1], seqs=[1]))


async def test_late_records_of_an_old_owner_are_dropped(
    bootstrap: str, outbox_pool: Pool, heard_pool: Pool
) -> None:
    """Records that were sent before and arrive again behind newer ones have no effect."""
    async with running(a_relay(outbox_pool, bootstrap).run):
        await say(outbox_pool, *(fact("key", number) for number in range(1, 6)))
        await until_published(bootstrap, 5)
    values = await read_raw(bootstrap, TOKEN_LIFECYCLE)
    late = [
        Record(TOKEN_LIFECYCLE.name, event.shard, event.partitionkey, value)
        for value in values
        if (event := codec.decode(value)).partitionkey == "key"
    ]
    async with Sender(bootstrap, client_id="old owner") as sender:
        await sender.send(late)
    async with running(a_relay(outbox_pool, bootstrap).run, a_consumer(heard_pool, bootstrap).run):
        await say(outbox_pool, fact("key", 6))
        await until_handled(heard_pool, 6)
    assert await handled(heard_pool) == [("key", number) for number in range(1, 7)]
