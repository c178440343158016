"""Client authentication (RFC 6749 section 2.3): unknown clients look like wrong secrets."""

import asyncio
import time
from dataclasses import dataclass
from datetime import timedelta

from issuer.domain.client import Client
from issuer.usecases.guesses import Guesses
from issuer.usecases.known_clients import KnownClients

REFUSED_AFTER = timedelta(milliseconds=20)
"""No refusal comes sooner: a row that is found takes longer to read than one that is not."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client presented. A public client has no secret to present."""

    client_id: str
    secret: str | None


@dataclass(frozen=True, slots=True)
class NotAuthenticated:
    """`invalid_client`. `seconds` is set when its guesses are being slowed down."""

    detail: str
    seconds: int | None = None


async def authenticate_client(
    known: KnownClients, guesses: Guesses, credentials: Credentials
) -> Client | NotAuthenticated:
    """The client that presented its own secret, or none for a public one.

    A right secret always passes, however many wrong ones came before: it has 256 random bits, so
    no rate of guessing finds it, and nobody can be locked out by somebody else's guesses. A refusal
    has asked the database exactly once, for a known client as for an unknown one.
    """
    began = time.monotonic()
    client = known.remembered(credentials.client_id)
    if client is not None and _proves(client, credentials):
        return client
    client = await known.read(credentials.client_id)
    if client is not None and _proves(client, credentials):
        return client
    seconds = guesses.note(credentials.client_id, "client_secret", known=client is not None)
    await asyncio.sleep(began + REFUSED_AFTER.total_seconds() - time.monotonic())
    return NotAuthenticated("unknown client, wrong secret, or disabled", seconds)


def _proves(client: Client, credentials: Credentials) -> bool:
    if client.disabled:
        return False
    if not client.confidential:
        return credentials.secret is None
    return credentials.secret is not None and client.secret_matches(credentials.secret)
