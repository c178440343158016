"""Tokens that clients get for themselves: cuts read and events written in one statement."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from issuer.domain.authorization import Origin
from issuer.store.origins import members
from revocast_contracts.topics import TOKEN_LIFECYCLE
from servicekit.postgres import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientTokenRequest:
    """A client asks for a token of `lifetime_s` seconds for itself."""

    client_id: str
    subject_hash: str
    scope: str
    resource: str
    lifetime_s: int
    jti_hash: str
    origin: Origin
    correlation_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientToken:
    """`issued`, `cut` (the client is disabled) or `too_soon` (within the second of a cut)."""

    outcome: str
    decided_at: datetime
    retry_ms: int | None


async def issue_client_tokens(
    connection: Connection, asked: Sequence[ClientTokenRequest]
) -> list[ClientToken]:
    """Decide each, in order, and write `token.issued` for those that are issued."""
    rows = await connection.fetch(
        "SELECT * FROM issue_for_clients($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        [each.client_id for each in asked],
        [each.subject_hash for each in asked],
        [each.scope for each in asked],
        [each.resource for each in asked],
        [each.lifetime_s for each in asked],
        [each.jti_hash for each in asked],
        [TOKEN_LIFECYCLE.shard(each.client_id) for each in asked],
        [each.correlation_id for each in asked],
        [members(each.origin) for each in asked],
    )
    return [ClientToken(**dict(row)) for row in rows]
