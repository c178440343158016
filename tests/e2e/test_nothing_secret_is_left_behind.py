"""Promise 7 in the small: grep all that a story leaves for all that was secret in it."""

import io
import os
import secrets as random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from rich.console import Console

from cli import up
from cli.demo import Demo
from devstack.addresses import Ports
from devstack.progress import Progress
from devstack.stack import Stack
from revocast_contracts.topics import TOKEN_LIFECYCLE
from tests.support.kafka import Server as Kafka
from tests.support.leftovers import files, holding, logs, tables, topics
from tests.support.overheard import Overheard, kept, needles
from tests.support.postgres import Server as Postgres
from tests.support.postgres import apart
from tests.support.system import System

MUST_BE_READ = (
    *("logs/issuer.log", "logs/postgres.log", "logs/kafka.log", "jwks/sample_api.json"),
    *(
        "postgres/server/data/base/",
        "postgres/server/data/pg_wal/",
        f"kafka/data/{TOKEN_LIFECYCLE.name}-",
    ),
)
"""Beginnings of names; without one of them the search would have missed where it matters."""
PLANTED_IN = ("postgres/server/data/base/", "postgres/server/data/pg_wal/", "kafka/data/planted-")


def test_no_log_topic_or_database_holds_a_secret(system: System) -> None:
    """Neither in clear nor in part: not even a token's signature stands anywhere."""
    overheard = Overheard(system.demo)
    with overheard.client() as http, overheard.client() as browser:
        story = system.story(http)
        web, api = system.demo.clients["web"], system.demo.urls["sample_api"]
        first = story.sign_in(web, system.demo.user, "openid orders.read", api, browser)
        second = story.refresh(web, first)
        third = story.refresh(web, second)
        story.expect_invalid_grant(web, first["refresh_token"])
        story.wait_for_denial(third["access_token"], 0)
    assert len(overheard.secrets) > 20
    secrets = needles(overheard.secrets | kept(system.stack.directory / "secrets"))
    left = [*logs(system.stack.directory), *_decoded(system)]
    assert len(left) > 100
    assert _among(secrets, left) == set()


def test_the_grep_finds_what_is_there(system: System) -> None:
    """The same search finds an event's subject, so an empty result means something."""
    everything = _decoded(system)
    assert any("revocast.token.rotated.v1" in text for _, text in everything)
    assert any(where.startswith("revocast_issuer.family") for where, _ in everything)


def test_make_storys_whole_directory_holds_no_secret(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Every byte of every file, while it serves and after it ended; and all that it printed."""
    with tempfile.TemporaryDirectory(prefix="revocast-left-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        printed = io.StringIO()
        console = Console(file=printed, width=200)
        with _running(directory / ".revocast", console) as (stack, demo):
            overheard = Overheard(demo)
            assert up.play(stack, demo, console, client=overheard.client), printed.getvalue()
            secrets = needles(overheard.secrets | kept(stack.directory / "secrets"))
            while_it_serves = holding(secrets, stack.directory)
            decoded = _among(secrets, _decoded(_of(stack, demo)))
            planted = apart(_plant(_of(stack, demo)))
        names = [name for name, _ in files(stack.directory)]
        assert [each for each in MUST_BE_READ if not any(n.startswith(each) for n in names)] == []
        assert len(overheard.secrets) > 20
        found = holding({planted}, stack.directory)
        assert [p for p in PLANTED_IN if not any(n.startswith(p) for n in found)] == []
        assert (while_it_serves, holding(secrets, stack.directory), decoded) == (
            set(),
            set(),
            set(),
        )
    told = "".join([printed.getvalue(), *capfd.readouterr()])
    assert "story: ok" in told
    assert _among(secrets, [("stdout", told)]) == set()


@contextmanager
def _running(directory: Path, console: Console) -> Iterator[tuple[Stack, Demo]]:
    """As `make story`: our own servers, whatever the environment names."""
    directory.mkdir(mode=0o755)
    ours = {name: value for name, value in os.environ.items() if not name.startswith("REVOCAST_")}
    stack = Stack(directory, ports=Ports.free(), environment=ours, progress=Progress(console))
    with up.running(console, stack) as running:
        yield running


async def _plant(system: System) -> bytes:
    """A needle in a table and in a topic of its own, so that finding nothing means something."""
    needle = random.token_urlsafe(32)
    connection = await asyncpg.connect(system.postgres.address("revocast_issuer"))
    try:
        await connection.execute(f"CREATE TABLE planted AS SELECT '{needle}' AS needle")
    finally:
        await connection.close()
    admin = AIOKafkaAdminClient(bootstrap_servers=system.kafka.bootstrap)
    producer = AIOKafkaProducer(bootstrap_servers=system.kafka.bootstrap, acks="all")
    await admin.start()
    await producer.start()
    try:
        await admin.create_topics([NewTopic("planted", 1, 1)])
        await producer.send_and_wait("planted", needle.encode())
    finally:
        await producer.stop()
        await admin.close()
    return needle.encode()


def _of(stack: Stack, demo: Demo) -> System:
    assert stack.database is not None
    assert stack.database.server is not None
    return System(stack, demo, Postgres(stack.database.server.dsn()), Kafka(stack.kafka_bootstrap))


def _decoded(system: System) -> list[tuple[str, str]]:
    return [*apart(topics(system)), *apart(tables(system))]


def _among(needles: set[bytes], left: list[tuple[str, str]]) -> set[str]:
    texts = [(where, text.encode(errors="replace")) for where, text in left]
    return {where for where, text in texts if any(needle in text for needle in needles)}
