"""What nobody can read is set aside with its reason, and what stands behind it still arrives."""

import json
from base64 import b64encode
from hashlib import sha256

import httpx
import pytest
from aiokafka import AIOKafkaProducer

from revocast_contracts.topics import TOKEN_LIFECYCLE
from tests.support.deadlines import until_sync
from tests.support.ledger import all_records
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
    _wait_for_cause(system, family)

    def letters() -> dict[str, dict[str, object]]:
        said = [record["event"]["data"] for record in all_records(system, type=LETTER)]
        place = (TOKEN_LIFECYCLE.name, partition, offset)
        return {
            data["consumer"]: data
            for data in said
            if (data["topic"], data["partition"], data["offset"]) == place
        }

    until_sync(lambda: set(letters()) == {"revocation", "audit"})
    for data in letters().values():
        assert data["reason"]
        assert data["sha256"] == sha256(poison).hexdigest()
        assert "original" not in data
    if poison:
        assert b64encode(poison).decode() not in json.dumps(all_records(system, type=LETTER))


LETTER = "revocast.letter.died.v1"


def _wait_for_cause(system: System, family: str) -> None:
    def causes() -> set[str]:
        return {record["type"] for record in all_records(system, family=family)}

    until_sync(lambda: "revocast.reuse.detected.v1" in causes())


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
