import asyncio
import random

from messaging import positions
from messaging.positions import Position
from messaging.postgres import Pool
from servicekit.postgres import transaction
from tests.integration.messaging.support import (
    a_consumer,
    a_relay,
    fact,
    handled,
    process,
    running,
    say,
    until,
    until_handled,
)

KILLS, FACTS = 5, 3000


async def test_kills_at_random_moments(
    bootstrap: str, outbox_pool: Pool, heard: str, heard_pool: Pool
) -> None:
    """A consumer that is killed again and again handles each event once, each key in order."""
    chance = random.Random(7)  # noqa: S311 -- a test's dice
    relay = a_relay(outbox_pool, bootstrap)

    async def tell() -> None:
        for number in range(1, FACTS + 1, 10):
            await say(outbox_pool, *(fact(f"key {n % 7}", n) for n in range(number, number + 10)))
            relay.poke()
            await asyncio.sleep(0.01)

    async with running(relay.run):
        telling = asyncio.create_task(tell())
        for kill in range(KILLS):
            async with process("consumer_process", heard, bootstrap):
                await until_handled(heard_pool, 100 * (kill + 1) + chance.randrange(100))
        async with process("consumer_process", heard, bootstrap):
            await telling
            await until_handled(heard_pool, FACTS)
    arrived = await handled(heard_pool)
    for key in range(7):
        numbers = [number for name, number in arrived if name == f"key {key}"]
        assert numbers == [number for number in range(1, FACTS + 1) if number % 7 == key]


async def test_a_group_shares_the_work_while_members_come_and_go(
    bootstrap: str, outbox_pool: Pool, heard_pool: Pool
) -> None:
    """Two members share the partitions; one joins late and leaves early; each event counts once."""
    relay = a_relay(outbox_pool, bootstrap)
    first, second = (a_consumer(heard_pool, bootstrap) for _ in range(2))
    async with running(relay.run, first.run):
        await say(outbox_pool, *(fact(f"key {n % 7}", n) for n in range(1, 201)))
        await until_handled(heard_pool, 50)
        async with running(second.run):
            await say(outbox_pool, *(fact(f"key {n % 7}", n) for n in range(201, 401)))
            await until_handled(heard_pool, 400)
            await say(outbox_pool, *(fact(f"key {n % 7}", n) for n in range(401, 601)))
        await say(outbox_pool, *(fact(f"key {n % 7}", n) for n in range(601, 801)))
        await until_handled(heard_pool, 800)
    arrived = await handled(heard_pool)
    for key in range(7):
        numbers = [number for name, number in arrived if name == f"key {key}"]
        assert numbers == [number for number in range(1, 801) if number % 7 == key]


async def test_a_zombie_waits_and_finds_the_position_moved(heard_pool: Pool) -> None:
    """Of two members that hold one partition the second waits, and then sees what the first did."""
    place = ("topic", 0)
    before = Position(epoch=1, seq=4, next_offset=5, record_sha256=b"w")
    done = Position(epoch=1, seq=5, next_offset=6, record_sha256=b"x")
    async with transaction(heard_pool) as connection:
        await positions.hold(connection, "test", [place])
        await positions.save(connection, "test", {place: before})
    async with heard_pool.acquire() as one, heard_pool.acquire() as other:
        first, second = one.transaction(), other.transaction()
        await first.start()
        await second.start()
        await positions.hold(one, "test", [place])
        holding = asyncio.create_task(positions.hold(other, "test", [place]))

        async def waits() -> bool:
            waiting: int = await heard_pool.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                " AND datname = current_database()"
            )
            return waiting > 0

        await until(waits, "the second member waits")
        await positions.save(one, "test", {place: done})
        await first.commit()
        assert (await holding)[place] == done
        await second.rollback()
