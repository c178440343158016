"""What was decided about an authorization request -> what the browser gets."""

from fastapi import Response

from issuer.domain.authorization import AuthorizationRequest
from issuer.domain.client import Client
from issuer.domain.redirection import form_action_source, location, place
from issuer.pages.carried import Question, pack
from issuer.pages.context import Pages
from issuer.pages.rendering import message, page, redirect
from issuer.pages.visit import Visit
from issuer.usecases.start_authorization import (
    CodeIssued,
    ConsentNeeded,
    NotAllowed,
    Outcome,
    SignInNeeded,
)


def answer(
    pages: Pages, visit: Visit, client: Client, request: AuthorizationRequest, outcome: Outcome
) -> Response:
    """A redirect with the code or the error, or the next page."""
    match outcome:
        case CodeIssued(code):
            return send_back(pages, request.redirect_uri, code=code, state=request.state)
        case NotAllowed(error, description):
            return send_back(
                pages,
                request.redirect_uri,
                error=error.code,
                error_description=description,
                state=request.state,
            )
        case SignInNeeded(again):
            notice = "Please sign in again to continue." if again else None
            return sign_in_page(pages, visit, client, request, notice=notice)
        case ConsentNeeded():
            return _consent_page(pages, visit, client, request, outcome)


def send_back(pages: Pages, redirect_uri: str, **parameters: str | None) -> Response:
    """An authorization response; `iss` tells mixed-up clients apart (RFC 9207)."""
    return redirect(location(redirect_uri, {**parameters, "iss": pages.issuer}))


def sign_in_page(
    pages: Pages,
    visit: Visit,
    client: Client,
    request: AuthorizationRequest,
    *,
    username: str | None = None,
    wrong: str | None = None,
    notice: str | None = None,
    status: int = 200,
) -> Response:
    """Ask for username and password. `wrong` says what was wrong with the last try."""
    response = page(
        "sign_in.html",
        status=status,
        form_action=_ways_back(client, request),
        client=client.name,
        username=(request.login_hint or "") if username is None else username,
        wrong=wrong,
        notice=notice,
        sealed=pages.sealer.seal("sign-in", visit.browser, pack(request)),
    )
    visit.remember_browser(response)
    return response


def no_longer_valid(visit: Visit) -> Response:
    """A form that we did not make for this browser, or made too long ago."""
    response = message(
        "This page is no longer valid",
        "It was open for too long, or it was not opened in this browser with cookies allowed. "
        "Go back to the application and start again.",
        reference=visit.correlation_id,
        status=403,
    )
    visit.remember_browser(response)
    return response


def _consent_page(
    pages: Pages,
    visit: Visit,
    client: Client,
    request: AuthorizationRequest,
    asked: ConsentNeeded,
) -> Response:
    question = Question(
        request=request, session=asked.signed_in.session.session_id, scope=asked.scope
    )
    account = asked.signed_in.account
    response = page(
        "consent.html",
        form_action=_ways_back(client, request),
        client=client.name,
        resource=request.resource,
        returns_to=place(request.redirect_uri),
        scopes=sorted(asked.scope),
        name=account.name,
        username=account.username,
        sealed=pages.sealer.seal("consent", visit.browser, question.pack()),
    )
    visit.remember_browser(response)
    return response


def _ways_back(client: Client, request: AuthorizationRequest) -> list[str]:
    """Chromium holds every further redirect against `form-action`, too: so all that the client has
    registered is allowed, and a callback that redirects on must stay among these origins."""
    registered = (*client.redirect_uris, *client.post_logout_redirect_uris)
    return [form_action_source(uri) for uri in (request.redirect_uri, *registered)]
