"""What the revocation service's tests begin with: facts of an issuer, and what stands published."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import uuid4

from messaging.consume import Received
from revocast_contracts import codec
from revocast_contracts.envelope import Data, Draft
from revocast_contracts.lifecycle import (
    EndCause,
    FamilyEnded,
    Grant,
    KillApplied,
    Network,
    StaleClass,
    TokenIssued,
    TokenPresentedStale,
    TokenReplayed,
    TokenRotated,
)
from revocast_contracts.revocations import RevocationEntry
from revocast_contracts.selectors import Selector, SelectorKind
from revocast_contracts.topics import REVOCATIONS, SECURITY_SIGNALS, TOKEN_LIFECYCLE, Topic
from revocation.consumers.lifecycle import LifecycleHandler
from revocation.domain.detector import Rule
from servicekit.postgres import Connection, Pool, transaction

HASH_KEY = bytes(range(32))

D = TypeVar("D", bound=Data)
T = TypeVar("T")


@dataclass(slots=True)
class Facts:
    """Makes an issuer's events with rising places, as its relay would have sent them."""

    seq: int = 0
    epoch: int = 1
    family: str = field(default_factory=lambda: str(uuid4()))
    session: str = field(default_factory=lambda: str(uuid4()))
    sub: str = field(default_factory=lambda: str(uuid4()))
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    told_at: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.told_at = self.at

    def received(self, data: Data, *, correlation_id: str = "cause") -> Received:
        """The event of any fact."""
        self.seq += 1
        self.told_at += timedelta(milliseconds=1)
        draft = Draft(
            key=self.family,
            subject=self.family,
            time=self.told_at,
            correlation_id=correlation_id,
            data=data,
        )
        shard = TOKEN_LIFECYCLE.shard(self.family)
        event = codec.place(draft, source="issuer", shard=shard, epoch=self.epoch, seq=self.seq)
        return Received(
            event=event,
            topic=TOKEN_LIFECYCLE.name,
            partition=shard,
            offset=self.seq,
            raw=codec.encode(event),
        )

    def _whose(self) -> dict[str, Any]:
        return {
            "family": self.family,
            "session": self.session,
            "sub": self.sub,
            "client_id": "web",
        }

    def started(self, *, refreshable: bool = True) -> Received:
        """The family begins."""
        data = TokenIssued(
            **self._whose(),
            grant=Grant.AUTHORIZATION_CODE,
            scope="orders.read",
            aud=("https://api.example",),
            jti_hash="j1",
            exp=self.at + timedelta(minutes=10),
            refreshable=refreshable,
        )
        return self.received(data)

    def rotated(self, generation: int, network: str = "192.0.2.0/24") -> Received:
        """A rotation to a generation."""
        data = TokenRotated(
            **self._whose(),
            generation=generation,
            jti_hash=f"j{generation}",
            exp=self.at + timedelta(minutes=10),
            origin=Network(network=network),
        )
        return self.received(data)

    def replayed(self, generation: int, network: str = "192.0.2.0/24") -> Received:
        """The first replay that gave a generation out again."""
        data = TokenReplayed(
            **self._whose(),
            generation=generation,
            replay=1,
            age_ms=1,
            jti_hash=f"r{generation}",
            exp=self.at + timedelta(minutes=10),
            origin=Network(network=network),
        )
        return self.received(data)

    def stale(self, presented: int, current: int, *, correlation_id: str = "cause") -> Received:
        """A stale presentation, for which the issuer ended the family."""
        late = presented == current - 1
        data = TokenPresentedStale(
            **self._whose(),
            presented_generation=presented,
            current_generation=current,
            stale_class=StaleClass.LATE_PREDECESSOR if late else StaleClass.OLDER_GENERATION,
            age_ms=60_000,
            ended_at=self.at,
        )
        return self.received(data, correlation_id=correlation_id)

    def ended(self, cause: EndCause, *, family: str | None = None) -> Received:
        """The family, or another one of its session, was ended for a cause."""
        whose = self._whose() | ({"family": family} if family else {})
        return self.received(FamilyEnded(**whose, generation=1, cause=cause, ended_at=self.at))

    def applied(self, kill_id: str, selector: Selector, at: datetime | None = None) -> Received:
        """The issuer applied a kill."""
        return self.received(
            KillApplied(kill_id=kill_id, selector=selector, applied_at=at or self.at),
            correlation_id="issuer",
        )


def a_handler(*, ending: frozenset[Rule] = frozenset(Rule)) -> LifecycleHandler:
    """The consumer's handler, by default with every rule ending."""
    return LifecycleHandler(ending=ending, hash_key=HASH_KEY, completed=lambda ids: None)


async def handle(pool: Pool, *batch: Received, handler: LifecycleHandler | None = None) -> None:
    """One batch in one transaction, as the consumer would have it."""
    async with transaction(pool) as connection:
        await (handler or a_handler())(connection, batch)


async def published(pool: Pool, topic: Topic, kind: type[D]) -> list[D]:
    """Every event of a type in the outbox, in order."""
    return [data for data, _ in await _outbox(pool, topic, kind)]


async def correlations(pool: Pool, topic: Topic, kind: type[D]) -> list[str]:
    """The correlation ids of every event of a type in the outbox, in order."""
    return [correlation_id for _, correlation_id in await _outbox(pool, topic, kind)]


async def entries(pool: Pool) -> list[RevocationEntry]:
    """Every entry in the outbox, in order."""
    return await published(pool, REVOCATIONS, RevocationEntry)


async def signals(pool: Pool, kind: type[D]) -> list[D]:
    """Every signal of a type in the outbox, in order."""
    return await published(pool, SECURITY_SIGNALS, kind)


async def event_ids(connection: Connection) -> Sequence[str]:
    """The id of every event in the outbox, in order."""
    rows = await connection.fetch("SELECT event_id FROM outbox ORDER BY id")
    return [str(row["event_id"]) for row in rows]


def family_selector(facts: Facts) -> Selector:
    """The selector of the facts' family."""
    return Selector(kind=SelectorKind.FAMILY, value=facts.family)


async def eventually(look: Callable[[], Awaitable[T | None]], *, seconds: float = 30) -> T:
    """What `look` finds, as soon as it finds something."""
    async with asyncio.timeout(seconds):
        while True:
            found = await look()
            if found is not None:
                return found
            await asyncio.sleep(0.01)


async def _outbox(pool: Pool, topic: Topic, kind: type[D]) -> list[tuple[D, str]]:
    rows = await pool.fetch(
        "SELECT type, data, correlation_id FROM outbox WHERE topic = $1 AND type = $2 ORDER BY id",
        topic.noun,
        kind.event_type,
    )
    return [(kind.model_validate(row["data"]), row["correlation_id"]) for row in rows]
