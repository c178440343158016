"""How a client says who it is: HTTP Basic, or in the form, but never both (RFC 6749 2.3)."""

from fastapi import Request

from issuer.api.parts import Parts
from issuer.domain.client import Client
from issuer.usecases.authenticate_client import (
    Credentials,
    NotAuthenticated,
    authenticate_client,
)
from oauth.basic import parse_basic
from oauth.errors import InvalidClient, InvalidRequest, TooManyRequests
from oauth.forms import MalformedError

LONGEST_ID = 128
ASSERTION = "client_assertion"


async def authenticated(parts: Parts, request: Request, form: dict[str, str]) -> Client:
    """The client that makes a request.

    Raises:
        InvalidRequest: it authenticates in two ways at once.
        InvalidClient: it does not say who it is, or does not prove it.
        TooManyRequests: it was wrong too often lately.
    """
    outcome = await authenticate_client(parts.clients, parts.guesses, _presented(request, form))
    if isinstance(outcome, NotAuthenticated):
        if outcome.seconds is not None:
            raise TooManyRequests(outcome.detail, retry_after=outcome.seconds)
        raise InvalidClient(outcome.detail)
    return outcome


def _presented(request: Request, form: dict[str, str]) -> Credentials:
    headers = request.headers.getlist("authorization")
    ways = len(headers) + ("client_secret" in form) + (ASSERTION in form)
    if ways > 1:
        raise InvalidRequest(why="The client authenticates in two ways at once.")
    if ASSERTION in form:
        raise InvalidClient("an assertion, which is not supported")
    return _bounded(_basic(headers[0], form) if headers else _in_form(form))


def _in_form(form: dict[str, str]) -> Credentials:
    if "client_id" not in form:
        raise InvalidClient("no client authentication")
    return Credentials(form["client_id"], form.get("client_secret"))


def _basic(header: str, form: dict[str, str]) -> Credentials:
    """An attempt in the header that fails is always answered 401 (RFC 6749 section 5.2)."""
    try:
        basic = parse_basic(header)
    except MalformedError as error:
        raise InvalidClient(f"malformed Basic credentials: {error}") from None
    if basic is None:
        raise InvalidClient("another scheme than Basic")
    client_id, secret = basic
    if form.get("client_id", client_id) != client_id:
        raise InvalidRequest(why="client_id and the Authorization header disagree.")
    return Credentials(client_id, secret or None)


def _bounded(credentials: Credentials) -> Credentials:
    if not 1 <= len(credentials.client_id) <= LONGEST_ID:
        raise InvalidClient("no such client id")
    return credentials
