"""The issuer's relay: the only writer of `token-lifecycle` and `issuer-activity`."""

from issuer.settings import IssuerSettings
from messaging.relay import Relay
from messaging.watermarks import LifecycleWatermarks
from servicekit.postgres import Pool

SOURCE = "issuer"


def make_relay(pool: Pool, settings: IssuerSettings) -> Relay:
    """A relay that says each second, for every shard, how far it has delivered."""
    return Relay(
        pool,
        bootstrap=settings.kafka_bootstrap,
        source=SOURCE,
        watermarks=LifecycleWatermarks(),
        poll=settings.relay_poll,
    )
