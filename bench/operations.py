"""The operations that load is made of, through standard endpoints only; every answer is checked."""

import json
from base64 import b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from bench.connection import Connection, get, post
from bench.load import Operation


class WrongAnswerError(Exception):
    """A server did not do what it was asked for; a figure with such answers would mean nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A server under load: its endpoints, and a client that may use them.

    `parameters` go with each token request. `processes` are those whose CPU time counts, by name.
    """

    name: str
    token: str
    introspection: str
    jwks: str
    client_id: str
    client_secret: str
    parameters: dict[str, str]
    processes: dict[str, list[int]]

    @property
    def authorization(self) -> str:
        """HTTP Basic, each half form-encoded first (RFC 6749 section 2.3.1)."""
        pair = f"{quote(self.client_id, safe='')}:{quote(self.client_secret, safe='')}"
        return "Basic " + b64encode(pair.encode()).decode()


async def client_credentials(target: Target) -> Operation:
    """A client gets a token for itself."""
    form = {"grant_type": "client_credentials", **target.parameters}
    ask = await _asker(target, target.token, lambda: form)

    async def operation() -> None:
        if "access_token" not in await ask():
            raise WrongAnswerError("no access token")

    return operation


async def refresh(target: Target, refresh_token: str) -> Operation:
    """A client rotates its own chain; a server that hands out the same token again fails."""
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    ask = await _asker(target, target.token, lambda: form)

    async def operation() -> None:
        answer = await ask()
        if "access_token" not in answer or answer["refresh_token"] == form["refresh_token"]:
            raise WrongAnswerError("not rotated")
        form["refresh_token"] = answer["refresh_token"]

    return operation


async def introspect(target: Target, access_token: str) -> Operation:
    """An API asks about a token that is good."""
    ask = await _asker(target, target.introspection, lambda: {"token": access_token})

    async def operation() -> None:
        if (await ask()).get("active") is not True:
            raise WrongAnswerError("not active")

    return operation


async def jwks(target: Target) -> Operation:
    """Somebody reads the keys."""
    where = urlsplit(target.jwks)
    connection = await Connection.open(where.hostname or "", where.port or 80)
    request = get(where.netloc, where.path)

    async def operation() -> None:
        _checked(await connection.ask(request))

    return operation


async def _asker(
    target: Target, url: str, form: Callable[[], dict[str, str]]
) -> Callable[[], Awaitable[dict[str, Any]]]:
    where = urlsplit(url)
    connection = await Connection.open(where.hostname or "", where.port or 80)
    authorization = target.authorization

    async def ask() -> dict[str, Any]:
        body = urlencode(form()).encode()
        request = post(where.netloc, where.path, body, authorization=authorization)
        return _checked(await connection.ask(request))

    return ask


def _checked(answer: tuple[int, bytes]) -> dict[str, Any]:
    status, body = answer
    if status != 200:
        raise WrongAnswerError(f"{status} {body[:200].decode(errors='replace')}")
    members: dict[str, Any] = json.loads(body)
    return members
