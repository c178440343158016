"""The relay of this service: the only writer of `security-signals` and `revocations`."""

from messaging.relay import Relay
from messaging.watermarks import RevocationWatermarks
from revocation.settings import RevocationSettings
from revocation.store import watermarks
from revocation.usecases.catch_up import CatchUp
from servicekit.postgres import Pool

SOURCE = "revocation"


def make_relay(pool: Pool, settings: RevocationSettings) -> Relay:
    """A relay that tells, with each watermark of ours, how far we have heard the issuer."""
    return Relay(
        pool,
        bootstrap=settings.kafka_bootstrap,
        security=settings.kafka_security(),
        source=SOURCE,
        watermarks=RevocationWatermarks(watermarks.read),
        poll=settings.relay_poll,
        follower=CatchUp(),
    )
