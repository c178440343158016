"""What an authorization request still needs: a sign-in, a consent, or nothing but its code."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from issuer.domain.authorization import AuthorizationRequest, SignedIn
from issuer.domain.client import Client
from issuer.domain.outcomes import Refused
from issuer.store import consents, sessions
from issuer.store.codes import issue_code
from issuer.usecases.people import People
from oauth import errors
from revocast_contracts.selectors import subject_hash
from servicekit.postgres import Connection, transaction


@dataclass(frozen=True, slots=True)
class CodeIssued:
    """Done: the code goes to the client."""

    code: str


@dataclass(frozen=True, slots=True)
class SignInNeeded:
    """Somebody has to sign in first; `again` when they were signed in and that is not enough."""

    again: bool


@dataclass(frozen=True, slots=True)
class ConsentNeeded:
    """This person has to be asked about these scopes."""

    signed_in: SignedIn
    scope: frozenset[str]


@dataclass(frozen=True, slots=True)
class NotAllowed:
    """The answer is no; it goes back to the client as this error."""

    error: type[errors.OAuthError]
    description: str


Outcome = CodeIssued | SignInNeeded | ConsentNeeded | NotAllowed


async def start_authorization(
    people: People,
    client: Client,
    request: AuthorizationRequest,
    *,
    cookie: str | None,
    just_signed_in: UUID | None = None,
) -> Outcome:
    """Decide what comes next for whoever holds this session cookie.

    `just_signed_in` is the session whose sign-in answered this very request: it satisfies
    `prompt=login` and any `max_age`.
    """
    async with transaction(people.pool) as connection:
        signed_in = await sessions.hold(connection, cookie) if cookie is not None else None
        if signed_in is None:
            return _sign_in_needed(request, again=False)
        if signed_in.session.session_id != just_signed_in and not await _answers(
            connection, request, signed_in
        ):
            return _sign_in_needed(request, again=True)
        return await _proceed(people, connection, client, request, signed_in)


async def _answers(
    connection: Connection, request: AuthorizationRequest, signed_in: SignedIn
) -> bool:
    """Whether an existing sign-in is good enough (OpenID Connect Core 3.1.2.1, 3.1.2.3)."""
    if request.prompt & {"login", "select_account"}:
        return False
    if request.hinted_subject not in (None, str(signed_in.session.subject)):
        return False
    if request.max_age is None:
        return True
    now: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return now - signed_in.session.auth_time < timedelta(seconds=request.max_age)


async def _proceed(
    people: People,
    connection: Connection,
    client: Client,
    request: AuthorizationRequest,
    signed_in: SignedIn,
) -> Outcome:
    if request.hinted_subject not in (None, str(signed_in.session.subject)):
        return NotAllowed(errors.LoginRequired, "somebody else than id_token_hint names signed in")
    scope = signed_in.may_allow(request.scope)
    if not scope:
        return NotAllowed(errors.AccessDenied, "this account has none of these permissions")
    if await _must_ask(connection, client, request, signed_in, scope):
        if "none" in request.prompt:
            return NotAllowed(errors.ConsentRequired, "the person has to be asked")
        return ConsentNeeded(signed_in, scope)
    return await issue(people, connection, request, signed_in, scope)


async def _must_ask(
    connection: Connection,
    client: Client,
    request: AuthorizationRequest,
    signed_in: SignedIn,
    scope: frozenset[str],
) -> bool:
    """A native client is asked for each time: anybody can claim to be it (RFC 8252 section 8.6)."""
    if "consent" in request.prompt:
        return True
    if not client.consent_required:
        return False
    remembered = await consents.remembered(
        connection, signed_in.session.subject, client.client_id, request.resource
    )
    return client.native or not scope <= remembered


async def issue(
    people: People,
    connection: Connection,
    request: AuthorizationRequest,
    signed_in: SignedIn,
    scope: frozenset[str],
) -> CodeIssued | SignInNeeded | NotAllowed:
    """The code, in the caller's transaction, which holds the session's row.

    A kill that came after the sign-in means: sign in again.
    """
    code = await issue_code(
        connection,
        request,
        signed_in.session,
        scope=scope,
        subject_hash=subject_hash(str(signed_in.session.subject), people.hash_key),
    )
    return _sign_in_needed(request, again=True) if isinstance(code, Refused) else CodeIssued(code)


def _sign_in_needed(request: AuthorizationRequest, *, again: bool) -> SignInNeeded | NotAllowed:
    if "none" in request.prompt:
        return NotAllowed(errors.LoginRequired, "nobody is signed in, or not recently enough")
    return SignInNeeded(again)
