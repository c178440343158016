"""The end-session endpoint (OpenID Connect RP-Initiated Logout 1.0)."""

from dataclasses import asdict, dataclass
from uuid import UUID

from fastapi import Request, Response

from issuer.domain.authorization import SignedIn
from issuer.domain.client import Client
from issuer.domain.id_token_hint import IdTokenHint
from issuer.domain.parameters import Parameters
from issuer.domain.redirection import form_action_source, location
from issuer.pages.answers import no_longer_valid
from issuer.pages.context import Pages
from issuer.pages.rendering import message, page, redirect
from issuer.pages.visit import Visit, came_from_elsewhere, single_parameters
from issuer.usecases.end_session import end_session
from oauth.forms import MalformedError

ELSEWHERE = (
    "The application asked to be returned to at an address that is not registered for it, "
    "so you stay here."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Back:
    """Where to go when all is done: None to stay. `refused`: another place was asked for."""

    uri: str | None
    refused: bool

    @classmethod
    def of(cls, parameters: Parameters, client: Client | None) -> "Back":
        """An exact match of what the client registered, or nothing (section 3)."""
        asked = parameters.get("post_logout_redirect_uri")
        registered = client.post_logout_redirect_uris if client and not client.disabled else ()
        if asked is None or asked not in registered:
            return cls(uri=None, refused=asked is not None)
        return cls(uri=location(asked, {"state": parameters.get("state")}), refused=False)


async def logout(pages: Pages, request: Request) -> Response:
    """Sign out whom a valid hint names; otherwise ask whoever is signed in here."""
    visit = pages.visit(request)
    try:
        parameters = await single_parameters(request)
    except MalformedError as error:
        return _malformed(visit, f"The request is malformed: {error}.")
    if request.method == "POST" and parameters.get("request") is not None:
        return await _confirmed(pages, visit, request, parameters)
    presented = parameters.get("id_token_hint")
    hint = await pages.verify_id_token_hint(presented) if presented is not None else None
    client_id = parameters.get("client_id")
    if hint is not None and client_id not in (None, hint.client_id):
        return _malformed(visit, "The ID token was issued to another application.")
    client = await pages.client(hint.client_id if hint else client_id)
    back = Back.of(parameters, client)
    current = await pages.signed_in(visit)
    named = _named(hint, current)
    if named is not None:
        return await _end(pages, visit, *named, back)
    if current is None:
        return _signed_out(visit, back)
    return _ask(pages, visit, current, client, back)


def _named(hint: IdTokenHint | None, current: SignedIn | None) -> tuple[UUID, UUID] | None:
    """The session and subject that a hint ends unasked: this browser's, or one that it forgot."""
    if hint is None:
        return None
    if current is None:
        return (hint.session, hint.subject) if hint.session else None
    here = current.session
    if hint.subject == here.subject and hint.session in (None, here.session_id):
        return here.session_id, here.subject
    return None


async def _confirmed(
    pages: Pages, visit: Visit, request: Request, parameters: Parameters
) -> Response:
    content = pages.sealer.open("sign-out", visit.browser, parameters.get("request") or "")
    if content is None or came_from_elsewhere(request):
        return no_longer_valid(visit)
    session, subject = UUID(content["session"]), UUID(content["subject"])
    return await _end(pages, visit, session, subject, Back(**content["back"]))


async def _end(pages: Pages, visit: Visit, session: UUID, subject: UUID, back: Back) -> Response:
    await end_session(
        pages.people,
        session,
        subject,
        origin=visit.origin,
        correlation_id=visit.correlation_id,
    )
    response = _signed_out(visit, back)
    visit.cookies.clear(response, "session")
    return response


def _signed_out(visit: Visit, back: Back) -> Response:
    if back.uri is not None:
        return redirect(back.uri)
    text = "You can close this page."
    if back.refused:
        text = f"{text} {ELSEWHERE}"
    return message("You are signed out", text, reference=visit.correlation_id, status=200)


def _ask(
    pages: Pages, visit: Visit, current: SignedIn, client: Client | None, back: Back
) -> Response:
    content = {
        "session": str(current.session.session_id),
        "subject": str(current.session.subject),
        "back": asdict(back),
    }
    leads_to = client.post_logout_redirect_uris if client and back.uri else ()
    response = page(
        "sign_out.html",
        form_action=[form_action_source(uri) for uri in leads_to],
        name=current.account.name,
        username=current.account.username,
        sealed=pages.sealer.seal("sign-out", visit.browser, content),
    )
    visit.remember_browser(response)
    return response


def _malformed(visit: Visit, why: str) -> Response:
    return message(
        "This request can’t be answered", why, reference=visit.correlation_id, status=400
    )
