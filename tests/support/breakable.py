"""A system on servers of its own, which a test may take away; nothing is started again by itself
unless a test leaves the supervisor on."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from devstack.errors import DevstackError
from devstack.kafka import Kafka
from devstack.postgres import Postgres
from tests.support import kafka as kafka_parts
from tests.support import parts
from tests.support import postgres as postgres_parts
from tests.support.deadlines import until_sync
from tests.support.system import System, standing_on


@dataclass(frozen=True, slots=True)
class BreakableSystem(System):
    """A system whose servers are ours to stop and to kill."""

    broker: Kafka
    database: Postgres

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
def breakable() -> Iterator[BreakableSystem]:
    """Start PostgreSQL, Kafka and the whole system; end all of it, whatever is left of it."""
    with tempfile.TemporaryDirectory(prefix="revocast-breakable-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        real = parts.chosen() == parts.REAL
        database = Postgres(
            directory / "postgres", binaries=parts.system_postgres() if real else None
        )
        broker = Kafka(directory / "kafka")
        try:
            database.start()
            broker.start()
            postgres = postgres_parts.Server(database.dsn())
            kafka = kafka_parts.Server(broker.bootstrap)
            with standing_on(directory, postgres, kafka) as system:
                yield BreakableSystem(system.stack, system.demo, postgres, kafka, broker, database)
        except DevstackError as error:
            raise DevstackError(f"{error}; {broker.fate()}") from error
        finally:
            broker.stop()
            database.stop()
