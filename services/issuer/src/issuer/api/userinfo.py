"""The userinfo endpoint (OpenID Connect Core 5.3), protected by bearer tokens (RFC 6750)."""

from typing import Any
from uuid import UUID

from fastapi import Request
from fastapi.responses import JSONResponse

from issuer.api.answers import NOT_STORED
from issuer.api.parts import Parts
from issuer.api.presented import access_token, is_live
from issuer.store import accounts

SCHEME = "bearer"


async def userinfo(parts: Parts, request: Request) -> JSONResponse:
    """What the scopes of a token allow its client to know about the person."""
    presented = _bearer(request)
    if presented is None:
        return _refused(401)
    token = access_token(parts, presented)
    if token is None or token.family is None or not await is_live(parts, token):
        return _refused(401, "invalid_token", "The access token is malformed, expired or revoked.")
    granted = frozenset(token.scope.split())
    if "openid" not in granted:
        return _refused(403, "insufficient_scope", "The scope openid is needed.", scope="openid")
    async with parts.families.pool.acquire() as connection:
        account = await accounts.find(connection, UUID(token.subject))
    if account is None or account.disabled:
        return _refused(401, "invalid_token", "The access token is malformed, expired or revoked.")
    claims: dict[str, Any] = {"sub": token.subject}
    if "profile" in granted:
        claims |= {"name": account.name, "preferred_username": account.username}
    if "email" in granted and account.email is not None:
        claims["email"] = account.email
    return JSONResponse(claims, headers=NOT_STORED)


def _bearer(request: Request) -> str | None:
    headers = request.headers.getlist("authorization")
    scheme, _, token = (headers[0] if len(headers) == 1 else "").partition(" ")
    return token.strip() if scheme.lower() == SCHEME and token.strip() else None


def _refused(status: int, error: str = "", why: str = "", *, scope: str = "") -> JSONResponse:
    """RFC 6750 section 3: no error code when nothing was presented."""
    challenge = 'Bearer realm="userinfo"'
    for name, value in (("error", error), ("error_description", why), ("scope", scope)):
        if value:
            challenge += f', {name}="{value}"'
    body = {"error": error, "error_description": why} if error else {}
    return JSONResponse(body, status, headers={**NOT_STORED, "WWW-Authenticate": challenge})
