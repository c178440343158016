"""The userinfo endpoint (OpenID Connect Core 5.3), protected by bearer tokens (RFC 6750)."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from fastapi import Request
from fastapi.responses import JSONResponse

from issuer.api.answers import NOT_STORED, read_form
from issuer.api.parts import Parts
from issuer.api.presented import AccessToken, is_live, presented_token
from issuer.domain.authorization import Account
from issuer.store import accounts
from oauth.errors import InvalidRequest as InvalidForm
from oauth.forms import CONTENT_TYPE, MalformedError, parse_parameters
from revocast import InsufficientScope, InvalidRequest, InvalidToken, NoToken, TokenRefused
from revocast.bearer import response_headers, token_of

SCOPE = "openid"
FORM_PARAMETER = "access_token"


async def userinfo(parts: Parts, request: Request) -> JSONResponse:
    """What the scopes of a token allow its client to know about the person."""
    try:
        token = await _token(parts, await _presented(request))
        account = await _account(parts, token)
    except TokenRefused as refused:
        return _refused(parts, refused)
    claims: dict[str, Any] = {"sub": token.subject}
    if "profile" in token.scope:
        claims |= {"name": account.name, "preferred_username": account.username}
    if "email" in token.scope and account.email is not None:
        claims["email"] = account.email
    return JSONResponse(claims, headers=NOT_STORED)


class _NotOneToken(InvalidRequest):
    """RFC 6750 section 3.1: a parameter is repeated, or a token came in more than one way."""

    description = "The request is malformed, or presents a token in more than one way."


async def _presented(request: Request) -> str:
    """The bearer token, from the header or a form (RFC 6750 sections 2.1 and 2.2), not from both.

    One in the query is never looked at (section 2.3: it stands in logs), but it is one too many.

    Raises:
        NoToken, InvalidRequest: there is none, or more than one.
    """
    in_form = await _in_form(request)
    in_header = "authorization" in request.headers
    if (in_form is not None) + in_header + _is_in_query(request) > 1:
        raise _NotOneToken("a token in more than one of header, form and query")
    headers: Sequence[tuple[bytes, bytes]] = request.headers.raw
    return token_of(headers) if in_form is None else in_form


def _is_in_query(request: Request) -> bool:
    try:
        return FORM_PARAMETER in parse_parameters(request.scope["query_string"])
    except MalformedError as error:
        raise _NotOneToken(f"query: {error}") from None


async def _in_form(request: Request) -> str | None:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method != "POST" or media_type != CONTENT_TYPE:
        return None
    try:
        return (await read_form(request)).get(FORM_PARAMETER)
    except InvalidForm as error:
        raise _NotOneToken(error.detail) from None


async def _token(parts: Parts, text: str) -> AccessToken:
    token = await presented_token(parts, text)
    if not isinstance(token, AccessToken) or not await is_live(parts, token):
        raise InvalidToken("not a live access token of ours")
    if SCOPE not in token.scope or token.family is None:
        raise InsufficientScope("a token without openid, or of no person", scopes={SCOPE})
    return token


async def _account(parts: Parts, token: AccessToken) -> Account:
    async with parts.families.pool.acquire() as connection:
        account = await accounts.find(connection, UUID(token.subject))
    if account is None or account.disabled:
        raise InvalidToken("no such account, or it is switched off")
    return account


def _refused(parts: Parts, refused: TokenRefused) -> JSONResponse:
    """RFC 6750 section 3: no error code when nothing was presented."""
    known = not isinstance(refused, NoToken)
    body = {"error": refused.error, "error_description": refused.description} if known else {}
    headers = response_headers(refused, realm=parts.issuer, scopes={SCOPE})
    return JSONResponse(body, refused.status, headers={**NOT_STORED, **headers})
