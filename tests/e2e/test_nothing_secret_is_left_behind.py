"""Promise 7 in the small: grep all that a story leaves for all that was secret in it."""

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition

from revocast_contracts.topics import TOPICS
from tests.support.postgres import apart
from tests.support.system import System

SECRET_MEMBERS = ("access_token", "refresh_token", "id_token")


class Overheard:
    """Every secret that went over the wire: tokens, codes, cookies, passwords, client secrets."""

    def __init__(self, system: System) -> None:
        demo = system.demo
        self.secrets = {demo.user.password, demo.operator.password}
        self.secrets |= {c.client_secret for c in demo.clients.values() if c.client_secret}

    def client(self) -> httpx.Client:
        """A client whose answers are listened to."""
        return httpx.Client(timeout=10, event_hooks={"response": [self._listen]})

    def _listen(self, response: httpx.Response) -> None:
        self.secrets |= set(response.cookies.values())
        query = parse_qs(urlsplit(response.headers.get("location", "")).query)
        self.secrets |= set(query.get("code", []))
        response.read()
        if response.headers.get("content-type", "").startswith("application/json"):
            body: Any = response.json()
            if isinstance(body, dict):
                self.secrets |= {body[name] for name in SECRET_MEMBERS if name in body}


def test_no_log_topic_or_database_holds_a_secret(system: System) -> None:
    """Neither in clear nor in part: not even a token's signature stands anywhere."""
    overheard = Overheard(system)
    with overheard.client() as http, overheard.client() as browser:
        story = system.story(http)
        web, api = system.demo.clients["web"], system.demo.urls["sample_api"]
        first = story.sign_in(web, system.demo.user, "openid orders.read", api, browser)
        second = story.refresh(web, first)
        third = story.refresh(web, second)
        story.expect_invalid_grant(web, first["refresh_token"])
        story.wait_for_denial(third["access_token"], 0)
    assert len(overheard.secrets) > 12
    left = [*_logs(system.stack.directory), *apart(_topics(system)), *apart(_tables(system))]
    assert len(left) > 100
    needles = {part for secret in overheard.secrets for part in _parts(secret)}
    found = {where for where, text in left for needle in needles if needle in text}
    assert found == set()


def test_the_grep_finds_what_is_there(system: System) -> None:
    """The same search finds an event's subject, so an empty result means something."""
    everything = apart(_topics(system)) + apart(_tables(system))
    assert any("revocast.token.rotated.v1" in text for _, text in everything)
    assert any(where.startswith("revocast_issuer.family") for where, _ in everything)


def _parts(secret: str) -> list[str]:
    """A secret and its long pieces between dots (a signature alone is a leak), also as hex."""
    pieces = [secret, *(part for part in secret.split(".") if len(part) >= 40)]
    return [*pieces, *(piece.encode().hex() for piece in pieces)]


def _logs(directory: Path) -> list[tuple[str, str]]:
    files = [file for file in (directory / "logs").rglob("*") if file.is_file()]
    assert files
    return [(file.name, file.read_text(errors="replace")) for file in files]


async def _topics(system: System) -> list[tuple[str, str]]:
    places = [
        TopicPartition(topic.name, partition)
        for topic in TOPICS
        for partition in range(topic.partitions)
    ]
    consumer = AIOKafkaConsumer(
        bootstrap_servers=system.kafka.bootstrap, group_id=None, auto_offset_reset="earliest"
    )
    await consumer.start()
    found: list[tuple[str, str]] = []
    try:
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        await consumer.seek_to_beginning(*places)
        async with asyncio.timeout(60):
            while any([await consumer.position(place) < ends[place] for place in places]):
                for place, records in (await consumer.getmany(timeout_ms=500)).items():
                    for record in records:
                        text = f"{record.key!r} {record.headers!r} {record.value!r}"
                        found.append((f"{place.topic}/{record.offset}", text))
    finally:
        await consumer.stop()
    return found


async def _tables(system: System) -> list[tuple[str, str]]:
    found = []
    for database in ("revocast_issuer", "revocast_revocation", "revocast_audit"):
        connection = await asyncpg.connect(system.postgres.address(database))
        try:
            tables = await connection.fetch(
                "SELECT quote_ident(relname) AS name FROM pg_class JOIN pg_namespace n"
                " ON n.oid = relnamespace WHERE relkind IN ('r', 'p') AND nspname = 'public'"
            )
            for table in tables:
                query = f"SELECT t::text AS row FROM {table['name']} t"  # noqa: S608 -- a catalogue name
                rows = await connection.fetch(query)
                found += [(f"{database}.{table['name']}", row["row"]) for row in rows]
        finally:
            await connection.close()
    return found
