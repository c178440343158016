"""Every entry in force, by selector. Entries leave only by expiry; merging is order-independent."""

import heapq
import math
from dataclasses import dataclass
from datetime import datetime

from revocast.claims import Claims
from revocast.clock import SYSTEM_CLOCK, Clock
from revocast_contracts.revocations import EntryState, RevocationEntry
from revocast_contracts.selectors import SelectorKind, jti_hash

WHATEVER_THE_IAT = 2**62
"""The `not_before` of an entry that has none: later than any token's `iat`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry in force: it denies tokens of `selector` with `iat <= not_before`.

    `selector` is `kind:value`; `not_before` and `expires_at` are seconds since 1970.
    """

    entry_id: str
    selector: str
    pending: bool
    not_before: int
    expires_at: float
    cause: str


class Revocations:
    """The set of entries that a reader holds. One task may write it; any number may read.

    A pending entry denies whatever the `iat`. Once applied it stays applied, so an older copy that
    arrives late changes nothing; one that was applied so long ago that it has expired ends the
    pending one, too. Of several entries of one selector, whichever denies, denies.
    """

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._held: dict[str, tuple[Entry, ...]] = {}
        self._expiries: list[tuple[float, str]] = []
        self._forgotten_through = -math.inf

    def __len__(self) -> int:
        return sum(map(len, self._held.values()))

    def add(self, said: RevocationEntry) -> None:
        """Merge one entry, as read from a feed."""
        entry = _lean(said)
        held = self._held.get(entry.selector, ())
        rest = tuple(other for other in held if other.entry_id != entry.entry_id)
        for other in held:
            if other.entry_id == entry.entry_id:
                entry = _merged(other, entry)
        if entry.expires_at > self._clock.wall():
            heapq.heappush(self._expiries, (entry.expires_at, entry.selector))
            self._hold(entry.selector, (*rest, entry))
        else:
            self._forgotten_through = max(self._forgotten_through, entry.expires_at)
            self._hold(entry.selector, rest)

    def denies(self, claims: Claims) -> Entry | None:
        """The entry that kills a token of these claims now, or None."""
        now = self._clock.wall()
        for selector in _selectors(claims):
            for entry in self._held.get(selector, ()):
                if claims.iat <= entry.not_before and now < entry.expires_at:
                    return entry
        return None

    def forget(self) -> None:
        """Drop what has expired. Called by the writing task now and then."""
        now = self._clock.wall()
        while self._expiries and self._expiries[0][0] <= now:
            expired, selector = heapq.heappop(self._expiries)
            self._forgotten_through = max(self._forgotten_through, expired)
            living = tuple(e for e in self._held.get(selector, ()) if e.expires_at > now)
            self._hold(selector, living)

    def _hold(self, selector: str, entries: tuple[Entry, ...]) -> None:
        if entries:
            self._held[selector] = entries
        else:
            self._held.pop(selector, None)

    def lost_by_clock(self) -> bool:
        """Whether the wall clock went back so far that a forgotten entry would be in force."""
        return self._clock.wall() < self._forgotten_through

    def refill(self) -> None:
        """The whole log is about to be read again: what was forgotten too early comes back."""
        self._forgotten_through = -math.inf


def _merged(held: Entry, said: Entry) -> Entry:
    """Applied beats pending; of two alike, the one that denies more and longer, field by field."""
    if held.pending != said.pending:
        return said if held.pending else held
    return Entry(
        entry_id=held.entry_id,
        selector=held.selector,
        pending=held.pending,
        not_before=max(held.not_before, said.not_before),
        expires_at=max(held.expires_at, said.expires_at),
        cause=held.cause,
    )


def _lean(said: RevocationEntry) -> Entry:
    pending = said.state is EntryState.PENDING
    return Entry(
        entry_id=said.entry_id,
        selector=str(said.selector),
        pending=pending,
        not_before=_denied_through(None if pending else said.not_before),
        expires_at=said.expires_at.timestamp(),
        cause=str(said.cause),
    )


def _denied_through(not_before: datetime | None) -> int:
    return WHATEVER_THE_IAT if not_before is None else math.floor(not_before.timestamp())


def _selectors(claims: Claims) -> list[str]:
    """What an entry may call this token, most often killed first."""
    values = (
        (SelectorKind.FAMILY, claims.family),
        (SelectorKind.SESSION, claims.sid),
        (SelectorKind.JTI, jti_hash(claims.jti)),
        (SelectorKind.SUBJECT, claims.subject_hash),
        (SelectorKind.CLIENT, claims.client_id),
        (SelectorKind.KEY, claims.kid),
        (SelectorKind.ISSUER, claims.iss),
    )
    return [f"{kind}:{value}" for kind, value in values if value is not None]
