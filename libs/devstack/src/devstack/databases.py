"""One database and one login role per service on any PostgreSQL server; safe to repeat."""

import asyncio
import base64
import hashlib
import hmac
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from devstack.errors import DevstackError

SCRAM_ITERATIONS = 4096


def ensure_databases(
    owner_dsn: str, passwords: Mapping[str, str], databases: Mapping[str, str] | None = None
) -> None:
    """Create what is missing, and set the roles' passwords; `passwords` is by name of the role.

    `databases` says which database a role may enter, where it is not one of its own name; nobody
    else may, but the owner.

    Raises:
        DevstackError: the server cannot be reached, or the owner may not create them.
    """
    try:
        with ThreadPoolExecutor(1) as aside:  # the caller's thread may have a running loop
            aside.submit(asyncio.run, _ensure(owner_dsn, passwords, databases or {})).result()
    except OSError as error:
        raise DevstackError(
            f"no PostgreSQL answers at {_host(owner_dsn)} (REVOCAST_DATABASE_URL): start it, or "
            "unset the variable to use the embedded one"
        ) from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        why = (str(error) or type(error).__name__).splitlines()[0]
        raise DevstackError(
            f"PostgreSQL at {_host(owner_dsn)} does not let us make our databases: {why}; the user "
            "of REVOCAST_DATABASE_URL needs CREATEDB and CREATEROLE"
        ) from error


def address(owner_dsn: str, database: str, *, user: str | None = None, password: str = "") -> str:
    """The DSN of another database on the same server, for another user if given."""
    parts = urlsplit(owner_dsn)
    place = parts.netloc
    if user is not None:
        place = f"{quote(user, safe='')}:{quote(password, safe='')}@{_host(owner_dsn)}"
    return urlunsplit(parts._replace(netloc=place, path=f"/{database}"))


def _host(dsn: str) -> str:
    return urlsplit(dsn).netloc.rpartition("@")[2]


async def _ensure(
    owner_dsn: str, passwords: Mapping[str, str], databases: Mapping[str, str]
) -> None:
    connection = await asyncpg.connect(owner_dsn, timeout=10)
    try:
        for name, password in passwords.items():
            await _ensure_role(connection, name, password)
            await _ensure_database(connection, databases.get(name, name), role=name)
    finally:
        await connection.close()


async def _ensure_role(
    connection: "asyncpg.Connection[asyncpg.Record]", name: str, password: str
) -> None:
    known = await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", name)
    verb = "ALTER" if known else "CREATE"
    # A verifier, not the password: a failing statement is written to the server's log.
    await connection.execute(f"{verb} ROLE {name} LOGIN PASSWORD '{_verifier(password)}'")


async def _ensure_database(
    connection: "asyncpg.Connection[asyncpg.Record]", name: str, *, role: str
) -> None:
    if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", name):
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
    await connection.execute(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")
    await connection.execute(f"GRANT CONNECT ON DATABASE {name} TO {role}")


def _verifier(password: str) -> str:
    """What PostgreSQL stores of a password (RFC 5803's shape, SCRAM-SHA-256 of RFC 7677)."""
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, SCRAM_ITERATIONS)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    stored_key = base64.b64encode(hashlib.sha256(client_key).digest()).decode()
    server_key = base64.b64encode(hmac.digest(salted, b"Server Key", "sha256")).decode()
    encoded = base64.b64encode(salt).decode()
    return f"SCRAM-SHA-256${SCRAM_ITERATIONS}:{encoded}${stored_key}:{server_key}"
