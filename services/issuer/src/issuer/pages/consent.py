"""The consent form: allow, deny, or sign in as somebody else."""

from fastapi import Request, Response

from issuer.domain.client import Client
from issuer.pages.answers import answer, no_longer_valid, send_back, sign_in_page
from issuer.pages.carried import Question
from issuer.pages.context import Pages
from issuer.pages.rendering import message
from issuer.pages.visit import Visit, came_from_elsewhere, single_parameters
from issuer.usecases.decide_consent import decide_consent
from issuer.usecases.start_authorization import SignInNeeded, start_authorization
from oauth.errors import AccessDenied
from oauth.forms import MalformedError


async def submit(pages: Pages, request: Request) -> Response:
    """Do what the person chose. Only the browser and the sign-in that were asked can answer."""
    visit = pages.visit(request)
    if came_from_elsewhere(request):
        return no_longer_valid(visit)
    try:
        parameters = await single_parameters(request)
    except MalformedError as error:
        return message(
            "This form can’t be read", f"Why: {error}.", reference=visit.correlation_id, status=400
        )
    content = pages.sealer.open("consent", visit.browser, parameters.get("request") or "")
    if content is None:
        return no_longer_valid(visit)
    question = Question.unpack(content)
    client = await pages.client(question.request.client_id)
    if client is None or client.disabled:
        return no_longer_valid(visit)
    match parameters.get("decision"):
        case "allow":
            return await _allow(pages, visit, client, question)
        case "switch":
            return sign_in_page(pages, visit, client, question.request)
        case "deny":
            return send_back(
                pages,
                question.request.redirect_uri,
                error=AccessDenied.code,
                error_description="the person said no",
                state=question.request.state,
            )
        case _:
            return no_longer_valid(visit)


async def _allow(pages: Pages, visit: Visit, client: Client, question: Question) -> Response:
    outcome = await decide_consent(
        pages.people,
        client,
        question.request,
        cookie=visit.session_cookie,
        asked_session=question.session,
        shown_scope=question.scope,
        correlation_id=visit.correlation_id,
    )
    if isinstance(outcome, SignInNeeded):
        # Somebody signed in or out since the page was shown: ask whoever is there now.
        outcome = await start_authorization(
            pages.people, client, question.request, cookie=visit.session_cookie
        )
    return answer(pages, visit, client, question.request, outcome)
