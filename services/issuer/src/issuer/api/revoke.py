"""The revocation endpoint (RFC 7009): a client gives back what it was issued."""

from fastapi import Request, Response

from issuer.api.answers import NOT_STORED, read_form, required
from issuer.api.client_auth import authenticated
from issuer.api.parts import Parts
from issuer.api.presented import access_token
from issuer.usecases.revoke_token import revoke_access_token, revoke_refresh_token
from servicekit.correlation import correlation_id


async def revoke(parts: Parts, request: Request) -> Response:
    """Answer a revocation request: 200 also for a token that is unknown or somebody else's.

    `token_type_hint` is not needed: the two kinds can't be mistaken for each other. Telling a
    client that a token belongs to another one would tell it that the token is good (section 2.2
    lets invalid tokens pass silently).
    """
    form = await read_form(request)
    client = await authenticated(parts, request, form)
    presented = required(form, "token")
    token = access_token(parts, presented)
    if token is None:
        await revoke_refresh_token(
            parts.families,
            client,
            presented,
            origin=parts.origin(request),
            correlation_id=correlation_id(),
        )
    elif token.client_id == client.client_id:
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
    return Response(status_code=200, headers=NOT_STORED)
