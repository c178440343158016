"""REVOCAST_TEST_WRITE_PRIVILEGES=1 writes the tables anew, for a change that is meant."""

import os
from pathlib import Path

import asyncpg
import pytest

from servicekit.postgres import create_pool
from tests.support.postgres import ROLES, Server
from tests.support.privileges import matrix

SERVICES = ("issuer", "revocation", "audit")


@pytest.mark.parametrize("service", SERVICES)
async def test_nobody_has_a_right_that_is_not_listed(postgres: Server, service: str) -> None:
    """All rights of all roles on all tables, columns, sequences, functions and schemas."""
    with postgres.database(template=postgres.migrated(service)) as dsn:
        pool = await create_pool(dsn, size=1, application_name="test")
        try:
            found = await matrix(pool)
        finally:
            await pool.close()
    expected = Path(__file__).with_name(f"{service}.txt")
    if os.environ.get("REVOCAST_TEST_WRITE_PRIVILEGES"):
        expected.write_text("\n".join(found) + "\n")
    assert found == expected.read_text().splitlines()


@pytest.mark.parametrize("service", SERVICES)
async def test_a_new_grant_is_noticed(postgres: Server, service: str) -> None:
    """The comparison sees one column of one table, and a function that everybody may call."""
    with postgres.database(template=postgres.migrated(service)) as dsn:
        pool = await create_pool(dsn, size=1, application_name="test")
        try:
            before = await matrix(pool)
            await pool.execute("GRANT UPDATE (sha256) ON schema_migration TO revocast_audit_reader")
            await pool.execute("CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'")
            found = set(await matrix(pool)) - set(before)
        finally:
            await pool.close()
    assert "revocast_audit_reader table schema_migration: UPDATE of sha256" in found
    assert "public function mine: EXECUTE" in found


async def test_no_role_is_more_than_a_login(postgres: Server) -> None:
    """None is superuser, owner of anything, member of anything, or may make roles or databases."""
    connection = await asyncpg.connect(postgres.dsn)
    try:
        rows = await connection.fetch(
            "SELECT rolname FROM pg_roles r WHERE rolname = ANY ($1) AND (rolsuper OR rolcreatedb"
            " OR rolcreaterole OR rolreplication OR rolbypassrls"
            " OR EXISTS (SELECT FROM pg_auth_members WHERE member = r.oid)"
            " OR EXISTS (SELECT FROM pg_class WHERE relowner = r.oid)"
            " OR EXISTS (SELECT FROM pg_database WHERE datdba = r.oid))",
            list(ROLES),
        )
        known = await connection.fetchval(
            "SELECT count(*) FROM pg_roles WHERE rolname = ANY ($1) AND rolcanlogin", list(ROLES)
        )
    finally:
        await connection.close()
    assert (list(rows), known) == ([], len(ROLES))
