"""One life of an issuer on a database: its pool, its families, and a relay that is running."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from issuer.domain.outcomes import Minted, Refused, ScopeRefused, TargetRefused, TryLater
from issuer.store.families import Families
from issuer.usecases.catch_up import CatchUp
from messaging.level import is_level
from messaging.log_ends import read_log_ends
from messaging.relay import Relay
from messaging.watermarks import LifecycleWatermarks
from servicekit.postgres import Pool, create_pool
from tests.integration.messaging.support import running, until
from tests.support.issuer import HASH_KEY, families_on

ISSUER = "https://id.example"
Outcome = Minted | Refused | ScopeRefused | TargetRefused | TryLater


@dataclass(frozen=True, slots=True)
class Life:
    """An issuer process without its HTTP."""

    pool: Pool
    families: Families
    bootstrap: str = ""

    async def until_level(self) -> None:
        """Wait until the database may issue."""

        async def level() -> bool:
            async with self.pool.acquire() as connection:
                return await is_level(connection)

        await until(level, "level with the log")

    async def until_published(self) -> None:
        """Wait until Kafka has everything that the outbox has."""

        async def published() -> bool:
            row = await self.pool.fetchrow(
                "SELECT heads, (SELECT max(id) FROM outbox) IS NOT DISTINCT FROM nullif(high, 0)"
                " AND gaps = '{}' AS whole FROM relay_batch ORDER BY number DESC LIMIT 1"
            )
            assert row is not None
            ends = await read_log_ends(self.bootstrap, "issuer")
            return bool(row["whole"]) and all(
                ends[shard].seq >= head for shard, head in row["heads"].items()
            )

        await until(published, "outbox published")


@asynccontextmanager
async def without_relay(dsn: str, bootstrap: str = "") -> AsyncIterator[Life]:
    """A process whose relay can't reach Kafka."""
    pool = await create_pool(dsn, size=8, application_name="test")
    try:
        yield Life(pool, families_on(pool), bootstrap)
    finally:
        await pool.close()


@asynccontextmanager
async def life(dsn: str, bootstrap: str) -> AsyncIterator[Life]:
    """A process that publishes; on leaving, everything it said is in Kafka."""
    async with without_relay(dsn, bootstrap) as found:
        relay = Relay(
            found.pool,
            bootstrap=bootstrap,
            source="issuer",
            watermarks=LifecycleWatermarks(),
            follower=CatchUp(ISSUER, hash_key=HASH_KEY),
        )
        async with running(relay.run):
            await found.until_level()
            yield found
            await found.until_published()
