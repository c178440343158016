"""The Kafka of a test session."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from devstack.kafka import Kafka
from tests.support import containers, parts

IMAGE = "apache/kafka:4.1.1"


@dataclass(frozen=True)
class Server:
    """A broker at `bootstrap` (`host:port`)."""

    bootstrap: str


@contextmanager
def server(directory: Path) -> Iterator[Server]:
    """The broker that REVOCAST_TEST_PARTS asks for."""
    real = parts.chosen() == parts.REAL
    if real and "REVOCAST_KAFKA_BOOTSTRAP" in os.environ:
        yield Server(os.environ["REVOCAST_KAFKA_BOOTSTRAP"])
        return
    if real and parts.image_can_be_had(IMAGE):
        with containers.kafka(IMAGE) as bootstrap:
            yield Server(bootstrap)
        return
    ours = Kafka(directory, heap_mb=1024 if real else 512)
    ours.start()
    try:
        yield Server(ours.bootstrap)
    finally:
        fate = ours.fate()
        lives = ours.alive()
        ours.stop()
        assert lives, fate


def which() -> str:
    """In words, what `server` takes."""
    if parts.chosen() != parts.REAL:
        return "embedded Apache Kafka 4.1.1 (jars)"
    if "REVOCAST_KAFKA_BOOTSTRAP" in os.environ:
        return "Kafka of REVOCAST_KAFKA_BOOTSTRAP"
    if parts.image_can_be_had(IMAGE):
        return f"Docker image {IMAGE}"
    return "Apache Kafka 4.1.1 (jars, started as a server)"
