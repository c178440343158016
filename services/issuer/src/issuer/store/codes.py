"""Authorization codes: single use, 60 seconds, stored as SHA-256 (RFC 6749 section 4.1.2)."""

import hashlib
import secrets
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from issuer.domain.authorization import AuthorizationRequest, Origin, Session
from issuer.domain.client import Client
from issuer.domain.outcomes import Refused
from issuer.store.database_clock import DatabaseClock
from revocast_contracts.topics import TOKEN_LIFECYCLE
from servicekit.postgres import Connection

LIFETIME_S = 60
"""Seconds a code lives: one redirect and one request take less (RFC 6749: at most 600)."""

MOST_LIVE_FAMILIES = 100
"""Of one person at one client; the oldest end. Nobody has so many devices: who gets there has a
client that throws its tokens away, and every family costs rows and events."""

PREFIX = "rvc_code_"


def code_sha256(code: str) -> bytes:
    """What the database knows of a code."""
    return hashlib.sha256(code.encode()).digest()


async def issue_code(
    connection: Connection,
    request: AuthorizationRequest,
    session: Session,
    *,
    scope: frozenset[str],
    subject_hash: str,
) -> str | Refused:
    """A new code for what was allowed, or a refusal when a cut came after the sign-in.

    The caller's transaction must hold the session's row, so that a logout can't slip in between.
    """
    code = PREFIX + secrets.token_urlsafe(32)
    outcome = await connection.fetchval(
        "SELECT issue_code($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        code_sha256(code),
        request.client_id,
        request.redirect_uri,
        request.redirect_uri_given,
        " ".join(sorted(scope)),
        request.resource,
        request.nonce,
        request.code_challenge,
        session.subject,
        subject_hash,
        session.session_id,
        session.auth_time,
        session.acr,
        LIFETIME_S,
    )
    return code if outcome == "issued" else Refused("signed in before a kill")


@dataclass(frozen=True, slots=True, kw_only=True)
class Redemption:
    """What became of a presented code; the code's own members are None when it is unknown."""

    outcome: str
    decided_at: datetime
    family_id: UUID
    subject: UUID
    session_id: UUID
    scope: str
    resource: str
    nonce: str | None
    auth_time: datetime
    acr: str
    retry_ms: int | None


async def redeem_code(
    connection: Connection,
    client: Client,
    *,
    code: str,
    redirect_uri: str | None,
    challenge: str | None,
    resource: str | None,
    family: UUID,
    salt: bytes,
    key_id: str,
    refreshable: bool,
    jti_hash: str,
    origin: Origin,
    correlation_id: str,
    clock: DatabaseClock,
) -> Redemption:
    """Exchange a code for a family, or say why not; a late replay ends the family it started.

    A family that can't be refreshed lives no longer than its one access token.

    Raises:
        asyncpg.QueryCanceledError: the statement came too late by `clock`; nothing was decided.
    """
    lifetime = client.access_token_lifetime
    idle, absolute = client.refresh_idle_lifetime, client.refresh_absolute_lifetime
    arguments = (
        code_sha256(code),
        client.client_id,
        redirect_uri,
        challenge,
        resource,
        family,
        salt,
        key_id,
        refreshable,
        int(lifetime.total_seconds()),
        int((idle if refreshable else lifetime).total_seconds()),
        int((absolute if refreshable else lifetime).total_seconds()),
        MOST_LIVE_FAMILIES,
        int(client.grace.total_seconds() * 1000),
        jti_hash,
        TOKEN_LIFECYCLE.shard(str(family)),
        correlation_id,
        asdict(origin),
    )
    with clock.deadline() as not_after:
        row = await connection.fetchrow(_REDEEM, *arguments, not_after)
    assert row is not None  # noqa: S101 -- the function returns one row on every path
    clock.heard(row["decided_at"])
    return Redemption(**dict(row))


_REDEEM = """
SELECT r.* FROM redeem_code(
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) r
WHERE came_in_time($19, r.outcome)
"""
