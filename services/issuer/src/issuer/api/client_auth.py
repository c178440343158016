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


async def authenticated(parts: Parts, request: Request, form: dict[str, str]) -> Client:
    """The client that makes a request.

    Raises:
        InvalidRequest: it authenticates in two ways, or malformed.
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
    if len(headers) > 1:
        raise InvalidRequest(why="More than one Authorization header.")
    if not headers:
        if "client_id" not in form:
            raise InvalidClient("no client authentication")
        return _bounded(Credentials(form["client_id"], form.get("client_secret")))
    try:
        basic = parse_basic(headers[0])
    except MalformedError as error:
        raise InvalidRequest(why=f"Malformed: {error}.") from None
    if basic is None:
        raise InvalidClient("another scheme than Basic")
    if "client_secret" in form:
        raise InvalidRequest(why="The client authenticates in two ways at once.")
    if form.get("client_id", basic[0]) != basic[0]:
        raise InvalidRequest(why="client_id and the Authorization header disagree.")
    return _bounded(Credentials(basic[0], basic[1]))


def _bounded(credentials: Credentials) -> Credentials:
    if not 1 <= len(credentials.client_id) <= LONGEST_ID:
        raise InvalidClient("no such client id")
    return credentials
