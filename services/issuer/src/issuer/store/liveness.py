"""Whether access tokens are live, asked of the database at this moment (RFC 7662)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from servicekit.postgres import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessTokenAsked:
    """The claims of a verified access token that something may have killed."""

    jti_hash: str
    family: UUID | None
    session_id: UUID | None
    subject_hash: str
    client_id: str
    issued_at: datetime


async def access_tokens_are_live(
    connection: Connection, asked: Sequence[AccessTokenAsked]
) -> list[bool]:
    """Of each, in order: whether no cut and no end has killed it so far.

    Raises:
        CannotConnectNowError: the database was restored, and may not know what they were killed by.
    """
    live: list[bool] = await connection.fetchval(
        "SELECT access_tokens_are_live($1, $2, $3, $4, $5, $6)",
        [each.jti_hash for each in asked],
        [each.family for each in asked],
        [each.session_id for each in asked],
        [each.subject_hash for each in asked],
        [each.client_id for each in asked],
        [each.issued_at for each in asked],
    )
    return live
