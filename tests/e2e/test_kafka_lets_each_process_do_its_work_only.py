"""A Kafka with TLS, passwords and ACLs: the system works on the grants that we print, and no
process can write or read what is another's."""

from collections.abc import Iterator

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError

from messaging.clients import stop_consumer, stop_producer
from revocast_contracts.topics import (
    AUDIT_CHECKPOINTS,
    DEAD_LETTER,
    ISSUER_ACTIVITY,
    REVOCATIONS,
    SECURITY_SIGNALS,
    TOKEN_LIFECYCLE,
    TOPICS,
    Topic,
)
from tests.support.guarded_kafka import GuardedKafka
from tests.support.guarded_system import Guarded, guarded_system

WRITES = {
    "issuer": {TOKEN_LIFECYCLE, ISSUER_ACTIVITY, DEAD_LETTER},
    "revocation": {REVOCATIONS, SECURITY_SIGNALS, DEAD_LETTER},
    "audit": {AUDIT_CHECKPOINTS, DEAD_LETTER},
    "sample_api": set(),
}
READS = {
    "issuer": {TOKEN_LIFECYCLE, ISSUER_ACTIVITY, REVOCATIONS},
    "revocation": {TOKEN_LIFECYCLE, REVOCATIONS, SECURITY_SIGNALS},
    "audit": set(TOPICS),
    "sample_api": {REVOCATIONS},
}


@pytest.fixture(scope="module")
def guarded() -> Iterator[Guarded]:
    """The whole system on a guarded broker, every process under a name of its own."""
    with guarded_system() as guarded:
        yield guarded


def test_the_story_is_played_on_these_grants_alone(guarded: Guarded) -> None:
    """Every service is ready, a theft is denied and told: nothing that is needed is refused."""
    with httpx.Client(timeout=10) as http:
        figures = guarded.system.story(http).play()
    assert figures["reuse_to_denied_ms"] > 0


@pytest.mark.parametrize("name", WRITES)
async def test_nobody_writes_what_is_anothers(guarded: Guarded, name: str) -> None:
    """A stolen password of one process forges no other's events."""
    refused = {topic for topic in TOPICS if not await _may_write(guarded.kafka, name, topic)}
    assert refused == {*TOPICS} - WRITES[name]


@pytest.mark.parametrize("name", READS)
async def test_nobody_reads_what_is_not_for_it(guarded: Guarded, name: str) -> None:
    """A resource server learns what is revoked, not who signs in."""
    refused = {topic for topic in TOPICS if not await _may_read(guarded.kafka, name, topic)}
    assert refused == {*TOPICS} - READS[name]


async def test_nobody_is_let_in_with_another_password(guarded: Guarded) -> None:
    """The broker asks for it, and checks it."""
    security = {**guarded.kafka.security("issuer"), "sasl_plain_password": "wrong"}
    producer = AIOKafkaProducer(bootstrap_servers=guarded.kafka.bootstrap, **security)
    with pytest.raises(KafkaError):
        await producer.start()
    await producer.stop()


async def _may_write(kafka: GuardedKafka, name: str, topic: Topic) -> bool:
    """Try it with a record that nobody can read; the story is over."""
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka.bootstrap, request_timeout_ms=5000, **kafka.security(name)
    )
    await producer.start()
    try:
        await producer.send_and_wait(topic.name, key=b"a test", value=b"", partition=0)
    except TopicAuthorizationFailedError:
        return False
    finally:
        await stop_producer(producer)
    return True


async def _may_read(kafka: GuardedKafka, name: str, topic: Topic) -> bool:
    place = TopicPartition(topic.name, 0)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest", **kafka.security(name)
    )
    await consumer.start()
    try:
        if topic.name not in await consumer.topics():  # it may not even know that it exists
            return False
        consumer.assign([place])
        await consumer.seek_to_beginning(place)
        await consumer.getmany(place, timeout_ms=500)
    except TopicAuthorizationFailedError:
        return False
    finally:
        await stop_consumer(consumer)
    return True
