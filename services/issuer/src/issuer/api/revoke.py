"""The revocation endpoint (RFC 7009): a client gives back what it was issued."""

from fastapi import Request, Response

from issuer.api.answers import NOT_STORED, read_form, required
from issuer.api.client_auth import authenticated
from issuer.api.parts import Parts
from issuer.api.presented import AccessToken, IdToken, presented_token
from issuer.domain.client import Client
from issuer.usecases.introspect_token import refresh_token_is_live
from issuer.usecases.revoke_token import revoke_access_token, revoke_refresh_token
from oauth.errors import InvalidGrant, UnsupportedTokenType
from servicekit.correlation import correlation_id


async def revoke(parts: Parts, request: Request) -> Response:
    """Answer a revocation request: 200 also for a token that is unknown, expired or dead.

    `token_type_hint` is not needed: the kinds can't be mistaken for each other. A live token of
    another client is refused, as section 2.1 asks; only who holds it can find that out.
    """
    form = await read_form(request)
    client = await authenticated(parts, request, form)
    text = required(form, "token")
    token = await presented_token(parts, text)
    match token:
        case AccessToken():
            await _revoke_access_token(parts, client, token)
        case IdToken():
            raise UnsupportedTokenType("an ID token")
        case None:
            await _revoke_refresh_token(parts, request, client, text)
    return Response(status_code=200, headers=NOT_STORED)


async def _revoke_access_token(parts: Parts, client: Client, token: AccessToken) -> None:
    if token.client_id != client.client_id:
        raise InvalidGrant(f"an access token of {token.client_id}")
    await revoke_access_token(
        parts.families,
        client,
        jti=token.jti,
        family=token.family,
        session=token.session,
        subject=token.subject,
        expires_at=token.expires_at,
        correlation_id=correlation_id(),
    )


async def _revoke_refresh_token(parts: Parts, request: Request, client: Client, text: str) -> None:
    state = await refresh_token_is_live(parts.families, text)
    if state is not None and state.client_id != client.client_id:
        raise InvalidGrant(f"a refresh token of {state.client_id}")
    await revoke_refresh_token(
        parts.families,
        client,
        text,
        origin=parts.origin(request),
        correlation_id=correlation_id(),
    )
