"""What nobody can read is set aside with its reason, and what stands behind it still arrives."""

import json
from hashlib import sha256
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaProducer

from revocast_contracts.dead_letters import LetterDied
from revocast_contracts.topics import DEAD_LETTER, TOKEN_LIFECYCLE
from tests.support.deadlines import until_sync
from tests.support.ledger import Auditor
from tests.support.postgres import apart
from tests.support.system import System
from tests.support.tokens import claims_of

ENVELOPE = {
    "specversion": "1.0",
    "id": "0197f0f4-0000-7000-8000-000000000001",
    "source": "issuer",
    "type": "revocast.token.rotated.v1",
    "subject": "nobody",
    "time": "2026-01-01T00:00:00Z",
    "correlationid": "test",
    "shard": 0,
    "epoch": 1,
    "seq": 9_000_000_000,
    "data": {"family": ["not", "a", "string"]},
}
CONSUMERS = {"revocation", "audit"}
POISON = {
    "no JSON at all": b"\xff\x00garbage <script>",
    "a rotation without a generation": json.dumps(ENVELOPE).encode(),
    "an empty value": b"",
}


@pytest.mark.parametrize("poison", POISON.values(), ids=POISON.keys())
def test_poison_is_set_aside_with_its_reason_and_the_partition_goes_on(
    system: System, poison: bytes
) -> None:
    """Both consumers write a letter, audit records it, and a theft behind it is still seen."""
    web, api = system.demo.clients["web"], system.demo.urls["sample_api"]
    with httpx.Client(timeout=10) as http, httpx.Client(timeout=10) as browser:
        story = system.story(http)
        first = story.sign_in(web, system.demo.user, "orders.read", api, browser)
        family = claims_of(first["access_token"])["family"]
        partition = TOKEN_LIFECYCLE.shard(family)
        offset = apart(_write(system, partition, poison))
        third = story.refresh(web, story.refresh(web, first))
        story.expect_invalid_grant(web, first["refresh_token"])
        story.wait_for_denial(third["access_token"], 0)
    auditor = Auditor(system)
    until_sync(lambda: "revocast.reuse.detected.v1" in _types(auditor.records(family=family)))
    place = (TOKEN_LIFECYCLE.name, partition, offset)
    until_sync(lambda: {each["consumer"] for each in _letters(auditor, place)} == CONSUMERS)
    letters = _letters(auditor, place)
    assert len(letters) == len(CONSUMERS)
    for letter in letters:
        assert letter["reason"]
        assert letter["sha256"] == sha256(poison).hexdigest()
        assert "original" not in letter
    told = (system.stack.directory / "logs/audit.log").read_text()
    assert told.count('"a dead letter"') >= len(letters)


def _types(records: list[dict[str, Any]]) -> set[str]:
    return {record["type"] for record in records}


def _letters(auditor: Auditor, place: tuple[str, int, int]) -> list[dict[str, Any]]:
    """What the audit has of the dead letters of one place on a topic."""
    records = auditor.records(type=LetterDied.event_type)
    assert all(record["topic"] == DEAD_LETTER.name for record in records)
    letters = [record["event"]["data"] for record in records]
    return [each for each in letters if (each["topic"], each["partition"], each["offset"]) == place]


async def _write(system: System, partition: int, value: bytes) -> int:
    producer = AIOKafkaProducer(bootstrap_servers=system.kafka.bootstrap)
    await producer.start()
    try:
        sent = await producer.send_and_wait(
            TOKEN_LIFECYCLE.name, value, key=b"poison", partition=partition
        )
        offset: int = sent.offset
        return offset
    finally:
        await producer.stop()
