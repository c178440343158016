"""A system on servers of its own, which a test may take away; nothing is started again by itself
unless a test leaves the supervisor on."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from devstack.kafka import Kafka
from devstack.postgres import Postgres
from tests.support import kafka as kafka_parts
from tests.support import parts
from tests.support import postgres as postgres_parts
from tests.support.deadlines import until_sync
from tests.support.kafka_cluster import cluster
from tests.support.small_disk import SmallDisk, small_disk
from tests.support.system import System, standing_on


@dataclass(frozen=True, slots=True)
class BreakableSystem(System):
    """A system whose servers are ours to stop and to kill. `broker` is the first of `brokers`.

    `disk` is PostgreSQL's, where it got one that can be filled.
    """

    broker: Kafka
    database: Postgres
    brokers: tuple[Kafka, ...]
    disk: SmallDisk | None

    def unsupervised(self) -> None:
        """From here on a service that was ended stays down until the test starts it."""
        self.stack.leave_alone()

    def pids(self) -> dict[str, int]:
        """Process id by service: they change when somebody had to start one again."""
        return {name: service.pid for name, service in self.stack.services.items()}

    def readiness(self, service: str) -> tuple[int, dict[str, Any]]:
        """Status and body of `/readyz`; 0 and nothing when the service is down."""
        try:
            answer = httpx.get(f"{self.stack.urls[service]}/readyz", timeout=5)
        except httpx.HTTPError:
            return 0, {}
        return answer.status_code, answer.json()

    def unready(self) -> dict[str, Any]:
        """Why not, by service, for all that are not ready."""
        asked = {name: self.readiness(name) for name in self.stack.services}
        return {name: body for name, (status, body) in asked.items() if status != 200}

    def troubled(self) -> dict[str, Any]:
        """What it says, by service, for all that are not ready or tell of a check that failed."""
        asked = {name: self.readiness(name) for name in self.stack.services}
        return {
            name: body
            for name, (status, body) in asked.items()
            if status != 200 or {*body.get("checks", {}).values()} - {"ok"}
        }

    def wait_until_ready(self, *services: str, seconds: float = 60) -> None:
        """Wait until these services, or all, say that they can serve and lack nothing."""
        wanted = set(services or self.stack.services)
        until_sync(lambda: not wanted & self.troubled().keys(), seconds=seconds)


@contextmanager
def breakable(brokers: int = 1, *, disk_mb: int = 0) -> Iterator[BreakableSystem]:
    """Start PostgreSQL, Kafka and the whole system; end all of it, whatever is left of it."""
    with ExitStack() as stack:
        directory = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="revocast-breakable-"))
        )
        directory.chmod(0o755)
        place = directory / "postgres"
        # Its data; its pid file and log are ours, and have space.
        disk = stack.enter_context(small_disk(place / "server", disk_mb)) if disk_mb else None
        database = _postgres(place, small=disk is not None)
        stack.callback(database.stop)
        database.start()
        postgres = postgres_parts.Server(database.dsn())
        nodes = stack.enter_context(cluster(directory / "kafka", brokers))
        kafka = kafka_parts.Server(",".join(node.bootstrap for node in nodes))
        settings = {"REVOCAST_KAFKA_REPLICATION": str(brokers)}
        system = stack.enter_context(standing_on(directory, postgres, kafka, settings))
        yield BreakableSystem(
            system.stack, system.demo, postgres, kafka, nodes[0], database, nodes, disk
        )


def _postgres(place: Path, *, small: bool) -> Postgres:
    real = parts.chosen() == parts.REAL
    return Postgres(
        place,
        binaries=parts.system_postgres() if real else None,
        settings={"max_wal_size": "64MB", "min_wal_size": "32MB"} if small else None,
    )
