"""Reads all of `revocations`, as resource servers do, and applies every kill that is pending."""

from collections.abc import Callable

from issuer.usecases.apply_kill import apply_kill
from messaging.security import KafkaSettings
from revocast import KafkaFeed
from revocast_contracts.revocations import RevocationEntry
from servicekit.postgres import Pool


def revocations_feed(kafka: KafkaSettings, pool: Pool, *, poke: Callable[[], None]) -> KafkaFeed:
    """The issuer's feed. A kill that can't be applied now is tried again before the next entry."""

    async def hear(entry: RevocationEntry, correlation_id: str) -> None:
        await apply_kill(pool, entry, correlation_id=correlation_id, poke=poke)

    return KafkaFeed(kafka.kafka_bootstrap, on_entry=hear, security=kafka.kafka_security())
