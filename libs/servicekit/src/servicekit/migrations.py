"""Numbered SQL files, each applied once, in one transaction, under one lock."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import asyncpg

LOCK = 7381520001
"""Advisory lock: two processes that migrate at once take turns."""


class MigrationError(Exception):
    """A file that was applied has changed since, or two files have one number."""


async def migrate(dsn: str, *directories: Path) -> list[str]:
    """Apply what was not applied yet, in order of number; the names of what was applied.

    Raises:
        MigrationError: an applied file has changed, or numbers clash.
        asyncpg.PostgresError: a file failed; nothing of it was kept.
    """
    migrations = _read(directories)
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_migration (name text PRIMARY KEY,"
            " sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT clock_timestamp())"
        )
        rows = await connection.fetch("SELECT name, sha256 FROM schema_migration")
        known = {row["name"]: row["sha256"] for row in rows}
        return [each.name for each in migrations if await _apply(connection, each, known)]
    finally:
        await connection.close()


@dataclass(frozen=True, slots=True)
class _Migration:
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def _read(directories: tuple[Path, ...]) -> list[_Migration]:
    files = [file for directory in directories for file in directory.glob("[0-9]*_*.sql")]
    numbers = [file.name.split("_")[0] for file in files]
    if len(set(numbers)) != len(numbers):
        raise MigrationError(f"two migrations have one number: {sorted(f.name for f in files)}")
    return sorted((_Migration(file.name, file.read_text()) for file in files), key=_name)


def _name(migration: _Migration) -> str:
    return migration.name


async def _apply(
    connection: "asyncpg.Connection[asyncpg.Record]", migration: _Migration, known: dict[str, str]
) -> bool:
    if migration.name in known:
        if known[migration.name] != migration.sha256:
            raise MigrationError(f"{migration.name} has changed since it was applied: add a file")
        return False
    async with connection.transaction():
        await connection.execute(migration.sql)
        await connection.execute(
            "INSERT INTO schema_migration (name, sha256) VALUES ($1, $2)",
            migration.name,
            migration.sha256,
        )
    return True
