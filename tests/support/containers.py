"""Servers in Docker, for the tests that ask for servers that are not ours."""

from collections.abc import Iterator
from contextlib import contextmanager

from testcontainers.community.postgres import PostgresContainer
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from tests.support.parts import image_can_be_had

PATIENCE_SECONDS = 120
KAFKA_SETTINGS = {
    "KAFKA_NODE_ID": "1",
    "KAFKA_PROCESS_ROLES": "broker,controller",
    "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
    "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
    "KAFKA_LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093",
    "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
    "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
    "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS": "3",
    "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
    "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
}
"""As the embedded broker's. Testcontainers' own class for Kafka knows Confluent's image only."""

TOLD = "/tmp/told"  # noqa: S108 -- the container's own
START_WHEN_TOLD = f"until [ -e {TOLD} ]; do sleep 0.1; done; . {TOLD}; exec /etc/kafka/docker/run"
"""A broker advertises the address by which it is reached; that is known when its container runs."""


@contextmanager
def kafka(image: str) -> Iterator[str]:
    """An `apache/kafka` broker; its `host:port` as seen from here."""
    _end_what_nobody_ends()
    container = DockerContainer(image)
    for name, value in KAFKA_SETTINGS.items():
        container.with_env(name, value)
    container.with_exposed_ports(9092).with_command(["bash", "-c", START_WHEN_TOLD])
    with container:
        bootstrap = f"{container.get_container_host_ip()}:{container.get_exposed_port(9092)}"
        told = f"echo export KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://{bootstrap} > {TOLD}"
        container.exec(["bash", "-c", f"{told}.new && mv {TOLD}.new {TOLD}"])
        started = LogMessageWaitStrategy("Kafka Server started")
        started.with_startup_timeout(PATIENCE_SECONDS).wait_until_ready(container)
        yield bootstrap


@contextmanager
def postgres(image: str) -> Iterator[str]:
    """A PostgreSQL server with as many connections as the embedded one; its superuser's DSN."""
    _end_what_nobody_ends()
    container = PostgresContainer(image, driver=None)
    container.with_command("postgres -c max_connections=200")
    with container:
        yield container.get_connection_url()


def _end_what_nobody_ends() -> None:
    """Leave killed sessions' containers to Testcontainers' reaper, if its image can be had."""
    if not testcontainers_config.ryuk_disabled:
        testcontainers_config.ryuk_disabled = not image_can_be_had(testcontainers_config.ryuk_image)
