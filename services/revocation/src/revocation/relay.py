"""The relay of this service: the only writer of `security-signals` and `revocations`."""

import asyncio

from messaging.relay import Relay
from messaging.watermarks import RevocationWatermarks
from revocation.settings import RevocationSettings
from revocation.store import watermarks
from servicekit.postgres import Pool

SOURCE = "revocation"

COMMIT_SECONDS = (0.002, 0.004, 0.008)
"""When a consumer's transaction has usually committed, after its handler returned. What takes
longer is found by polling."""


def make_relay(pool: Pool, settings: RevocationSettings) -> Relay:
    """A relay that tells, with each watermark of ours, how far we have heard the issuer."""
    return Relay(
        pool,
        bootstrap=settings.kafka_bootstrap,
        source=SOURCE,
        watermarks=RevocationWatermarks(watermarks.read),
        poll=settings.relay_poll,
    )


def poke_soon(relay: Relay) -> None:
    """Something is about to be committed; publish it then, not one poll later."""
    loop = asyncio.get_running_loop()
    for seconds in COMMIT_SECONDS:
        loop.call_later(seconds, relay.poke)
