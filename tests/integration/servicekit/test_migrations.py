import asyncio
from pathlib import Path

import asyncpg
import pytest

from servicekit.migrations import MigrationError, migrate


def put(directory: Path, name: str, sql: str) -> Path:
    directory.mkdir(exist_ok=True)
    (directory / name).write_text(sql)
    return directory


async def fetch(dsn: str, statement: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetch(statement)
    finally:
        await connection.close()


async def test_files_are_applied_once_in_order_of_number(database: str, tmp_path: Path) -> None:
    """Numbers order across directories; what was applied is not applied again."""
    shared = put(tmp_path / "shared", "0001_first.sql", "CREATE TABLE t (n int);")
    put(shared, "0003_third.sql", "INSERT INTO t VALUES (3);")
    own = put(
        tmp_path / "own", "0002_second.sql", "INSERT INTO t VALUES (1); INSERT INTO t VALUES (2);"
    )
    applied = await migrate(database, own, shared)
    assert applied == ["0001_first.sql", "0002_second.sql", "0003_third.sql"]
    assert await migrate(database, own, shared) == []
    assert [row["n"] for row in await fetch(database, "SELECT n FROM t")] == [1, 2, 3]


async def test_a_changed_file_is_refused(database: str, tmp_path: Path) -> None:
    """History is not rewritten, and nothing new is applied beside it."""
    directory = put(tmp_path / "d", "0001_first.sql", "CREATE TABLE t (n int)")
    await migrate(database, directory)
    put(directory, "0001_first.sql", "CREATE TABLE t (n bigint)")
    put(directory, "0002_second.sql", "CREATE TABLE u (n int)")
    with pytest.raises(MigrationError, match=r"0001_first\.sql has changed"):
        await migrate(database, directory)
    assert [row[0] for row in await fetch(database, "SELECT to_regclass('u')")] == [None]


async def test_a_file_that_fails_leaves_nothing(database: str, tmp_path: Path) -> None:
    """One transaction each: what stood before stays, what failed is gone and can be mended."""
    directory = put(tmp_path / "d", "0001_first.sql", "CREATE TABLE t (n int)")
    put(directory, "0002_second.sql", "CREATE TABLE u (n int); SELECT 1/0")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(database, directory)
    put(directory, "0002_second.sql", "CREATE TABLE u (n int)")
    assert await migrate(database, directory) == ["0002_second.sql"]


async def test_two_at_once_take_turns(database: str, tmp_path: Path) -> None:
    """Replicas that start together apply each file once."""
    directory = put(tmp_path / "d", "0001_first.sql", "CREATE TABLE t (n int)")
    applied = await asyncio.gather(*(migrate(database, directory) for _ in range(4)))
    assert sorted(applied) == [[], [], [], ["0001_first.sql"]]


async def test_a_newer_database_is_left_as_it_is(database: str, tmp_path: Path) -> None:
    """Code that was rolled back finds files applied that it does not have, and starts."""
    directory = put(tmp_path / "d", "0001_first.sql", "CREATE TABLE t (n int)")
    put(directory, "0002_second.sql", "CREATE TABLE u (n int)")
    await migrate(database, directory)
    (directory / "0002_second.sql").unlink()
    assert await migrate(database, directory) == []


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (["0001_a.sql", "0001_b.sql"], "one number"),
        (["1_a.sql"], "not called"),
        (["0001-a.sql"], "not called"),
        ([], "no migrations"),
    ],
)
async def test_wrong_files_are_refused(
    database: str, tmp_path: Path, names: list[str], why: str
) -> None:
    """Two of one number, another form of name or none at all: nothing is touched."""
    for name in names:
        put(tmp_path, name, "SELECT 1")
    with pytest.raises(MigrationError, match=why):
        await migrate(database, tmp_path)
    assert [row[0] for row in await fetch(database, "SELECT to_regclass('schema_migration')")] == [
        None
    ]


async def test_a_table_in_use_is_not_waited_for_long(database: str, tmp_path: Path) -> None:
    """Behind a waiting migration everybody waits: it fails instead, and nothing is kept."""
    directory = put(tmp_path / "d", "0001_first.sql", "CREATE TABLE t (n int)")
    await migrate(database, directory)
    put(directory, "0002_second.sql", "ALTER TABLE t ADD m int")
    connection = await asyncpg.connect(database)
    try:
        async with connection.transaction():
            await connection.execute("SELECT * FROM t")
            with pytest.raises(asyncpg.LockNotAvailableError):
                await migrate(database, directory, lock_timeout_ms=50)
    finally:
        await connection.close()
    assert await migrate(database, directory) == ["0002_second.sql"]
