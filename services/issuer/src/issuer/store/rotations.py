"""One statement, one commit: presentations of refresh tokens -> what became of each family."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from issuer.domain.authorization import Origin
from issuer.domain.refresh_token import PresentedToken
from issuer.store.origins import members
from servicekit.postgres import Connection


class Outcome(StrEnum):
    """What the family table of `docs/lifecycle.md` answers; `LOCKED`: held elsewhere."""

    ROTATED = "rotated"
    REPLAYED = "replayed"
    LIMITED = "limited"
    STALE = "stale"
    DENIED = "denied"
    UNPROVEN = "unproven"
    SCOPE = "scope"
    TARGET = "target"
    TOO_SOON = "too_soon"
    LOCKED = "locked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Presentation:
    """One presented refresh token with all that its decision needs.

    `half` is `MacKeys.half` of the token's own key. `grace_ms` and the lifetimes (seconds) are the
    client's. `scope` and `resource` are what the request asked for, None where it asked nothing.
    """

    token: PresentedToken
    half: bytes
    client_id: str
    scope: str | None
    resource: str | None
    grace_ms: int
    lifetime_s: int
    idle_s: int
    jti_hash: str
    correlation_id: str
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """What was decided. All but `outcome` is None where no family was proven."""

    outcome: Outcome
    reason: str | None
    decided_at: datetime
    generation: int
    key_id: str
    salt: bytes
    subject: UUID
    session_id: UUID
    scope: str
    resource: str
    auth_time: datetime
    acr: str
    retry_ms: int | None


async def rotate(
    connection: Connection,
    presented: Sequence[tuple[Presentation, int]],
    *,
    active_key: str,
    not_after: datetime | None = None,
) -> dict[UUID, Rotation]:
    """Decide each presentation, of different families, in one statement; keyed by family.

    The second of each pair is how long it waited in this process, in milliseconds: waiting does
    not count against grace. `not_after` is by the database's clock.

    Raises:
        asyncpg.QueryCanceledError: it would have been decided later than that; nothing was.
    """
    items = [item for item, _ in presented]
    rows = await connection.fetch(
        _ROTATE,
        active_key,
        [item.token.family for item in items],
        [item.token.generation for item in items],
        [item.half for item in items],
        [item.token.mac_sha256 for item in items],
        [item.client_id for item in items],
        [item.scope for item in items],
        [item.resource for item in items],
        [item.grace_ms for item in items],
        [waited for _, waited in presented],
        [item.lifetime_s for item in items],
        [item.idle_s for item in items],
        [item.jti_hash for item in items],
        [item.correlation_id for item in items],
        [members(item.origin) for item in items],
        not_after,
    )
    return {row["family_id"]: _rotation(row) for row in rows}


def _rotation(row: Any) -> Rotation:
    columns = dict(row)
    del columns["family_id"]
    columns["outcome"] = Outcome(columns["outcome"])
    return Rotation(**columns)


_ROTATE = """
SELECT r.* FROM rotate_families(
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) r
WHERE came_in_time($16, r.family_id)
"""
