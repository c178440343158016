"""Tokens that clients get for themselves: cuts read and event written in one statement."""

from dataclasses import asdict, dataclass
from datetime import datetime

from issuer.domain.authorization import Origin
from issuer.domain.client import Client
from revocast_contracts.topics import TOKEN_LIFECYCLE
from servicekit.postgres import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientToken:
    """`issued`, `cut` (the client is disabled) or `too_soon` (within the second of a cut)."""

    outcome: str
    decided_at: datetime
    retry_ms: int | None


async def issue_client_token(
    connection: Connection,
    client: Client,
    *,
    subject_hash: str,
    scope: frozenset[str],
    resource: str,
    jti_hash: str,
    origin: Origin,
    correlation_id: str,
) -> ClientToken:
    """Decide, and write `token.issued` when it is issued."""
    row = await connection.fetchrow(
        "SELECT * FROM issue_for_client($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        client.client_id,
        subject_hash,
        " ".join(sorted(scope)),
        resource,
        int(client.access_token_lifetime.total_seconds()),
        jti_hash,
        TOKEN_LIFECYCLE.shard(client.client_id),
        correlation_id,
        asdict(origin),
    )
    assert row is not None  # noqa: S101 -- the function returns one row on every path
    return ClientToken(**dict(row))
