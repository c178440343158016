"""Access tokens of our own that somebody shows us: their claims, typed, once verified."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from issuer.api.parts import Parts
from issuer.usecases.introspect_token import access_token_is_live

_OF_ACCESS_TOKENS = frozenset({"jti", "client_id", "scope"})


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """The claims of an access token that one of our keys signed and that has not expired."""

    jti: str
    subject: str
    client_id: str
    scope: frozenset[str]
    issued_at: datetime
    expires_at: datetime
    family: UUID | None
    session: UUID | None
    claims: dict[str, Any]


@dataclass(frozen=True, slots=True)
class IdToken:
    """A token of ours that is none for an API: it can be neither used nor revoked."""


async def presented_token(parts: Parts, token: str) -> AccessToken | IdToken | None:
    """A token's text -> what it is; None for anything that is no valid JWT of ours.

    An ID token has no `jti`, no `client_id` and no `scope`.
    """
    claims = await parts.keyring.claims(token, issuer=parts.issuer)
    if claims is None:
        return None
    if not claims.keys() >= _OF_ACCESS_TOKENS:
        return IdToken()
    return AccessToken(
        jti=claims["jti"],
        subject=claims["sub"],
        client_id=claims["client_id"],
        scope=frozenset(claims["scope"].split()),
        issued_at=datetime.fromtimestamp(claims["iat"], UTC),
        expires_at=datetime.fromtimestamp(claims["exp"], UTC),
        family=_uuid(claims.get("family")),
        session=_uuid(claims.get("sid")),
        claims=claims,
    )


async def is_live(parts: Parts, token: AccessToken) -> bool:
    """Whether nothing has killed it so far, asked of the database."""
    return await access_token_is_live(
        parts.families,
        jti=token.jti,
        family=token.family,
        session=token.session,
        subject=token.subject,
        client_id=token.client_id,
        issued_at=token.issued_at,
    )


def _uuid(text: str | None) -> UUID | None:
    return None if text is None else UUID(text)
