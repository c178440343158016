"""Deletes what can't matter any more, some rows at a time; who holds a row keeps it for now."""

from datetime import timedelta

from issuer.domain.registration import LONGEST_REFRESH_LIFETIME
from revocast_contracts.lifetimes import REVOCATIONS_RETENTION
from servicekit.postgres import Connection

CODES_KEPT = timedelta(hours=24)
"""How long the replay of a code is told from a guess, and still ends its family."""

FAMILIES_KEPT = timedelta(days=1)
"""After a family's absolute expiry: until then reuse can be proven, and a day covers clocks."""

CUTS_KEPT = LONGEST_REFRESH_LIFETIME + timedelta(days=1)
"""Longer than any family lives, whatever its client's lifetimes were when it began."""

TOKEN_CUTS_KEPT = REVOCATIONS_RETENTION + timedelta(days=1)
"""One token's cut: longer than the token lives, and than the log can ask for its kill again."""


async def delete_old_codes(connection: Connection, *, limit: int) -> int:
    """Delete codes that were issued longer ago than `CODES_KEPT`; how many."""
    status = await connection.execute(
        """
        DELETE FROM authorization_code WHERE code_sha256 = ANY (ARRAY(
            SELECT code_sha256 FROM authorization_code
            WHERE issued_at < clock_timestamp() - $2::interval
            ORDER BY issued_at LIMIT $1 FOR UPDATE SKIP LOCKED))
        """,
        limit,
        CODES_KEPT,
    )
    return _count(status)


async def delete_dead_families(connection: Connection, *, limit: int) -> int:
    """Delete families whose absolute expiry passed `FAMILIES_KEPT` ago; how many."""
    status = await connection.execute(
        """
        DELETE FROM family WHERE id = ANY (ARRAY(
            SELECT id FROM family
            WHERE absolute_expires_at < clock_timestamp() - $2::interval
            ORDER BY absolute_expires_at LIMIT $1 FOR UPDATE SKIP LOCKED))
        """,
        limit,
        FAMILIES_KEPT,
    )
    return _count(status)


async def delete_old_cuts(connection: Connection, *, limit: int) -> int:
    """Delete cuts from before everything that is left alive; a lasting one stays. How many."""
    deleted: int = await connection.fetchval("SELECT forget_cuts($1, $2)", CUTS_KEPT, limit)
    return deleted


async def delete_old_token_cuts(connection: Connection, *, limit: int) -> int:
    """Delete the cuts of tokens that have expired; how many."""
    deleted: int = await connection.fetchval(
        "SELECT forget_token_cuts($1, $2)", TOKEN_CUTS_KEPT, limit
    )
    return deleted


def _count(status: str) -> int:
    return int(status.removeprefix("DELETE "))
