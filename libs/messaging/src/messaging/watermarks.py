"""What a relay says each second: everything committed before this moment stands above."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from messaging.postgres import Connection
from revocast_contracts.envelope import Draft, uuid7
from revocast_contracts.lifecycle import WatermarkPassed
from revocast_contracts.revocations import RevocationWatermark
from revocast_contracts.topics import REVOCATIONS, TOKEN_LIFECYCLE, Topic

Told = Mapping[str, datetime]
"""Other sources -> how far each was heard by this service."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One watermark for one shard of a topic."""

    topic: Topic
    shard: int
    draft: Draft


class Watermarks(Protocol):
    """What a service's relay says."""

    async def told(self, connection: Connection) -> Told:
        """How far others were heard. Read before the outbox, so that what they caused is in it."""

    def marks(self, at: datetime, told: Told) -> list[Mark]:
        """The watermarks, once everything that was committed before `at` has been acknowledged."""


class LifecycleWatermarks:
    """The issuer's: one for each shard of `token-lifecycle`."""

    async def told(self, connection: Connection) -> Told:
        """The issuer hears nobody."""
        return {}

    def marks(self, at: datetime, told: Told) -> list[Mark]:
        """See `Watermarks`."""
        return [self._mark(shard, at) for shard in range(TOKEN_LIFECYCLE.partitions)]

    def _mark(self, shard: int, at: datetime) -> Mark:
        source = f"{TOKEN_LIFECYCLE.noun}/{shard}"
        passed = WatermarkPassed(source=source, complete_through=at)
        return Mark(TOKEN_LIFECYCLE, shard, _draft(source, at, passed))


class RevocationWatermarks:
    """The revocation service's: one, with its own time and what it was told by its sources.

    `told` reads how far each source was handled; a source's time is stored in the transaction that
    stores what the source caused.
    """

    def __init__(self, told: Callable[[Connection], Awaitable[Told]]) -> None:
        self._told = told

    async def told(self, connection: Connection) -> Told:
        """See `Watermarks`."""
        return await self._told(connection)

    def marks(self, at: datetime, told: Told) -> list[Mark]:
        """See `Watermarks`."""
        data = RevocationWatermark(sources={**told, "revocation": at})
        return [Mark(REVOCATIONS, 0, _draft("watermark", at, data))]


def _draft(key: str, at: datetime, data: WatermarkPassed | RevocationWatermark) -> Draft:
    return Draft(id=uuid7(), key=key, subject=key, time=at, correlation_id="watermark", data=data)
