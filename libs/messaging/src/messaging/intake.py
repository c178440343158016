"""Records of a batch -> events that were not handled before, and the positions after them."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from aiokafka import ConsumerRecord

from messaging.positions import Place, Position
from revocast_contracts import codec
from revocast_contracts.envelope import Event
from revocast_contracts.lifecycle import WatermarkPassed
from revocast_contracts.revocations import RevocationWatermark
from revocast_contracts.topics import DEAD_LETTER


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """An event and the record it came in; `raw` are the record's exact bytes."""

    event: Event
    topic: str
    partition: int
    offset: int
    raw: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """Events are missing between the place `at` and the place `beyond`."""

    at: tuple[int, int]
    beyond: tuple[int, int]


@dataclass(slots=True)
class Taken:
    """What a batch comes to, given the positions that are held.

    Nothing behind a hole was taken. `missed` counts, by topic, events that are gone for good,
    `read` the records that were new, `filled` are partitions where a search found everything.
    """

    received: list[Received] = field(default_factory=list)
    unreadable: list[tuple[ConsumerRecord, str]] = field(default_factory=list)
    positions: dict[Place, Position] = field(default_factory=dict)
    holes: dict[Place, Hole] = field(default_factory=dict)
    filled: set[Place] = field(default_factory=set)
    dropped: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    read: int = 0


@dataclass(slots=True)
class _Search:
    """A partition is read from its beginning to the offset `until`, for what is missing at `at`."""

    at: tuple[int, int]
    until: int
    skipped: set[tuple[int, int]] = field(default_factory=set)


class Intake:
    """Knows with which record each partition has to begin, and what it is being searched for.

    Seqs are dense, so a hole shows. It is searched for from the beginning of the log, since events
    may have come late, behind later ones; these are skipped meanwhile. Only a whole search that
    found nothing accepts it. All of this is forgotten when the partition is assigned anew.
    """

    def __init__(self) -> None:
        self._expected: dict[Place, Position] = {}
        self._starting_over: set[Place] = set()
        self._searches: dict[Place, _Search] = {}
        self._accepted: dict[Place, tuple[int, int]] = {}

    def expect(self, place: Place, position: Position) -> None:
        """Reading goes on at the record before a position: it has to be the same record still."""
        self._expected.pop(place, None)
        self._starting_over.discard(place)
        self._searches.pop(place, None)
        self._accepted.pop(place, None)
        if position.next_offset > 0:
            self._expected[place] = position

    def is_same_log(self, place: Place, records: Sequence[ConsumerRecord]) -> bool:
        """Whether the first record is the expected one. A topic made anew has another one there."""
        expected = self._expected.pop(place, None)
        if expected is None:
            return True
        first = records[0]
        same = bool(first.offset == expected.next_offset - 1)
        return same and _sha256(first) == expected.record_sha256

    def start_over(self, place: Place) -> None:
        """The partition is read from its beginning: offsets say nothing until one is saved."""
        self._expected.pop(place, None)
        self._starting_over.add(place)

    def search(self, place: Place, hole: Hole, *, until: int) -> None:
        """The partition is read from its beginning to the offset `until`, looking for a hole."""
        before = self._searches.pop(place, None)
        if before is not None and before.at == hole.at:
            self._accepted[place] = hole.beyond
        else:
            self._searches[place] = _Search(hole.at, until)

    def saved(self, taken: Taken) -> None:
        """What was taken has been committed."""
        self._starting_over.difference_update(taken.positions)
        for place in taken.filled:
            self._searches.pop(place, None)

    def take(
        self, batches: Mapping[Place, Sequence[ConsumerRecord]], held: Mapping[Place, Position]
    ) -> Taken:
        """Sort the records of a batch out. Changes nothing that a second try would see."""
        taken = Taken()
        for place, records in batches.items():
            position = held[place]
            for record in records:
                if record.offset < position.next_offset and place not in self._starting_over:
                    taken.dropped[record.topic] += 1
                    continue
                moved = self._take(taken, place, record, position)
                if moved is None:
                    break
                position = replace(
                    moved, next_offset=record.offset + 1, record_sha256=_sha256(record)
                )
                if not self._goes_on(taken, place, position):
                    break
            if position != held[place]:
                taken.positions[place] = position
        return taken

    def _take(
        self, taken: Taken, place: Place, record: ConsumerRecord, position: Position
    ) -> Position | None:
        """The position after a record; None where events are missing before it."""
        try:
            event = codec.decode(record.value or b"")
        except codec.UndecodableError as error:
            taken.read += 1
            taken.unreadable.append((record, str(error)))
            return _past_unreadable(record, position)
        marks = isinstance(event.data, WatermarkPassed | RevocationWatermark)
        ordered = record.topic != DEAD_LETTER.name  # many write it: no seq, its offset decides
        if ordered and not marks and (event.epoch, event.seq) <= position.place:
            taken.dropped[record.topic] += 1
            return position
        missing = _missing(event, position, marks=marks) if ordered else 0
        if missing and not self._accepts(place, event):
            return self._beyond_a_hole(taken, place, record, event, position)
        if missing:  # a count of 0 would be told as a loss
            taken.missed[record.topic] += missing
        taken.read += 1
        taken.received.append(
            Received(
                event=event,
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
                raw=record.value,
            )
        )
        first = position.epoch == 0 and event.seq == 0  # heard: whatever comes is still to come
        if not ordered or (marks and not missing and not first):
            return position
        return replace(position, epoch=event.epoch, seq=event.seq)

    def _accepts(self, place: Place, event: Event) -> bool:
        return (event.epoch, event.seq) <= self._accepted.get(place, (0, 0))

    def _beyond_a_hole(
        self, taken: Taken, place: Place, record: ConsumerRecord, event: Event, position: Position
    ) -> Position | None:
        beyond = (event.epoch, event.seq)
        search = self._searches.get(place)
        if search is None or record.offset >= search.until:
            taken.holes[place] = Hole(at=position.place, beyond=beyond)
            return None
        search.skipped.add(beyond)
        taken.dropped[record.topic] += 1
        return position

    def _goes_on(self, taken: Taken, place: Place, position: Position) -> bool:
        """Whether reading goes on; not where a search has ended with something still skipped."""
        search = self._searches.get(place)
        if search is None or position.next_offset < search.until or place in taken.filled:
            return True
        left = [skipped for skipped in search.skipped if skipped > position.place]
        if left:
            taken.holes[place] = Hole(at=position.place, beyond=min(left))
            return False
        taken.filled.add(place)
        return True


def _missing(event: Event, position: Position, *, marks: bool) -> int:
    """How many events are missing: seqs are dense, and a watermark repeats its forerunner's."""
    if position.epoch == 0:
        return 0
    return max(0, event.seq - position.seq - (0 if marks else 1))


def _past_unreadable(record: ConsumerRecord, position: Position) -> Position:
    """An event that violates its schema may still say its place; believed only if it is the next.

    Without that, its seq would look like a hole.
    """
    try:
        said: Any = json.loads(record.value or b"")
        place = (said["epoch"], said["seq"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return position
    if place == (position.epoch, position.seq + 1):
        return replace(position, seq=position.seq + 1)
    return position


def _sha256(record: ConsumerRecord) -> bytes:
    return hashlib.sha256(record.value or b"").digest()
