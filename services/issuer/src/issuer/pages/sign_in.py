"""The sign-in form."""

from dataclasses import dataclass

from fastapi import Request, Response

from issuer.domain.authorization import AuthorizationRequest
from issuer.domain.client import Client
from issuer.domain.parameters import Parameters
from issuer.pages.answers import answer, no_longer_valid, send_back, sign_in_page
from issuer.pages.carried import unpack
from issuer.pages.context import Pages
from issuer.pages.rendering import message
from issuer.pages.visit import Visit, came_from_elsewhere, single_parameters
from issuer.usecases.passwords import BusyError
from issuer.usecases.sign_in import Attempt, Entered, Limited, WrongCredentials, sign_in
from issuer.usecases.start_authorization import start_authorization
from oauth.errors import AccessDenied
from oauth.forms import MalformedError
from servicekit import metrics


async def submit(pages: Pages, request: Request) -> Response:
    """Sign somebody in and go on with the request that the form carries."""
    visit = pages.visit(request)
    if came_from_elsewhere(request):
        return no_longer_valid(visit)
    try:
        parameters = await single_parameters(request)
    except MalformedError as error:
        return message(
            "This form can’t be read", f"Why: {error}.", reference=visit.correlation_id, status=400
        )
    content = pages.sealer.open("sign-in", visit.browser, parameters.get("request") or "")
    if content is None:
        return no_longer_valid(visit)
    asked = unpack(content)
    client = await pages.client(asked.client_id)
    if client is None or client.disabled:
        return no_longer_valid(visit)
    if parameters.get("decision") == "cancel":
        return send_back(pages, asked.redirect_uri, error=AccessDenied.code, state=asked.state)
    return await _try(pages, visit, client, asked, parameters)


async def _try(
    pages: Pages,
    visit: Visit,
    client: Client,
    asked: AuthorizationRequest,
    parameters: Parameters,
) -> Response:
    username = parameters.get("username") or ""
    attempt = Attempt(
        username=username,
        password=parameters.get("password") or "",
        browser=visit.browser,
        session_cookie=visit.session_cookie,
        client_id=client.client_id,
        origin=visit.origin,
        correlation_id=visit.correlation_id,
    )
    try:
        outcome = await sign_in(pages.people, attempt)
    except BusyError:
        outcome = None
    if isinstance(outcome, Entered):
        metrics.increment("revocast_sign_ins_total", outcome="succeeded")
        return await _go_on(pages, visit, client, asked, outcome)
    again = _again(outcome)
    metrics.increment("revocast_sign_ins_total", outcome=again.outcome)
    response = sign_in_page(
        pages, visit, client, asked, username=username, wrong=again.why, status=again.status
    )
    if again.seconds is not None:
        response.headers["Retry-After"] = str(again.seconds)
    return response


@dataclass(frozen=True, slots=True)
class _Again:
    """Why the form comes once more, and when to send it."""

    outcome: str
    why: str
    status: int
    seconds: int | None = None


def _again(outcome: WrongCredentials | Limited | None) -> _Again:
    match outcome:
        case WrongCredentials():
            return _Again("wrong", "That username and password do not match.", 403)
        case Limited(seconds):
            words = f"Too many tries. Wait {_words(seconds)}, then try again."
            return _Again("limited", words, 429, seconds)
        case None:
            return _Again("busy", "Too busy to sign you in. Try again in a moment.", 503, 2)


async def _go_on(
    pages: Pages, visit: Visit, client: Client, asked: AuthorizationRequest, entered: Entered
) -> Response:
    outcome = await start_authorization(
        pages.people,
        client,
        asked,
        cookie=entered.cookie,
        just_signed_in=entered.signed_in.session.session_id,
    )
    response = answer(pages, visit, client, asked, outcome)
    visit.cookies.set(response, "session", entered.cookie)
    if response.status_code == 303:
        visit.remember_browser(response)
    return response


def _words(seconds: int) -> str:
    if seconds >= 90:
        return f"{-(-seconds // 60)} minutes"
    return "a second" if seconds == 1 else f"{seconds} seconds"
