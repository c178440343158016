"""Families: every change takes the family's row lock, and every event goes in with its change."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from issuer.domain.authorization import Origin
from issuer.domain.refresh_token import MacKeys
from issuer.store.client_tokens import issue_client_tokens
from issuer.store.coalescing import Coalescer
from issuer.store.database_clock import DatabaseClock
from issuer.store.liveness import access_tokens_are_live
from issuer.store.sharing import Shared
from servicekit.postgres import Connection, Pool


class Families:
    """What the token use cases work with: the pool, the MAC keys, and what shares statements.

    `poke` is called after each commit that wrote events: it wakes the relay of this process.
    `hash_key` is PERSONAL_DATA_HASH_KEY: cuts know subjects by their keyed hash only.
    """

    def __init__(
        self, pool: Pool, mac_keys: MacKeys, *, hash_key: bytes, poke: Callable[[], None]
    ) -> None:
        self.pool = pool
        self.mac_keys = mac_keys
        self.hash_key = hash_key
        self.poke = poke
        self.clock = DatabaseClock()
        self.rotations = Coalescer(pool, mac_keys.active, poke, self.clock)
        self.client_tokens = Shared(pool, issue_client_tokens, poke)
        self.liveness = Shared(pool, access_tokens_are_live)


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyState:
    """A family as introspection and `/revoke` see it."""

    client_id: str
    subject: UUID
    session_id: UUID
    salt: bytes
    generation: int
    live: bool
    scope: str
    resource: str
    started_at: datetime
    expires_at: datetime


async def read_family(connection: Connection, family: UUID) -> FamilyState | None:
    """A family's row; `live` says whether its current token would be accepted at this moment."""
    row = await connection.fetchrow(
        """
        SELECT client_id, subject, session_id, salt, generation, scope, resource, started_at,
            least(idle_expires_at, absolute_expires_at) AS expires_at,
            state = 'active' AND clock_timestamp() < least(idle_expires_at, absolute_expires_at)
            AND NOT coalesce(cut_of(ARRAY['subject:' || subject_hash, 'client:' || client_id,
                'session:' || session_id, 'family:' || id, 'issuer']) >= started_at, false) AS live
        FROM family WHERE id = $1
        """,
        family,
    )
    return FamilyState(**dict(row)) if row else None


async def end_family(
    connection: Connection, family: UUID, *, cause: str, origin: Origin, correlation_id: str
) -> int:
    """End one family if it is active; how many were ended."""
    ended: int = await connection.fetchval(
        "SELECT end_families(ARRAY[$1::uuid], $2, $3, $4)",
        family,
        cause,
        correlation_id,
        asdict(origin),
    )
    return ended


async def end_session_families(
    connection: Connection, session_id: UUID, *, cause: str, origin: Origin, correlation_id: str
) -> int:
    """End every family and code of a sign-in; how many families were ended.

    The caller's transaction must already have ended the session's row.
    """
    ended: int = await connection.fetchval(
        "SELECT end_authorizations($1, NULL, NULL, $2, $3, $4)",
        session_id,
        cause,
        correlation_id,
        asdict(origin),
    )
    return ended


async def end_consent_families(
    connection: Connection,
    subject: UUID,
    client_id: str,
    *,
    cause: str,
    origin: Origin,
    correlation_id: str,
) -> int:
    """End every family and code that a permission to a client led to; how many families."""
    ended: int = await connection.fetchval(
        "SELECT end_authorizations(NULL, $1, $2, $3, $4, $5)",
        subject,
        client_id,
        cause,
        correlation_id,
        asdict(origin),
    )
    return ended
