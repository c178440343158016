"""The authorization endpoint (RFC 6749 section 3.1, OpenID Connect Core 3.1.2)."""

from dataclasses import replace

import structlog
from fastapi import Request, Response

from issuer.domain.authorization import AuthorizationRequest
from issuer.domain.client import Client
from issuer.domain.parameters import Parameters
from issuer.domain.redirection import location
from issuer.pages.answers import answer, send_back
from issuer.pages.context import Pages
from issuer.pages.rendering import message, redirect
from issuer.pages.visit import Visit, sent_parameters
from issuer.usecases.check_authorization_request import (
    Returned,
    Shown,
    check_authorization_request,
)
from issuer.usecases.start_authorization import start_authorization
from oauth.errors import InvalidRequest
from oauth.forms import MalformedError

_log = structlog.get_logger()


async def authorize(pages: Pages, request: Request) -> Response:
    """Answer an authorization request with a page, an error, or a code."""
    visit = pages.visit(request)
    try:
        parameters = await sent_parameters(request)
    except MalformedError as error:
        return _shown(visit, None, f"The request is malformed: {error}.")
    client = await pages.client(parameters.get("client_id"))
    checked = check_authorization_request(parameters, client, issuer=pages.issuer)
    if isinstance(checked, AuthorizationRequest):
        checked = await _with_hint(pages, parameters, checked)
    match checked:
        case Shown(why):
            return _shown(visit, client, why)
        case Returned():
            return _returned(pages, client, checked)
        case AuthorizationRequest():
            if request.method == "POST":
                return _repeat_as_get(parameters)
            assert client is not None  # noqa: S101 -- without a client nothing is valid
            outcome = await start_authorization(
                pages.people, client, checked, cookie=visit.session_cookie
            )
            pages.people.poke()
            return answer(pages, visit, client, checked, outcome)


async def _with_hint(
    pages: Pages, parameters: Parameters, request: AuthorizationRequest
) -> AuthorizationRequest | Returned:
    """OpenID Connect Core 3.1.2.1: `id_token_hint` names the only person who may answer."""
    presented = parameters.get("id_token_hint")
    if presented is None:
        return request
    hint = await pages.verify_id_token_hint(presented)
    if hint is None:
        return Returned(
            redirect_uri=request.redirect_uri,
            state=request.state,
            error=InvalidRequest.code,
            description="id_token_hint is not an ID token of this issuer",
        )
    return replace(request, hinted_subject=str(hint.subject))


def _repeat_as_get(parameters: Parameters) -> Response:
    """Browsers keep our cookies from another site's POST, but not from the GET after it."""
    return redirect(location("authorize", dict(parameters.values)))


def _returned(pages: Pages, client: Client | None, error: Returned) -> Response:
    _log.info(
        "authorization request refused",
        client_id=client.client_id if client else None,
        error=error.error,
        detail=error.description,
    )
    return send_back(
        pages,
        error.redirect_uri,
        error=error.error,
        error_description=error.description,
        state=error.state,
    )


def _shown(visit: Visit, client: Client | None, why: str) -> Response:
    _log.info(
        "authorization request refused without a redirect",
        client_id=client.client_id if client else None,
        detail=why,
    )
    return message(
        "This request can’t be answered", why, reference=visit.correlation_id, status=400
    )
