"""Numbered SQL files, each applied once, in one transaction, under one lock."""

import hashlib
import re
from dataclasses import dataclass
from itertools import pairwise
from operator import attrgetter
from pathlib import Path
from typing import TypeAlias

import asyncpg

LOCK = 7381520001
"""Advisory lock: two processes that migrate at once take turns."""

LOCK_TIMEOUT_MS = 5_000
"""How long a file may wait for a table: everybody else waits behind it. It fails; run it again."""

_FILE_NAME = re.compile(r"\d{4}_[a-z0-9_]+\.sql")
_Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


class MigrationError(Exception):
    """An applied file has changed, two have one number, or one is not called NNNN_name.sql."""


async def migrate(
    dsn: str, *directories: Path, lock_timeout_ms: int = LOCK_TIMEOUT_MS
) -> list[str]:
    """Apply what was not applied yet, in order of number; the names of what was applied.

    A database that knows more files than we do is newer than this code and is left as it is.

    Raises:
        MigrationError: the files are wrong; nothing was applied.
        asyncpg.PostgresError: a file failed; nothing of it was kept, the ones before it were.
    """
    migrations = _read(directories)
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
        await connection.execute(f"SET lock_timeout = {lock_timeout_ms}")
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_migration (name text PRIMARY KEY,"
            " sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT clock_timestamp())"
        )
        pending = await _pending(connection, migrations)
        for each in pending:
            await _apply(connection, each)
        return [each.name for each in pending]
    finally:
        await connection.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Migration:
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def _read(directories: tuple[Path, ...]) -> list[_Migration]:
    found: list[_Migration] = []
    for directory in directories:
        files = sorted(directory.glob("*.sql"))
        if not files:  # a package that lost its files must not look like one without tables
            raise MigrationError(f"{directory} has no migrations")
        for file in files:
            if not _FILE_NAME.fullmatch(file.name):
                raise MigrationError(f"{file.name} is not called NNNN_name.sql")
            found.append(_Migration(name=file.name, sql=file.read_text("utf-8")))
    found.sort(key=attrgetter("name"))
    for one, other in pairwise(found):
        if one.name[:4] == other.name[:4]:
            raise MigrationError(f"{one.name} and {other.name} have one number")
    return found


async def _pending(connection: _Connection, migrations: list[_Migration]) -> list[_Migration]:
    rows = await connection.fetch("SELECT name, sha256 FROM schema_migration")
    applied: dict[str, str] = {row["name"]: row["sha256"] for row in rows}
    for each in migrations:
        if applied.get(each.name, each.sha256) != each.sha256:
            raise MigrationError(f"{each.name} has changed since it was applied: add a file")
    return [each for each in migrations if each.name not in applied]


async def _apply(connection: _Connection, migration: _Migration) -> None:
    async with connection.transaction():
        await connection.execute(migration.sql)
        await connection.execute(
            "INSERT INTO schema_migration (name, sha256) VALUES ($1, $2)",
            migration.name,
            migration.sha256,
        )
