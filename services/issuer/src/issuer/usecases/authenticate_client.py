"""Client authentication (RFC 6749 section 2.3): unknown clients look like wrong secrets."""

import hashlib
import hmac
from dataclasses import dataclass

from issuer.domain.client import Client
from issuer.usecases.guesses import Guesses
from issuer.usecases.known_clients import KnownClients

_NOBODY = hashlib.sha256(b"").digest()


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

    A right secret always passes, however many wrong ones came before: nobody can be locked out by
    somebody else's guesses. A refusal has always asked the database once, for a known client as
    for an unknown one.
    """
    client = await known.find(credentials.client_id)
    if client is not None and _proves(client, credentials):
        return client
    client = await known.find(credentials.client_id, fresh=True)
    if client is not None and _proves(client, credentials):
        return client
    if client is None:
        hmac.compare_digest(hashlib.sha256((credentials.secret or "").encode()).digest(), _NOBODY)
    seconds = guesses.note(credentials.client_id, "client_secret", known=client is not None)
    return NotAuthenticated("unknown client, wrong secret, or disabled", seconds)


def _proves(client: Client, credentials: Credentials) -> bool:
    if client.disabled:
        return False
    if not client.confidential:
        return credentials.secret is None
    return credentials.secret is not None and client.secret_matches(credentials.secret)
