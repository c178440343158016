import os
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from devstack.errors import DevstackError
from devstack.postgres import Postgres
from tests.support.deadlines import until


@pytest.fixture
def server(directory: Path) -> Iterator[Postgres]:
    """A server that runs."""
    postgres = Postgres(directory / "postgres")
    postgres.start()
    yield postgres
    postgres.stop()


async def ask(server: Postgres, statement: str) -> object:
    connection = await asyncpg.connect(server.dsn())
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def test_a_stop_keeps_data_and_address(server: Postgres) -> None:
    """After stop and start the same address leads to the same rows."""
    await ask(server, "CREATE TABLE kept AS SELECT 7 AS number")
    before = server.dsn()
    server.stop()
    server.start()
    assert server.dsn() == before
    assert await ask(server, "SELECT number FROM kept") == 7


async def test_a_crash_keeps_what_was_committed(server: Postgres) -> None:
    """After SIGKILL a committed row is still there."""
    await ask(server, "CREATE TABLE kept AS SELECT 7 AS number")
    server.kill()
    server.start()
    assert await ask(server, "SELECT number FROM kept") == 7


async def test_another_run_reuses_the_data(server: Postgres, directory: Path) -> None:
    """A second object on the same directory, as in a second run, has password and rows."""
    await ask(server, "CREATE TABLE kept AS SELECT 7 AS number")
    server.stop()
    again = Postgres(directory / "postgres")
    again.start()
    try:
        assert await ask(again, "SELECT number FROM kept") == 7
    finally:
        again.stop()


async def test_commits_are_on_disk(server: Postgres) -> None:
    """Neither fsync nor synchronous_commit is traded for speed."""
    assert await ask(server, "SHOW fsync") == "on"
    assert await ask(server, "SHOW synchronous_commit") == "on"


async def test_a_password_is_required(server: Postgres) -> None:
    """Whoever can reach the port still needs the password."""
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(server.dsn(password="not the password"))


def test_the_server_is_never_root(server: Postgres) -> None:
    """The server's process belongs to an unprivileged user, ours or another."""
    assert Path(f"/proc/{server.pid}").stat().st_uid != 0 or os.geteuid() != 0


def test_one_directory_has_one_owner(server: Postgres, directory: Path) -> None:
    """A second start on the same directory names the process that has it."""
    with pytest.raises(DevstackError, match=f"in use by process {os.getpid()}"):
        Postgres(directory / "postgres").start()


def test_a_port_in_use_is_one_clear_line(server: Postgres, directory: Path) -> None:
    """A chosen port that is taken is told with what to do, and nothing is left running."""
    with pytest.raises(DevstackError, match=r"port \d+ is in use.*REVOCAST_DATABASE_URL"):
        Postgres(directory / "other", port=server.port).start()
    assert not (directory / "other" / "pid").exists()


async def test_a_dead_server_is_not_alive(server: Postgres) -> None:
    """A crash that we did not cause is noticed."""
    os.kill(server.pid, 9)
    await until(lambda: not server.alive())
    server.start()
    assert await ask(server, "SELECT 1") == 1
