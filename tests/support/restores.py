"""A database that is copied, used on, and put back: what a restore from a backup leaves."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.support import postgres as postgres_parts


@dataclass(frozen=True, slots=True)
class Restorable:
    """A database under one name; whoever is connected while it is copied or put back is cut off."""

    server: postgres_parts.Server
    dsn: str

    @property
    def name(self) -> str:
        """The database's name."""
        return self.dsn.rpartition("/")[2].partition("?")[0]

    def back_up(self) -> None:
        """Keep the data as they are at this moment."""
        with self._nobody_connected():
            self.server.execute(f"DROP DATABASE IF EXISTS {self.name}_backup")
            self.server.execute(f"CREATE DATABASE {self.name}_backup TEMPLATE {self.name}")

    def restore(self) -> None:
        """Put the kept data in the place of today's, which are gone."""
        gone = f"gone_{secrets.token_hex(6)}"
        with self._nobody_connected():
            self.server.execute(f"ALTER DATABASE {self.name} RENAME TO {gone}")
            self.server.execute(f"CREATE DATABASE {self.name} TEMPLATE {self.name}_backup")
        self.server.execute(f"DROP DATABASE {gone} WITH (FORCE)")

    @contextmanager
    def _nobody_connected(self) -> Iterator[None]:
        self.server.execute(f"ALTER DATABASE {self.name} ALLOW_CONNECTIONS false")
        self.server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"  # noqa: S608 -- our name
            f" WHERE datname = '{self.name}' AND pid <> pg_backend_pid()"
        )
        yield
        self.server.execute(f"ALTER DATABASE {self.name} ALLOW_CONNECTIONS true")


@contextmanager
def restorable(server: postgres_parts.Server, dsn: str) -> Iterator[Restorable]:
    """A database of a test's, with the backups that it makes."""
    database = Restorable(server, dsn)
    try:
        yield database
    finally:
        server.execute(f"DROP DATABASE IF EXISTS {database.name}_backup")
