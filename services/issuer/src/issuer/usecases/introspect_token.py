"""RFC 7662: whether a token is live, asked of the database at this moment and of no cache."""

import hmac
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from issuer.domain.refresh_token import parse
from issuer.store import families as store
from issuer.store.families import Families
from issuer.store.liveness import AccessTokenAsked
from messaging import level
from revocast_contracts.selectors import jti_hash, subject_hash


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshState:
    """A live refresh token, as its family's row says. `expires_at`: it dies then, unless used."""

    client_id: str
    subject: UUID
    session: UUID
    scope: frozenset[str]
    resource: str
    started_at: datetime
    expires_at: datetime


async def access_token_is_live(
    families: Families,
    *,
    jti: str,
    family: UUID | None,
    session: UUID | None,
    subject: str,
    client_id: str,
    issued_at: datetime,
) -> bool:
    """Whether an access token, verified by the caller, has been killed by nothing so far.

    Raises:
        CannotConnectNowError: the database was restored, and may not know what it was killed by.
    """
    return await families.liveness.ask(
        AccessTokenAsked(
            jti_hash=jti_hash(jti),
            family=family,
            session_id=session,
            subject_hash=subject_hash(subject, families.hash_key),
            client_id=client_id,
            issued_at=issued_at,
        )
    )


async def refresh_token_is_live(families: Families, token: str) -> RefreshState | None:
    """The state behind a refresh token; None unless it is the current one of a live family."""
    presented = parse(token)
    if presented is None or presented.key_id not in families.mac_keys.keys:
        return None
    async with families.pool.acquire() as connection:
        family = await store.read_family(connection, presented.family)
    if family is None or not family.live or family.generation != presented.generation:
        return None
    expected = families.mac_keys.mint(
        presented.key_id, presented.family, presented.generation, family.salt
    )
    if not hmac.compare_digest(expected.encode(), token.encode()):
        return None
    return RefreshState(
        client_id=family.client_id,
        subject=family.subject,
        session=family.session_id,
        scope=frozenset(family.scope.split()),
        resource=family.resource,
        started_at=family.started_at,
        expires_at=family.expires_at,
    )


async def require_level(families: Families) -> None:
    """Go on only if the database knows everything that may have killed a token.

    Raises:
        CannotConnectNowError: it was restored, and has not caught up with the log.
    """
    async with families.pool.acquire() as connection:
        await level.require_level(connection)
