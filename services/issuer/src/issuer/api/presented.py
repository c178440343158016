"""Access tokens of our own that somebody shows us: their claims, typed, once verified."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from issuer.api.parts import Parts
from issuer.usecases.introspect_token import access_token_is_live


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """The claims of an access token that one of our keys signed and that has not expired."""

    jti: str
    subject: str
    client_id: str
    scope: str
    resource: str
    issued_at: datetime
    expires_at: datetime
    family: UUID | None
    session: UUID | None
    claims: dict[str, Any]


def access_token(parts: Parts, token: str) -> AccessToken | None:
    """A token -> its claims; None for anything that is no valid access token of ours.

    An ID token has no `jti` and no `client_id`, so it is none.
    """
    claims = parts.tokens.verified(token, parts.keyring.published)
    if claims is None or not {"jti", "client_id", "scope", "sub", "aud"} <= claims.keys():
        return None
    return AccessToken(
        jti=claims["jti"],
        subject=claims["sub"],
        client_id=claims["client_id"],
        scope=claims["scope"],
        resource=claims["aud"],
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
