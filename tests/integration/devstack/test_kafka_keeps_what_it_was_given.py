import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from devstack.errors import DevstackError
from devstack.jars import kafka_jars, locked
from devstack.kafka import JARS, Kafka
from tests.support.deadlines import until_sync


@pytest.fixture
def server(directory: Path) -> Iterator[Kafka]:
    """A broker that runs."""
    kafka = Kafka(directory / "kafka")
    kafka.start()
    yield kafka
    kafka.stop()


async def write_one(bootstrap: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic("kept", num_partitions=1, replication_factor=1)])
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True)
    await producer.start()
    await producer.send_and_wait("kept", b"a record")
    await producer.stop()


async def read_one(bootstrap: str) -> bytes | None:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition("kept", 0)])
        value: bytes | None = (await consumer.getone()).value
        return value
    finally:
        await consumer.stop()


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_records_outlive_the_broker(server: Kafka, end: str) -> None:
    """After a stop as after SIGKILL the same address serves the same records."""
    await write_one(server.bootstrap)
    getattr(server, end)()
    server.start()
    assert await read_one(server.bootstrap) == b"a record"


def test_a_broker_that_somebody_killed_is_told_from_one_that_was_ended(server: Kafka) -> None:
    """A lost broker names the signal and its last words; one that we ended is no mystery."""
    assert server.fate() == "Apache Kafka runs"
    os.kill(server.pid, signal.SIGKILL)
    until_sync(lambda: not server.alive())
    assert server.fate().startswith("Apache Kafka ended by itself (status -9): ")
    server.stop()
    assert server.fate() == "Apache Kafka was ended"


async def test_another_run_reuses_the_data(server: Kafka, directory: Path) -> None:
    """A second object on the same directory serves the records on another port."""
    await write_one(server.bootstrap)
    server.stop()
    again = Kafka(directory / "kafka")
    again.start()
    try:
        assert await read_one(again.bootstrap) == b"a record"
    finally:
        again.stop()


def test_a_jar_that_is_not_the_locked_one_is_not_used(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A changed jar is fetched again, and without a network that is one clear line."""
    kafka_jars(JARS)
    jars = directory / "jars"
    shutil.copytree(JARS, jars)
    assert len(kafka_jars(jars)) == len(locked())
    (jars / locked()[0].file).write_bytes(b"something else")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with pytest.raises(DevstackError, match=r"cannot fetch .*REVOCAST_KAFKA_BOOTSTRAP"):
        kafka_jars(jars)
