"""What one transaction of the issuer cannot see: a pure state machine over one family's stream.

It tolerates events that come twice and history that is missing; it never reads a clock.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

LONGEST_GRACE_MS = 62_000
"""60 s, the longest grace a client may have, and 2 s, the longest that a request may queue."""

MOST_REPLAYS = 3
"""How often one generation may be given out again (design 4)."""

SUCCESSION = 3
"""Replays in so many consecutive generations are somebody who shadows the client."""


class What(StrEnum):
    """The kinds of events that the detector looks at."""

    STARTED = "started"
    ROTATED = "rotated"
    REPLAYED = "replayed"
    PRESENTED_STALE = "presented_stale"
    ENDED = "ended"


class Rule(StrEnum):
    """What can be anomalous; the words of `AnomalyRule` in the contracts."""

    GENERATION_ROTATED_TWICE = "generation_rotated_twice"
    REPLAYED_IN_SUCCESSION = "replayed_in_succession"
    REPLAYED_FROM_ANOTHER_NETWORK = "replayed_from_another_network"


class ReuseClass(StrEnum):
    """How stale a presented token was; the words of `StaleClass` in the contracts."""

    LATE_PREDECESSOR = "late_predecessor"
    OLDER_GENERATION = "older_generation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One event of a family. `place` is (epoch, seq), which only rises along the stream.

    `at` is the issuer's time of it, which stays when it is published again. `generation` is the
    one that is current by this event, `presented` the one that came. For a replay, `replay` counts
    it and `age_ms` is the time since the rotation.
    """

    event_id: UUID
    place: tuple[int, int]
    at: datetime
    what: What
    generation: int
    presented: int = 0
    replay: int = 0
    age_ms: int = 0
    network: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """What is remembered of a family up to the event at `place`, which was told at `at`.

    `rotated_by` and `network` are the current generation's rotation, None where it was not seen.
    `replays` are the first replays of up to three consecutive generations, the last of which is
    `replayed_generation`.
    """

    place: tuple[int, int]
    at: datetime
    generation: int
    rotated_by: UUID | None = None
    network: str | None = None
    replayed_generation: int = 0
    replays: tuple[UUID, ...] = ()
    ended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """A rule matched, resting on these events."""

    rule: Rule
    evidence: tuple[UUID, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reuse:
    """A spent token was used again; `ended` says whether the issuer ended the family for it."""

    reuse_class: ReuseClass
    presented: int
    current: int
    evidence: tuple[UUID, ...]
    ended: bool


Verdict = Anomaly | Reuse


def observe(lineage: Lineage | None, seen: Observation) -> tuple[Lineage, tuple[Verdict, ...]]:
    """One step: what is known of the family before -> after, and what this event proves.

    An event that came twice proves nothing new. A stale presentation is always reuse, whatever is
    known of its family.
    """
    if lineage is not None and _came_before(lineage, seen):
        stale = seen.what is What.PRESENTED_STALE
        return lineage, ((_reuse(lineage, seen, ended=True),) if stale else ())
    known = _caught_up(lineage or Lineage(place=seen.place, at=seen.at, generation=0), seen)
    after, verdicts = _step(known, seen)
    return replace(after, place=seen.place, at=seen.at), verdicts


def reuse_class(*, presented: int, current: int) -> ReuseClass:
    """The class of a stale presentation: the predecessor, or anything older."""
    if presented >= current - 1:
        return ReuseClass.LATE_PREDECESSOR
    return ReuseClass.OLDER_GENERATION


def _came_before(lineage: Lineage, seen: Observation) -> bool:
    """A later epoch may tell old events again at new places: there, the time must be later too."""
    if seen.place[0] == lineage.place[0]:
        return seen.place <= lineage.place
    return seen.place < lineage.place or seen.at <= lineage.at


def _step(known: Lineage, seen: Observation) -> tuple[Lineage, tuple[Verdict, ...]]:
    match seen.what:
        case What.PRESENTED_STALE:
            return replace(known, ended=True), (_reuse(known, seen, ended=True),)
        case What.ENDED:
            return replace(known, ended=True), ()
        case What.REPLAYED:
            return _replayed(known, seen)
        case What.STARTED | What.ROTATED:
            return _rotated(known, seen)


def _caught_up(known: Lineage, seen: Observation) -> Lineage:
    """The lineage at least at the event's generation; a rotation that was not seen is forgotten."""
    if seen.generation <= known.generation or seen.what in {What.STARTED, What.ROTATED}:
        return known
    return replace(known, generation=seen.generation, rotated_by=None, network=None)


def _rotated(known: Lineage, seen: Observation) -> tuple[Lineage, tuple[Verdict, ...]]:
    generation = max(known.generation, seen.generation)
    after = replace(known, generation=generation, rotated_by=seen.event_id, network=seen.network)
    if seen.generation > known.generation:
        return after, ()
    rotated_before = known.rotated_by if seen.generation == known.generation else None
    evidence = _events(rotated_before, seen.event_id)
    return after, (Anomaly(rule=Rule.GENERATION_ROTATED_TWICE, evidence=evidence),)


def _replayed(known: Lineage, seen: Observation) -> tuple[Lineage, tuple[Verdict, ...]]:
    if not _is_lawful(known, seen):
        return replace(known, ended=True), (_reuse(known, seen, ended=False),)
    verdicts: list[Verdict] = []
    if known.network and seen.network and known.network != seen.network:
        evidence = _events(known.rotated_by, seen.event_id)
        verdicts.append(Anomaly(rule=Rule.REPLAYED_FROM_ANOTHER_NETWORK, evidence=evidence))
    after = _counted(known, seen)
    if len(after.replays) == SUCCESSION and after.replays != known.replays:
        verdicts.append(Anomaly(rule=Rule.REPLAYED_IN_SUCCESSION, evidence=after.replays))
    return after, tuple(verdicts)


def _is_lawful(known: Lineage, seen: Observation) -> bool:
    of_current = seen.generation >= known.generation
    return of_current and seen.replay <= MOST_REPLAYS and seen.age_ms <= LONGEST_GRACE_MS


def _counted(known: Lineage, seen: Observation) -> Lineage:
    if seen.generation == known.replayed_generation:
        return known
    follows = seen.generation == known.replayed_generation + 1
    before = known.replays[1 - SUCCESSION :] if follows else ()
    return replace(known, replayed_generation=seen.generation, replays=(*before, seen.event_id))


def _reuse(known: Lineage, seen: Observation, *, ended: bool) -> Reuse:
    return Reuse(
        reuse_class=reuse_class(presented=seen.presented, current=known.generation),
        presented=seen.presented,
        current=known.generation,
        evidence=_events(known.rotated_by, seen.event_id),
        ended=ended,
    )


def _events(*ids: UUID | None) -> tuple[UUID, ...]:
    return tuple(event_id for event_id in ids if event_id is not None)
