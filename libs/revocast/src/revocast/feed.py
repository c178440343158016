"""What every feed shares: the state made of its records, and what a guard asks it."""

import logging
from datetime import timedelta
from typing import NamedTuple, Protocol

from revocast.clock import Clock
from revocast.freshness import Freshness
from revocast.revocations import Revocations
from revocast.stats import Stats
from revocast_contracts import codec
from revocast_contracts.lifetimes import REVOCATIONS_RETENTION
from revocast_contracts.revocations import RevocationEntry, RevocationWatermark

log = logging.getLogger("revocast")


class Feed(Protocol):
    """A way to receive entries. It runs from `start` to `stop` and never gives up."""

    @property
    def revocations(self) -> Revocations:
        """The entries in force, as far as this feed knows."""

    async def start(self) -> None:
        """Begin to read; returns at once, also while the source is down."""

    async def stop(self) -> None:
        """End everything that `start` began."""

    def staleness(self) -> timedelta | None:
        """Whatever was committed longer ago is known here; None: a source was never heard."""

    def trouble(self, max_staleness: timedelta) -> str | None:
        """Why this feed may not be relied on now, in words for an operator; None if it may."""


class CausedEntry(NamedTuple):
    """An entry, and the correlation id of the request or event that caused it."""

    entry: RevocationEntry
    correlation_id: str


class LogReplacedError(Exception):
    """The log is not the one that was read so far: all of it has to be read again."""


class Intake:
    """Turns records of the `revocations` topic into entries and watermarks, in their order.

    A record that cannot be read could be a revocation, so it is trouble until a readable record
    or a tombstone of the same key replaces it, or until its entry must have expired.
    """

    def __init__(self, clock: Clock, stats: Stats) -> None:
        self.revocations = Revocations(clock)
        self.freshness = Freshness(clock)
        self._clock = clock
        self._stats = stats
        self._complete = False
        self._epoch = 0
        self._epoch_rose = False
        self._unreadable: dict[object, float] = {}
        self._unreadable_before: dict[object, float] = {}

    def restart(self) -> None:
        """The log is about to be read from its beginning, as the same log as before."""
        self.revocations.refill()
        self._unreadable_before |= self._unreadable
        self._unreadable = {}
        self._epoch_rose = False

    def distrust(self) -> None:
        """The log was replaced: nothing counts as complete until it has been read to its end."""
        self._complete = False
        self.freshness.reset()

    def reached_end(self) -> None:
        """Everything that stood in the log when reading began has been taken.

        Raises:
            LogReplacedError: a later life of the log began meanwhile; what it says from its
                beginning may have been missed.
        """
        if self._epoch_rose:
            raise LogReplacedError(f"epoch {self._epoch} was met on the way")
        self._complete = True
        self._unreadable_before = {}

    def take(self, key: bytes | None, value: bytes | None) -> CausedEntry | None:
        """One record -> its entry, if it is one, already in force here.

        Raises:
            LogReplacedError: it belongs to a later life of the log; it was not taken.
        """
        name = object() if key is None else key
        if value is None:
            self._unreadable.pop(name, None)
            return None
        try:
            event = codec.decode(value)
        except codec.UndecodableError as error:
            self._note_unreadable(name, error)
            return None
        self._check_epoch(event.epoch)
        self._unreadable.pop(name, None)
        entry = self._apply(event.data)
        return None if entry is None else CausedEntry(entry, event.correlationid)

    def trouble(self, max_staleness: timedelta) -> str | None:
        """See `Feed.trouble`."""
        if not self._complete:
            return "the log of revocations has not been read to its end yet"
        if self.revocations.lost_by_clock():
            return "the clock went back; the log is being read again"
        if self._has_unreadable():
            return "a record on the log of revocations could not be read"
        staleness = self.freshness.staleness()
        if staleness is None:
            return f"no watermark yet from {', '.join(self.freshness.missing())}"
        if staleness > max_staleness.total_seconds():
            return f"revocations may be {staleness:.0f} s behind"
        return None

    def _apply(self, data: object) -> RevocationEntry | None:
        match data:
            case RevocationEntry():
                self._stats.entries += 1
                self.revocations.add(data)
                return data
            case RevocationWatermark():
                self._stats.watermarks += 1
                self.freshness.heard(data.sources)
            case _:
                self._stats.unknown_types += 1
        return None

    def _check_epoch(self, epoch: int) -> None:
        rose = 0 < self._epoch < epoch
        self._epoch = max(self._epoch, epoch)
        self._epoch_rose = self._epoch_rose or rose
        if rose and self._complete:
            raise LogReplacedError(f"epoch {epoch} began")

    def _note_unreadable(self, name: object, error: codec.UndecodableError) -> None:
        self._stats.unreadable += 1
        until = self._clock.monotonic() + REVOCATIONS_RETENTION.total_seconds()
        self._unreadable[name] = until
        log.error("a record on the log of revocations could not be read: %s", error)

    def _has_unreadable(self) -> bool:
        now = self._clock.monotonic()
        both = (self._unreadable, self._unreadable_before)
        return any(until > now for pending in both for until in pending.values())
