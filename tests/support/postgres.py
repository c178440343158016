"""The PostgreSQL server of a test session, and fresh databases on it."""

import asyncio
import os
import secrets
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from devstack.postgres import Postgres
from servicekit.migrations import migrate
from tests.support import containers, parts

T = TypeVar("T")
IMAGE = "postgres:17"
ROLES = (
    "revocast_issuer",
    "revocast_issuer_admin",
    "revocast_revocation",
    "revocast_audit",
    "revocast_audit_reader",
)
CHECKOUT = Path(__file__).parents[2]
MESSAGING = CHECKOUT / "libs/messaging/src/messaging/migrations"


@dataclass
class Server:
    """A server on which databases come and go; `dsn` is its owner's."""

    dsn: str
    _templates: dict[str, str] = field(default_factory=dict)

    def address(self, database: str) -> str:
        """The DSN of one of its databases."""
        return urlunsplit(urlsplit(self.dsn)._replace(path=f"/{database}"))

    @contextmanager
    def database(self, *, template: str = "template0") -> Iterator[str]:
        """A new database while the context lasts; its DSN."""
        name = f"test_{secrets.token_hex(6)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield self.address(name)
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def migrated(self, service: str) -> str:
        """The name of a template that has the tables of a service; migrated once per session."""
        if service not in self._templates:
            name = f"template_{service}_{secrets.token_hex(4)}"
            self.execute(f"CREATE DATABASE {name} TEMPLATE template0")
            own = CHECKOUT / f"services/{service}/src/{service}/migrations"
            apart(migrate(self.address(name), MESSAGING, own))
            self._templates[service] = name
        return self._templates[service]

    def drop_templates(self) -> None:
        """Leave a server that is not ours as it was."""
        for name in self._templates.values():
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def execute(self, statement: str) -> None:
        """Run one statement as the owner."""
        execute(self.dsn, statement)


@contextmanager
def server(directory: Path) -> Iterator[Server]:
    """The server that REVOCAST_TEST_PARTS asks for."""
    with _started(directory) as dsn:
        found = Server(dsn)
        for role in ROLES:  # so that the migrations' GRANTs really run
            found.execute(
                "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles"
                f" WHERE rolname = '{role}') THEN CREATE ROLE {role} LOGIN; END IF; END $$"
            )
        yield found
        found.drop_templates()


def which() -> str:
    """In words, what `server` takes."""
    if parts.chosen() != parts.REAL:
        return "embedded PostgreSQL 18 (wheel)"
    if "REVOCAST_DATABASE_URL" in os.environ:
        return "PostgreSQL of REVOCAST_DATABASE_URL"
    if parts.image_can_be_had(IMAGE):
        return f"Docker image {IMAGE}"
    binaries = parts.system_postgres()
    return f"PostgreSQL of {binaries}" if binaries else "PostgreSQL 18 (wheel's binaries)"


@contextmanager
def _started(directory: Path) -> Iterator[str]:
    real = parts.chosen() == parts.REAL
    if real and "REVOCAST_DATABASE_URL" in os.environ:
        yield os.environ["REVOCAST_DATABASE_URL"]
        return
    if real and parts.image_can_be_had(IMAGE):
        with containers.postgres(IMAGE) as dsn:
            yield dsn
        return
    ours = Postgres(directory, binaries=parts.system_postgres() if real else None)
    ours.start()
    try:
        yield ours.dsn()
    finally:
        ours.stop()


def execute(dsn: str, statement: str) -> None:
    """Run one statement in a database."""
    apart(_execute(dsn, statement))


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def apart(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on a loop and thread of its own: fixtures here are plain ones."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()
