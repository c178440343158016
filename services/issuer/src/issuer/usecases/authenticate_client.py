"""Client authentication (RFC 6749 section 2.3): unknown clients look like wrong secrets."""

import asyncio
import math
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
    await rest_until(began + REFUSED_AFTER.total_seconds())
    return NotAuthenticated("unknown client, wrong secret, or disabled", seconds)


async def rest_until(moment: float) -> None:
    """Return at a moment of `time.monotonic`, and by the same steps wherever the work ended.

    The loop's timers count whole milliseconds from where they are set: alone they would end as
    early or late as the work did. So one is set a whole number of them before the moment.
    """
    whole = math.floor((moment - time.monotonic()) * 1000)
    if whole > 0:
        await _turn_until(moment - whole / 1000)
        await asyncio.sleep((whole - 1) / 1000)
    await _turn_until(moment)


async def _turn_until(moment: float) -> None:
    """Wait a millisecond or less, in turns of the loop: others take them as well, so that it costs
    only time in which nobody has anything to do."""
    while time.monotonic() < moment:  # noqa: ASYNC110 -- timers are too coarse
        await asyncio.sleep(0)


def _proves(client: Client, credentials: Credentials) -> bool:
    if client.disabled:
        return False
    if not client.confidential:
        return credentials.secret is None
    return credentials.secret is not None and client.secret_matches(credentials.secret)
