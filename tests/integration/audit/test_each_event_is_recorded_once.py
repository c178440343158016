import asyncio
import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from audit.domain.search import Order, Search
from audit.store import records
from audit.usecases.append_records import append_records
from revocast_contracts import codec
from revocast_contracts.lifecycle import EndCause, WatermarkPassed
from revocast_contracts.topics import DEAD_LETTER, ISSUER_ACTIVITY
from servicekit.postgres import Pool, transaction
from tests.support.audit import Story, a_letter, as_received, heard, indexes, record


async def test_an_event_that_comes_twice_is_recorded_once(pool: Pool) -> None:
    """A copy in the same batch, in a later one, and under a new epoch makes no second record."""
    story = Story()
    first, second = story.started(), story.rotated(2)
    again = first.event.model_copy(update={"epoch": 2, "seq": 9})
    await record(pool, first, first, second)
    await record(pool, second, first)
    await record(pool, as_received(codec.encode(again)))
    assert await indexes(pool) == [0, 1]


async def test_indexes_are_dense_whatever_is_left_out(pool: Pool) -> None:
    """Copies, watermarks and a transaction that fails leave no hole."""
    story = Story()
    first = story.started()
    passed = WatermarkPassed(source="token-lifecycle/0", complete_through=datetime.now(UTC))
    await record(pool, first, heard(passed), story.rotated(2))
    try:
        async with transaction(pool) as connection:
            await append_records(connection, [])
            await records.search(connection, Search(), limit=1)
            await connection.execute("UPDATE log_head SET next_index = next_index + 5")
            raise InterruptedError
    except InterruptedError:
        pass
    await record(pool, heard(passed), first)
    await record(pool, story.ended(EndCause.LOGOUT))
    assert await indexes(pool) == [0, 1, 2]


async def test_writers_at_the_same_time_share_one_row_of_indexes(pool: Pool) -> None:
    """Batches of many writers, with copies of one another, become one dense log in family order."""
    stories = [Story() for _ in range(6)]
    told = [[story.started(), *(story.rotated(n) for n in range(2, 30))] for story in stories]
    for k in range(0, 29, 5):
        await asyncio.gather(
            *(record(pool, mine[max(0, k - 2) : k + 5]) for mine in told),
            *(record(pool, mine[k : k + 5]) for mine in told),
        )
    assert await indexes(pool) == list(range(6 * 29))
    for story, mine in zip(stories, told, strict=True):
        async with pool.acquire() as connection:
            search = Search(family=story.family, order=Order.OLDEST)
            found = await records.search(connection, search, limit=100)
        assert [one.event for one in found] == [one.raw for one in mine]


async def test_the_very_bytes_are_kept(pool: Pool) -> None:
    """Whatever a writer's JSON looks like, its bytes are recorded unchanged."""
    raw = Story().started().raw.replace(b'{"specversion"', b'{ "extra" : 1.50,  "specversion"', 1)
    await record(pool, as_received(raw))
    assert await pool.fetchval("SELECT event FROM record") == raw


async def test_a_type_from_the_future_is_recorded_and_found(pool: Pool) -> None:
    """An unknown type needs no change here: its members are found like any other's."""
    story = Story()
    members = json.loads(story.started().raw)
    members["type"] = "revocast.token.bound.v7"
    await record(pool, as_received(json.dumps(members).encode(), ISSUER_ACTIVITY))
    async with pool.acquire() as connection:
        search = Search(family=story.family, type="revocast.token.bound.v7", client="web")
        (found,) = await records.search(connection, search, limit=10)
    assert (found.subject, found.session) == (story.sub, story.session)


async def test_of_a_dead_letter_reason_and_hash_are_kept_and_nothing_that_was_in_it(
    pool: Pool,
) -> None:
    """A dead letter's original is not recorded; sent again at another time, it is no second one."""
    letter_id = uuid4()
    await record(pool, a_letter(letter_id))
    await record(pool, a_letter(letter_id), a_letter(uuid4(), "another"))
    rows = await pool.fetch("SELECT event, topic FROM record ORDER BY index")
    first, second = (json.loads(row["event"])["data"] for row in rows)
    assert first["reason"] == "not JSON"
    assert first["sha256"] == "ab" * 32
    assert second["reason"] == "another"
    assert "original" not in first
    assert {row["topic"] for row in rows} == {DEAD_LETTER.name}


async def test_an_event_of_any_age_is_deduplicated(pool: Pool) -> None:
    """An event from before every month that has a partition is still recorded once."""
    story = Story(now=datetime.now(UTC) - timedelta(days=2000))
    old = story.started()
    await record(pool, old)
    await record(pool, old)
    assert await indexes(pool) == [0]
