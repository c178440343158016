"""The whole system on a Kafka that asks who you are, every process under a name of its own."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support import kafka as kafka_parts
from tests.support import postgres as postgres_parts
from tests.support.guarded_kafka import GuardedKafka, guarded_kafka
from tests.support.system import System, standing_on


@dataclass(frozen=True, slots=True)
class Guarded:
    """The system, and the broker that guards what it says."""

    system: System
    kafka: GuardedKafka


@contextmanager
def guarded_system() -> Iterator[Guarded]:
    """Start it with the grants that we print and no others; stop it."""
    with tempfile.TemporaryDirectory(prefix="revocast-guarded-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        with (
            postgres_parts.server(directory / "postgres") as postgres,
            guarded_kafka(directory) as kafka,
        ):
            postgres_parts.apart(kafka.grant())
            server = kafka_parts.Server(kafka.bootstrap)
            with standing_on(directory, postgres, server, kafka.environment()) as system:
                yield Guarded(system, kafka)
