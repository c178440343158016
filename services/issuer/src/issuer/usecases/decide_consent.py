"""Somebody answered the question on the consent page: the code and the consent commit together."""

from uuid import UUID

from issuer.domain.authorization import AuthorizationRequest, SignedIn
from issuer.domain.client import Client
from issuer.store import consents, sessions
from issuer.usecases.people import People, tell
from issuer.usecases.start_authorization import (
    CodeIssued,
    NotAllowed,
    Outcome,
    SignInNeeded,
    issue,
)
from oauth import errors
from revocast_contracts.activity import ConsentGranted
from servicekit.postgres import Connection, transaction


async def decide_consent(
    people: People,
    client: Client,
    request: AuthorizationRequest,
    *,
    cookie: str | None,
    asked_session: UUID,
    shown_scope: frozenset[str],
    correlation_id: str,
) -> Outcome:
    """Allow a client what the page showed. Only the person who was asked can answer.

    Allowing again is harmless: one more code of the same kind, and no second event.
    """
    async with transaction(people.pool) as connection:
        signed_in = await sessions.hold(connection, cookie) if cookie is not None else None
        if signed_in is None or signed_in.session.session_id != asked_session:
            return SignInNeeded(again=signed_in is not None)
        scope = signed_in.may_allow(request.scope & client.scopes & shown_scope)
        if not scope:
            return NotAllowed(errors.AccessDenied, "this account has none of these permissions")
        outcome = await issue(people, connection, request, signed_in, scope)
        if isinstance(outcome, CodeIssued):
            await _remember(connection, request, signed_in, scope, correlation_id)
    people.poke()
    return outcome


async def _remember(
    connection: Connection,
    request: AuthorizationRequest,
    signed_in: SignedIn,
    scope: frozenset[str],
    correlation_id: str,
) -> None:
    subject = signed_in.session.subject
    added = await consents.remember(connection, subject, request.client_id, request.resource, scope)
    if added:
        event = ConsentGranted(
            sub=str(subject),
            client_id=request.client_id,
            scope=" ".join(sorted(scope)),
            session=str(signed_in.session.session_id),
        )
        await tell(connection, event, about=str(subject), correlation_id=correlation_id)
