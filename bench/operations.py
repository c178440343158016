"""The operations that load is made of, through standard endpoints only; every answer is checked."""

import itertools
import json
from base64 import b64encode
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from bench.connection import Connection, get, post
from bench.load import Operation
from bench.signatures import Samples


class WrongAnswerError(Exception):
    """A server did not do what it was asked for; a figure with such answers would mean nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A server under load: its endpoints, and a client that may use them.

    `parameters` go with each token request. `processes` are those whose CPU time counts, by name.
    A client without a secret is a public one and sends its `client_id` in the form instead.
    `samples` are of the access tokens that it was given.
    """

    name: str
    token: str
    introspection: str
    jwks: str
    revocation: str = ""
    client_id: str
    client_secret: str
    parameters: dict[str, str]
    processes: dict[str, list[int]]
    samples: Samples = field(default_factory=Samples)

    @property
    def authorization(self) -> str | None:
        """What goes with each request of a client that has a secret."""
        return basic(self.client_id, self.client_secret) if self.client_secret else None


@dataclass(slots=True)
class Chain:
    """A family of refresh tokens, and how far its client has got: the newest token."""

    refresh_token: str


async def client_credentials(target: Target) -> Operation:
    """A client gets a token for itself."""
    form = {"grant_type": "client_credentials", **target.parameters}
    ask = await _asker(target, target.token, lambda: form)

    async def operation() -> None:
        target.samples.note((await ask())["access_token"])

    return operation


async def refresh(target: Target, chains: Sequence[Chain]) -> Operation:
    """A client rotates its own chains in turn; a server that hands out a token again fails."""
    form = {"grant_type": "refresh_token"}
    turns = itertools.cycle(chains)
    if target.authorization is None:
        form["client_id"] = target.client_id
    ask = await _asker(target, target.token, lambda: form)

    async def operation() -> None:
        chain = next(turns)
        form["refresh_token"] = chain.refresh_token
        answer = await ask()
        target.samples.note(answer["access_token"])
        if answer["refresh_token"] == chain.refresh_token:
            raise WrongAnswerError("not rotated")
        chain.refresh_token = answer["refresh_token"]

    return operation


async def introspect(target: Target, access_token: str) -> Operation:
    """An API asks about a token that is good."""
    ask = await _asker(target, target.introspection, lambda: {"token": access_token})

    async def operation() -> None:
        if (await ask()).get("active") is not True:
            raise WrongAnswerError("not active")

    return operation


async def revoke(target: Target) -> Operation:
    """A client gets a token for itself and gives it back (RFC 7009)."""
    form = {"grant_type": "client_credentials", **target.parameters}
    issue = await _asker(target, target.token, lambda: form)
    where = urlsplit(target.revocation)
    connection = await Connection.open(where.hostname or "", where.port or 80)

    async def operation() -> None:
        token = (await issue())["access_token"]
        target.samples.note(token)
        body = urlencode({"token": token}).encode()
        request = post(where.netloc, where.path, body, authorization=target.authorization)
        status, _ = await connection.ask(request)
        if status != 200:
            raise WrongAnswerError(f"{status} for a revocation")

    return operation


async def jwks(target: Target) -> Operation:
    """Somebody reads the keys."""
    where = urlsplit(target.jwks)
    connection = await Connection.open(where.hostname or "", where.port or 80)
    request = get(where.netloc, where.path)

    async def operation() -> None:
        checked(await connection.ask(request))

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
        return checked(await connection.ask(request))

    return ask


def checked(answer: tuple[int, bytes]) -> dict[str, Any]:
    """The members of a good answer.

    Raises:
        WrongAnswerError: it is another one.
    """
    status, body = answer
    if status != 200:
        raise WrongAnswerError(f"{status} {body[:200].decode(errors='replace')}")
    members: dict[str, Any] = json.loads(body)
    return members


def basic(client_id: str, client_secret: str) -> str:
    """HTTP Basic, each half form-encoded first (RFC 6749 section 2.3.1)."""
    pair = f"{quote(client_id, safe='')}:{quote(client_secret, safe='')}"
    return "Basic " + b64encode(pair.encode()).decode()
