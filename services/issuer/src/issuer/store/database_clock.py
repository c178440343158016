"""Until when a statement may be decided, in the words of the database, whose clock decides."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg

STATEMENT_SECONDS = 3.0
"""Past this the outcome of a statement is unknown and the callers are told to try again: soon
enough for a retry within the usual grace, in case it did commit. The database decides nothing of it
any more then: a client that has rotated on meanwhile would be taken for a thief."""

DRIFT = 0.001
"""Seconds by which two clocks part in a second, at most: twice what NTP slews."""

OLDEST_SECONDS = 10.0
"""No answer takes so long: one that seems to says that the clock was set back."""


@dataclass(slots=True)
class DatabaseClock:
    """What the database's clock says, as far as its answers tell: never later than it is.

    An answer was decided before it arrived here: the latest time that fits all answers is the best.
    """

    _ahead: float | None = None
    _heard_at: float = 0.0

    @contextmanager
    def deadline(self, waited_ms: int = 0) -> Iterator[datetime | None]:
        """The time that a statement carries, whose oldest call waited so long; None: unknown yet.

        One that came too late may mean that this clock is wrong: the next answer tells.
        """
        try:
            yield self._in_seconds(STATEMENT_SECONDS - waited_ms / 1000)
        except asyncpg.QueryCanceledError:
            self._ahead = None
            raise

    def heard(self, decided_at: datetime) -> None:
        """An answer that arrives now was decided then."""
        now = time.monotonic()
        ahead = decided_at.timestamp() - now
        if self._ahead is not None and self._ahead - ahead < OLDEST_SECONDS:
            ahead = max(ahead, self._ahead - DRIFT * (now - self._heard_at))
        self._ahead, self._heard_at = ahead, now

    def _in_seconds(self, seconds: float) -> datetime | None:
        if self._ahead is None:
            return None
        now = datetime.fromtimestamp(self._ahead + time.monotonic(), UTC)
        return now + timedelta(seconds=seconds)
