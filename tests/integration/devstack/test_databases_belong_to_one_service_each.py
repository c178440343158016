import asyncpg
import pytest

from devstack.databases import address, ensure_databases
from tests.support.postgres import Server

PASSWORDS = {"revocast_test_a": "a/b@c:d e", "revocast_test_b": "another"}


async def test_a_role_enters_its_own_database_only(postgres: Server) -> None:
    """Each role gets a database of its name, with any password, and no other one."""
    ensure_databases(postgres.dsn, PASSWORDS)
    ensure_databases(postgres.dsn, PASSWORDS)
    try:
        for role, password in PASSWORDS.items():
            own = await asyncpg.connect(address(postgres.dsn, role, user=role, password=password))
            assert await own.fetchval("SELECT current_user") == role
            await own.close()
        role, password = next(iter(PASSWORDS.items()))
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(
                address(postgres.dsn, "revocast_test_b", user=role, password=password)
            )
    finally:
        for role in PASSWORDS:
            postgres.execute(f"DROP DATABASE {role}")
            postgres.execute(f"DROP ROLE {role}")
