from messaging import batches
from messaging.postgres import Pool
from messaging.sender import Record, Sender
from revocast_contracts import codec
from revocast_contracts.topics import TOKEN_LIFECYCLE
from servicekit.postgres import create_pool
from tests.integration.messaging.support import (
    a_consumer,
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
)
from tests.support import postgres as postgres_parts

SHARD = TOKEN_LIFECYCLE.shard("key")


def in_order(through: int) -> list[tuple[str, int]]:
    return [("key", number) for number in range(1, through + 1)]


async def cause_of_epoch(pool: Pool) -> tuple[int, str]:
    async with pool.acquire() as connection:
        epoch = await batches.current_epoch(connection)
    return epoch.number, epoch.cause


async def test_a_topic_recreated_while_everything_stood_still(
    bootstrap: str, outbox_pool: Pool, heard_pool: Pool
) -> None:
    """The relay sends all it has again, same ids and places; the consumer handles only the new."""
    async with running(a_relay(outbox_pool, bootstrap).run, a_consumer(heard_pool, bootstrap).run):
        for number in range(1, 11):
            await say(outbox_pool, fact("key", number))
            await until_handled(heard_pool, number)
    before = {(event.id, event.epoch, event.seq) for event in await facts(bootstrap)}
    await make_topics_anew(bootstrap, TOKEN_LIFECYCLE)
    await say(outbox_pool, fact("key", 11))
    async with running(a_relay(outbox_pool, bootstrap).run, a_consumer(heard_pool, bootstrap).run):
        await until_handled(heard_pool, 11)
    assert await handled(heard_pool) == in_order(11)
    after = await facts(bootstrap)
    assert before <= {(event.id, event.epoch, event.seq) for event in after}
    assert max((event.epoch, event.seq) for event in after) == (2, 11)
    assert await cause_of_epoch(outbox_pool) == (2, "topic_recreated")


async def test_a_topic_recreated_under_a_running_relay_and_consumer(
    bootstrap: str, outbox_pool: Pool, heard_pool: Pool
) -> None:
    """Acknowledged offsets that fall are noticed: a new epoch, and nothing lost or doubled."""
    async with running(a_relay(outbox_pool, bootstrap).run, a_consumer(heard_pool, bootstrap).run):
        await say(outbox_pool, *(fact("key", number) for number in range(1, 11)))
        await until_handled(heard_pool, 10)
        await make_topics_anew(bootstrap, TOKEN_LIFECYCLE)
        await say(outbox_pool, *(fact("key", number) for number in range(11, 21)))
        await until_handled(heard_pool, 20, patience=60)
        await until_published(bootstrap, 20)
    assert await handled(heard_pool) == in_order(20)
    assert (await cause_of_epoch(outbox_pool))[1] == "topic_recreated"


async def test_a_log_that_was_put_back_to_an_older_state(
    bootstrap: str, outbox_pool: Pool, heard_pool: Pool
) -> None:
    """Kafka restored from a backup behind Postgres: what it lost is sent again, in its places."""
    async with running(a_relay(outbox_pool, bootstrap).run, a_consumer(heard_pool, bootstrap).run):
        for number in range(1, 11):
            await say(outbox_pool, fact("key", number))
            await until_handled(heard_pool, number)
    before = await facts(bootstrap)
    await make_topics_anew(bootstrap, TOKEN_LIFECYCLE)
    async with Sender(bootstrap, client_id="test") as sender:
        await sender.send(
            [
                Record(TOKEN_LIFECYCLE.name, SHARD, "key", codec.encode(event))
                for event in before[:4]
            ]
        )
    await say(outbox_pool, fact("key", 11))
    async with running(a_relay(outbox_pool, bootstrap).run, a_consumer(heard_pool, bootstrap).run):
        await until_handled(heard_pool, 11)
    assert await handled(heard_pool) == in_order(11)
    after = {(event.id, event.epoch, event.seq) for event in await facts(bootstrap)}
    assert {(event.id, event.epoch, event.seq) for event in before} <= after
    assert await cause_of_epoch(outbox_pool) == (2, "topic_recreated")


async def test_a_position_is_not_believed_in_another_log(bootstrap: str, heard_pool: Pool) -> None:
    """A new topic that has grown past the stored offset is read from its beginning all the same."""

    def placed(number: int, epoch: int) -> Record:
        event = codec.place(
            fact("key", number), source="issuer", shard=SHARD, epoch=epoch, seq=number
        )
        return Record(TOKEN_LIFECYCLE.name, SHARD, "key", codec.encode(event))

    async with Sender(bootstrap, client_id="test") as sender:
        await sender.send([placed(number, 1) for number in range(1, 6)])
    async with running(a_consumer(heard_pool, bootstrap).run):
        await until_handled(heard_pool, 5)
    await make_topics_anew(bootstrap, TOKEN_LIFECYCLE)
    async with Sender(bootstrap, client_id="test") as sender:
        await sender.send([placed(number, 2) for number in range(6, 21)])
    async with running(a_consumer(heard_pool, bootstrap).run):
        await until_handled(heard_pool, 20)
    assert await handled(heard_pool) == in_order(20)


async def test_a_hole_in_the_log_is_looked_for_and_then_passed(
    bootstrap: str, heard_pool: Pool
) -> None:
    """Events that come late behind a later one are still handled; ones that never come, passed."""

    def placed(seq: int) -> Record:
        event = codec.place(fact("key", seq), source="issuer", shard=SHARD, epoch=1, seq=seq)
        return Record(TOKEN_LIFECYCLE.name, SHARD, "key", codec.encode(event))

    async with Sender(bootstrap, client_id="test") as sender:
        await sender.send([placed(1), placed(2), placed(5), placed(6)])
    async with running(a_consumer(heard_pool, bootstrap).run):
        await until_handled(heard_pool, 4)
    assert await handled(heard_pool) == [("key", number) for number in (1, 2, 5, 6)]


async def test_a_restored_database_begins_a_new_epoch(
    postgres: postgres_parts.Server,
    bootstrap: str,
    said: str,
    outbox_pool: Pool,
    heard_pool: Pool,
) -> None:
    """When Kafka knows more than the database, no place is given out twice and nothing dropped."""
    async with running(a_relay(outbox_pool, bootstrap).run, a_consumer(heard_pool, bootstrap).run):
        await say(outbox_pool, *(fact("key", number) for number in range(1, 6)))
        await until_handled(heard_pool, 5)
    await outbox_pool.close()  # a template may have no connections
    with postgres.database(template=said.rpartition("/")[2].partition("?")[0]) as backup:
        pool = await create_pool(said, size=4, application_name="test")
        relay = a_relay(pool, bootstrap)
        async with running(relay.run, a_consumer(heard_pool, bootstrap).run):
            await say(pool, *(fact("key", number) for number in range(6, 11)))
            await until_handled(heard_pool, 10)
        await pool.close()
        restored = await create_pool(backup, size=4, application_name="test")
        relay, consumer = a_relay(restored, bootstrap), a_consumer(heard_pool, bootstrap)
        async with running(relay.run, consumer.run):
            await say(restored, *(fact("key", number) for number in range(11, 16)))
            await until_handled(heard_pool, 15)

            async def ready() -> bool:
                return await relay.check() is None

            await until(ready, "relay ready")
        assert await cause_of_epoch(restored) == (2, "database_restored")
        await restored.close()
    assert await handled(heard_pool) == in_order(15)
    places = [(event.epoch, event.seq) for event in await facts(bootstrap)]
    assert sorted(set(places)) == [
        *((1, seq) for seq in range(1, 11)),
        *((2, seq) for seq in range(11, 16)),
    ]
