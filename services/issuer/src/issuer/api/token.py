"""The token endpoint (RFC 6749 section 3.2): one branch a grant, one answer."""

import time
from typing import Any, TypeAlias, assert_never

from fastapi import Request
from fastapi.responses import JSONResponse

from issuer.api.answers import answer, read_form, required
from issuer.api.client_auth import authenticated
from issuer.api.parts import Parts
from issuer.domain.authorization import PERSONAL_SCOPES
from issuer.domain.client import Client, GrantType
from issuer.domain.outcomes import Minted, Refused, ScopeRefused, TargetRefused, TryLater
from issuer.signing.tokens import ID_TOKEN_ALG
from issuer.usecases.exchange_code import exchange_code
from issuer.usecases.issue_for_client import issue_for_client
from issuer.usecases.refresh import refresh
from oauth import scopes
from oauth.errors import (
    InvalidGrant,
    InvalidScope,
    InvalidTarget,
    TemporarilyUnavailable,
    TooManyRequests,
    UnauthorizedClient,
    UnsupportedGrantType,
)
from servicekit import metrics
from servicekit.correlation import correlation_id
from servicekit.pulse import STANDSTILL_SECONDS

Outcome: TypeAlias = Minted | Refused | ScopeRefused | TargetRefused | TryLater

GUESSED = {
    GrantType.AUTHORIZATION_CODE: "code",
    GrantType.REFRESH_TOKEN: "refresh_token",
    GrantType.CLIENT_CREDENTIALS: "client_secret",
}


async def token(parts: Parts, request: Request) -> JSONResponse:
    """Answer a token request.

    Raises:
        OAuthError: the refusal, after whatever it leaves behind was committed.
    """
    _refuse_old(parts)
    form = await read_form(request)
    came = time.monotonic()
    client = await authenticated(parts, request, form)
    grant = _grant(form, client)
    _refuse_old(parts, came)
    outcome = await _decide(parts, request, client, grant, form, came)
    match outcome:
        case Minted():
            metrics.increment("revocast_tokens_issued_total", grant=grant)
            return answer(await _tokens(parts, outcome))
        case Refused(detail, guessed):
            if guessed:
                parts.guesses.note(client.client_id, GUESSED[grant])
            raise InvalidGrant(detail)
        case ScopeRefused(detail):
            raise InvalidScope(detail)
        case TargetRefused(detail):
            raise InvalidTarget(detail)
        case TryLater(detail, seconds, limited):
            if limited:
                raise TooManyRequests(detail, retry_after=seconds)
            raise TemporarilyUnavailable(detail, retry_after=seconds)
        case _:
            assert_never(outcome)


def _refuse_old(parts: Parts, came: float | None = None) -> None:
    """Before anything is spent for a client that gave up while we, or a server, stood still."""
    if parts.pulse.requests_may_be_old():
        raise TemporarilyUnavailable("this process stood still", retry_after=1)
    if came is not None and time.monotonic() - came > STANDSTILL_SECONDS:
        raise TemporarilyUnavailable("waited too long in this process", retry_after=1)


def _grant(form: dict[str, str], client: Client) -> GrantType:
    try:
        grant = GrantType(required(form, "grant_type"))
    except ValueError:
        raise UnsupportedGrantType from None
    for_itself = grant is GrantType.CLIENT_CREDENTIALS
    if grant not in client.grants or (for_itself and not client.confidential):
        raise UnauthorizedClient(f"{client.client_id} may not use {grant}")
    return grant


async def _decide(
    parts: Parts,
    request: Request,
    client: Client,
    grant: GrantType,
    form: dict[str, str],
    came: float,
) -> Outcome:
    came_from, name = parts.origin(request), correlation_id()
    match grant:
        case GrantType.AUTHORIZATION_CODE:
            return await exchange_code(
                parts.families,
                client,
                code=required(form, "code"),
                redirect_uri=form.get("redirect_uri"),
                code_verifier=form.get("code_verifier"),
                resource=form.get("resource"),
                origin=came_from,
                correlation_id=name,
            )
        case GrantType.REFRESH_TOKEN:
            return await refresh(
                parts.families,
                client,
                refresh_token=required(form, "refresh_token"),
                scope=_scope(form),
                resource=form.get("resource"),
                origin=came_from,
                correlation_id=name,
                came=came,
            )
        case GrantType.CLIENT_CREDENTIALS:
            scope, resource = _own_request(parts, client, form)
            return await issue_for_client(
                parts.families,
                client,
                scope=scope,
                resource=resource,
                origin=came_from,
                correlation_id=name,
            )
        case _:
            assert_never(grant)


def _scope(form: dict[str, str]) -> frozenset[str] | None:
    if "scope" not in form:
        return None
    try:
        return scopes.parse(form["scope"])
    except ValueError:
        raise InvalidScope("not scope tokens") from None


def _own_request(parts: Parts, client: Client, form: dict[str, str]) -> tuple[frozenset[str], str]:
    """What a client asks for itself, and for which API: by default all that this API knows."""
    allowed = client.scopes - PERSONAL_SCOPES
    asked = _scope(form)
    resource = form.get("resource") or client.default_resource(
        allowed if asked is None else asked, otherwise=parts.issuer
    )
    if "resource" in form and resource not in client.resources:
        raise InvalidTarget(f"{client.client_id} may not ask for this resource")
    allowed = client.meaningful(allowed, resource=resource)
    scope = allowed if asked is None else asked
    if not scope or not scope <= allowed:
        raise InvalidScope("nothing, or more than the client may have at this resource")
    return scope, resource


async def _tokens(parts: Parts, minted: Minted) -> dict[str, Any]:
    resource = await parts.clients.resource(minted.resource, alg=parts.access_token_alg)
    signer = await parts.keyring.signer(resource.alg)
    access_token = parts.tokens.access_token(minted, signer, resource)
    body: dict[str, Any] = {
        "access_token": access_token,
        "token_type": "Bearer",
        "expires_in": int((minted.expires_at - minted.issued_at).total_seconds()),
        "scope": scopes.render(minted.scope),
    }
    if minted.refresh_token is not None:
        body["refresh_token"] = minted.refresh_token
    if minted.id_token:
        signer = await parts.keyring.signer(ID_TOKEN_ALG)
        body["id_token"] = parts.tokens.id_token(minted, signer, access_token)
    return body
