"""The code flow with PKCE, from a browser that is signed in already; every answer is checked."""

import itertools
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx

from bench.connection import Connection, get, post
from bench.load import Operation
from bench.operations import Target, WrongAnswerError, checked
from revocast import pkce


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """A signed-in browser: its cookies, and what a client has it ask for at `authorize`."""

    authorize: str
    asked: dict[str, str]
    cookies: str


def cookies_of(browser: httpx.Client) -> str:
    """All cookies of a browser, as it sends them."""
    return "; ".join(f"{each.name}={each.value}" for each in browser.cookies.jar)


def challenge() -> tuple[str, dict[str, str]]:
    """A new verifier, and the parameters of an authorization request that name it (RFC 7636)."""
    verifier = pkce.verifier()
    return verifier, {
        "code_challenge": pkce.challenge(verifier),
        "code_challenge_method": "S256",
        "state": secrets.token_urlsafe(16),
    }


async def code_flow(target: Target, visitors: Sequence[Visitor]) -> Operation:
    """A client sends browsers in turn for a code, and exchanges it for tokens."""
    where = urlsplit(target.token)
    connection = await Connection.open(where.hostname or "", where.port or 80)
    client = {"client_id": target.client_id, "response_type": "code"}
    turns = itertools.cycle(visitors)

    async def operation() -> None:
        visitor = next(turns)
        path = urlsplit(visitor.authorize).path
        verifier, named = challenge()
        query = urlencode({**client, **visitor.asked, **named})
        status, _ = await connection.ask(
            get(where.netloc, f"{path}?{query}", cookies=visitor.cookies)
        )
        form = {
            "grant_type": "authorization_code",
            "code": _code(status, connection.location, visitor, named["state"]),
            "redirect_uri": visitor.asked["redirect_uri"],
            "code_verifier": verifier,
        }
        body = urlencode(form).encode()
        request = post(where.netloc, where.path, body, authorization=target.authorization)
        answer = checked(await connection.ask(request))
        target.samples.note(answer["access_token"])
        if not answer["refresh_token"]:
            raise WrongAnswerError("no refresh token")

    return operation


def _code(status: int, location: str, visitor: Visitor, state: str) -> str:
    returned = parse_qs(urlsplit(location).query)
    here = location.startswith(visitor.asked["redirect_uri"])
    if status not in {302, 303} or not here or returned.get("state") != [state]:
        raise WrongAnswerError(f"{status} instead of a code")
    return returned["code"][0]
