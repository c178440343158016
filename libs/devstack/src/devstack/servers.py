"""PostgreSQL and Kafka of a stack: embedded ones, or those that the environment names."""

import contextlib
import socket
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from devstack.databases import address, ensure_databases
from devstack.errors import DevstackError
from devstack.kafka import Kafka
from devstack.keys import Secrets
from devstack.postgres import Postgres
from devstack.progress import Progress
from devstack.settings import WITH_DATABASE


class Database:
    """A PostgreSQL server with a database and a role for each service."""

    def __init__(self, directory: Path, secrets: Secrets, environment: Mapping[str, str]) -> None:
        self._given = environment.get("REVOCAST_DATABASE_URL")
        self._secrets = secrets
        self.server: Postgres | None = None
        if not self._given:
            self.server = Postgres(
                directory / "postgres",
                password=secrets.read("postgres-password"),
                log=directory / "logs" / "postgres.log",
            )

    def start(self, progress: Progress) -> None:
        """Start it if it is ours; make databases and roles; write their addresses to the secrets.

        Raises:
            DevstackError: one line that says what to do.
        """
        with progress.step("PostgreSQL" if self.server else "PostgreSQL of REVOCAST_DATABASE_URL"):
            owner = self._given or ""
            if self.server is not None:
                self.server.start()
                owner = self.server.dsn()
            roles = {f"revocast_{name}": self._password(name) for name in WITH_DATABASE}
            ensure_databases(owner, roles)
            for name in WITH_DATABASE:
                role = f"revocast_{name}"
                dsn = address(owner, role, user=role, password=roles[role])
                self._secrets.write(f"{name}-database-url", dsn)
                self._secrets.write(f"{name}-migration-database-url", address(owner, role))

    def _password(self, name: str) -> str:
        return self._secrets.read(f"{name}-database-password")


class Log:
    """A Kafka."""

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self._given = environment.get("REVOCAST_KAFKA_BOOTSTRAP")
        self.server: Kafka | None = None
        if not self._given:
            self.server = Kafka(directory / "kafka", log=directory / "logs" / "kafka.log")

    @property
    def bootstrap(self) -> str:
        """`host:port[,host:port]`."""
        return self._given or (self.server.bootstrap if self.server else "")

    def start(self, progress: Progress) -> None:
        """Start it if it is ours, else see that it is there.

        Raises:
            DevstackError: one line that says what to do.
        """
        if self.server is None:
            self._look()
            return
        with progress.step("Apache Kafka") as step:
            self.server.progress = lambda done, total: step.detail(
                f"fetching jars, {done} of {total}" if done < total else "starting"
            )
            self.server.start()

    def _look(self) -> None:
        for place in self.bootstrap.split(","):
            parts = urlsplit(f"//{place.strip()}")
            with contextlib.suppress(OSError, ValueError):
                socket.create_connection((parts.hostname or "", parts.port or 9092), 5).close()
                return
        raise DevstackError(
            f"no Kafka answers at {self.bootstrap} (REVOCAST_KAFKA_BOOTSTRAP): start it, or unset "
            "the variable to use the embedded one"
        )
