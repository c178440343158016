"""The issuer's relay: the only writer of `token-lifecycle` and `issuer-activity`."""

from issuer.settings import IssuerSettings
from issuer.usecases.catch_up import CatchUp
from messaging.relay import Relay
from messaging.watermarks import LifecycleWatermarks
from servicekit.postgres import Pool

SOURCE = "issuer"


def make_relay(pool: Pool, settings: IssuerSettings) -> Relay:
    """A relay that says each second, for every shard, how far it has delivered.

    Nothing is issued before it has compared the log with the database.
    """
    return Relay(
        pool,
        bootstrap=settings.kafka_bootstrap,
        security=settings.kafka_security(),
        source=SOURCE,
        watermarks=LifecycleWatermarks(),
        poll=settings.relay_poll,
        follower=CatchUp(settings.url, hash_key=settings.key("personal_data_hash_key")),
    )
