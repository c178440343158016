"""PostgreSQL and Kafka of a stack: embedded ones, or those that the environment names."""

import contextlib
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from devstack.databases import address, ensure_databases
from devstack.errors import DevstackError
from devstack.kafka import Kafka
from devstack.keys import Secrets
from devstack.postgres import Postgres
from devstack.progress import Progress
from devstack.settings import ROLES, WITH_DATABASE


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

    def look(self) -> None:
        """See that a given server is there.

        Raises:
            DevstackError: nothing answers.
        """
        if self._given:
            _look("PostgreSQL", "REVOCAST_DATABASE_URL", [urlsplit(self._given)], 5432)

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
            passwords = {f"revocast_{name}": self._password(name) for name in ROLES}
            databases = {f"revocast_{name}": f"revocast_{of}" for name, of in ROLES.items()}
            ensure_databases(owner, passwords, databases)
            for name in ROLES:
                role = f"revocast_{name}"
                dsn = address(owner, databases[role], user=role, password=passwords[role])
                self._secrets.write(f"{name.replace('_', '-')}-database-url", dsn)
            for name in WITH_DATABASE:
                dsn = address(owner, f"revocast_{name}")
                self._secrets.write(f"{name}-migration-database-url", dsn)

    def _password(self, name: str) -> str:
        return self._secrets.read(f"{name.replace('_', '-')}-database-password")


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

    def look(self) -> None:
        """See that a given one is there.

        Raises:
            DevstackError: nothing answers.
        """
        if self._given:
            places = [urlsplit(f"//{place.strip()}") for place in self._given.split(",")]
            _look("Kafka", "REVOCAST_KAFKA_BOOTSTRAP", places, 9092)

    def start(self, progress: Progress) -> None:
        """Start it if it is ours.

        Raises:
            DevstackError: one line that says what to do.
        """
        if self.server is None:
            return
        with progress.step("Apache Kafka") as step:
            self.server.progress = lambda done, total: step.detail(
                f"fetching jars, {done} of {total}" if done < total else "starting"
            )
            self.server.start()


def _look(what: str, variable: str, places: Sequence[SplitResult], port: int) -> None:
    for place in places:
        with contextlib.suppress(OSError, ValueError):
            socket.create_connection((place.hostname or "", place.port or port), 5).close()
            return
    named = ",".join(place.netloc.rpartition("@")[2] for place in places)
    raise DevstackError(
        f"no {what} answers at {named} ({variable}): start it, or unset the variable to use the "
        "embedded one"
    )
