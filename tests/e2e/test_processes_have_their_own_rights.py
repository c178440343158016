"""The running system, looked at from PostgreSQL: who is connected, what each password opens."""

from pathlib import Path

import asyncpg
import httpx
import pytest

from cli.story import Story
from devstack.settings import ROLES
from tests.support.postgres import apart
from tests.support.system import System

CONNECTED = {
    ("revocast_issuer", "revocast_issuer", "issuer"),
    ("revocast_revocation", "revocast_revocation", "revocation"),
    ("revocast_audit", "revocast_audit", "audit"),
    ("revocast_audit", "revocast_audit_reader", "audit reader"),
}
"""Database, role, and what the connection says it is."""

ROLE_NAMES = tuple(ROLES)


def test_each_process_is_connected_as_its_own_role(system: System) -> None:
    """The whole story happens on connections of these roles alone, and nothing is denied."""
    with httpx.Client(timeout=10) as http:
        Story(system.demo, lambda step: None, http).play()
    assert apart(_connected(system)) == CONNECTED
    logs = [file for file in (system.stack.directory / "logs").iterdir() if file.is_file()]
    assert {file.name for file in logs} >= {"issuer.log", "revocation.log", "audit.log"}
    for file in logs:
        text = file.read_text(errors="replace")
        assert "permission denied" not in text, file.name
        assert "InsufficientPrivilege" not in text, file.name


@pytest.mark.parametrize("name", ROLE_NAMES)
def test_a_password_opens_one_database(system: System, name: str) -> None:
    """With what a process has in its secrets, no other database opens, and nothing can be made."""
    secrets = system.stack.directory / "secrets"
    apart(_opens_one(secrets, name))


async def _connected(system: System) -> set[tuple[str, str, str]]:
    connection = await asyncpg.connect(system.postgres.dsn)
    try:
        rows = await connection.fetch(
            "SELECT DISTINCT datname, usename, application_name FROM pg_stat_activity"
            " WHERE backend_type = 'client backend'"
            " AND datname IN ('revocast_issuer', 'revocast_revocation', 'revocast_audit')"
        )
    finally:
        await connection.close()
    return {(row["datname"], row["usename"], row["application_name"]) for row in rows}


async def _opens_one(secrets: Path, name: str) -> None:
    dsn = (secrets / f"{name.replace('_', '-')}-database-url").read_text()
    own = f"revocast_{ROLES[name]}"
    connection = await asyncpg.connect(dsn)
    try:
        who = await connection.fetchrow("SELECT current_user, session_user, current_database()")
        assert who is not None
        assert tuple(who) == (f"revocast_{name}", f"revocast_{name}", own)
        for statement in ("CREATE TEMPORARY TABLE mine (a int)", "CREATE TABLE mine (a int)"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()
    for other in {f"revocast_{of}" for of in ROLES.values()} - {own}:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(f"{dsn.rpartition('/')[0]}/{other}")
