"""Partitions that carry watermarks are never silent: one that is has lost its connection."""

from collections.abc import Collection, Sequence
from datetime import timedelta

from messaging.positions import Place
from revocast_contracts.lifecycle import WatermarkPassed
from revocast_contracts.revocations import RevocationWatermark
from revocast_contracts.topics import Topic

_WATERMARKS = {WatermarkPassed, RevocationWatermark}


class Silence:
    """Counts for how long each partition was listened to and said nothing.

    Each has a connection to its own leader, so one may be dead while others go on. Time in which
    nobody listened does not count: a batch may take minutes while its database is away. Nothing is
    ever written to partitions that the contract does not know.
    """

    def __init__(self, topics: Sequence[Topic], bound: timedelta) -> None:
        self._marked = {
            (topic.name, shard)
            for topic in topics
            if _WATERMARKS.intersection(topic.types)
            for shard in range(topic.partitions)
        }
        self._bound = bound.total_seconds()
        self._silent: dict[Place, float] = {}

    def listened(
        self, seconds: float, *, to: Collection[Place], heard: Collection[Place]
    ) -> list[Place]:
        """One poll of the partitions `to`; those that have been silent for too long now."""
        self._silent = {
            place: 0.0 if place in heard else self._silent.get(place, 0.0) + seconds
            for place in to
            if place in self._marked
        }
        return [place for place, silent in self._silent.items() if silent > self._bound]
