"""Facts whose verdict the issuer has spoken already become applied entries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from revocast_contracts.envelope import Event
from revocast_contracts.lifecycle import (
    ClientDisabled,
    EndCause,
    FamilyEnded,
    TokenPresentedStale,
    TokenRevoked,
)
from revocast_contracts.lifetimes import ENTRY_LIFETIME, SKEW
from revocast_contracts.revocations import EntryCause, EntryState, RevocationEntry
from revocast_contracts.selectors import Selector, SelectorKind
from revocation.domain.entries import COLLAPSE_MARGIN, entry_id
from revocation.store import entries
from revocation.store.entries import CausedEntry
from servicekit.postgres import Connection

CAUSES = {
    EndCause.REUSE: EntryCause.REUSE,
    EndCause.LOGOUT: EntryCause.LOGOUT,
    EndCause.KILL: EntryCause.KILL,
}
"""What a family's end is called on the revocations topic; everything else is `revoked`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One selector that is dead since `moment`; every token of it is dead at `needed_until`."""

    selector: Selector
    cause: EntryCause
    moment: datetime
    needed_until: datetime
    correlation_id: str
    not_before: datetime | None = None

    @property
    def entry_id(self) -> str:
        """Its entry's id: the same whenever the same fact is told."""
        kind, value = self.selector.kind.value, self.selector.value
        return entry_id(kind, value, self.cause.value, from_moment=self.not_before)

    @property
    def expires_at(self) -> datetime:
        """When its entry leaves; a session's stays longer, to cover what ends a moment later."""
        collapses = self.selector.kind is SelectorKind.SESSION
        return self.needed_until + (COLLAPSE_MARGIN if collapses else timedelta())


def fact_of(event: Event) -> Fact | None:
    """The fact that an event of the issuer states; None where it kills nothing by itself."""
    match event.data:
        case TokenPresentedStale() as data:
            return family_fact(event, data.family, EntryCause.REUSE, data.ended_at)
        case FamilyEnded(cause=EndCause.LOGOUT, session=str(session)) as data:
            return _session_fact(event, session, data.ended_at)
        case FamilyEnded() as data:
            cause = CAUSES.get(data.cause, EntryCause.REVOKED)
            return family_fact(event, data.family, cause, data.ended_at)
        case TokenRevoked() as data:
            return _token_fact(event, data)
        case ClientDisabled() as data:
            return _client_fact(event, data)
        case _:
            return None


def family_fact(event: Event, family: str, cause: EntryCause, ended_at: datetime) -> Fact:
    """A family that is dead since `ended_at`."""
    return Fact(
        selector=Selector(kind=SelectorKind.FAMILY, value=family),
        cause=cause,
        moment=ended_at,
        needed_until=ended_at + ENTRY_LIFETIME,
        correlation_id=event.correlationid,
    )


async def publish_entries(connection: Connection, facts: Sequence[Fact]) -> dict[Fact, str]:
    """Publish the entries of facts; fact -> the id of the entry that covers it.

    A fact that an entry covers already is not told again. One that comes again when that entry
    leaves too early (a restored issuer ended the family twice) gets an entry of its own.
    """
    if not facts:
        return {}
    covering, wanted = _cover(facts, {})
    if await entries.add(connection, list(wanted.values())) < len(wanted):
        known = await entries.expiries(connection, [fact.entry_id for fact in facts])
        covering, wanted = _cover(facts, known)
        await entries.add(connection, list(wanted.values()))
    return covering


def _cover(
    facts: Sequence[Fact], known: Mapping[str, datetime]
) -> tuple[dict[Fact, str], dict[str, CausedEntry]]:
    """Which entry covers each fact, and all of these by their ids, given when some expire."""
    expiries = dict(known)
    covering: dict[Fact, str] = {}
    wanted: dict[str, CausedEntry] = {}
    for fact in facts:
        entry = _entry(fact, expiries)
        covering[fact] = entry.entry_id
        expiries.setdefault(entry.entry_id, entry.expires_at)
        caused = CausedEntry(entry=entry, correlation_id=fact.correlation_id)
        wanted.setdefault(entry.entry_id, caused)
    return covering, wanted


def _entry(fact: Fact, known: Mapping[str, datetime]) -> RevocationEntry:
    covered = known.get(fact.entry_id, fact.needed_until) >= fact.needed_until
    kind, value = fact.selector.kind.value, fact.selector.value
    own_id = entry_id(kind, value, fact.cause.value, from_moment=fact.moment)
    return RevocationEntry(
        entry_id=fact.entry_id if covered else own_id,
        selector=fact.selector,
        state=EntryState.APPLIED,
        not_before=fact.not_before,
        expires_at=fact.expires_at,
        cause=fact.cause,
    )


def _session_fact(event: Event, session: str, ended_at: datetime) -> Fact:
    """All families of a sign-out are one entry: a person may have many."""
    return Fact(
        selector=Selector(kind=SelectorKind.SESSION, value=session),
        cause=EntryCause.LOGOUT,
        moment=ended_at,
        needed_until=ended_at + ENTRY_LIFETIME,
        correlation_id=event.correlationid,
    )


def _token_fact(event: Event, data: TokenRevoked) -> Fact:
    return Fact(
        selector=Selector(kind=SelectorKind.JTI, value=data.jti_hash),
        cause=EntryCause.REVOKED,
        moment=data.revoked_at,
        needed_until=data.exp + SKEW,
        correlation_id=event.correlationid,
    )


def _client_fact(event: Event, data: ClientDisabled) -> Fact:
    return Fact(
        selector=Selector(kind=SelectorKind.CLIENT, value=data.client_id),
        cause=EntryCause.CLIENT_DISABLED,
        moment=data.disabled_at,
        needed_until=data.disabled_at + ENTRY_LIFETIME,
        correlation_id=event.correlationid,
        not_before=data.disabled_at,
    )
