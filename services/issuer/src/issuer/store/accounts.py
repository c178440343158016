"""Accounts. A username belongs to at most one of them; callers pass it normalised."""

from uuid import UUID

import asyncpg

from issuer.domain.authorization import Account
from servicekit.postgres import Connection

_COLUMNS = "subject, username, password_hash, name, email, scopes, disabled"


async def add(connection: Connection, account: Account) -> bool:
    """Insert an account; False when its username is taken."""
    status = await connection.execute(
        "INSERT INTO account (subject, username, password_hash, name, email, scopes, disabled)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (username) DO NOTHING",
        account.subject,
        account.username,
        account.password_hash,
        account.name,
        account.email,
        sorted(account.scopes),
        account.disabled,
    )
    return status == "INSERT 0 1"


async def find(connection: Connection, subject: UUID) -> Account | None:
    """The account of a subject."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM account WHERE subject = $1",  # noqa: S608 -- constant columns
        subject,
    )
    return _account(row) if row else None


async def find_by_username(connection: Connection, username: str) -> Account | None:
    """The account of a normalised username."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM account WHERE username = $1",  # noqa: S608 -- constant columns
        username,
    )
    return _account(row) if row else None


async def hash_near(connection: Connection, place: UUID) -> str | None:
    """The password hash of the next account from a place in the order of subjects, which are
    random: somebody's, but always the same one's. None where there are no accounts."""
    found: str | None = await connection.fetchval(
        "SELECT coalesce("
        "(SELECT password_hash FROM account WHERE subject >= $1 ORDER BY subject LIMIT 1),"
        " (SELECT password_hash FROM account ORDER BY subject LIMIT 1))",
        place,
    )
    return found


async def hold_enabled(connection: Connection, account: Account) -> bool:
    """Lock the row; whether the account may still sign in with the password that was verified."""
    held: bool | None = await connection.fetchval(
        "SELECT true FROM account WHERE subject = $1 AND NOT disabled AND password_hash = $2"
        " FOR NO KEY UPDATE",
        account.subject,
        account.password_hash,
    )
    return held is True


async def set_password_hash(connection: Connection, subject: UUID, password_hash: str) -> None:
    """Replace the hash, for example by one made with today's parameters."""
    await connection.execute(
        "UPDATE account SET password_hash = $2 WHERE subject = $1", subject, password_hash
    )


def _account(row: asyncpg.Record) -> Account:
    return Account(**{**dict(row), "scopes": frozenset(row["scopes"])})
