import json
from collections.abc import Sequence
from uuid import uuid4

from messaging import outbox
from messaging.consume import Received
from messaging.dead_letter_limit import MOST_IN_A_ROW
from messaging.postgres import Connection, Pool
from messaging.sender import Record, Sender
from revocast_contracts import codec
from revocast_contracts.dead_letters import LetterDied
from revocast_contracts.topics import DEAD_LETTER, TOKEN_LIFECYCLE
from servicekit.postgres import transaction
from tests.integration.messaging.support import (
    a_consumer,
    a_relay,
    fact,
    facts,
    handled,
    read,
    running,
    say,
    until,
    until_handled,
    until_published,
    write_down,
)

SHARD = TOKEN_LIFECYCLE.shard("key")


def placed(number: int, *, spoiled: bool = False) -> Record:
    """The number-th event of `key`, as a relay sends it."""
    event = codec.place(fact("key", number), source="issuer", shard=SHARD, epoch=1, seq=number)
    value = codec.encode(event)
    if spoiled:
        members = json.loads(value)
        members["data"]["generation"] = "many"
        value = json.dumps(members).encode()
    return Record(TOKEN_LIFECYCLE.name, SHARD, "key", value)


def garbage(text: str) -> Record:
    return Record(TOKEN_LIFECYCLE.name, SHARD, "key", text.encode())


async def letters(bootstrap: str) -> list[LetterDied]:
    return [e.data for e in await read(bootstrap, DEAD_LETTER) if isinstance(e.data, LetterDied)]


async def test_records_that_cannot_be_read(bootstrap: str, heard_pool: Pool) -> None:
    """Each goes to the dead letters once, with its reason, and its partition goes on."""
    async with Sender(bootstrap, client_id="test") as sender:
        await sender.send(
            [placed(1), garbage("{"), placed(2, spoiled=True), garbage('{"id": 1}'), placed(3)]
        )
    for _ in range(2):  # the second time nothing is new
        async with running(a_consumer(heard_pool, bootstrap).run):
            await until_handled(heard_pool, 2)
    assert await handled(heard_pool) == [("key", 1), ("key", 3)]
    died = await letters(bootstrap)
    assert [(each.partition, each.offset, each.consumer) for each in died] == [
        (SHARD, offset, "test") for offset in (1, 2, 3)
    ]
    assert all(each.reason for each in died)
    assert any("generation" in each.reason for each in died)


async def test_too_many_stop_the_consumer(bootstrap: str, heard_pool: Pool) -> None:
    """If hardly anything can be read, nothing is skipped: the consumer stops and is unready."""
    async with Sender(bootstrap, client_id="test") as sender:
        await sender.send([garbage("{") for _ in range(MOST_IN_A_ROW + 1)])
    consumer = a_consumer(heard_pool, bootstrap)
    async with running(consumer.run):

        async def stopped() -> bool:
            return "too many dead letters" in (await consumer.check() or "")

        await until(stopped, "consumer stopped")
    assert await letters(bootstrap) == []


async def test_a_failing_handler_is_tried_again_and_skips_nothing(
    bootstrap: str, heard_pool: Pool
) -> None:
    """What a handler raises rolls its batch back; the same events come again, none is dead."""
    tries: list[int] = []

    async def sometimes(connection: Connection, batch: Sequence[Received]) -> None:
        await write_down(connection, batch)
        tries.append(len(batch))
        if len(tries) < 3:
            raise RuntimeError("a bug")

    async with Sender(bootstrap, client_id="test") as sender:
        await sender.send([placed(number) for number in range(1, 6)])
    async with running(a_consumer(heard_pool, bootstrap, handle=sometimes).run):
        await until_handled(heard_pool, 5)
    assert len(tries) >= 3
    assert await handled(heard_pool) == [("key", number) for number in range(1, 6)]
    assert await letters(bootstrap) == []


async def test_outbox_rows_that_cannot_be_published(bootstrap: str, outbox_pool: Pool) -> None:
    """A row outside its closed schema dies with a reason and takes no seq; the others go out."""
    family = str(uuid4())
    whole = fact(family, 1)
    async with transaction(outbox_pool) as connection:
        await outbox.append(connection, TOKEN_LIFECYCLE, fact(family, 1))
        for topic, shard, members in (
            ("token-lifecycle", 0, {"family": family}),
            ("token-lifecycle", 0, {**whole.data.model_dump(mode="json"), "password": "x"}),
            ("token-lifecycle", 0, {**whole.data.model_dump(mode="json"), "sub": "x" * 2_000_000}),
            ("token-lifecycle", 99, whole.data.model_dump(mode="json")),
            ("no-such-topic", 0, whole.data.model_dump(mode="json")),
            ("issuer-activity", 0, whole.data.model_dump(mode="json")),
        ):
            await connection.execute(
                "INSERT INTO outbox (event_id, topic, shard, key, type, subject, correlation_id,"
                " occurred_at, data) VALUES ($1, $2, $3, 'key', $4, 's', 'c', now(), $5)",
                uuid4(),
                topic,
                shard,
                whole.data.event_type,
                members,
            )
        await outbox.append(connection, TOKEN_LIFECYCLE, fact(family, 2))
    async with running(a_relay(outbox_pool, bootstrap).run):
        await until_published(bootstrap, 6, DEAD_LETTER)
        await say(outbox_pool, fact(family, 3))
        await until_published(bootstrap, 3)
    assert [event.seq for event in await facts(bootstrap)] == [1, 2, 3]
    died = await letters(bootstrap)
    assert len(died) == 6
    assert not any("password" in each.reason and "x" in each.reason.split() for each in died)
