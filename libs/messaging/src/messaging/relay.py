"""The relay: publishes everything that becomes visible in the outbox, in order of id, for ever.

One relay at a time, others stand by. A batch is written down before it is sent, so whatever is sent
again is sent with the same id, epoch and seq.
"""

import asyncio
import contextlib
import random
import time
from datetime import timedelta

import structlog

from messaging import batches, metrics
from messaging.follower import Follower
from messaging.lease import Lease
from messaging.postgres import Connection, Pool
from messaging.publisher import LogReplacedError, Publisher
from messaging.security import Security
from messaging.sender import Sender, UnsentError
from messaging.watermarks import Watermarks

POLL = timedelta(milliseconds=20)
"""How often the outbox is looked at when nobody poked: what another replica wrote waits so long."""

SILENT_FOR = 5.0
"""Seconds. An owner that has completed no round for so long is not ready."""

LONGEST_PAUSE = 1.0
"""Seconds before Kafka is tried again: revocations wait for it."""

_log = structlog.get_logger()


class Relay:
    """Publishes the outbox of one database as `source`. Run it in every replica.

    While it publishes it holds two connections of the pool.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        bootstrap: str,
        source: str,
        watermarks: Watermarks,
        poll: timedelta = POLL,
        follower: Follower | None = None,
        security: Security | None = None,
    ) -> None:
        self._pool = pool
        self._bootstrap = bootstrap
        self._source = source
        self._watermarks = watermarks
        self._poll = poll
        self._follower = follower
        self._security = security
        self._lease = Lease(pool)
        self._poked = asyncio.Event()
        self._completed_at: float | None = None
        self._trouble: str | None = None

    def poke(self) -> None:
        """Something was committed; publish it now."""
        self._poked.set()

    async def check(self) -> str | None:
        """For readiness: why nothing is being published, or None."""
        if self._completed_at is not None:
            silent = time.monotonic() - self._completed_at
            if silent < SILENT_FOR:
                return None
            return self._trouble or f"no round for {silent:.0f} s"
        return None if await self._lease.somebody_has_it() else "nobody publishes the outbox"

    async def run(self) -> None:
        """Stand by, then publish until the lease is lost.

        Raises:
            LeaseLostError: another relay publishes now; run it again to stand by.
            asyncpg.PostgresError, asyncpg.InterfaceError, OSError: the database; run it again.
        """
        await self._lease.acquire()
        _log.info("relay owns the outbox", source=self._source, owner=self._lease.owner)
        self._completed_at = time.monotonic()
        metrics.RELAY_OWNER.set(1)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._lease.keep())
                both.create_task(self._publish())
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            self._completed_at = None
            metrics.RELAY_OWNER.set(0)
            metrics.RELAY_GAPS.set(0)
            # The database may be what failed; the lease runs out by itself.
            with contextlib.suppress(Exception):
                await self._lease.release()

    async def _publish(self) -> None:
        async with self._pool.acquire() as connection:
            state = await batches.take_over(connection, self._lease.owner)
            publisher = Publisher(
                connection,
                state,
                owner=self._lease.owner,
                source=self._source,
                follower=self._follower,
                security=self._security,
            )
            pause = 0.05
            while True:
                try:
                    async with Sender(
                        self._bootstrap, client_id=f"{self._source}-relay", security=self._security
                    ) as sender:
                        await publisher.resume(sender, self._bootstrap)
                        pause = 0.05
                        await self._rounds(connection, publisher, sender)
                except LogReplacedError as error:
                    await publisher.begin_after_loss(error.topics)
                except UnsentError as error:
                    self._note(error)
                await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 -- jitter
                pause = min(LONGEST_PAUSE, pause * 2)

    async def _rounds(self, connection: Connection, publisher: Publisher, sender: Sender) -> None:
        self._trouble = None
        while True:
            self._poked.clear()
            due = publisher.watermark_is_due()
            if due:
                await publisher.check_level()
            told = await self._watermarks.told(connection) if due else {}
            began = time.monotonic()
            look = await publisher.publish_visible(sender)
            if look.rows:
                metrics.RELAY_ROUND.observe(time.monotonic() - began)
            if due and not look.more:
                await publisher.mark(sender, self._watermarks.marks(look.at, told))
            await publisher.tend()
            self._completed_at = time.monotonic()
            if not look.more:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._poll.total_seconds()):
                        await self._poked.wait()

    def _note(self, error: UnsentError) -> None:
        metrics.RELAY_RETRIES.inc()
        if self._trouble is None:
            _log.warning("relay can't reach Kafka", source=self._source, why=str(error))
        self._trouble = f"Kafka: {error}"
