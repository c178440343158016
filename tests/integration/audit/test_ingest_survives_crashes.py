import itertools
import json
import random
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

from audit.domain.search import Order, Search
from audit.store import records
from messaging.consume import Received
from revocast_contracts import codec
from revocast_contracts.lifecycle import EndCause
from revocast_contracts.topics import DEAD_LETTER, ISSUER_ACTIVITY, TOKEN_LIFECYCLE, Topic
from servicekit.postgres import Pool
from tests.support.audit import Story, as_received, indexes
from tests.support.audit_log import make_anew, own_topic, until, write, writer
from tests.support.kafka import Server as Kafka

INGEST = Path(__file__).parent / "ingest.py"


@contextmanager
def _ingest(
    dsn: str, kafka: Kafka, *topics: Topic, group: str, dies: float = 0.0
) -> Iterator[subprocess.Popen[bytes]]:
    names = [f"{topic.noun}:{topic.partitions}" for topic in topics]
    process = subprocess.Popen(
        [sys.executable, str(INGEST), dsn, kafka.bootstrap, group, str(dies), *names],
        stdout=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _count(pool: Pool, wanted: int) -> Callable[[], Awaitable[bool]]:
    async def reached() -> bool:
        count: int = await pool.fetchval("SELECT count(*) FROM record")
        assert count <= wanted
        return count == wanted

    return reached


def _interleaved(stories: list[Story], rounds: int) -> list[Received]:
    """Events of many families, each family's in order, with the seq of its shard."""
    told = [story.started() for story in stories]
    for n in range(2, rounds + 1):
        told += [story.rotated(n) for story in random.sample(stories, len(stories))]
    seqs: dict[int, Iterator[int]] = {}
    placed = []
    for one in told:
        seq = next(seqs.setdefault(one.event.shard, itertools.count(1)))
        placed.append(as_received(codec.encode(one.event.model_copy(update={"seq": seq}))))
    return placed


async def _check(pool: Pool, stories: list[Story], told: list[Received]) -> None:
    assert await indexes(pool) == list(range(len(told)))
    for story in stories:
        search = Search(family=story.family, order=Order.OLDEST)
        async with pool.acquire() as connection:
            found = await records.search(connection, search, limit=1000)
        wanted = [one.raw for one in told if story.family.encode() in one.raw]
        assert [one.event for one in found] == wanted


async def test_a_crash_at_any_moment_loses_and_doubles_nothing(
    audit_database: str, pool: Pool, kafka: Kafka
) -> None:
    """Killed over and over, between COPY and COMMIT and anywhere else, the log is as if it had
    never been: every event once, dense, each family in order."""
    topic = await own_topic(kafka.bootstrap, TOKEN_LIFECYCLE)
    stories = [Story() for _ in range(40)]
    told = _interleaved(stories, 60)
    waves = [told[n : n + 480] for n in range(0, len(told), 480)]
    killed, group = 0, token_hex(4)
    async with writer(kafka.bootstrap) as producer:
        for n, wave in enumerate(waves):
            await write(producer, topic, wave)
            with _ingest(audit_database, kafka, topic, group=group, dies=n % 2) as process:
                await until(_ended_or_recorded(process, pool))
                killed += process.poll() is not None
    with _ingest(audit_database, kafka, topic, group=group):
        await until(_count(pool, len(told)))
    assert killed == len(waves) // 2
    await _check(pool, stories, told)


def _ended_or_recorded(
    process: subprocess.Popen[bytes], pool: Pool
) -> Callable[[], Awaitable[bool]]:
    """Whether it died by itself, or something was recorded: then the caller kills it, anywhere."""
    before: list[int] = []

    async def reached() -> bool:
        count: int = await pool.fetchval("SELECT next_index FROM log_head")
        before.append(count)
        return process.poll() is not None or count > before[0]

    return reached


async def test_many_processes_at_once_record_once(
    audit_database: str, pool: Pool, kafka: Kafka
) -> None:
    """Three processes that all read every partition, each from the beginning, write one log."""
    topic = await own_topic(kafka.bootstrap, TOKEN_LIFECYCLE)
    stories = [Story() for _ in range(30)]
    told = _interleaved(stories, 40)
    async with writer(kafka.bootstrap) as producer:
        with (
            _ingest(audit_database, kafka, topic, group=token_hex(4)),
            _ingest(audit_database, kafka, topic, group=token_hex(4)),
            _ingest(audit_database, kafka, topic, group=token_hex(4)),
        ):
            for n in range(0, len(told), 200):
                await write(producer, topic, told[n : n + 200])
            await until(_count(pool, len(told)))
    await _check(pool, stories, told)


async def test_what_nobody_can_read_is_set_aside_and_the_rest_goes_on(
    audit_database: str, pool: Pool, kafka: Kafka
) -> None:
    """Poison becomes a dead letter with its reason, recorded like any event; its partition goes
    on, and recording the letter a second time does nothing."""
    topic = await own_topic(kafka.bootstrap, ISSUER_ACTIVITY)
    story = Story()
    started, ended = story.started(), story.ended(EndCause.LOGOUT)
    broken = json.loads(story.rotated(2).raw)
    del broken["data"]["generation"]
    poison = [b"\xff\x00", b"{", b"[]", b"{}", b"", json.dumps(broken).encode()]
    mine = "SELECT count(*) FROM record WHERE topic = $1"
    async with writer(kafka.bootstrap) as producer:
        partition = started.event.shard % topic.partitions
        for raw in (started.raw, *poison, ended.raw):
            await producer.send_and_wait(topic.name, raw, partition=partition)
    letters = (
        "SELECT event FROM record WHERE topic = $1 AND strpos(convert_from(event, 'UTF8'), $2) > 0"
    )

    async def recorded() -> bool:
        found = await pool.fetch(letters, DEAD_LETTER.name, topic.name)
        return len(found) >= len(poison) and await pool.fetchval(mine, topic.name) == 2

    with _ingest(audit_database, kafka, topic, DEAD_LETTER, group=token_hex(4)):
        await until(recorded)
    found = await pool.fetch(letters, DEAD_LETTER.name, topic.name)
    assert len(found) == len(poison)
    data = [json.loads(row["event"])["data"] for row in found]
    assert all(one["reason"] and len(one["sha256"]) == 64 for one in data)
    assert any("generation" in one["reason"] for one in data)
    assert not any("original" in one for one in data)


async def test_a_topic_made_anew_and_filled_again_is_recorded_once(
    audit_database: str, pool: Pool, kafka: Kafka
) -> None:
    """When a topic is lost and its writer republishes from its outbox, what was recorded stays
    as it was, and what is new comes after it."""
    topic = await own_topic(kafka.bootstrap, TOKEN_LIFECYCLE)
    stories = [Story() for _ in range(10)]
    told = _interleaved(stories, 20)
    half = len(told) // 2
    async with writer(kafka.bootstrap) as producer:
        await write(producer, topic, told[:half])
    group = token_hex(4)
    with _ingest(audit_database, kafka, topic, group=group):
        await until(_count(pool, half))
    await make_anew(kafka.bootstrap, topic)
    again = [
        as_received(codec.encode(one.event.model_copy(update={"epoch": 2}))) for one in told[half:]
    ]
    async with writer(kafka.bootstrap) as producer:
        await write(producer, topic, told[half // 2 : half] + again)
    with _ingest(audit_database, kafka, topic, group=group):
        await until(_count(pool, len(told)))
    await _check(pool, stories, told[:half] + again)
