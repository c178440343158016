"""What each event says of a family's end: told of it, cut by its subject, client or session."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from audit.domain.family import Ending, Kill
from audit.domain.record import Record
from audit.store import families, records
from revocast_contracts.activity import AccountDisabled
from revocast_contracts.codec import decode
from revocast_contracts.envelope import Data
from revocast_contracts.lifecycle import (
    ClientDisabled,
    DenyReason,
    EndCause,
    FamilyEnded,
    TokenDenied,
    TokenIssued,
    TokenPresentedStale,
    TokenReplayed,
    TokenRotated,
)
from revocast_contracts.selectors import SelectorKind
from revocast_contracts.signals import KillCompleted, KillDecided
from servicekit.postgres import Connection

MINTING = (TokenIssued.event_type, TokenRotated.event_type, TokenReplayed.event_type)
"""Types that prove that the family lived when they happened."""

DECIDING = (TokenIssued.event_type, TokenPresentedStale.event_type, FamilyEnded.event_type)
"""Types of the family's own that say how it began and ended."""

_CUTTING = (KillCompleted.event_type, ClientDisabled.event_type, AccountDisabled.event_type)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A record and what its event says."""

    record: Record
    data: Data

    @classmethod
    def of(cls, record: Record) -> "Told":
        """Read a record's event; it was decoded before it was recorded."""
        return cls(record=record, data=decode(record.event).data)


def told_ending(told: Told) -> Ending | None:
    """The end that the issuer told of this very family; None where the event is no end."""
    match told.data:
        case TokenPresentedStale(ended_at=at):
            return Ending(cause=EndCause.REUSE, at=at, records=(told.record.index,))
        case FamilyEnded(cause=cause, ended_at=at):
            return Ending(cause=cause, at=at, records=(told.record.index,))
        case _:
            return None


def denial(told: Told) -> Ending | None:
    """What a refusal proves: expiry, or an end whose own record is not here."""
    match told.data:
        case TokenDenied(reason=reason) if reason is not DenyReason.FUTURE_GENERATION:
            return Ending(
                cause=reason,
                at=told.record.time,
                records=(told.record.index,),
                expired=reason in {DenyReason.IDLE_EXPIRED, DenyReason.ABSOLUTE_EXPIRED},
            )
        case _:
            return None


def expiries(first: Told, minted: Told | None) -> list[Ending]:
    """When the family's time runs out, as its beginning and its last token told.

    Nobody tells of it when it happens. Events of before these times were told say it only of a
    family without a refresh token, which lives as long as its one access token.
    """
    found = []
    match first.data:
        case TokenIssued(absolute_expires_at=datetime() as at):
            found.append(_expiry(DenyReason.ABSOLUTE_EXPIRED, at, first))
        case TokenIssued(refreshable=False, exp=at):
            found.append(_expiry(DenyReason.ABSOLUTE_EXPIRED, at, first))
    match minted.data if minted else None:
        case (
            TokenIssued(idle_expires_at=datetime() as at)
            | TokenRotated(idle_expires_at=datetime() as at)
            | TokenReplayed(idle_expires_at=datetime() as at)
        ) if minted:
            found.append(_expiry(DenyReason.IDLE_EXPIRED, at, minted))
    return found


def _expiry(cause: DenyReason, at: datetime, told: Told) -> Ending:
    return Ending(cause=cause, at=at, records=(told.record.index,), expired=True)


async def read_cuts(connection: Connection, first: Record, *, since: datetime) -> list[Ending]:
    """Everything from `since` on that ended the family's subject, client, session, or all."""
    named = (
        (SelectorKind.FAMILY, first.family),
        (SelectorKind.SESSION, first.session),
        (SelectorKind.SUBJECT, first.subject),
        (SelectorKind.CLIENT, first.client),
    )
    selectors = [f"{kind}:{value}" for kind, value in named if value]
    indexes = await families.cuts(
        connection, [*selectors, SelectorKind.ISSUER.value], types=_CUTTING, since=since
    )
    told = [Told.of(record) for record in await records.read(connection, indexes)]
    return [ending for one in told if (ending := await _cut(connection, one))]


async def _cut(connection: Connection, told: Told) -> Ending | None:
    index = told.record.index
    match told.data:
        case KillCompleted() as completed:
            return await _kill(connection, told.record, completed)
        case ClientDisabled(disabled_at=at):
            return Ending(cause="client_disabled", at=at, records=(index,))
        case AccountDisabled():
            return Ending(cause="account_disabled", at=told.record.time, records=(index,))
        case _:
            return None


async def _kill(connection: Connection, record: Record, completed: KillCompleted) -> Ending:
    selector = record.selector or str(completed.selector)
    indexes = await families.decisions(
        connection, selector, type=KillDecided.event_type, until=completed.applied_at
    )
    candidates = [Told.of(one) for one in await records.read(connection, indexes)]
    decided = _decision(candidates, completed.kill_id)
    if decided is None:
        kill = Kill(kill_id=completed.kill_id, selector=selector, applied_at=completed.applied_at)
        return Ending(cause=EndCause.KILL, at=kill.applied_at, records=(record.index,), kill=kill)
    at, data = decided
    kill = Kill(
        kill_id=completed.kill_id,
        selector=selector,
        applied_at=completed.applied_at,
        cause=data.cause,
        actor=data.actor,
        reason=data.reason,
    )
    return Ending(cause=EndCause.KILL, at=kill.applied_at, records=(at, record.index), kill=kill)


def _decision(candidates: Sequence[Told], kill_id: str) -> tuple[int, KillDecided] | None:
    for told in candidates:
        if isinstance(told.data, KillDecided) and told.data.kill_id == kill_id:
            return told.record.index, told.data
    return None
