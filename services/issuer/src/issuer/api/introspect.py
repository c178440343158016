"""Token introspection (RFC 7662), for clients that can keep a secret."""

from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse

from issuer.api.answers import answer, read_form, required
from issuer.api.client_auth import authenticated
from issuer.api.parts import Parts
from issuer.api.presented import AccessToken, is_live, presented_token
from issuer.domain.client import Client
from issuer.usecases.introspect_token import refresh_token_is_live, require_level
from oauth import scopes
from oauth.errors import InvalidClient, TemporarilyUnavailable

INACTIVE: dict[str, Any] = {"active": False}
"""All that anybody learns of a token that is dead, unknown, or none of their business."""

TOLD = (
    "iss",
    "sub",
    "aud",
    "client_id",
    "scope",
    "jti",
    "iat",
    "exp",
    "auth_time",
    "acr",
    "sid",
    "family",
)
"""The claims of an access token that stand in the answer as they are (RFC 7662 section 2.2)."""


async def introspect(parts: Parts, request: Request) -> JSONResponse:
    """Answer an introspection request; 503 while we may not have heard of a kill."""
    form = await read_form(request)
    client = await authenticated(parts, request, form)
    if not client.confidential:
        raise InvalidClient("a public client can't prove who it is")
    presented = required(form, "token")
    trouble = parts.feed.trouble(parts.max_staleness)
    if trouble is not None:
        raise TemporarilyUnavailable(trouble, retry_after=5)
    return answer(
        await _of_access_token(parts, client, presented)
        or await _of_refresh_token(parts, client, presented)
        or INACTIVE
    )


def _may_see(client: Client, issued_to: str) -> bool:
    return issued_to == client.client_id or issued_to in client.introspects


async def _of_access_token(parts: Parts, client: Client, presented: str) -> dict[str, Any] | None:
    token = await presented_token(parts, presented)
    if not isinstance(token, AccessToken) or not _may_see(client, token.client_id):
        return None
    if not await is_live(parts, token):
        return None
    claims = {name: token.claims[name] for name in TOLD if name in token.claims}
    return {"active": True, "token_type": "Bearer", **claims}


async def _of_refresh_token(parts: Parts, client: Client, presented: str) -> dict[str, Any] | None:
    await require_level(parts.families)
    state = await refresh_token_is_live(parts.families, presented)
    if state is None or not _may_see(client, state.client_id):
        return None
    return {
        "active": True,
        "iss": parts.issuer,
        "sub": str(state.subject),
        "aud": state.resource,
        "client_id": state.client_id,
        "scope": scopes.render(state.scope),
        "sid": str(state.session),
        "iat": int(state.started_at.timestamp()),
        "exp": int(state.expires_at.timestamp()),
    }
