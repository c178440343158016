"""What the audit service's tests begin with: events as its consumer hears them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from audit.consumers.events import record_events
from messaging.consume import Received
from revocast_contracts import codec
from revocast_contracts.dead_letters import LetterDied
from revocast_contracts.envelope import Data, Draft, Event, uuid7
from revocast_contracts.lifecycle import (
    ClientDisabled,
    DenyReason,
    EndCause,
    FamilyEnded,
    Grant,
    StaleClass,
    TokenDenied,
    TokenIssued,
    TokenPresentedStale,
    TokenRotated,
)
from revocast_contracts.selectors import Selector, SelectorKind
from revocast_contracts.signals import KillCompleted, KillDecided
from revocast_contracts.topics import DEAD_LETTER, SECURITY_SIGNALS, TOKEN_LIFECYCLE, Topic
from servicekit.postgres import Pool, transaction


@dataclass(slots=True)
class Story:
    """Makes the events of one family, a second apart, with rising places."""

    family: str = field(default_factory=lambda: str(uuid4()))
    session: str = field(default_factory=lambda: str(uuid4()))
    sub: str = field(default_factory=lambda: str(uuid4()))
    client: str = "web"
    now: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))
    seq: int = 0

    def whose(self) -> dict[str, Any]:
        return {
            "family": self.family,
            "session": self.session,
            "sub": self.sub,
            "client_id": self.client,
        }

    def tell(self, data: Data, topic: Topic = TOKEN_LIFECYCLE, **changed: Any) -> Received:
        self.seq += 1
        self.now += timedelta(seconds=1)
        return heard(data, topic, key=self.family, time=self.now, seq=self.seq, **changed)

    def started(self) -> Received:
        return self.tell(
            TokenIssued(
                **self.whose(),
                grant=Grant.AUTHORIZATION_CODE,
                scope="orders.read",
                aud=("https://api.example",),
                jti_hash="hash of the first",
                exp=self.now + timedelta(minutes=10),
                refreshable=True,
            )
        )

    def rotated(self, generation: int) -> Received:
        return self.tell(
            TokenRotated(
                **self.whose(),
                generation=generation,
                jti_hash=f"hash {generation}",
                exp=self.now + timedelta(minutes=10),
            )
        )

    def stale(self, presented: int, current: int) -> Received:
        return self.tell(
            TokenPresentedStale(
                **self.whose(),
                presented_generation=presented,
                current_generation=current,
                stale_class=StaleClass.OLDER_GENERATION,
                age_ms=60_000,
                ended_at=self.now,
            )
        )

    def ended(self, cause: EndCause) -> Received:
        return self.tell(FamilyEnded(**self.whose(), generation=1, cause=cause, ended_at=self.now))

    def denied(self, reason: DenyReason) -> Received:
        return self.tell(
            TokenDenied(
                family=self.family,
                client_id=self.client,
                sub=self.sub,
                presented_generation=1,
                current_generation=1,
                reason=reason,
                count=1,
            )
        )

    def client_disabled(self) -> Received:
        return self.tell(
            ClientDisabled(client_id=self.client, disabled_at=self.now, actor="operator")
        )

    def killed(self, kind: SelectorKind, value: str) -> list[Received]:
        """The two signals of a kill: decided, and completed a second later."""
        kill_id, selector = str(uuid7()), Selector(kind=kind, value=value)
        decided = KillDecided(
            kill_id=kill_id,
            selector=selector,
            cause="operator",
            actor="an operator",
            reason="stolen laptop",
        )
        first = self.tell(decided, SECURITY_SIGNALS)
        applied = KillCompleted(kill_id=kill_id, selector=selector, applied_at=self.now)
        return [first, self.tell(applied, SECURITY_SIGNALS)]


def heard(
    data: Data,
    topic: Topic = TOKEN_LIFECYCLE,
    *,
    key: str = "key",
    time: datetime | None = None,
    seq: int = 1,
    epoch: int = 1,
    event_id: UUID | None = None,
    correlation_id: str = "cause",
) -> Received:
    """An event as the consumer hands it over."""
    draft = Draft(
        id=event_id or uuid7(),
        key=key,
        subject=key,
        time=time or datetime.now(UTC),
        correlation_id=correlation_id,
        data=data,
    )
    shard = topic.shard(key)
    event = codec.place(draft, source=topic.writer, shard=shard, epoch=epoch, seq=seq)
    return as_received(codec.encode(event), topic)


def as_received(raw: bytes, topic: Topic = TOKEN_LIFECYCLE) -> Received:
    """Bytes as the consumer hands them over, if it can read them."""
    event: Event = codec.decode(raw)
    return Received(event=event, topic=topic.name, partition=event.shard, offset=0, raw=raw)


def a_letter(event_id: UUID, reason: str = "not JSON") -> Received:
    """A dead letter of this moment."""
    died = LetterDied(
        topic=TOKEN_LIFECYCLE.name,
        partition=3,
        offset=7,
        consumer="revocation",
        reason=reason,
        sha256="ab" * 32,
        original="c2VjcmV0",
    )
    return heard(died, DEAD_LETTER, event_id=event_id, seq=0)


async def record(pool: Pool, *batch: Received | Sequence[Received]) -> None:
    """One batch in one transaction, as the consumer would have it."""
    flat = [one for part in batch for one in ([part] if isinstance(part, Received) else part)]
    async with transaction(pool) as connection:
        await record_events(connection, flat)


async def indexes(pool: Pool) -> list[int]:
    """Every index that was given, in order."""
    return [row["index"] for row in await pool.fetch("SELECT index FROM record ORDER BY index")]
