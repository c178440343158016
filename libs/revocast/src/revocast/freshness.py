"""How old a reader's knowledge can be at most: measured from watermarks, at each question."""

from collections.abc import Collection, Mapping
from datetime import datetime

from revocast.clock import Clock
from revocast_contracts.lifetimes import SKEW
from revocast_contracts.topics import WATERMARK_SOURCES


class Freshness:
    """Keeps the latest watermark of every source; the oldest of them is what a reader knows."""

    def __init__(self, clock: Clock, sources: Collection[str] = WATERMARK_SOURCES) -> None:
        self._clock = clock
        self._sources = tuple(sources)
        self._heard: dict[str, float] = {}
        self._moved_at = clock.monotonic()

    def heard(self, sources: Mapping[str, datetime]) -> None:
        """Take over a watermark. A source's time never goes back: what was delivered stays so."""
        before = self._through()
        for source in self._sources:
            through = sources.get(source)
            if through is not None:
                said = through.timestamp()
                self._heard[source] = max(said, self._heard.get(source, said))
        if self._through() != before:
            self._moved_at = self._clock.monotonic()

    def reset(self) -> None:
        """Every source counts as never heard, until it is heard again."""
        self._heard.clear()

    def missing(self) -> list[str]:
        """The sources that were never heard."""
        return [source for source in self._sources if source not in self._heard]

    def staleness(self) -> float | None:
        """Seconds: anything committed longer ago is known here. None: a source is missing.

        A clock that is wrong cannot hide a standstill: the time since the oldest watermark last
        moved counts too, on a clock that never goes back.
        """
        through = self._through()
        if through is None:
            return None
        behind = self._clock.wall() - through
        standing = self._clock.monotonic() - self._moved_at
        return max(behind, standing) + SKEW.total_seconds()

    def _through(self) -> float | None:
        if len(self._heard) < len(self._sources):
            return None
        return min(self._heard.values())
